#include "src/nbd/extents.h"

#include <algorithm>
#include <string>

#include "format/base/error.h"
#include "format/map/ref.h"

namespace backstitch::engine {
namespace {

using format::kChunkBytes;

// Bounds the memory of a cursor over a fragmented disk.
constexpr size_t kMostHeld = 4096;
// Lengths are 32-bit on the wire; aligned for servers that insist.
constexpr uint64_t kMostAsked = (uint64_t{1} << 32) - kChunkBytes;

}  // namespace

Extent ExtentCursor::at(uint64_t offset, uint64_t wanted) {
  while (!held_.empty() && held_.front().end <= offset) held_.pop_front();
  if (held_.empty() || held_.front().begin > offset) {
    held_.clear();
    const uint64_t end = std::min(std::max(wanted, offset + 1), size_);
    query_(offset, std::min(end - offset, kMostAsked));
    if (held_.empty() || held_.front().begin > offset) {
      throw Error(ErrorKind::kFailed,
                  "the server said nothing about the extent at offset " +
                      std::to_string(offset));
    }
  }
  Extent extent = held_.front();
  extent.begin = offset;
  return extent;
}

void ExtentCursor::absorb(uint64_t offset, std::span<const uint32_t> pairs) {
  for (size_t i = 0; i + 1 < pairs.size() && offset < size_; i += 2) {
    const uint64_t end = std::min(offset + pairs[i], size_);
    const Extent extent{offset, end, pairs[i + 1]};
    offset = end;
    if (extent.begin == extent.end) continue;
    if (held_.empty()) {
      held_.push_back(extent);
      continue;
    }
    Extent& last = held_.back();
    if (extent.end <= last.end) continue;
    if (extent.begin > last.end) return;
    if (extent.flags == last.flags) {
      last.end = extent.end;
    } else if (held_.size() < kMostHeld) {
      held_.push_back({last.end, extent.end, extent.flags});
    } else {
      return;
    }
  }
}

// How far the disk is of one state from `offset` on, as far as is known.
ChunkRuns::Uniform ChunkRuns::uniform_at(uint64_t offset) {
  uint64_t end = size_;
  if (bitmap_ != nullptr) {
    const Extent dirty = bitmap_->at(offset, size_);
    if ((dirty.flags & kBitmapDirty) == 0)
      return {dirty.end, ChunkState::kClean};
    end = dirty.end;
    if (end - offset < worth_asking_) return {end, ChunkState::kData};
  }
  const Extent allocated = allocation_.at(offset, end);
  const bool zero = (allocated.flags & kAllocationZero) != 0;
  return {std::min(end, allocated.end),
          zero ? ChunkState::kZero : ChunkState::kData};
}

ChunkState ChunkRuns::mixed_chunk(uint64_t begin, uint64_t end) {
  bool dirty = bitmap_ == nullptr;
  for (uint64_t offset = begin; !dirty && offset < end;) {
    const Extent extent = bitmap_->at(offset, size_);
    dirty = (extent.flags & kBitmapDirty) != 0;
    offset = extent.end;
  }
  if (!dirty) return ChunkState::kClean;
  // Part of it may be zero, but the rest must be read anyway; all of it is
  // zero only where the allocation says so over several extents.
  for (uint64_t offset = begin; offset < end;) {
    const Extent extent = allocation_.at(offset, end);
    if ((extent.flags & kAllocationZero) == 0) return ChunkState::kData;
    offset = extent.end;
  }
  return ChunkState::kZero;
}

std::optional<ChunkRun> ChunkRuns::next() {
  if (offset_ >= size_) return std::nullopt;
  const uint64_t begin = offset_;
  const uint64_t chunk_end =
      std::min(size_, begin - begin % kChunkBytes + kChunkBytes);
  const Uniform uniform = uniform_at(begin);
  uint64_t end =
      uniform.end == size_ ? size_ : uniform.end - uniform.end % kChunkBytes;
  ChunkState state = uniform.state;
  if (end < chunk_end) {
    state = mixed_chunk(begin, chunk_end);
    end = chunk_end;
  }
  offset_ = end;
  const uint64_t first = begin / kChunkBytes;
  return ChunkRun{first, format::chunk_count(end) - first, state};
}

}  // namespace backstitch::engine
