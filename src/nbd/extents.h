// Extents of one NBD metadata context, asked for as a walk over the disk needs
// them, and two such contexts joined into runs of chunks.
//
// NBD protocol, "Metadata querying": a reply covers at least one byte of what
// was asked, may be shorter than asked, and its last extent may reach beyond.
#pragma once

#include <deque>
#include <functional>

#include "src/nbd/block_source.h"

namespace backstitch::engine {

struct Extent {
  uint64_t begin = 0;
  uint64_t end = 0;
  uint32_t flags = 0;
};

// Flags of base:allocation and of qemu:dirty-bitmap:NAME.
inline constexpr uint32_t kAllocationZero = 2;
inline constexpr uint32_t kBitmapDirty = 1;

// A cursor over one context. Holds a bounded number of extents.
class ExtentCursor {
 public:
  // Asks the server about a range; leads to absorb() on this cursor. Throws on
  // failure.
  using Query = std::function<void(uint64_t offset, uint64_t length)>;

  ExtentCursor(uint64_t size_bytes, Query query)
      : size_(size_bytes), query_(std::move(query)) {}

  // The extent at `offset` (ascending from call to call), cut to begin there;
  // `wanted` is how far the caller cares. Throws kFailed when the server says
  // nothing about `offset`.
  Extent at(uint64_t offset, uint64_t wanted);

  // Takes a reply: pairs of length and flags from `offset` on. What does not
  // join what is held, or is too much to hold, is left for a later query.
  void absorb(uint64_t offset, std::span<const uint32_t> pairs);

 private:
  const uint64_t size_;
  const Query query_;
  std::deque<Extent> held_;  // contiguous; neighbours differ in flags
};

// Joins allocation and (where there is one) a dirty bitmap into runs:
//   not dirty                         clean
//   dirty, all of the chunk zero      zero
//   all else                          data
// A chunk that is dirty in part is dirty. Without a bitmap all is dirty.
class ChunkRuns {
 public:
  // Dirty pieces below this are read without asking whether they are zero:
  // reading costs less than the question.
  static constexpr uint64_t kWorthAsking = 256 << 10;

  // The cursors must outlive it; `bitmap` may be null.
  ChunkRuns(uint64_t size_bytes, ExtentCursor& allocation, ExtentCursor* bitmap,
            uint64_t worth_asking = kWorthAsking)
      : size_(size_bytes),
        worth_asking_(worth_asking),
        allocation_(allocation),
        bitmap_(bitmap) {}

  std::optional<ChunkRun> next();

 private:
  struct Uniform {
    uint64_t end;
    ChunkState state;
  };
  Uniform uniform_at(uint64_t offset);
  ChunkState mixed_chunk(uint64_t begin, uint64_t end);

  const uint64_t size_;
  const uint64_t worth_asking_;
  ExtentCursor& allocation_;
  ExtentCursor* const bitmap_;
  uint64_t offset_ = 0;
};

}  // namespace backstitch::engine
