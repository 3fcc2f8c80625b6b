#include "format/overlay/commit_overlay.h"

#include <algorithm>

#include "format/base/error.h"
#include "format/overlay/overlay_image.h"
#include "format/repository/names.h"
#include "format/repository/point_writer.h"
#include "format/repository/writer_lock.h"

namespace backstitch::format {
namespace {

using Entry = OverlayDirectory::Entry;

// A point is built on the newest of the last chain; what lies over another one
// cannot follow on it.
PointPlan plan_after(const Domain& domain, const Manifest& base) {
  const std::string label = printable(domain.name()) + "@";
  const std::string name = label + std::to_string(base.point);
  if (base.level == Level::kCopy) {
    throw Error(ErrorKind::kNoBase,
                name +
                    " is a copy, on which no point builds; restore from a "
                    "mount of the overlay instead");
  }
  PointPlan plan = plan_point(domain, Level::kIncremental);
  if (plan.parent != base.point) {
    throw Error(ErrorKind::kNoBase,
                name +
                    ", which the overlay lies over, is no longer the newest "
                    "point of its chain: " +
                    label + std::to_string(plan.parent) +
                    " came after it; restore from a mount of the overlay "
                    "instead");
  }
  return plan;
}

class DiskCommit {
 public:
  DiskCommit(const OverlayImage& image, DiskWriter& writer,
             const CommitOptions& options)
      : image_(image),
        writer_(writer),
        options_(options),
        sifter_(writer),
        content_(kChunkBytes) {}

  void run() {
    for (uint64_t chunk = 0; chunk < writer_.chunks();) {
      const uint64_t next = put_from(chunk);
      options_.progress(offset_of(next) - offset_of(chunk));
      chunk = next;
    }
  }

 private:
  uint64_t offset_of(uint64_t chunk) const {
    return std::min(chunk * kChunkBytes, image_.size());
  }

  // Stores one chunk, or passes over several of which nothing or only zeroes
  // were written. Returns the next one.
  uint64_t put_from(uint64_t chunk) {
    const auto extent = image_.extent_at(chunk * kChunkBytes);
    const uint64_t end = extent.end == image_.size() ? writer_.chunks()
                                                     : extent.end / kChunkBytes;
    if (end > chunk && extent.state == BlockState::kBase) return end;
    if (end > chunk && extent.state == BlockState::kZero) {
      writer_.put_zeroes(chunk, end - chunk);
      return end;
    }
    const uint64_t begin = offset_of(chunk);
    const auto part = std::span(content_).first(offset_of(chunk + 1) - begin);
    std::ranges::fill(content_, std::byte{0});
    image_.read_at(begin, part);
    writer_.manifest().read_bytes += part.size();
    writer_.put(chunk, sifter_.sift(chunk, content_));
    return chunk + 1;
  }

  const OverlayImage& image_;
  DiskWriter& writer_;
  const CommitOptions& options_;
  ChunkSifter sifter_;
  Bytes content_;
};

void describe(DiskWriter& writer, const DiskManifest& base) {
  writer.manifest().read = "bitmap";
  writer.manifest().source = base.source;
}

}  // namespace

Manifest commit_overlay(const Repository& repository,
                        const OverlayDirectory& directory,
                        const std::vector<Entry>& disks,
                        const CommitOptions& options) {
  const Domain domain = repository.domain(disks.front().domain);
  const WriterLock lock(domain);
  const Point base = domain.open_point(disks.front().point);
  const auto caches = std::make_shared<Caches>();
  PointWriter writer(repository, domain, plan_after(domain, base.manifest()),
                     options.compression, caches);
  for (const DiskManifest& disk : base.manifest().disks) {
    DiskWriter& part = writer.add_disk(disk.name, disk.size_bytes);
    describe(part, disk);
    const auto entry = std::ranges::find(disks, disk.name, &Entry::disk);
    if (entry == disks.end()) continue;
    const OverlayImage image(
        base.image(disk.name, caches),
        directory.load(*entry,
                       {repository.id(), base.number(), base.manifest().id,
                        disk.name, disk.size_bytes}));
    DiskCommit(image, part, options).run();
  }
  for (const SideFile& file : base.manifest().files)
    writer.add_file(file.name, base.side_file(file.name));
  writer.manifest().time = now();
  writer.manifest().consistency = "crash";
  writer.commit();
  return writer.manifest();
}

}  // namespace backstitch::format
