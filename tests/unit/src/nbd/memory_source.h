// A disk in memory as a block source: a test double that can be told to fail.
#pragma once

#include <atomic>
#include <cstring>
#include <thread>

#include "format/base/bytes.h"
#include "format/base/error.h"
#include "format/map/ref.h"
#include "src/nbd/block_source.h"

namespace backstitch::engine::testing {

class MemorySource : public BlockSource {
 public:
  MemorySource(Bytes content, std::vector<ChunkRun> runs)
      : content_(std::move(content)), runs_(std::move(runs)) {}

  uint64_t size_bytes() const override { return content_.size(); }
  std::optional<ChunkRun> next_run(std::stop_token) override {
    if (next_ == fail_at_run)
      throw Error(ErrorKind::kFailed, "the query failed");
    if (next_ == runs_.size()) return std::nullopt;
    return runs_[next_++];
  }
  unsigned max_readers() const override { return readers; }
  std::unique_ptr<BlockReader> open_reader() override {
    return std::make_unique<Reader>(*this);
  }

  unsigned readers = 3;
  size_t fail_at_run = SIZE_MAX;
  uint64_t fail_at_offset = UINT64_MAX;
  std::atomic<uint64_t> most_in_flight = 0;

 private:
  class Reader : public BlockReader {
   public:
    explicit Reader(MemorySource& source) : source_(source) {}
    ~Reader() override { source_.in_flight_ -= pending_bytes(); }

    void start(uint64_t offset, std::span<std::byte> out, void* tag) override {
      pending_.push_back({offset, out, tag});
      const uint64_t now = source_.in_flight_ += out.size();
      uint64_t most = source_.most_in_flight;
      while (most < now &&
             !source_.most_in_flight.compare_exchange_weak(most, now)) {
      }
    }
    // Out of order: the last that was started is done first.
    void wait(std::vector<void*>& done) override {
      const Pending pending = pending_.back();
      const uint64_t end = pending.offset + pending.out.size();
      if (pending.offset <= source_.fail_at_offset &&
          source_.fail_at_offset < end) {
        throw Error(ErrorKind::kFailed, "the read failed");
      }
      pending_.pop_back();
      std::memcpy(pending.out.data(), source_.content_.data() + pending.offset,
                  pending.out.size());
      source_.in_flight_ -= pending.out.size();
      done.push_back(pending.tag);
    }

   private:
    struct Pending {
      uint64_t offset;
      std::span<std::byte> out;
      void* tag;
    };
    uint64_t pending_bytes() const {
      uint64_t bytes = 0;
      for (const Pending& one : pending_) bytes += one.out.size();
      return bytes;
    }
    MemorySource& source_;
    std::vector<Pending> pending_;
  };

  const Bytes content_;
  const std::vector<ChunkRun> runs_;
  size_t next_ = 0;
  std::atomic<uint64_t> in_flight_ = 0;
};

}  // namespace backstitch::engine::testing
