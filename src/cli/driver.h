// Starts backstitchfs.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "format/base/file.h"

namespace backstitch::cli {

// Beside this program, in the build tree's fuse/, in PATH; throws kUnsupported
// where it is not.
std::string find_driver();

// A driver that was started. It has a process group of its own: a Ctrl-C comes
// to us only, and we hand it on once.
class Driver {
 public:
  // Behind: what it writes to stderr is kept for error(), its other streams are
  // /dev/null. Else it shares ours.
  Driver(const std::string& program, const std::vector<std::string>& arguments,
         bool behind);
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  // The exit code (128 and the signal that killed it), nothing while it runs.
  // A signal cuts the waiting short.
  std::optional<int> wait(std::chrono::milliseconds patience);
  // Asks it to unmount and end.
  void stop() const;
  // What it wrote, its name in front of lines taken away.
  std::string error() const;

 private:
  pid_t pid_ = -1;
  Fd pidfd_;
  Fd stderr_;
};

}  // namespace backstitch::cli
