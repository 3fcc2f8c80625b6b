#include "fuse/image/memory_image.h"
#include "fuse/tree/point_directory.h"

namespace backstitch::mount {

ImagePointer HeldPoint::image(const FileEntry& file) {
  switch (file.kind) {
    case FileEntry::Kind::kDisk:
      return disk(file.source);
    case FileEntry::Kind::kPartition:
      return std::make_shared<PartImage>(disk(file.source), file.offset,
                                         file.length);
    case FileEntry::Kind::kSideFile:
      break;
  }
  return std::make_shared<MemoryImage>(point_.side_file(file.source));
}

ImagePointer HeldPoint::disk(const std::string& name) {
  return disks_.with([&](auto& disks) {
    ImagePointer& image = disks[name];
    if (!image) image = images_.open(point_, name);
    return image;
  });
}

}  // namespace backstitch::mount
