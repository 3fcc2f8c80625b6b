// A disk at one point of an archive: the streams of a full and of what builds
// on it, as one image.
#pragma once

#include <memory>
#include <vector>

#include "format/disk_image.h"
#include "format/sparsestream/stream.h"

namespace backstitch::format {

class SparsestreamImage : public DiskImage {
 public:
  using Layers = std::vector<std::shared_ptr<const Stream>>;

  // `layers` begin with the newest. `size_bytes` is the disk's at this point.
  SparsestreamImage(Layers layers, uint64_t size_bytes)
      : layers_(std::move(layers)), size_(size_bytes) {}

  uint64_t size() const override { return size_; }
  void read_at(uint64_t offset, std::span<std::byte> out) const override;
  uint64_t next_data(uint64_t offset) const override;
  uint64_t next_hole(uint64_t offset) const override;
  // Counts by walking over all pieces.
  uint64_t data_bytes() const override;

  const Layers& layers() const { return layers_; }

 private:
  // What the disk's bytes from an offset on, up to `end`, are.
  struct Extent {
    uint64_t end = 0;
    const Stream* stream = nullptr;  // null: zeroes
    size_t piece = 0;
  };
  Extent extent_at(uint64_t offset) const;

  const Layers layers_;
  const uint64_t size_;
};

}  // namespace backstitch::format
