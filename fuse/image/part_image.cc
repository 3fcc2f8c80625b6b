#include "fuse/image/part_image.h"

#include <algorithm>

#include "format/base/error.h"
#include "fuse/image/shortcuts.h"

namespace backstitch::mount {

void PartImage::read_at(uint64_t offset, std::span<std::byte> out) const {
  if (offset > length_ || out.size() > length_ - offset)
    throw Error(ErrorKind::kUsage, "read beyond the end of a partition");
  whole_->read_at(offset_ + offset, out);
}

uint64_t PartImage::next_data(uint64_t offset) const {
  if (offset >= length_) return length_;
  return inside(whole_->next_data(offset_ + offset));
}

uint64_t PartImage::next_hole(uint64_t offset) const {
  if (offset >= length_) return length_;
  return inside(whole_->next_hole(offset_ + offset));
}

uint64_t PartImage::data_bytes() const {
  const uint64_t end = offset_ + length_;
  const uint64_t outside = whole_->size() - length_;
  if (outside >= length_) return count_data(*whole_, offset_, end);
  // What lies around a disk's one large partition is counted sooner.
  const uint64_t around = count_data(*whole_, 0, offset_) +
                          count_data(*whole_, end, whole_->size());
  const uint64_t all = whole_->data_bytes();
  return std::min(length_, all > around ? all - around : 0);
}

uint64_t PartImage::inside(uint64_t position_in_whole) const {
  return std::min(position_in_whole - offset_, length_);
}

}  // namespace backstitch::mount
