#include "src/nbd/extents.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "format/base/error.h"
#include "format/map/ref.h"
#include "tests/support/seed.h"

namespace backstitch::engine {
namespace {

using format::kChunkBytes;
using test::Random;

// The smallest unit in which a server tells things apart.
constexpr uint64_t kSector = 512;

// Flags of a disk, a sector each, told as a server may: replies that are short,
// that reach beyond what was asked, extents that are split at will.
class ToldDisk {
 public:
  ToldDisk(Random& random, uint64_t size, uint32_t flag)
      : random_(random), flags_(size / kSector) {
    const uint64_t grain = uint64_t{1} << random.below(10);
    for (uint64_t at = 0; at < flags_.size();) {
      const uint32_t value = random.chance(2) ? flag : 0;
      const uint64_t end =
          std::min<uint64_t>(flags_.size(), at + 1 + random.below(4 * grain));
      std::fill(flags_.begin() + static_cast<ptrdiff_t>(at),
                flags_.begin() + static_cast<ptrdiff_t>(end), value);
      at = end;
    }
  }

  uint32_t flag(uint64_t sector) const { return flags_[sector]; }

  std::vector<uint32_t> reply(uint64_t offset, uint64_t length) {
    std::vector<uint32_t> pairs;
    const uint64_t asked = (offset + length + kSector - 1) / kSector;
    const uint64_t end = std::min<uint64_t>(
        flags_.size(), random_.chance(3) ? asked + random_.below(300) : asked);
    for (uint64_t at = offset / kSector; at < end;) {
      uint64_t next = at + 1;
      while (next < end && flags_[next] == flags_[at] && !random_.chance(500))
        ++next;
      pairs.push_back(static_cast<uint32_t>((next - at) * kSector));
      pairs.push_back(flags_[at]);
      at = next;
      if (random_.chance(20)) break;
    }
    return pairs;
  }

 private:
  Random& random_;
  std::vector<uint32_t> flags_;
};

struct Told {
  Told(Random& random, uint64_t size, uint32_t flag)
      : disk(random, size, flag),
        cursor(size, [this](uint64_t offset, uint64_t length) {
          ++queries;
          cursor.absorb(offset, disk.reply(offset, length));
        }) {}
  ToldDisk disk;
  ExtentCursor cursor;
  int queries = 0;
};

ChunkState expected(uint64_t chunk, uint64_t size, const ToldDisk& allocation,
                    const ToldDisk* bitmap) {
  const uint64_t begin = chunk * kChunkBytes / kSector;
  const uint64_t end = std::min(size, (chunk + 1) * kChunkBytes) / kSector;
  bool dirty = bitmap == nullptr;
  bool zero = true;
  for (uint64_t sector = begin; sector < end; ++sector) {
    dirty = dirty || bitmap->flag(sector) != 0;
    zero = zero && (allocation.flag(sector) & kAllocationZero) != 0;
  }
  if (!dirty) return ChunkState::kClean;
  return zero ? ChunkState::kZero : ChunkState::kData;
}

void check_runs(Random& random, bool with_bitmap, uint64_t worth_asking) {
  const uint64_t size = (1 + random.below(60 * 128)) * kSector;
  Told allocation(random, size, kAllocationZero);
  Told bitmap(random, size, kBitmapDirty);
  ChunkRuns runs(size, allocation.cursor,
                 with_bitmap ? &bitmap.cursor : nullptr, worth_asking);
  uint64_t next = 0;
  while (const auto run = runs.next()) {
    ASSERT_EQ(run->first, next);
    ASSERT_GT(run->count, 0U);
    for (uint64_t i = 0; i < run->count; ++i, ++next) {
      const ChunkState state = expected(next, size, allocation.disk,
                                        with_bitmap ? &bitmap.disk : nullptr);
      // Small dirty pieces may be read though they are zero.
      if (state == ChunkState::kZero && worth_asking > 0 && with_bitmap)
        ASSERT_NE(run->state, ChunkState::kClean);
      else
        ASSERT_EQ(run->state, state) << "chunk " << next << " of " << size;
    }
  }
  EXPECT_EQ(next, format::chunk_count(size));
}

TEST(ChunkRuns, EqualAFlatModel) {
  for (uint64_t i = 0; i < 400; ++i) {
    Random random(i);
    check_runs(random, false, 0);
    check_runs(random, true, 0);
    check_runs(random, true, ChunkRuns::kWorthAsking);
  }
}

TEST(ChunkRuns, AnEmptyDiskHasNone) {
  ExtentCursor cursor(0, [](uint64_t, uint64_t) { FAIL(); });
  ChunkRuns runs(0, cursor, nullptr);
  EXPECT_EQ(runs.next(), std::nullopt);
}

TEST(ChunkRuns, AHoleThatDoesNotSayZeroIsRead) {
  const uint64_t size = 4 * kChunkBytes;
  ExtentCursor cursor(size, [&](uint64_t offset, uint64_t) {
    constexpr uint32_t kHoleOnly = 1;
    const std::vector<uint32_t> pairs = {static_cast<uint32_t>(size - offset),
                                         kHoleOnly};
    cursor.absorb(offset, pairs);
  });
  ChunkRuns runs(size, cursor, nullptr);
  EXPECT_EQ(runs.next(), (ChunkRun{0, 4, ChunkState::kData}));
}

TEST(ChunkRuns, CleanDiskAsksNothingOfTheAllocation) {
  constexpr uint64_t kSize = uint64_t{1} << 40;
  ExtentCursor allocation(kSize, [](uint64_t, uint64_t) { FAIL(); });
  int queries = 0;
  ExtentCursor bitmap(kSize, [&](uint64_t offset, uint64_t length) {
    ++queries;
    const std::vector<uint32_t> pairs = {static_cast<uint32_t>(length), 0};
    bitmap.absorb(offset, pairs);
  });
  ChunkRuns runs(kSize, allocation, &bitmap);
  uint64_t chunks = 0;
  while (const auto run = runs.next()) chunks += run->count;
  EXPECT_EQ(chunks, kSize / kChunkBytes);
  EXPECT_LE(queries, 260);
}

TEST(ExtentCursor, SilenceOfTheServerIsAFailure) {
  ExtentCursor silent(kChunkBytes, [](uint64_t, uint64_t) {});
  EXPECT_THROW(silent.at(0, kChunkBytes), Error);
}

TEST(ExtentCursor, HoldsABoundedNumberOfExtents) {
  constexpr uint64_t kSize = uint64_t{1} << 30;
  int queries = 0;
  ExtentCursor cursor(kSize, [&](uint64_t offset, uint64_t) {
    ++queries;
    std::vector<uint32_t> pairs;
    for (uint32_t i = 0; i < 20000; ++i) {
      pairs.push_back(512);
      pairs.push_back((offset / 512 + i) % 2);
    }
    cursor.absorb(offset, pairs);
  });
  for (uint64_t offset = 0; offset < 20000 * 512; offset += 512) {
    const Extent extent = cursor.at(offset, kSize);
    ASSERT_EQ(extent.flags, offset / 512 % 2);
    ASSERT_EQ(extent.end, offset + 512);
  }
  EXPECT_GE(queries, 4);
}

}  // namespace
}  // namespace backstitch::engine
