// Refs and pages: the elements of a disk's map.
//
// A ref (32 bytes on disk, little-endian) says where a chunk or a page lies and
// the hash of what must be found there. A page is 128 refs. All-zero refs mean
// zeroes at every level. Specified in man/backstitch-format.5, MAPS.
#pragma once

#include <array>
#include <cassert>
#include <cstdint>

#include "format/base/bytes.h"

namespace backstitch::format {

inline constexpr uint64_t kChunkBytes = 65536;
inline constexpr uint64_t kPageBytes = 4096;
inline constexpr uint64_t kRefBytes = 32;
inline constexpr uint64_t kPageRefs = kPageBytes / kRefBytes;
// Every .map and .data file begins with a header of this size.
inline constexpr uint64_t kHeaderBytes = 4096;

enum class RefKind : uint8_t { kZero = 0, kPage = 1, kChunk = 2 };
enum class Codec : uint8_t { kStored = 0, kZstd = 1 };

struct Ref {
  RefKind kind = RefKind::kZero;
  Codec codec = Codec::kStored;
  uint32_t length = 0;  // bytes in the file, 1 to kChunkBytes
  uint32_t point = 0;   // number of the point whose files hold the bytes
  uint64_t offset = 0;  // in that point's .map (page) or .data (chunk)
  Hash128 hash;         // of the decoded bytes

  bool is_zero() const { return kind == RefKind::kZero; }
  uint64_t end() const { return offset + length; }
  friend bool operator==(const Ref&, const Ref&) = default;
};

using Page = std::array<Ref, kPageRefs>;
using RefBytes = std::array<std::byte, kRefBytes>;

RefBytes encode(const Ref& ref);
// Throws kDamaged on a ref that no writer makes: unknown kind or codec, a
// length or offset out of range, a zero ref with anything in it.
Ref decode_ref(std::span<const std::byte, kRefBytes> bytes);

std::array<std::byte, kPageBytes> encode(const Page& page);
// Decodes a page of `level` (1: its refs are chunks) whose own ref has `point`.
// Throws kDamaged when a child is of the wrong kind or of a later point.
Page decode_page(std::span<const std::byte, kPageBytes> bytes, int level,
                 uint32_t point);

// Throws kDamaged unless `ref` may stand at `level` (0: chunk) in a map of
// `point`.
void check_ref(const Ref& ref, int level, uint32_t point);

// --- geometry ---

// Chunks of a disk of `size` bytes; the last may be partly beyond the end.
constexpr uint64_t chunk_count(uint64_t size) {
  return size / kChunkBytes + (size % kChunkBytes != 0 ? 1 : 0);
}
// Chunks below one ref at `level`: 128^level, at most 2^63.
constexpr uint64_t level_span(int level) {
  assert(level >= 0);
  return level >= 9 ? uint64_t{1} << 63 : uint64_t{1} << (7 * level);
}
// Height of the smallest tree that holds `chunks`: the level of the root ref.
constexpr int height_for(uint64_t chunks) {
  int height = 0;
  while (level_span(height) < chunks) ++height;
  return height;
}

}  // namespace backstitch::format
