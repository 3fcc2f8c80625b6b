// A byte range of a disk as a disk of its own: a partition.
#pragma once

#include <memory>

#include "format/disk_image.h"

namespace backstitch::mount {

using ImagePointer = std::shared_ptr<const format::DiskImage>;

class PartImage : public format::DiskImage {
 public:
  // The range must lie inside `whole`.
  PartImage(ImagePointer whole, uint64_t offset, uint64_t length)
      : whole_(std::move(whole)), offset_(offset), length_(length) {}

  uint64_t size() const override { return length_; }
  void read_at(uint64_t offset, std::span<std::byte> out) const override;
  uint64_t next_data(uint64_t offset) const override;
  uint64_t next_hole(uint64_t offset) const override;
  // Walks the map below the range: dear for huge ones, so callers keep it.
  uint64_t data_bytes() const override;

  const format::DiskImage& whole() const { return *whole_; }
  uint64_t offset() const { return offset_; }

 private:
  uint64_t inside(uint64_t position_in_whole) const;

  const ImagePointer whole_;
  const uint64_t offset_;
  const uint64_t length_;
};

}  // namespace backstitch::mount
