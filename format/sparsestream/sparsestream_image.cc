#include "format/sparsestream/sparsestream_image.h"

#include <algorithm>

#include "format/base/error.h"
#include "format/base/units.h"

namespace backstitch::format {

// The newest layer that speaks of the offset decides; the extent ends where a
// newer one begins to speak.
SparsestreamImage::Extent SparsestreamImage::extent_at(uint64_t offset) const {
  uint64_t end = size_;
  for (const auto& layer : layers_) {
    const size_t found = layer->find(offset);
    if (found == layer->pieces().size()) continue;
    const StreamPiece& piece = layer->pieces()[found];
    if (piece.begin > offset) {
      end = std::min(end, piece.begin);
      continue;
    }
    end = std::min(end, piece.begin + piece.length);
    if (piece.stored_length == 0) return {end, nullptr, 0};
    return {end, layer.get(), found};
  }
  return {end, nullptr, 0};
}

void SparsestreamImage::read_at(uint64_t offset,
                                std::span<std::byte> out) const {
  if (offset > size_ || out.size() > size_ - offset) {
    throw Error(ErrorKind::kUsage,
                "read of " + format_range(offset, offset + out.size()) +
                    " from a disk of " + format_bytes(size_));
  }
  while (!out.empty()) {
    const Extent extent = extent_at(offset);
    const auto part =
        out.first(std::min<uint64_t>(out.size(), extent.end - offset));
    if (extent.stream == nullptr) {
      std::ranges::fill(part, std::byte{0});
    } else {
      const uint64_t begin = extent.stream->pieces()[extent.piece].begin;
      extent.stream->read(extent.piece, offset - begin, part);
    }
    out = out.subspan(part.size());
    offset += part.size();
  }
}

uint64_t SparsestreamImage::next_data(uint64_t offset) const {
  while (offset < size_) {
    const Extent extent = extent_at(offset);
    if (extent.stream != nullptr) return offset;
    offset = extent.end;
  }
  return size_;
}

uint64_t SparsestreamImage::next_hole(uint64_t offset) const {
  while (offset < size_) {
    const Extent extent = extent_at(offset);
    if (extent.stream == nullptr) return offset;
    offset = extent.end;
  }
  return size_;
}

uint64_t SparsestreamImage::data_bytes() const {
  uint64_t bytes = 0;
  for (uint64_t at = next_data(0); at < size_;) {
    const uint64_t hole = next_hole(at);
    bytes += hole - at;
    at = next_data(hole);
  }
  return bytes;
}

}  // namespace backstitch::format
