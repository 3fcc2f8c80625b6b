// Keeps changes of overlapping ranges apart, and lets all others run together.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

namespace backstitch::format {

// Thread-safe. Made for a few holders at once: each wait looks at all of them.
class RangeLock {
 public:
  // Holds [begin, end) while it lives; the constructor waits for it.
  class Held {
   public:
    Held(RangeLock& lock, uint64_t begin, uint64_t end)
        : lock_(lock), range_{begin, end} {
      std::unique_lock guard(lock_.mutex_);
      lock_.released_.wait(guard, [&] { return lock_.is_free(range_); });
      lock_.held_.push_back(range_);
    }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() {
      {
        const std::scoped_lock guard(lock_.mutex_);
        lock_.held_.erase(std::ranges::find(lock_.held_, range_));
      }
      lock_.released_.notify_all();
    }

   private:
    RangeLock& lock_;
    const std::pair<uint64_t, uint64_t> range_;
  };

 private:
  using Range = std::pair<uint64_t, uint64_t>;

  bool is_free(const Range& wanted) const {
    return std::ranges::none_of(held_, [&](const Range& held) {
      return wanted.first < held.second && held.first < wanted.second;
    });
  }

  std::mutex mutex_;
  std::condition_variable released_;
  std::vector<Range> held_;
};

}  // namespace backstitch::format
