#include <set>

#include "fuse/partitions/scheme.h"

namespace backstitch::mount {
namespace {

// A raw image does not say what sectors the guest saw; MBR disks with other
// than 512 bytes are as good as unknown among virtual machines.
constexpr uint64_t kSectorBytes = 512;
constexpr unsigned kFirstLogical = 5;

bool is_extended(uint8_t type) {
  return type == 0x05 || type == 0x0F || type == 0x85;
}

// The logical partitions: a list of boot records, each with one partition
// (relative to the record) and the place of the next record (relative to the
// first). A guest can make the list a circle.
void add_logical(const format::DiskImage& disk, uint64_t extended_first,
                 std::vector<Partition>& partitions) {
  std::set<uint64_t> seen;
  unsigned number = kFirstLogical;
  uint64_t record = extended_first;
  while (partitions.size() < kMaxPartitions && seen.size() < kMaxPartitions &&
         record < disk.size() / kSectorBytes && seen.insert(record).second) {
    std::array<std::byte, kMbrBytes> sector{};
    disk.read_at(record * kSectorBytes, sector);
    const auto table = decode_mbr(sector);
    if (!table) return;
    uint64_t next = 0;
    for (const MbrEntry& entry : *table) {
      if (entry.type == 0 || entry.sectors == 0) continue;
      if (is_extended(entry.type)) {
        if (next == 0) next = extended_first + entry.first;
      } else {
        add_partition(partitions, number++, record + entry.first, entry.sectors,
                      kSectorBytes, disk.size());
      }
    }
    if (next == 0) return;
    record = next;
  }
}

}  // namespace

std::optional<MbrTable> decode_mbr(
    std::span<const std::byte, kMbrBytes> sector) {
  if (sector[510] != std::byte{0x55} || sector[511] != std::byte{0xAA})
    return std::nullopt;
  MbrTable table;
  for (size_t i = 0; i < table.size(); ++i) {
    const std::byte* entry = sector.data() + 446 + 16 * i;
    table[i].status = static_cast<uint8_t>(entry[0]);
    table[i].type = static_cast<uint8_t>(entry[4]);
    table[i].first = load_le<uint32_t>(entry + 8);
    table[i].sectors = load_le<uint32_t>(entry + 12);
    if (table[i].status != 0 && table[i].status != 0x80) return std::nullopt;
  }
  return table;
}

bool is_protective(const MbrTable& table) {
  for (const MbrEntry& entry : table)
    if (entry.type == 0xEE) return true;
  return false;
}

std::vector<Partition> mbr_partitions(const format::DiskImage& disk,
                                      const MbrTable& table) {
  std::vector<Partition> partitions;
  for (size_t i = 0; i < table.size(); ++i) {
    const MbrEntry& entry = table[i];
    if (entry.type == 0 || entry.sectors == 0) continue;
    // An extended partition is a place for others, not one that can be read.
    if (is_extended(entry.type)) continue;
    add_partition(partitions, static_cast<unsigned>(i + 1), entry.first,
                  entry.sectors, kSectorBytes, disk.size());
  }
  for (const MbrEntry& entry : table) {
    if (is_extended(entry.type) && entry.first != 0) {
      add_logical(disk, entry.first, partitions);
      break;
    }
  }
  return partitions;
}

}  // namespace backstitch::mount
