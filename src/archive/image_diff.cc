#include "src/archive/image_diff.h"

#include <algorithm>

#include "format/base/bytes.h"
#include "format/map/ref.h"

namespace backstitch::engine {
namespace {

using format::kChunkBytes;

// Beyond the end are zeroes.
void read_chunk(const format::DiskImage& image, uint64_t chunk, Bytes& out) {
  std::ranges::fill(out, std::byte{0});
  const uint64_t begin = chunk * kChunkBytes;
  if (begin >= image.size()) return;
  image.read_at(
      begin, std::span(out).first(std::min(kChunkBytes, image.size() - begin)));
}

}  // namespace

void diff_images(
    const ImageSource::Image& a, const ImageSource::Image& b,
    const std::function<void(uint64_t first, uint64_t count)>& differs) {
  const bool swapped = a->size() < b->size();
  ImageSource source(swapped ? b : a, swapped ? a : b);
  Bytes one(kChunkBytes);
  Bytes other(kChunkBytes);
  uint64_t first = 0;
  uint64_t end = 0;  // of the run that is not told yet
  while (const auto run = source.next_run({})) {
    if (run->state == ChunkState::kClean) continue;
    for (uint64_t chunk = run->first; chunk < run->first + run->count;
         ++chunk) {
      read_chunk(*a, chunk, one);
      read_chunk(*b, chunk, other);
      if (one == other) continue;
      if (chunk != end && end > first) differs(first, end - first);
      if (chunk != end) first = chunk;
      end = chunk + 1;
    }
  }
  if (end > first) differs(first, end - first);
}

}  // namespace backstitch::engine
