// A small file that is held in memory, as an image.
#pragma once

#include <string>

#include "format/disk_image.h"

namespace backstitch::mount {

class MemoryImage : public format::DiskImage {
 public:
  explicit MemoryImage(std::string content) : content_(std::move(content)) {}

  uint64_t size() const override { return content_.size(); }
  void read_at(uint64_t offset, std::span<std::byte> out) const override;
  uint64_t next_data(uint64_t offset) const override { return offset; }
  uint64_t next_hole(uint64_t /*offset*/) const override { return size(); }
  uint64_t data_bytes() const override { return size(); }

 private:
  const std::string content_;
};

}  // namespace backstitch::mount
