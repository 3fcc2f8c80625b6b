// A bounded queue between one producer and some worker threads.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace backstitch {

// Runs `work` on every item, on `threads` threads. push() blocks while `limit`
// items wait. The first exception of `work` stops the workers and is rethrown
// by push() or finish(). Destroying it drops what still waits.
template <typename Item>
class WorkQueue {
 public:
  WorkQueue(unsigned threads, size_t limit, std::function<void(Item&)> work)
      : limit_(limit), work_(std::move(work)) {
    for (unsigned i = 0; i < threads; ++i)
      workers_.emplace_back([this] { run(); });
  }

  ~WorkQueue() {
    {
      const std::scoped_lock lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
  }

  void push(Item item) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopped_ || items_.size() < limit_; });
    if (failure_) std::rethrow_exception(failure_);
    items_.push_back(std::move(item));
    lock.unlock();
    changed_.notify_all();
  }

  // Waits until everything pushed is done.
  void finish() {
    {
      const std::scoped_lock lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
    workers_.clear();
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void run() {
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock,
                    [this] { return stopped_ || closed_ || !items_.empty(); });
      if (stopped_ || items_.empty()) return;
      Item item = std::move(items_.front());
      items_.pop_front();
      lock.unlock();
      changed_.notify_all();
      try {
        work_(item);
      } catch (...) {
        fail(std::current_exception());
      }
    }
  }

  void fail(std::exception_ptr failure) {
    {
      const std::scoped_lock lock(mutex_);
      if (!failure_) failure_ = std::move(failure);
      stopped_ = true;
    }
    changed_.notify_all();
  }

  const size_t limit_;
  const std::function<void(Item&)> work_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> items_;
  std::exception_ptr failure_;
  bool stopped_ = false;
  bool closed_ = false;
  std::vector<std::jthread> workers_;
};

}  // namespace backstitch
