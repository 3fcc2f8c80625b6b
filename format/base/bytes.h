// Little-endian fields and the hash of the format (XXH3-128, seed 0).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace backstitch {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

static_assert(std::endian::native == std::endian::little,
              "fields are copied as they lie in memory");

template <typename Integer>
Integer load_le(const std::byte* from) {
  Integer value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <typename Integer>
void store_le(std::byte* to, Integer value) {
  std::memcpy(to, &value, sizeof value);
}

// A 128-bit hash; on disk the low half comes first, as one little-endian
// number.
struct Hash128 {
  uint64_t low = 0;
  uint64_t high = 0;
  friend bool operator==(const Hash128&, const Hash128&) = default;
};

// XXH3-128 with seed 0 (xxHash specification, "XXH3 Algorithm Overview").
Hash128 hash_of(ByteView bytes);
inline Hash128 hash_of(std::string_view text) {
  return hash_of(std::as_bytes(std::span(text)));
}

// XXH3-64 with seed 0.
uint64_t hash64_of(ByteView bytes);

// True when every byte is zero.
bool all_zero(ByteView bytes);

// 32 lower-case hexadecimal digits, most significant first (as xxhsum prints).
std::string to_hex(const Hash128& hash);
// Two lower-case hexadecimal digits a byte, in memory order.
std::string to_hex(ByteView bytes);
// The inverse of to_hex(ByteView); throws kDamaged on anything but lower-case
// digits in pairs.
Bytes bytes_from_hex(std::string_view hex);

}  // namespace backstitch
