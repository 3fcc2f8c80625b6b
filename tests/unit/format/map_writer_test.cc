#include "format/map/map_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "format/map/walk.h"
#include "tests/support/memory_pages.h"
#include "tests/support/seed.h"

namespace backstitch::format {
namespace {

using test::MemoryPages;
using test::Random;

Ref chunk_ref(uint32_t point, uint64_t number) {
  Ref ref;
  ref.kind = RefKind::kChunk;
  ref.length = kChunkBytes;
  ref.point = point;
  ref.offset = kHeaderBytes + number * kChunkBytes;
  ref.hash = {number * 7 + point, point};
  return ref;
}

// One assignment as the flat model and the writer take it.
struct Step {
  uint64_t first;
  uint64_t count;  // of zeroes; 0: one chunk of data
};

std::vector<Step> random_steps(Random& random, uint64_t chunks) {
  std::vector<Step> steps;
  for (uint64_t at = random.below(chunks + 1); at < chunks;) {
    const uint64_t left = chunks - at;
    if (random.chance(3)) {
      const uint64_t most = random.chance(2) ? left : std::min(left, 300UL);
      steps.push_back({at, 1 + random.below(most)});
      at += steps.back().count;
    } else {
      steps.push_back({at, 0});
      at += 1;
    }
    at += random.chance(2) ? 0 : random.below(random.chance(4) ? left : 200);
  }
  return steps;
}

class Model {
 public:
  explicit Model(uint64_t stream) : random_(stream) {}

  void next_point() {
    const uint64_t chunks = next_size();
    ++point_;
    const uint64_t first_page = pages_.next_offset();
    MapWriter writer(pages_, map_, chunks, [this](const Page& page) {
      return pages_.append(page, point_);
    });
    flat_.resize(chunks);
    for (const Step& step : random_steps(random_, chunks)) apply(writer, step);
    map_ = writer.finish();
    check(first_page);
  }

 private:
  uint64_t next_size() {
    if (point_ > 0 && !random_.chance(4)) return map_.chunks;
    const uint64_t limits[] = {2, 130, 300, 17000, 40000};
    return random_.below(limits[random_.below(5)]);
  }

  void apply(MapWriter& writer, const Step& step) {
    if (step.count == 0) {
      flat_[step.first] = chunk_ref(point_, step.first);
      writer.assign(step.first, flat_[step.first]);
      return;
    }
    std::fill_n(flat_.begin() + static_cast<long>(step.first), step.count,
                Ref());
    writer.assign_zero(step.first, step.count);
  }

  void check(uint64_t first_page) {
    const MapReader reader(pages_, map_);
    uint64_t data = 0;
    for (uint64_t chunk = 0; chunk < flat_.size(); ++chunk) {
      ASSERT_EQ(reader.lookup(chunk), flat_[chunk]) << "chunk " << chunk;
      data += flat_[chunk].is_zero() ? 0 : 1;
    }
    EXPECT_EQ(reader.count_data(0, flat_.size()), data);
    check_seeks(reader);
    check_all_pages_used(first_page);
    check_beyond_end();
  }

  void check_seeks(const MapReader& reader) {
    for (int i = 0; i < 50; ++i) {
      const uint64_t from = random_.below(flat_.size() + 1);
      const auto begin = flat_.begin() + static_cast<long>(from);
      const auto data = std::find_if(
          begin, flat_.end(), [](const Ref& ref) { return !ref.is_zero(); });
      const auto zero = std::find_if(
          begin, flat_.end(), [](const Ref& ref) { return ref.is_zero(); });
      ASSERT_EQ(reader.next_data(from), data - flat_.begin());
      ASSERT_EQ(reader.next_zero(from), zero - flat_.begin());
    }
  }

  // A point's pages tile its file: verify relies on it.
  void check_all_pages_used(uint64_t first_page) {
    std::vector<uint64_t> offsets;
    WalkVisitor visitor;
    visitor.visit = [&](const Ref& ref, Position) {
      if (ref.kind == RefKind::kPage && ref.point == point_)
        offsets.push_back(ref.offset);
    };
    walk(pages_, std::span(&map_, 1), visitor);
    uint64_t expected = first_page;
    for (const uint64_t offset : offsets) {
      ASSERT_EQ(offset, expected) << "pages are out of order or unused";
      expected += kPageBytes;
    }
    EXPECT_EQ(expected, pages_.next_offset());
  }

  void check_beyond_end() {
    MapRoot wide = map_;
    wide.chunks = level_span(map_.height());
    const MapReader reader(pages_, wide);
    EXPECT_EQ(reader.next_data(map_.chunks), wide.chunks);
  }

  Random random_;
  MemoryPages pages_;
  uint32_t point_ = 0;
  MapRoot map_;
  std::vector<Ref> flat_;
};

TEST(MapWriter, EqualsAFlatModel) {
  for (uint64_t stream = 0; stream < 40; ++stream) {
    SCOPED_TRACE("stream " + std::to_string(stream));
    Model model(stream);
    for (int point = 0; point < 12 && !testing::Test::HasFatalFailure();
         ++point) {
      model.next_point();
    }
  }
}

TEST(MapWriter, AHugeSparseDiskCostsOnlyItsPaths) {
  MemoryPages pages;
  const uint64_t chunks = chunk_count(uint64_t{16} << 40);
  const auto append = [&](const Page& page) { return pages.append(page, 1); };
  MapWriter writer(pages, {}, chunks, append);
  writer.assign_zero(0, chunks / 2);
  writer.assign(chunks - 1, chunk_ref(1, 0));
  const MapRoot map = writer.finish();
  EXPECT_EQ(map.height(), 4);
  EXPECT_EQ(pages.next_offset(), kHeaderBytes + 4 * kPageBytes);
  EXPECT_EQ(MapReader(pages, map).next_data(0), chunks - 1);
}

TEST(MapWriter, WhatDidNotChangeKeepsItsRoot) {
  MemoryPages pages;
  uint32_t point = 1;
  const auto append = [&](const Page& page) {
    return pages.append(page, point);
  };
  MapWriter first(pages, {}, 1000, append);
  for (uint64_t chunk = 0; chunk < 500; ++chunk)
    first.assign(chunk, chunk_ref(1, chunk));
  const MapRoot map = first.finish();
  point = 2;
  MapWriter second(pages, map, 1000, append);
  second.assign(7, chunk_ref(1, 7));
  second.assign_zero(600, 300);
  EXPECT_EQ(second.finish().root, map.root);
}

TEST(Diff, NamesTheChunksThatDiffer) {
  for (uint64_t stream = 0; stream < 60; ++stream) {
    SCOPED_TRACE("stream " + std::to_string(stream));
    Random random(1000 + stream);
    MemoryPages pages;
    std::vector<Ref> flats[2];
    MapRoot maps[2];
    for (uint32_t i = 0; i < 2; ++i) {
      flats[i] = i == 0 ? std::vector<Ref>() : flats[0];
      const uint64_t chunks = random.below(random.chance(2) ? 300 : 20000);
      flats[i].resize(chunks);
      MapWriter writer(pages, maps[0], chunks, [&](const Page& page) {
        return pages.append(page, i + 1);
      });
      for (uint64_t at = 0; at < chunks; at += 1 + random.below(400)) {
        flats[i][at] = chunk_ref(i + 1, at);
        writer.assign(at, flats[i][at]);
      }
      maps[i] = writer.finish();
    }
    std::set<uint64_t> expected;
    const size_t longest = std::max(flats[0].size(), flats[1].size());
    flats[0].resize(longest);
    flats[1].resize(longest);
    for (uint64_t chunk = 0; chunk < longest; ++chunk)
      if (flats[0][chunk] != flats[1][chunk]) expected.insert(chunk);
    std::set<uint64_t> found;
    uint64_t last_end = 0;
    diff(pages, maps[0], pages, maps[1], [&](uint64_t first, uint64_t count) {
      EXPECT_TRUE(found.empty() || first > last_end) << "not coalesced";
      last_end = first + count;
      for (uint64_t i = 0; i < count; ++i) found.insert(first + i);
    });
    EXPECT_EQ(found, expected);
  }
}

TEST(Walk, MeetsWhatAnyOfTheMapsReachesOnce) {
  Random random(5000);
  MemoryPages pages;
  std::vector<MapRoot> maps;
  std::set<std::pair<uint32_t, uint64_t>> expected;
  MapRoot map;
  for (uint32_t point = 1; point <= 8; ++point) {
    const uint64_t chunks = 1 + random.below(20000);
    MapWriter writer(pages, map, chunks, [&](const Page& page) {
      return pages.append(page, point);
    });
    for (uint64_t at = random.below(chunks); at < chunks;
         at += 1 + random.below(2000)) {
      writer.assign(at, chunk_ref(point, at));
    }
    map = writer.finish();
    maps.push_back(map);
    const MapReader reader(pages, map);
    for (uint64_t at = reader.next_data(0); at < chunks;
         at = reader.next_data(at + 1)) {
      const Ref ref = reader.lookup(at);
      expected.emplace(ref.point, ref.offset);
    }
  }
  std::set<std::pair<uint32_t, uint64_t>> found;
  WalkVisitor visitor;
  visitor.visit = [&](const Ref& ref, Position) {
    if (ref.kind != RefKind::kChunk) return;
    EXPECT_TRUE(found.emplace(ref.point, ref.offset).second) << "met twice";
  };
  walk(pages, maps, visitor);
  EXPECT_EQ(found, expected);
}

}  // namespace
}  // namespace backstitch::format
