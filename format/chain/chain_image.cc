#include "format/chain/chain_image.h"

#include <algorithm>

#include "format/base/error.h"
#include "format/base/units.h"

namespace backstitch::format {

ChainImage::ChainImage(std::shared_ptr<const DiskStore> store, const Ref& root,
                       uint64_t size_bytes, uint64_t data_chunks,
                       std::shared_ptr<const void> keep_alive)
    : store_(std::move(store)),
      reader_(*store_, {root, chunk_count(size_bytes)}),
      size_(size_bytes),
      data_bytes_(std::min(data_chunks * kChunkBytes, size_bytes)),
      keep_alive_(std::move(keep_alive)) {}

void ChainImage::read_at(uint64_t offset, std::span<std::byte> out) const {
  if (offset > size_ || out.size() > size_ - offset) {
    throw Error(ErrorKind::kUsage,
                store_->disk() + ": a read of " +
                    format_range(offset, offset + out.size()) +
                    " reaches beyond its end");
  }
  while (!out.empty()) {
    const uint64_t begin = offset % kChunkBytes;
    const uint64_t length = std::min(out.size(), kChunkBytes - begin);
    read_piece(offset / kChunkBytes, begin, out.first(length));
    out = out.subspan(length);
    offset += length;
  }
}

void ChainImage::read_piece(uint64_t chunk, uint64_t begin,
                            std::span<std::byte> out) const {
  const Ref ref = reader_.lookup(chunk);
  if (ref.is_zero()) {
    std::ranges::fill(out, std::byte{0});
    return;
  }
  try {
    if (out.size() == kChunkBytes) {
      store_->read_chunk(ref, out);
    } else {
      store_->read_part(ref, begin, out);
    }
  } catch (const Error& error) {
    throw Error(
        error.kind(),
        std::string(error.what()) + "; disk range " +
            format_range(chunk * kChunkBytes, (chunk + 1) * kChunkBytes) +
            " of " + store_->disk() + " cannot be read",
        error.system_errno());
  }
}

uint64_t ChainImage::next_data(uint64_t offset) const {
  if (offset >= size_) return size_;
  const uint64_t chunk = reader_.next_data(offset / kChunkBytes);
  return std::min(size_, std::max(offset, chunk * kChunkBytes));
}

uint64_t ChainImage::next_hole(uint64_t offset) const {
  if (offset >= size_) return size_;
  const uint64_t chunk = reader_.next_zero(offset / kChunkBytes);
  return std::min(size_, std::max(offset, chunk * kChunkBytes));
}

void ChainImage::prefetch(uint64_t offset, uint64_t length) const {
  const uint64_t end = std::min(size_, offset + std::min(length, size_));
  for (uint64_t chunk = offset / kChunkBytes; chunk * kChunkBytes < end;
       ++chunk) {
    try {
      const Ref ref = reader_.lookup(chunk);
      if (!ref.is_zero()) store_->prefetch(ref);
    } catch (const Error&) {
      return;
    }
  }
}

}  // namespace backstitch::format
