#include "format/repository/verify_disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>

#include "format/base/error.h"
#include "format/base/synchronized.h"
#include "format/base/units.h"
#include "format/base/work_queue.h"
#include "format/map/walk.h"
#include "format/repository/names.h"

namespace backstitch::format {
namespace {

// First byte in [begin, end) that is not zero. Holes are skipped unread.
std::optional<uint64_t> first_nonzero(const File& file, uint64_t begin,
                                      uint64_t end) {
  Bytes buffer(kChunkBytes);
  end = std::min(end, file.size());  // a file that is cut has its own finding
  while (begin < end) {
    const off_t data = ::lseek(file.fd(), static_cast<off_t>(begin), SEEK_DATA);
    if (data < 0 && errno == ENXIO) return {};
    if (data > 0) begin = std::max(begin, static_cast<uint64_t>(data));
    if (begin >= end) return {};
    const auto part =
        std::span(buffer).first(std::min<uint64_t>(buffer.size(), end - begin));
    file.read_at(begin, part);
    const auto found = std::ranges::find_if(
        part, [](std::byte byte) { return byte != std::byte{0}; });
    if (found != part.end())
      return begin + static_cast<uint64_t>(found - part.begin());
    begin += part.size();
  }
  return {};
}

// Deletion leaves such a file as it is: see dead_space.cc.
bool has_other_names(const File& file) {
  struct stat status {};
  return ::fstat(file.fd(), &status) == 0 && status.st_nlink > 1;
}

// One .map or .data file: the refs into it come in ascending order and, with
// zero padding between them, are all that is in it.
struct Tiles {
  std::string name;
  File file;
  uint32_t point = 0;
  uint64_t length = 0;
  uint64_t cursor = kHeaderBytes;
  bool check_gaps = false;
};

class IslandCheck {
 public:
  IslandCheck(const Domain& domain, const Island& island,
              const VerifyOptions& options, VerifyResult& result)
      : domain_(domain),
        island_(island),
        options_(options),
        result_(result),
        store_(domain.store(island.disk, std::make_shared<Caches>())),
        queue_(options.threads != 0
                   ? options.threads
                   : std::max(1U, std::thread::hardware_concurrency()),
               64, [this](Batch& batch) { check_chunks(batch); }) {}

  void run();

 private:
  struct Place {
    Ref ref;
    Position at;
  };
  using Batch = std::vector<Place>;
  using Key = std::pair<uint32_t, FileKind>;

  void open_files();
  void open_file(const Island::Files& files, FileKind kind, uint64_t length);
  void visit(const Ref& ref, Position at);
  void check_chunks(Batch& batch);
  void check_gap(Tiles& tiles, uint64_t end);
  void close_tiles();
  void add_damage(const Ref& ref, Position at, const std::string& what);
  std::vector<uint32_t> holders_of(const Ref& ref, Position at) const;
  void name_ranges(size_t from);
  void report_progress();

  const Domain& domain_;
  const Island& island_;
  const VerifyOptions& options_;
  VerifyResult& result_;
  const std::shared_ptr<const DiskStore> store_;
  std::map<Key, Tiles> tiles_;
  bool pages_damaged_ = false;
  std::vector<Finding> strays_;
  std::vector<StrayBytes> stray_bytes_;
  Batch batch_;
  std::atomic<uint64_t> chunk_bytes_ = 0;
  struct Damage {
    Place place;
    std::string what;
  };
  Synchronized<std::vector<Damage>> damages_;
  WorkQueue<Batch> queue_;
};

void IslandCheck::open_files() {
  for (const Island::Files& files : island_.files) {
    open_file(files, FileKind::kMap, files.map_length);
    open_file(files, FileKind::kData, files.data_length);
  }
}

void IslandCheck::open_file(const Island::Files& files, FileKind kind,
                            uint64_t length) {
  Tiles tiles;
  tiles.point = files.point;
  tiles.length = length;
  tiles.check_gaps = island_.complete && (files.live || island_.freed);
  const std::string name = point_name(files.point) + "/" + island_.disk +
                           (kind == FileKind::kMap ? ".map" : ".data");
  tiles.name = domain_.name() + "/" + name;
  try {
    tiles.file = File::open(domain_.path() / name, O_RDONLY);
    std::array<std::byte, kHeaderBytes> bytes;
    tiles.file.read_at(0, bytes);
    const FileHeader wanted{kind, files.point, files.id, island_.disk};
    if (decode_header(bytes) != wanted)
      throw Error(ErrorKind::kDamaged, "belongs to another point or disk");
    if (!files.live && has_other_names(tiles.file)) tiles.check_gaps = false;
    if (tiles.file.size() != length) {
      throw Error(ErrorKind::kDamaged,
                  "has " + std::to_string(tiles.file.size()) + " bytes where " +
                      std::to_string(length) + " were written");
    }
  } catch (const Error& error) {
    Finding finding;
    finding.file = tiles.name;
    finding.what = tiles.name + ": " + error.what();
    finding.disk = island_.disk;
    finding.points = {files.point};
    result_.findings.push_back(std::move(finding));
  }
  tiles_.emplace(Key{files.point, kind}, std::move(tiles));
}

void IslandCheck::visit(const Ref& ref, Position at) {
  const bool is_page = ref.kind == RefKind::kPage;
  const auto found =
      tiles_.find({ref.point, is_page ? FileKind::kMap : FileKind::kData});
  if (found != tiles_.end() && found->second.file) {
    Tiles& tiles = found->second;
    if (ref.end() > tiles.length) {
      add_damage(ref, at, tiles.name + ": a ref reaches beyond its end");
      return;
    }
    check_gap(tiles, ref.offset);
    tiles.cursor = std::max(tiles.cursor, ref.end());
  }
  if (is_page) {
    ++result_.pages;
    result_.bytes += kPageBytes;
    return;
  }
  ++result_.chunks;
  if (options_.quick) return;
  batch_.push_back({ref, at});
  if (batch_.size() < 16) return;
  queue_.push(std::exchange(batch_, {}));
  report_progress();
}

void IslandCheck::check_chunks(Batch& batch) {
  Bytes chunk(kChunkBytes);
  for (const Place& place : batch) {
    try {
      store_->read_chunk(place.ref, chunk);
    } catch (const Error& error) {
      damages_.with([&](auto& damages) {
        damages.push_back({place, error.what()});
      });
    }
    chunk_bytes_ += place.ref.length;
  }
}

void IslandCheck::check_gap(Tiles& tiles, uint64_t end) {
  if (!tiles.check_gaps || end <= tiles.cursor) return;
  const auto stray = first_nonzero(tiles.file, tiles.cursor, end);
  if (!stray) return;
  Finding finding;
  finding.file = tiles.name;
  finding.offset = *stray;
  finding.what = tiles.name + ": bytes at offset " + std::to_string(*stray) +
                 " belong to nothing and are not zero";
  finding.disk = island_.disk;
  stray_bytes_.push_back({tiles.name, *stray, end});
  strays_.push_back(std::move(finding));
}

// What follows the last ref. Where a page could not be read, what it refers to
// is unknown, and nothing can be said of the bytes between.
void IslandCheck::close_tiles() {
  if (pages_damaged_) return;
  for (auto& [key, tiles] : tiles_) {
    if (tiles.file) check_gap(tiles, tiles.length);
  }
  std::ranges::move(strays_, std::back_inserter(result_.findings));
  if (!options_.stray) return;
  for (const StrayBytes& bytes : stray_bytes_) options_.stray(bytes);
}

std::vector<uint32_t> IslandCheck::holders_of(const Ref& ref,
                                              Position at) const {
  std::vector<uint32_t> points;
  for (const Island::Map& map : island_.maps) {
    try {
      Ref there = map.map.root;
      int level = map.map.height();
      if (level < at.level || at.first >= level_span(level)) continue;
      for (uint64_t first = 0; level > at.level && !there.is_zero(); --level) {
        const uint64_t slot = (at.first - first) / level_span(level - 1);
        there = (*store_->page(there, level))[slot];
        first += slot * level_span(level - 1);
      }
      if (there == ref) points.push_back(map.point);
    } catch (const Error&) {
      continue;  // the damage above has its own finding
    }
  }
  return points;
}

void IslandCheck::add_damage(const Ref& ref, Position at,
                             const std::string& what) {
  if (options_.damaged) options_.damaged({island_.disk, ref, at});
  Finding finding;
  const bool is_page = ref.kind == RefKind::kPage;
  finding.file = domain_.name() + "/" + point_name(ref.point) + "/" +
                 island_.disk + (is_page ? ".map" : ".data");
  finding.offset = ref.offset;
  finding.disk = island_.disk;
  finding.begin = at.first * kChunkBytes;
  uint64_t chunks = 0;
  for (const Island::Map& map : island_.maps)
    chunks = std::max(chunks, map.map.chunks);
  finding.end = std::min(at.first + level_span(at.level), chunks) * kChunkBytes;
  finding.points = holders_of(ref, at);
  finding.what = what;
  // A file that is gone would otherwise be as many findings as it has chunks.
  if (!result_.findings.empty() && !is_page) {
    Finding& last = result_.findings.back();
    if (last.file == finding.file && last.end == finding.begin &&
        last.begin < last.end && last.points == finding.points) {
      last.end = finding.end;
      return;
    }
  }
  result_.findings.push_back(std::move(finding));
}

// The sentences, now that each finding has its whole range.
void IslandCheck::name_ranges(size_t from) {
  for (size_t i = from; i < result_.findings.size(); ++i) {
    Finding& finding = result_.findings[i];
    if (finding.begin == finding.end) continue;
    finding.what += "; disk range " + format_range(finding.begin, finding.end) +
                    " of " + finding.disk + " cannot be read";
  }
}

void IslandCheck::report_progress() {
  if (options_.progress) options_.progress(result_.bytes + chunk_bytes_);
}

void IslandCheck::run() {
  const size_t first_finding = result_.findings.size();
  open_files();
  std::vector<MapRoot> maps;
  for (const Island::Map& map : island_.maps) maps.push_back(map.map);
  WalkVisitor visitor;
  visitor.visit = [this](const Ref& ref, Position at) { visit(ref, at); };
  visitor.damaged = [this](const Ref& ref, Position at,
                           const std::exception& error) {
    pages_damaged_ = true;
    add_damage(ref, at, error.what());
  };
  walk(*store_, maps, visitor);
  queue_.push(std::exchange(batch_, {}));
  queue_.finish();
  damages_.with([this](auto& damages) {
    std::ranges::sort(damages, {}, [](const Damage& damage) {
      return damage.place.at.first;
    });
    for (const Damage& damage : damages)
      add_damage(damage.place.ref, damage.place.at, damage.what);
  });
  name_ranges(first_finding);
  close_tiles();
  result_.bytes += chunk_bytes_;
  report_progress();
}

}  // namespace

void verify_island(const Domain& domain, const Island& island,
                   const VerifyOptions& options, VerifyResult& result) {
  IslandCheck(domain, island, options, result).run();
}

}  // namespace backstitch::format
