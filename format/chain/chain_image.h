// A root as a disk: the map stitches the chunks of many points into one image.
#pragma once

#include <memory>

#include "format/chain/disk_store.h"
#include "format/disk_image.h"
#include "format/map/map_reader.h"

namespace backstitch::format {

class ChainImage : public DiskImage {
 public:
  // `keep_alive` is held as long as the image (a point's shared lock).
  ChainImage(std::shared_ptr<const DiskStore> store, const Ref& root,
             uint64_t size_bytes, uint64_t data_chunks,
             std::shared_ptr<const void> keep_alive = nullptr);

  uint64_t size() const override { return size_; }
  void read_at(uint64_t offset, std::span<std::byte> out) const override;
  uint64_t next_data(uint64_t offset) const override;
  uint64_t next_hole(uint64_t offset) const override;
  uint64_t data_bytes() const override { return data_bytes_; }

  // Decodes the chunks of a range into the cache, ahead of a reader. Damage is
  // left for the reader to find.
  void prefetch(uint64_t offset, uint64_t length) const;
  const MapReader& map() const { return reader_; }

 private:
  void read_piece(uint64_t chunk, uint64_t begin,
                  std::span<std::byte> out) const;

  const std::shared_ptr<const DiskStore> store_;
  const MapReader reader_;
  const uint64_t size_;
  const uint64_t data_bytes_;
  const std::shared_ptr<const void> keep_alive_;
};

}  // namespace backstitch::format
