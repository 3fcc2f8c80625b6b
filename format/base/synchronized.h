// Data that can only be reached with its lock held.
#pragma once

#include <mutex>
#include <utility>

namespace backstitch {

template <typename T>
class Synchronized {
 public:
  Synchronized() = default;
  explicit Synchronized(T value) : value_(std::move(value)) {}

  // Runs `action` on the value under the lock and returns its result. A
  // reference into the value must not leave `action`.
  template <typename Action>
  decltype(auto) with(Action&& action) {
    const std::scoped_lock lock(mutex_);
    return std::forward<Action>(action)(value_);
  }

 private:
  std::mutex mutex_;
  T value_;
};

}  // namespace backstitch
