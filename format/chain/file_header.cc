#include "format/chain/file_header.h"

#include <algorithm>

#include "format/base/error.h"

namespace backstitch::format {
namespace {

constexpr std::array<char, 8> kMagic = {'B', 'S', 'T', 'I', 'T', 'C', 'H', 0};
constexpr uint32_t kVersion = 1;
constexpr uint64_t kKnownIncompatibleFlags = 0;

// Offsets of the fields.
constexpr size_t kVersionAt = 8;
constexpr size_t kHeaderSizeAt = 12;
constexpr size_t kIncompatibleAt = 16;
constexpr size_t kKindAt = 32;
constexpr size_t kPointAt = 36;
constexpr size_t kPointIdAt = 40;
constexpr size_t kDiskAt = 56;
constexpr size_t kDiskBytes = 64;
constexpr size_t kHashAt = kHeaderBytes - 16;

}  // namespace

std::array<std::byte, kHeaderBytes> encode(const FileHeader& header) {
  std::array<std::byte, kHeaderBytes> bytes{};
  std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
  store_le(&bytes[kVersionAt], kVersion);
  store_le(&bytes[kHeaderSizeAt], static_cast<uint32_t>(kHeaderBytes));
  store_le(&bytes[kKindAt], static_cast<uint32_t>(header.kind));
  store_le(&bytes[kPointAt], header.point);
  std::ranges::copy(header.point_id, &bytes[kPointIdAt]);
  std::memcpy(&bytes[kDiskAt], header.disk.data(),
              std::min(header.disk.size(), kDiskBytes - 1));
  const Hash128 hash = hash_of(ByteView(bytes).first(kHashAt));
  store_le(&bytes[kHashAt], hash.low);
  store_le(&bytes[kHashAt + 8], hash.high);
  return bytes;
}

FileHeader decode_header(std::span<const std::byte, kHeaderBytes> bytes) {
  if (std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0)
    throw Error(ErrorKind::kDamaged, "not a backstitch file (magic differs)");
  const Hash128 hash = {load_le<uint64_t>(&bytes[kHashAt]),
                        load_le<uint64_t>(&bytes[kHashAt + 8])};
  if (hash_of(bytes.first(kHashAt)) != hash)
    throw Error(ErrorKind::kDamaged, "header is damaged (hash differs)");
  const auto version = load_le<uint32_t>(&bytes[kVersionAt]);
  const auto flags = load_le<uint64_t>(&bytes[kIncompatibleAt]);
  if (version != kVersion || (flags & ~kKnownIncompatibleFlags) != 0) {
    throw Error(ErrorKind::kUnsupported,
                "made by a newer backstitch (format version " +
                    std::to_string(version) + ", feature flags " +
                    std::to_string(flags) + "); this one reads version " +
                    std::to_string(kVersion));
  }
  FileHeader header;
  const auto kind = load_le<uint32_t>(&bytes[kKindAt]);
  if (load_le<uint32_t>(&bytes[kHeaderSizeAt]) != kHeaderBytes ||
      (kind != 1 && kind != 2) ||
      bytes[kDiskAt + kDiskBytes - 1] != std::byte{0})
    throw Error(ErrorKind::kDamaged, "header makes no sense");
  header.kind = static_cast<FileKind>(kind);
  header.point = load_le<uint32_t>(&bytes[kPointAt]);
  std::ranges::copy(bytes.subspan(kPointIdAt, header.point_id.size()),
                    header.point_id.begin());
  // Ends at the NUL that was checked above.
  std::array<char, kDiskBytes> disk;
  std::memcpy(disk.data(), &bytes[kDiskAt], kDiskBytes);
  header.disk = disk.data();
  return header;
}

}  // namespace backstitch::format
