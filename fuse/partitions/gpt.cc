#include <algorithm>
#include <cstring>

#include "fuse/partitions/scheme.h"

namespace backstitch::mount {
namespace {

constexpr uint64_t kMinHeaderBytes = 92;
constexpr uint64_t kMinEntryBytes = 128;
// The usual table has 128 entries of 128 bytes; far above that it is garbage.
constexpr uint64_t kMaxTableBytes = 1 << 20;

struct Header {
  uint64_t backup_sector = 0;
  uint64_t entries_sector = 0;
  uint32_t entry_count = 0;
  uint32_t entry_bytes = 0;
  uint32_t entries_crc = 0;
};

// A header at `sector`, with its own checks passed.
std::optional<Header> read_header(const format::DiskImage& disk,
                                  uint64_t sector_bytes, uint64_t sector) {
  const uint64_t sectors = disk.size() / sector_bytes;
  if (sector == 0 || sector >= sectors) return std::nullopt;
  Bytes bytes(sector_bytes);
  disk.read_at(sector * sector_bytes, bytes);
  if (std::memcmp(bytes.data(), "EFI PART", 8) != 0) return std::nullopt;
  const auto header_bytes = load_le<uint32_t>(bytes.data() + 12);
  if (header_bytes < kMinHeaderBytes || header_bytes > sector_bytes)
    return std::nullopt;
  const auto crc = load_le<uint32_t>(bytes.data() + 16);
  store_le<uint32_t>(bytes.data() + 16, 0);
  if (crc32(ByteView(bytes).first(header_bytes)) != crc) return std::nullopt;
  if (load_le<uint64_t>(bytes.data() + 24) != sector) return std::nullopt;
  Header header;
  header.backup_sector = load_le<uint64_t>(bytes.data() + 32);
  header.entries_sector = load_le<uint64_t>(bytes.data() + 72);
  header.entry_count = load_le<uint32_t>(bytes.data() + 80);
  header.entry_bytes = load_le<uint32_t>(bytes.data() + 84);
  header.entries_crc = load_le<uint32_t>(bytes.data() + 88);
  return header;
}

// The array of entries, or nothing when it lies outside or its CRC differs.
std::optional<Bytes> read_entries(const format::DiskImage& disk,
                                  uint64_t sector_bytes, const Header& header) {
  const uint64_t sectors = disk.size() / sector_bytes;
  const uint64_t bytes =
      static_cast<uint64_t>(header.entry_count) * header.entry_bytes;
  if (header.entry_bytes < kMinEntryBytes || header.entry_bytes % 8 != 0 ||
      bytes == 0 || bytes > kMaxTableBytes ||
      header.entries_sector >= sectors ||
      bytes > disk.size() - header.entries_sector * sector_bytes) {
    return std::nullopt;
  }
  Bytes entries(bytes);
  disk.read_at(header.entries_sector * sector_bytes, entries);
  if (crc32(entries) != header.entries_crc) return std::nullopt;
  return entries;
}

std::vector<Partition> decode_entries(const Bytes& entries,
                                      const Header& header,
                                      uint64_t sector_bytes,
                                      uint64_t disk_bytes) {
  std::vector<Partition> partitions;
  for (uint32_t i = 0; i < header.entry_count; ++i) {
    const std::byte* entry =
        entries.data() + static_cast<uint64_t>(i) * header.entry_bytes;
    const bool unused = all_zero(ByteView(entry, 16));
    const auto first = load_le<uint64_t>(entry + 32);
    const auto last = load_le<uint64_t>(entry + 40);
    if (unused || last < first) continue;
    // last - first + 1 wraps to 0 only for first 0, which is refused anyway.
    add_partition(partitions, i + 1, first, last - first + 1, sector_bytes,
                  disk_bytes);
  }
  return partitions;
}

std::optional<std::vector<Partition>> from_header(
    const format::DiskImage& disk, uint64_t sector_bytes,
    const std::optional<Header>& header) {
  if (!header) return std::nullopt;
  const auto entries = read_entries(disk, sector_bytes, *header);
  if (!entries) return std::nullopt;
  return decode_entries(*entries, *header, sector_bytes, disk.size());
}

}  // namespace

std::vector<Partition> gpt_partitions(const format::DiskImage& disk) {
  constexpr std::array<uint64_t, 2> kSectorBytes = {512, 4096};
  // All first headers before any backup: a backup is looked for at the disk's
  // end, where an older table may have left one.
  std::array<std::optional<Header>, 2> first;
  for (size_t i = 0; i < kSectorBytes.size(); ++i) {
    first[i] = read_header(disk, kSectorBytes[i], 1);
    if (auto found = from_header(disk, kSectorBytes[i], first[i]))
      return *found;
  }
  for (size_t i = 0; i < kSectorBytes.size(); ++i) {
    const uint64_t last = disk.size() / kSectorBytes[i] - 1;
    for (const uint64_t sector :
         {first[i] ? first[i]->backup_sector : last, last}) {
      const auto backup = read_header(disk, kSectorBytes[i], sector);
      if (auto found = from_header(disk, kSectorBytes[i], backup))
        return *found;
    }
  }
  return {};
}

}  // namespace backstitch::mount
