// The two partitioning schemes; partition.h chooses between them.
#pragma once

#include <array>
#include <optional>

#include "format/base/bytes.h"
#include "fuse/partitions/partition.h"

namespace backstitch::mount {

inline constexpr uint64_t kMbrBytes = 512;

struct MbrEntry {
  uint8_t status = 0;
  uint8_t type = 0;
  uint32_t first = 0;  // sectors, relative; see the scheme
  uint32_t sectors = 0;
};
using MbrTable = std::array<MbrEntry, 4>;

// The four entries of a boot record, or nothing when the sector is not one: no
// signature, or a status byte that shows that it is a file system's boot
// sector.
std::optional<MbrTable> decode_mbr(
    std::span<const std::byte, kMbrBytes> sector);
// Whether the record says that the disk has a GPT.
bool is_protective(const MbrTable& table);

std::vector<Partition> mbr_partitions(const format::DiskImage& disk,
                                      const MbrTable& table);

// From the first header or, when that or its entries are damaged, from the
// backup. Tried with sectors of 512 and of 4096 bytes.
std::vector<Partition> gpt_partitions(const format::DiskImage& disk);

// Adds a partition cut to the disk's end; one that begins beyond it, or that
// has no length, is left out.
void add_partition(std::vector<Partition>& partitions, unsigned number,
                   uint64_t first_sector, uint64_t sectors,
                   uint64_t sector_bytes, uint64_t disk_bytes);

// CRC-32 (IEEE 802.3, reflected), as GPT uses it.
uint32_t crc32(ByteView bytes);

}  // namespace backstitch::mount
