// A few threads for work that may be left undone: reading ahead.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace backstitch::mount {

// Thread-safe. The destructor drops what has not begun and waits for the rest.
// The threads block SIGINT, SIGTERM and SIGHUP, which are the main thread's.
class WorkerPool {
 public:
  WorkerPool(unsigned threads, size_t max_waiting);
  ~WorkerPool();

  // False, and nothing is done, when too much is waiting already. A task must
  // not throw.
  bool try_post(std::function<void()> task);

 private:
  void work(const std::stop_token& stop);

  const size_t max_waiting_;
  std::mutex mutex_;
  std::condition_variable_any arrived_;
  std::deque<std::function<void()>> waiting_;
  std::vector<std::jthread> threads_;  // last: joined before the rest goes
};

}  // namespace backstitch::mount
