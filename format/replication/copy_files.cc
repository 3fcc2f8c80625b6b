#include "format/replication/copy_files.h"

#include <fcntl.h>

#include "format/base/error.h"
#include "format/repository/names.h"

namespace backstitch::format {
namespace {

constexpr size_t kOpenFiles = 400;

// Where a file does not have the header that it must have it is ours to begin
// again, unless others read it.
void prepare(CopyFiles::Open& open, const CopyPlace& place,
             const FileHeader& header, uint64_t length) {
  const uint64_t size = open.file.size();
  if (size == 0 || !has_header(open.file, header)) {
    if (place.in_place && size != 0) {
      throw Error(ErrorKind::kDamaged,
                  open.file.path().string() +
                      ": is damaged or of another point; backstitch repair "
                      "may mend it");
    }
    open.file.resize(0);
    open.file.write_at(0, encode(header));
    open.is_new = true;
  }
  if (open.file.size() != length) open.file.resize(length);
}

}  // namespace

const CopyFiles::Open& CopyFiles::open(const CopyPlace& place,
                                       const DiskManifest& disk,
                                       FileKind kind) {
  const Manifest& manifest = place.stored.manifest;
  const Key key{manifest.point, disk.name, kind};
  if (const auto found = open_.find(key); found != open_.end())
    return found->second;
  if (open_.size() >= kOpenFiles) finish();
  Open opened;
  opened.file = File::open(place.directory / disk_file(disk.name, kind),
                           O_RDWR | O_CREAT);
  prepare(opened, place, header_of(manifest, disk.name, kind),
          length_of(disk, kind));
  return open_.emplace(key, std::move(opened)).first->second;
}

const CopyFiles::Open& CopyFiles::at(const CopyPlace& place,
                                     const std::string& disk, const Ref& ref) {
  const Manifest& manifest = place.stored.manifest;
  const DiskManifest* part = manifest.disk(disk);
  const FileKind kind = kind_of(ref);
  if (part == nullptr || ref.end() > length_of(*part, kind)) {
    throw Error(ErrorKind::kDamaged, point_name(manifest.point) + "/" +
                                         disk_file(disk, kind) +
                                         ": a ref reaches beyond its end");
  }
  return open(place, *part, kind);
}

void CopyFiles::create(const CopyPlace& place) {
  for (const DiskManifest& disk : place.stored.manifest.disks) {
    open(place, disk, FileKind::kMap);
    open(place, disk, FileKind::kData);
  }
}

void CopyFiles::finish() {
  for (const auto& [key, open] : open_) {
    open.file.sync();
    open.file.drop_cache();
  }
  open_.clear();
}

}  // namespace backstitch::format
