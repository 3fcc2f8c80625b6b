#include "fuse/image/shortcuts.h"

#include <algorithm>
#include <exception>

#include "format/chain/chain_image.h"
#include "fuse/image/part_image.h"

namespace backstitch::mount {
namespace {

using format::ChainImage;
using format::DiskImage;
using format::kChunkBytes;

uint64_t count_by_seeking(const DiskImage& image, uint64_t begin,
                          uint64_t end) {
  uint64_t bytes = 0;
  uint64_t position = std::min(image.next_data(begin), end);
  while (position < end) {
    const uint64_t hole = std::min(image.next_hole(position), end);
    bytes += hole - position;
    position = std::min(image.next_data(hole), end);
  }
  return bytes;
}

// The whole chunks by the map's own count, the ragged ends by seeking.
uint64_t count_in_chain(const ChainImage& image, uint64_t begin, uint64_t end) {
  const uint64_t first = (begin + kChunkBytes - 1) / kChunkBytes;
  const uint64_t last = end / kChunkBytes;
  if (first >= last) return count_by_seeking(image, begin, end);
  return count_by_seeking(image, begin, first * kChunkBytes) +
         image.map().count_data(first, last) * kChunkBytes +
         count_by_seeking(image, last * kChunkBytes, end);
}

}  // namespace

uint64_t count_data(const DiskImage& image, uint64_t begin, uint64_t end) {
  if (begin >= end) return 0;
  const auto* chain = dynamic_cast<const ChainImage*>(&image);
  return chain != nullptr ? count_in_chain(*chain, begin, end)
                          : count_by_seeking(image, begin, end);
}

bool can_prefetch(const DiskImage& image) {
  if (const auto* part = dynamic_cast<const PartImage*>(&image))
    return can_prefetch(part->whole());
  return dynamic_cast<const ChainImage*>(&image) != nullptr;
}

void prefetch(const DiskImage& image, uint64_t offset,
              uint64_t length) noexcept {
  if (const auto* part = dynamic_cast<const PartImage*>(&image)) {
    prefetch(part->whole(), part->offset() + offset, length);
    return;
  }
  const auto* chain = dynamic_cast<const ChainImage*>(&image);
  if (chain == nullptr || offset >= chain->size()) return;
  try {
    chain->prefetch(offset, std::min(length, chain->size() - offset));
  } catch (const std::exception&) {
    // The reader meets the same failure and gets it as EIO with the reason.
  }
}

}  // namespace backstitch::mount
