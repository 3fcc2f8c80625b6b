#include "fuse/image/memory_image.h"

#include <cstring>

#include "format/base/error.h"

namespace backstitch::mount {

void MemoryImage::read_at(uint64_t offset, std::span<std::byte> out) const {
  if (offset > size() || out.size() > size() - offset)
    throw Error(ErrorKind::kUsage, "read beyond the end of a file");
  if (!out.empty())
    std::memcpy(out.data(), content_.data() + offset, out.size());
}

}  // namespace backstitch::mount
