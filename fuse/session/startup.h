// Going into the background, with an exit code that tells whether it worked.
//
// The process forks before it has any thread. The child goes on; the parent
// waits for its word and leaves with 0, or prints the child's error and leaves
// with its code. In the foreground nothing forks and the same calls work.
#pragma once

#include <string>

#include "format/base/file.h"

namespace backstitch::mount {

// Move-only; in the child, or in the foreground process. When it goes without
// a word (the child died) the parent reports that.
class Startup {
 public:
  // In the foreground: stays. In the background: returns in the child only.
  static Startup begin(bool foreground);

  // The tree can be read: the parent leaves with 0, and this process lets go
  // of the terminal.
  void succeed();
  // The parent, or in the foreground this process, prints the message.
  void fail(int exit_code, const std::string& message);

 private:
  Startup() = default;
  explicit Startup(Fd parent) : parent_(std::move(parent)) {}
  void tell(int exit_code, const std::string& message);

  Fd parent_;  // the pipe's end; none in the foreground
};

}  // namespace backstitch::mount
