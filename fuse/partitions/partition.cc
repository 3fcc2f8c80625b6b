#include "fuse/partitions/partition.h"

#include <algorithm>

#include "fuse/partitions/scheme.h"

namespace backstitch::mount {

std::vector<Partition> parse_partitions(const format::DiskImage& disk) {
  if (disk.size() < kMbrBytes) return {};
  std::array<std::byte, kMbrBytes> sector{};
  disk.read_at(0, sector);
  // A GPT counts only behind its protective record: where somebody wrote an
  // MBR over it, the GPT is a leftover.
  const auto table = decode_mbr(sector);
  if (!table) return {};
  std::vector<Partition> partitions = is_protective(*table)
                                          ? gpt_partitions(disk)
                                          : mbr_partitions(disk, *table);
  std::ranges::sort(partitions, {}, &Partition::number);
  return partitions;
}

void add_partition(std::vector<Partition>& partitions, unsigned number,
                   uint64_t first_sector, uint64_t sectors,
                   uint64_t sector_bytes, uint64_t disk_bytes) {
  const uint64_t disk_sectors = disk_bytes / sector_bytes;
  if (first_sector == 0 || first_sector >= disk_sectors || sectors == 0 ||
      partitions.size() >= kMaxPartitions) {
    return;
  }
  const uint64_t inside = std::min(sectors, disk_sectors - first_sector);
  partitions.push_back(
      {number, first_sector * sector_bytes, inside * sector_bytes});
}

}  // namespace backstitch::mount
