// A disk as bytes: the one read interface of the project.
//
// Chains of points, foreign archives, partitions and overlays are all disk
// images; the driver, restore and the single-file tools know only this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace backstitch::format {

// Immutable and safe to share between threads.
class DiskImage {
 public:
  virtual ~DiskImage() = default;

  // Bytes of the disk as the guest sees it.
  virtual uint64_t size() const = 0;
  // Fills `out` from `offset`, all of it, or throws: kDamaged when a check
  // fails, kUsage when the range is not inside the disk.
  virtual void read_at(uint64_t offset, std::span<std::byte> out) const = 0;
  // SEEK_DATA and SEEK_HOLE: the first byte at or after `offset` that may hold
  // something (that is known to be zero); size() when there is none.
  virtual uint64_t next_data(uint64_t offset) const = 0;
  virtual uint64_t next_hole(uint64_t offset) const = 0;
  // Bytes that are not known to be zero: what `du` should say.
  virtual uint64_t data_bytes() const = 0;
};

}  // namespace backstitch::format
