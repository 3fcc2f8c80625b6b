#include "src/base/side_by_side.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace backstitch::engine {

void side_by_side(size_t count, const std::function<void(size_t)>& work) {
  std::atomic<size_t> next = 0;
  std::once_flag once;
  std::exception_ptr failure;
  const auto run = [&] {
    for (size_t i = next++; i < count; i = next++) {
      try {
        work(i);
      } catch (...) {
        std::call_once(once, [&] { failure = std::current_exception(); });
        next = count;
      }
    }
  };
  {
    const size_t threads = std::min<size_t>(
        count, std::max(1U, std::thread::hardware_concurrency()));
    std::vector<std::jthread> others;
    for (size_t i = 1; i < threads; ++i) others.emplace_back(run);
    run();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace backstitch::engine
