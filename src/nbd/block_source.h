// Where a disk's bytes come from: all that the copy pipeline knows of a source.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

namespace backstitch::engine {

// What must be done with a chunk (64 KiB) of the disk.
enum class ChunkState : uint8_t {
  kClean,  // nobody wrote to it since the base: keep what the base has
  kZero,   // reads as zeroes
  kData,   // read it
};

// `count` chunks from chunk `first` on; the last may be partly beyond the end.
struct ChunkRun {
  uint64_t first = 0;
  uint64_t count = 0;
  ChunkState state = ChunkState::kData;
  friend bool operator==(const ChunkRun&, const ChunkRun&) = default;
};

// Reads with several requests under way. Belongs to one thread.
class BlockReader {
 public:
  // Gives up whatever is under way: no buffer is touched afterwards, once no
  // other thread uses the source.
  virtual ~BlockReader() = default;
  // Begins to read `out.size()` bytes; `out` must live until `tag` is done.
  // `tag` is the caller's and not null.
  virtual void start(uint64_t offset, std::span<std::byte> out, void* tag) = 0;
  // Waits a moment (at most about 0.1 s) for what is under way and appends the
  // tags of complete reads to `done`. Throws the first failure of a read.
  virtual void wait(std::vector<void*>& done) = 0;
};

class BlockSource {
 public:
  virtual ~BlockSource() = default;

  // The size as it will be recorded; constant.
  virtual uint64_t size_bytes() const = 0;
  // The next run, ascending; together they tile the disk. Empty at its end, or
  // when `stop` is asked for. One thread, any one, at a time.
  virtual std::optional<ChunkRun> next_run(std::stop_token stop) = 0;
  // How many readers may work at once, at least 1.
  virtual unsigned max_readers() const = 0;
  // A new reader; may be called from any thread, while next_run is at work.
  virtual std::unique_ptr<BlockReader> open_reader() = 0;
};

}  // namespace backstitch::engine
