// The first failure among threads that work together.
#pragma once

#include <exception>
#include <stop_token>
#include <utility>

#include "format/base/synchronized.h"

namespace backstitch::engine {

// Thread-safe. The first failure is kept and asks all others to stop; what they
// throw on the way out is a consequence and is dropped.
class FirstFailure {
 public:
  std::stop_token token() const { return stop_.get_token(); }

  // Runs a thread's body; nothing leaves it.
  template <typename Body>
  void guard(Body&& body) noexcept {
    try {
      std::forward<Body>(body)();
    } catch (...) {
      set(std::current_exception());
    }
  }

  void set(std::exception_ptr failure) noexcept {
    first_.with([&](std::exception_ptr& first) {
      if (!first) first = std::move(failure);
    });
    stop_.request_stop();
  }

  // Throws the failure, if there was one. After the threads are joined.
  void rethrow() {
    const auto failure =
        first_.with([](const std::exception_ptr& first) { return first; });
    if (failure) std::rethrow_exception(failure);
  }

 private:
  std::stop_source stop_;
  Synchronized<std::exception_ptr> first_;
};

}  // namespace backstitch::engine
