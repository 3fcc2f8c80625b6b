#include "src/nbd/flow.h"

#include <sys/mman.h>

#include <cassert>
#include <chrono>

namespace backstitch::engine {
namespace {

// Not initialised: a buffer that no piece fills takes no memory.
PieceBuffer make_buffer() {
  return PieceBuffer(static_cast<std::byte*>(
      ::operator new[](kBufferBytes, std::align_val_t(kBufferBytes))));
}

// No more than advice. Only for what fills it: the kernel clears all of a huge
// page, which scattered chunks would wait for in vain.
void ask_for_huge_page(const PieceBuffer& buffer) {
  ::madvise(buffer.get(), kBufferBytes, MADV_HUGEPAGE);
}

}  // namespace

Flow::Flow(size_t buffers, size_t pieces, std::stop_token stop)
    : most_pieces_(pieces), stop_(std::move(stop)) {
  for (size_t i = 0; i < buffers; ++i) {
    free_.push_back(make_buffer());
  }
}

bool Flow::wait(std::unique_lock<std::mutex>& lock,
                std::condition_variable_any& condition, auto predicate) {
  return condition.wait(lock, stop_, predicate) && !stop_.stop_requested();
}

void Flow::feed(const ChunkRun& run, uint64_t bytes) {
  const bool data = run.state == ChunkState::kData;
  assert(!data || run.count <= kPieceChunks);
  auto piece = std::make_unique<Piece>();
  piece->run = run;
  piece->bytes = bytes;
  piece->ready = !data;
  {
    std::unique_lock lock(mutex_);
    if (!wait(lock, room_, [&] {
          return order_.size() < most_pieces_ && !(data && free_.empty());
        })) {
      return;
    }
    if (data) {
      piece->buffer = std::move(free_.back());
      free_.pop_back();
      if (run.count == kPieceChunks) ask_for_huge_page(piece->buffer);
      to_read_.push_back(piece.get());
      ++being_read_;
    }
    order_.push_back(std::move(piece));
  }
  data ? readable_.notify_one() : writable_.notify_one();
}

void Flow::end_feed() {
  {
    const std::scoped_lock lock(mutex_);
    fed_ = true;
  }
  readable_.notify_all();
  siftable_.notify_all();
  writable_.notify_all();
}

Piece* Flow::next_to_read(bool may_wait) {
  std::unique_lock lock(mutex_);
  if (may_wait &&
      !wait(lock, readable_, [&] { return !to_read_.empty() || fed_; })) {
    return nullptr;
  }
  if (to_read_.empty()) return nullptr;
  Piece* const piece = to_read_.front();
  to_read_.pop_front();
  return piece;
}

void Flow::was_read(Piece* piece) {
  bool last = false;
  {
    const std::scoped_lock lock(mutex_);
    to_sift_.push_back(piece);
    --being_read_;
    last = fed_ && being_read_ == 0;
  }
  last ? siftable_.notify_all() : siftable_.notify_one();
}

Piece* Flow::next_to_sift() {
  std::unique_lock lock(mutex_);
  if (!wait(lock, siftable_,
            [&] { return !to_sift_.empty() || (fed_ && being_read_ == 0); })) {
    return nullptr;
  }
  if (to_sift_.empty()) return nullptr;
  Piece* const piece = to_sift_.front();
  to_sift_.pop_front();
  return piece;
}

void Flow::was_sifted(Piece* piece) {
  bool next = false;
  {
    const std::scoped_lock lock(mutex_);
    piece->ready = true;
    next = order_.front().get() == piece;
  }
  if (next) writable_.notify_one();
}

Piece* Flow::next_to_write() {
  std::unique_lock lock(mutex_);
  const auto ready = [&] { return !order_.empty() && order_.front()->ready; };
  writable_.wait_for(lock, stop_, std::chrono::milliseconds(100),
                     [&] { return ready() || (fed_ && order_.empty()); });
  return ready() && !stop_.stop_requested() ? order_.front().get() : nullptr;
}

void Flow::was_written(Piece* piece) {
  {
    const std::scoped_lock lock(mutex_);
    assert(order_.front().get() == piece);
    if (piece->buffer) free_.push_back(std::move(piece->buffer));
    order_.pop_front();
  }
  room_.notify_one();
}

bool Flow::ended() {
  const std::scoped_lock lock(mutex_);
  return stop_.stop_requested() || (fed_ && order_.empty());
}

}  // namespace backstitch::engine
