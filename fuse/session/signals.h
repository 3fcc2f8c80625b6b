// The signals that stop the driver.
#pragma once

#include <csignal>

namespace backstitch::mount {

// SIGINT, SIGTERM and SIGHUP are blocked in this thread, and in threads that it
// makes, while the object lives: the main thread alone shall be interrupted.
class BlockedSignals {
 public:
  BlockedSignals();
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;
  ~BlockedSignals();

 private:
  sigset_t before_{};
};

}  // namespace backstitch::mount
