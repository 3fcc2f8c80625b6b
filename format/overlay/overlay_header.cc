#include "format/overlay/overlay_header.h"

#include <algorithm>

#include "format/base/error.h"

namespace backstitch::format {
namespace {

constexpr std::array<char, 8> kMagic = {'B', 'S', 'T', 'O', 'V', 'L', 'Y', 0};
constexpr uint32_t kVersion = 1;

// Offsets of the fields.
constexpr size_t kVersionAt = 8;
constexpr size_t kPointAt = 12;
constexpr size_t kIncompatibleAt = 16;
constexpr size_t kSizeAt = 24;
constexpr size_t kPointIdAt = 32;
constexpr size_t kRepositoryAt = 48;  // 32 hexadecimal digits
constexpr size_t kRepositoryBytes = 32;
constexpr size_t kDiskAt = 80;  // ends with a NUL
constexpr size_t kDiskBytes = 64;
constexpr size_t kHashAt = kHeaderBytes - 16;

}  // namespace

std::array<std::byte, kHeaderBytes> encode_overlay_header(
    const OverlayIdentity& identity) {
  std::array<std::byte, kHeaderBytes> bytes{};
  std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
  store_le(&bytes[kVersionAt], kVersion);
  store_le(&bytes[kPointAt], identity.point);
  store_le(&bytes[kSizeAt], identity.size_bytes);
  std::ranges::copy(identity.point_id, &bytes[kPointIdAt]);
  std::memcpy(&bytes[kRepositoryAt], identity.repository.data(),
              std::min(identity.repository.size(), kRepositoryBytes));
  std::memcpy(&bytes[kDiskAt], identity.disk.data(),
              std::min(identity.disk.size(), kDiskBytes - 1));
  const Hash128 hash = hash_of(ByteView(bytes).first(kHashAt));
  store_le(&bytes[kHashAt], hash.low);
  store_le(&bytes[kHashAt + 8], hash.high);
  return bytes;
}

OverlayIdentity decode_overlay_header(
    std::span<const std::byte, kHeaderBytes> bytes) {
  if (std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    throw Error(ErrorKind::kDamaged,
                "not the journal of an overlay (magic differs)");
  }
  const Hash128 hash = {load_le<uint64_t>(&bytes[kHashAt]),
                        load_le<uint64_t>(&bytes[kHashAt + 8])};
  if (hash_of(bytes.first(kHashAt)) != hash)
    throw Error(ErrorKind::kDamaged, "header is damaged (hash differs)");
  const auto version = load_le<uint32_t>(&bytes[kVersionAt]);
  const auto flags = load_le<uint64_t>(&bytes[kIncompatibleAt]);
  if (version != kVersion || flags != 0) {
    throw Error(ErrorKind::kUnsupported,
                "made by a newer backstitch (overlay version " +
                    std::to_string(version) + ", feature flags " +
                    std::to_string(flags) + "); this one reads version " +
                    std::to_string(kVersion));
  }
  OverlayIdentity identity;
  identity.point = load_le<uint32_t>(&bytes[kPointAt]);
  identity.size_bytes = load_le<uint64_t>(&bytes[kSizeAt]);
  std::ranges::copy(bytes.subspan(kPointIdAt, identity.point_id.size()),
                    identity.point_id.begin());
  const auto text = [&](size_t at, size_t most) {
    std::string value(most, '\0');
    std::memcpy(value.data(), &bytes[at], most);
    return value.substr(0, value.find('\0'));
  };
  identity.repository = text(kRepositoryAt, kRepositoryBytes);
  identity.disk = text(kDiskAt, kDiskBytes);
  return identity;
}

}  // namespace backstitch::format
