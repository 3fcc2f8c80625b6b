// How far a long work is, drawn on stderr.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "src/base/progress.h"

namespace backstitch::cli {

// One part of the work at one moment.
struct ProgressState {
  std::string part;
  uint64_t done_bytes = 0;
  uint64_t total_bytes = 0;  // 0: not known
  double seconds = 0;
};

// "vda [=====>    ]  45%  1.52 GiB of 3.40 GiB  512 MiB/s  ETA 0:12", at most
// `width` cells. Without a total: no bar, percent or ETA.
std::string progress_bar(const ProgressState& state, size_t width);
// The same in words, for logs: no bar.
std::string progress_text(const ProgressState& state);

// Draws from a thread of its own, so that a work that stalls is seen to stall
// and those who advance it never wait for a terminal.
class ProgressView : public engine::Progress {
 public:
  enum class Kind { kBar, kLines };
  // `width` cells for a bar; something is drawn every `interval`.
  ProgressView(int fd, Kind kind, size_t width,
               std::chrono::milliseconds interval);
  ~ProgressView() override;

  void begin(const std::string& part, uint64_t total_bytes) override;
  void advance(uint64_t bytes) override { done_ += bytes; }
  void end() override;

 private:
  void draw();  // under mutex_
  void clear();
  void write(const std::string& text) const;
  ProgressState state() const;

  const int fd_;
  const Kind kind_;
  const size_t width_;
  const std::chrono::milliseconds interval_;
  std::atomic<uint64_t> done_{0};
  // mutex_ guards all below, and the drawing.
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::string part_;
  uint64_t total_ = 0;
  std::chrono::steady_clock::time_point start_;
  bool active_ = false;
  bool drawn_ = false;
  std::jthread thread_;  // last: stops before what it uses goes away
};

}  // namespace backstitch::cli
