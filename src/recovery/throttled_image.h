// An image that is read at no more than a given rate.
#pragma once

#include "format/disk_image.h"
#include "src/nbd/throttle.h"

namespace backstitch::engine {

// Must not outlive the image. Thread-safe, as all images are.
class ThrottledImage : public format::DiskImage {
 public:
  ThrottledImage(const format::DiskImage& image, uint64_t bytes_per_second)
      : image_(image), limit_(bytes_per_second) {}

  uint64_t size() const override { return image_.size(); }
  void read_at(uint64_t offset, std::span<std::byte> out) const override {
    limit_.wait_for(out.size());
    image_.read_at(offset, out);
  }
  uint64_t next_data(uint64_t offset) const override {
    return image_.next_data(offset);
  }
  uint64_t next_hole(uint64_t offset) const override {
    return image_.next_hole(offset);
  }
  uint64_t data_bytes() const override { return image_.data_bytes(); }

 private:
  const format::DiskImage& image_;
  mutable RateLimit limit_;
};

}  // namespace backstitch::engine
