#include "fuse/reading/worker_pool.h"

#include "fuse/session/signals.h"

namespace backstitch::mount {

WorkerPool::WorkerPool(unsigned threads, size_t max_waiting)
    : max_waiting_(max_waiting) {
  const BlockedSignals blocked;  // inherited by the threads
  for (unsigned i = 0; i < threads; ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }
}

WorkerPool::~WorkerPool() {
  for (std::jthread& thread : threads_) thread.request_stop();
}

bool WorkerPool::try_post(std::function<void()> task) {
  {
    const std::scoped_lock lock(mutex_);
    if (waiting_.size() >= max_waiting_) return false;
    waiting_.push_back(std::move(task));
  }
  arrived_.notify_one();
  return true;
}

void WorkerPool::work(const std::stop_token& stop) {
  while (true) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      arrived_.wait(lock, stop, [&] { return !waiting_.empty(); });
      if (stop.stop_requested()) return;
      task = std::move(waiting_.front());
      waiting_.pop_front();
    }
    task();
  }
}

}  // namespace backstitch::mount
