#include "fuse/image/shortcuts.h"

#include <algorithm>
#include <exception>

#include "format/chain/chain_image.h"
#include "format/overlay/overlay_image.h"
#include "fuse/image/part_image.h"

namespace backstitch::mount {
namespace {

using format::ChainImage;
using format::DiskImage;
using format::kChunkBytes;
using format::OverlayImage;

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

// Only what the overlay does not have.
void prefetch_below(const OverlayImage& image, uint64_t offset,
                    uint64_t length) {
  const uint64_t end = offset + std::min(length, image.size() - offset);
  while (offset < end) {
    const OverlayImage::Extent extent = image.extent_at(offset);
    const uint64_t next = std::min(end, extent.end);
    if (extent.state == format::BlockState::kBase)
      prefetch(image.base(), offset, next - offset);
    offset = next;
  }
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
  if (const auto* overlay = dynamic_cast<const OverlayImage*>(&image))
    return can_prefetch(overlay->base());
  return dynamic_cast<const ChainImage*>(&image) != nullptr;
}

void prefetch(const DiskImage& image, uint64_t offset,
              uint64_t length) noexcept {
  if (const auto* part = dynamic_cast<const PartImage*>(&image)) {
    prefetch(part->whole(), part->offset() + offset, length);
    return;
  }
  if (offset >= image.size()) return;
  if (const auto* overlay = dynamic_cast<const OverlayImage*>(&image)) {
    prefetch_below(*overlay, offset, length);
    return;
  }
  const auto* chain = dynamic_cast<const ChainImage*>(&image);
  if (chain == nullptr) return;
  try {
    chain->prefetch(offset, std::min(length, chain->size() - offset));
  } catch (const std::exception&) {
    // The reader meets the same failure and gets it as EIO with the reason.
  }
}

}  // namespace backstitch::mount
