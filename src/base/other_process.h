// A process that is not ours to wait for.
#pragma once

#include <sys/types.h>

#include <chrono>

#include "format/base/file.h"

namespace backstitch::engine {

// Holds on to the process, which a number does not: that may be given away
// again. A zombie has ended, even where its parent never asks after it.
class OtherProcess {
 public:
  // One that is not there has ended. Throws kFailed where the kernel gives no
  // handle.
  explicit OtherProcess(pid_t pid);

  pid_t pid() const { return pid_; }
  // Does nothing to one that has ended, or that is another user's.
  void signal(int number) const;
  // `patience`: a day at most.
  bool ends_within(std::chrono::milliseconds patience) const;

 private:
  pid_t pid_;
  Fd handle_;  // none: it has ended
};

}  // namespace backstitch::engine
