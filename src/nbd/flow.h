// The pieces of a disk on their way from the source to the repository.
//
//   feed ─▶ to read ─▶ to sift ─▶ in order, to be written
//
// A piece is a run of chunks to be read into one buffer, or a run that needs
// none (clean, zero). Buffers are few and are given out in the order of the
// disk, so the piece that must be written next always has one: nothing waits in
// a circle, and memory is bounded whatever the disk looks like.
#pragma once

#include <array>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <new>

#include "format/map/ref.h"
#include "format/repository/point_writer.h"
#include "src/nbd/block_source.h"

namespace backstitch::engine {

inline constexpr uint64_t kPieceChunks = 32;

// Of one piece, and one huge page where the kernel has one: all that copies,
// hashes and compresses then misses the TLB once a piece, not every 4 KiB.
inline constexpr size_t kBufferBytes = kPieceChunks * format::kChunkBytes;
struct FreeBuffer {
  void operator()(std::byte* buffer) const {
    ::operator delete[](buffer, std::align_val_t(kBufferBytes));
  }
};
using PieceBuffer = std::unique_ptr<std::byte[], FreeBuffer>;

// Belongs to one stage at a time.
struct Piece {
  ChunkRun run;
  uint64_t bytes = 0;  // of the disk; the rest of the last chunk is padding
  // For data only: the content, then in its place what will be stored.
  PieceBuffer buffer;
  std::array<format::SiftedChunk, kPieceChunks> sifted;
  bool ready = false;  // to be written; guarded by Flow

  std::span<std::byte> chunk(uint64_t index) {
    return {buffer.get() + index * format::kChunkBytes, format::kChunkBytes};
  }
};

// Thread-safe. Calls that wait return empty-handed once `stop` is asked for.
class Flow {
 public:
  // `buffers` pieces of data, `pieces` pieces of any kind at most.
  Flow(size_t buffers, size_t pieces, std::stop_token stop);

  // The feeder: pieces in ascending order.
  void feed(const ChunkRun& run, uint64_t bytes);
  void end_feed();

  // The readers. `may_wait` is false for those with other things under way.
  Piece* next_to_read(bool may_wait);
  void was_read(Piece* piece);

  // The sifters. No piece: the end.
  Piece* next_to_sift();
  void was_sifted(Piece* piece);

  // The writer: the next piece in order once it is ready, then release it.
  // Waits a moment at most: null and not ended() means ask again.
  Piece* next_to_write();
  void was_written(Piece* piece);
  bool ended();

 private:
  bool wait(std::unique_lock<std::mutex>& lock,
            std::condition_variable_any& condition, auto predicate);

  const size_t most_pieces_;
  const std::stop_token stop_;
  std::mutex mutex_;  // guards all below
  std::condition_variable_any room_;
  std::condition_variable_any readable_;
  std::condition_variable_any siftable_;
  std::condition_variable_any writable_;
  std::vector<PieceBuffer> free_;
  std::deque<std::unique_ptr<Piece>> order_;
  std::deque<Piece*> to_read_;
  std::deque<Piece*> to_sift_;
  size_t being_read_ = 0;  // fed and not yet read
  bool fed_ = false;
};

}  // namespace backstitch::engine
