#include "fuse/image/memory_image.h"
#include "fuse/tree/point_directory.h"

namespace backstitch::mount {

ImagePointer HeldPoint::image(const FileEntry& file) {
  switch (file.kind) {
    case FileEntry::Kind::kDisk:
      return disk(file.source).image;
    case FileEntry::Kind::kPartition:
      return std::make_shared<PartImage>(disk(file.source).image, file.offset,
                                         file.length);
    case FileEntry::Kind::kSideFile:
      break;
  }
  return std::make_shared<MemoryImage>(point_.side_file(file.source));
}

WritablePointer HeldPoint::writable(const FileEntry& file) {
  if (file.kind == FileEntry::Kind::kSideFile) return nullptr;
  return disk(file.source).writable;
}

DiskHandle HeldPoint::disk(const std::string& name) {
  return disks_.with([&](auto& disks) {
    DiskHandle& disk = disks[name];
    if (!disk.image) disk = images_.open(point_, name);
    return disk;
  });
}

}  // namespace backstitch::mount
