// A process that is not ours to wait for.
#pragma once

#include <sys/types.h>

#include <chrono>

#include "format/base/file.h"

namespace backstitch::engine {

// Holds on to the process, which a number does not: that may be given away
// again. One that has ended is as good, and so is one that its parent has not
// asked after (a zombie; where the first process is slow to, or never does).
class OtherProcess {
 public:
  explicit OtherProcess(pid_t pid);

  // Nothing to one that has ended, or that is another user's.
  void signal(int number) const;
  bool ends_within(std::chrono::milliseconds patience) const;

 private:
  Fd handle_;  // none: it has ended
};

}  // namespace backstitch::engine
