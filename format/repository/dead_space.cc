#include "format/repository/dead_space.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "format/base/error.h"
#include "format/map/walk.h"
#include "format/repository/names.h"

namespace backstitch::format {
namespace {

uint64_t allocated_bytes(const File& file) {
  struct stat status {};
  if (::fstat(file.fd(), &status) != 0)
    throw system_error(errno, "examine " + file.path().string());
  return static_cast<uint64_t>(status.st_blocks) * 512;
}

// Padding between chunks is zero already; punching it again would be a write
// for each stored chunk.
bool is_padding(const File& file, uint64_t begin, uint64_t end) {
  if (end - begin >= kPageBytes) return false;
  Bytes bytes(end - begin);
  file.read_at(begin, bytes);
  return all_zero(bytes);
}

// Whether the file is the one that the point wrote, and nobody else's as well:
// a hole goes through all names that a file has, such as those that `cp -l` or
// `rsync --link-dest` gave it in a second copy of the repository.
bool may_punch(const File& file, const FileHeader& wanted) {
  struct stat status {};
  if (::fstat(file.fd(), &status) != 0)
    throw system_error(errno, "examine " + file.path().string());
  if (!S_ISREG(status.st_mode) || status.st_nlink != 1) return false;
  try {
    std::array<std::byte, kHeaderBytes> bytes;
    file.read_at(0, bytes);
    return decode_header(bytes) == wanted;
  } catch (const Error&) {
    return false;  // for verify to report
  }
}

}  // namespace

struct DeadSpace::DeadFile {
  File file;
  uint64_t length = 0;
  uint64_t before = 0;             // storage that it had
  uint64_t cursor = kHeaderBytes;  // everything before is dealt with
  uint64_t live = kHeaderBytes;    // bytes needed
  bool ours = false;  // else it stays as it is
  bool punch = false;

  void keep(uint64_t begin, uint64_t end) {
    free_until(begin);
    cursor = std::max(cursor, end);
    live += end - begin;
  }

  // A file of a point of which nothing is needed goes whole.
  uint64_t freed(bool needed) const {
    const bool whole = punch || !ours;
    const uint64_t after = !needed ? 0 : whole ? allocated_bytes(file) : live;
    return before > after ? before - after : 0;
  }

  void free_until(uint64_t end) {
    if (punch && end > cursor && !is_padding(file, cursor, end))
      file.punch_hole(cursor, end - cursor);
  }
};

DeadSpace::DeadSpace(Domain domain, std::vector<Manifest> dead,
                     std::vector<Manifest> live)
    : domain_(std::move(domain)),
      dead_(std::move(dead)),
      live_(std::move(live)),
      needed_{domain_.last_number()} {}

uint64_t DeadSpace::release() { return run(true); }
uint64_t DeadSpace::measure() { return run(false); }

bool DeadSpace::is_needed(uint32_t point) const {
  return needed_.contains(point);
}

uint64_t DeadSpace::run(bool punch) {
  std::set<std::pair<uint32_t, std::string>> disks;
  for (const Manifest& manifest : dead_)
    for (const DiskManifest& disk : manifest.disks)
      disks.emplace(manifest.chain, disk.name);
  uint64_t freed = 0;
  for (const auto& [chain, disk] : disks) walk_disk(disk, chain, punch, freed);
  return freed;
}

DeadSpace::Files DeadSpace::open_files(const std::string& disk, uint32_t chain,
                                       bool punch) const {
  Files files;
  for (const Manifest& manifest : dead_) {
    const DiskManifest* part = manifest.disk(disk);
    if (manifest.chain != chain || part == nullptr) continue;
    const auto directory = domain_.path() / point_name(manifest.point);
    const auto add = [&](FileKind kind, const char* ending, uint64_t length) {
      const auto path = directory / (disk + ending);
      // An interrupted removal of a whole point may have got this far.
      if (!std::filesystem::exists(path)) return;
      DeadFile& file = files[{manifest.point, kind}];
      file.file = File::open(path, punch ? O_RDWR : O_RDONLY);
      file.length = std::min(length, file.file.size());
      file.before = allocated_bytes(file.file);
      file.ours =
          may_punch(file.file, {kind, manifest.point, manifest.id, disk});
      file.punch = punch && file.ours;
    };
    add(FileKind::kMap, ".map", part->map_length);
    add(FileKind::kData, ".data", part->data_length);
  }
  return files;
}

void DeadSpace::walk_disk(const std::string& disk, uint32_t chain, bool punch,
                          uint64_t& freed) {
  Files files = open_files(disk, chain, punch);
  if (files.empty()) return;
  const uint32_t oldest = files.begin()->first.first;
  std::vector<MapRoot> maps;
  for (const Manifest& manifest : live_) {
    const DiskManifest* part = manifest.disk(disk);
    if (manifest.chain == chain && part != nullptr) maps.push_back(part->map());
  }
  const auto store = domain_.store(disk, std::make_shared<Caches>());
  WalkVisitor visitor;
  // A page refers to nothing newer than itself.
  visitor.enter = [&](const Ref& ref) { return ref.point >= oldest; };
  visitor.visit = [&](const Ref& ref, Position) {
    const auto file =
        files.find({ref.point, ref.kind == RefKind::kPage ? FileKind::kMap
                                                          : FileKind::kData});
    if (file == files.end()) return;
    needed_.insert(ref.point);
    file->second.keep(ref.offset, ref.end());
  };
  walk(*store, maps, visitor);
  for (auto& [key, file] : files) {
    file.free_until(file.length);
    // The manifest is about to say that all else is zero.
    if (file.punch) file.file.sync();
    freed += file.freed(is_needed(key.first));
  }
}

}  // namespace backstitch::format
