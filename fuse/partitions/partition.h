// The partitions of a disk, from its GPT or MBR.
//
// Sources: UEFI specification 2.10, chapter 5 (GPT, protective MBR); for MBR
// and its extended partitions, Linux block/partitions/msdos.c.
#pragma once

#include <cstdint>
#include <vector>

#include "format/disk_image.h"

namespace backstitch::mount {

struct Partition {
  unsigned number = 0;  // as the guest's kernel counts: vda1, vda5 ...
  uint64_t offset = 0;  // in bytes
  uint64_t length = 0;  // in bytes, at least 1; ends inside the disk

  friend bool operator==(const Partition&, const Partition&) = default;
};

// Partitions by number; none when there is no table, or none that passes its
// checks. The table is a guest's data: whatever it says, the result lies inside
// the disk, has at most kMaxPartitions entries, and cost a bounded number of
// reads. Throws only what `disk` throws.
inline constexpr unsigned kMaxPartitions = 256;
std::vector<Partition> parse_partitions(const format::DiskImage& disk);

}  // namespace backstitch::mount
