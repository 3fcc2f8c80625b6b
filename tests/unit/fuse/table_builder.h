// Disks with partition tables, written field by field.
#pragma once

#include <string_view>

#include "format/base/bytes.h"
#include "format/base/error.h"
#include "format/disk_image.h"
#include "fuse/partitions/scheme.h"

namespace backstitch::mount {

class BytesImage : public format::DiskImage {
 public:
  explicit BytesImage(size_t size) : bytes(size) {}

  uint64_t size() const override { return bytes.size(); }
  void read_at(uint64_t offset, std::span<std::byte> out) const override {
    if (offset > size() || out.size() > size() - offset)
      throw Error(ErrorKind::kUsage, "outside the disk");
    ++reads;
    std::memcpy(out.data(), bytes.data() + offset, out.size());
  }
  // 64 KiB of zeroes are a hole, as in a chain.
  uint64_t next_data(uint64_t offset) const override {
    return next(offset, false);
  }
  uint64_t next_hole(uint64_t offset) const override {
    return next(offset, true);
  }
  uint64_t data_bytes() const override {
    uint64_t count = 0;
    for (uint64_t at = 0; at < size(); at += kPiece)
      if (!is_hole(at)) count += std::min(kPiece, size() - at);
    return count;
  }

  Bytes bytes;
  mutable int reads = 0;

 private:
  static constexpr uint64_t kPiece = 65536;
  bool is_hole(uint64_t at) const {
    const uint64_t begin = at / kPiece * kPiece;
    return all_zero(
        ByteView(bytes).subspan(begin, std::min(kPiece, size() - begin)));
  }
  uint64_t next(uint64_t offset, bool hole) const {
    for (uint64_t at = offset; at < size(); at = (at / kPiece + 1) * kPiece)
      if (is_hole(at) == hole) return at;
    return size();
  }
};

inline void put_mbr_entry(BytesImage& disk, uint64_t record_sector, int index,
                          uint8_t type, uint32_t first, uint32_t sectors) {
  std::byte* record = disk.bytes.data() + record_sector * 512;
  std::byte* entry = record + 446 + 16 * index;
  entry[4] = std::byte{type};
  store_le<uint32_t>(entry + 8, first);
  store_le<uint32_t>(entry + 12, sectors);
  record[510] = std::byte{0x55};
  record[511] = std::byte{0xAA};
}

struct GptPart {
  uint64_t first;
  uint64_t last;
};

// One header with its entries right behind it (first) or before it (backup).
inline void put_gpt_header(BytesImage& disk, uint64_t sector_bytes,
                           uint64_t sector, uint64_t other, uint64_t entries,
                           const std::vector<GptPart>& parts) {
  constexpr uint32_t kCount = 128;
  constexpr uint32_t kEntryBytes = 128;
  std::byte* table = disk.bytes.data() + entries * sector_bytes;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].last == 0) continue;  // an unused entry
    table[i * kEntryBytes] = std::byte{1};
    store_le<uint64_t>(table + i * kEntryBytes + 32, parts[i].first);
    store_le<uint64_t>(table + i * kEntryBytes + 40, parts[i].last);
  }
  std::byte* header = disk.bytes.data() + sector * sector_bytes;
  constexpr std::string_view kSignature = "EFI PART";
  std::memcpy(header, kSignature.data(), kSignature.size());
  store_le<uint32_t>(header + 8, 0x00010000);
  store_le<uint32_t>(header + 12, 92);
  store_le<uint64_t>(header + 24, sector);
  store_le<uint64_t>(header + 32, other);
  store_le<uint64_t>(header + 72, entries);
  store_le<uint32_t>(header + 80, kCount);
  store_le<uint32_t>(header + 84, kEntryBytes);
  store_le<uint32_t>(header + 88, crc32(ByteView(table, kCount * kEntryBytes)));
  store_le<uint32_t>(header + 16, 0);
  store_le<uint32_t>(header + 16, crc32(ByteView(header, 92)));
}

inline BytesImage gpt_disk(uint64_t sector_bytes, uint64_t sectors,
                           const std::vector<GptPart>& parts) {
  BytesImage disk(sector_bytes * sectors);
  put_mbr_entry(disk, 0, 0, 0xEE, 1, 0xFFFFFFFF);
  const uint64_t table_sectors = 128 * 128 / sector_bytes;
  put_gpt_header(disk, sector_bytes, 1, sectors - 1, 2, parts);
  put_gpt_header(disk, sector_bytes, sectors - 1, 1,
                 sectors - 1 - table_sectors, parts);
  return disk;
}

}  // namespace backstitch::mount
