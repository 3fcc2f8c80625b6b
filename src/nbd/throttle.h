// A source that is read at no more than a given rate.
#pragma once

#include <chrono>
#include <mutex>

#include "src/nbd/block_source.h"

namespace backstitch::engine {

// Hands out moments at which so many bytes may be asked for. Thread-safe.
class RateLimit {
 public:
  explicit RateLimit(uint64_t bytes_per_second) : rate_(bytes_per_second) {}
  // Waits until `bytes` may be read. Throws kInterrupted.
  void wait_for(uint64_t bytes);

 private:
  const uint64_t rate_;
  std::mutex mutex_;  // guards next_
  std::chrono::steady_clock::time_point next_;
};

class ThrottledSource : public BlockSource {
 public:
  // `source` must outlive it.
  ThrottledSource(BlockSource& source, uint64_t bytes_per_second)
      : source_(source), limit_(bytes_per_second) {}

  uint64_t size_bytes() const override { return source_.size_bytes(); }
  std::optional<ChunkRun> next_run(std::stop_token stop) override {
    return source_.next_run(std::move(stop));
  }
  // More would only wait side by side.
  unsigned max_readers() const override { return 1; }
  std::unique_ptr<BlockReader> open_reader() override;

 private:
  BlockSource& source_;
  RateLimit limit_;
};

}  // namespace backstitch::engine
