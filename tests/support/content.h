// Chunk contents that are the same in every run and on every machine.
#pragma once

#include <cstdint>
#include <string_view>

#include "format/base/bytes.h"
#include "format/map/ref.h"

namespace backstitch::test {

// A generator whose sequence is fixed by its definition (splitmix64), unlike
// those of the standard library's distributions.
class Sequence {
 public:
  explicit Sequence(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    state_ += 0x9E3779B97F4A7C15ULL;
    uint64_t value = state_;
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9ULL;
    value = (value ^ value >> 27) * 0x94D049BB133111EBULL;
    return value ^ value >> 31;
  }
  // 0 to `bound` - 1.
  uint64_t below(uint64_t bound) { return next() % bound; }

 private:
  uint64_t state_;
};

// Bytes that no codec makes smaller.
inline Bytes random_bytes(uint64_t seed, size_t size = format::kChunkBytes) {
  Bytes bytes(size);
  Sequence sequence(seed);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(sequence.next());
  return bytes;
}

// Bytes that shrink well and differ for each seed.
inline Bytes text_bytes(uint64_t seed, size_t size = format::kChunkBytes) {
  constexpr std::string_view kWords[] = {"recovery ", "point ",    "chunk ",
                                         "page ",     "overlay\n", "extent "};
  Bytes bytes;
  bytes.reserve(size + 16);
  Sequence sequence(seed);
  while (bytes.size() < size) {
    for (const char letter : kWords[sequence.below(std::size(kWords))])
      bytes.push_back(static_cast<std::byte>(letter));
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace backstitch::test
