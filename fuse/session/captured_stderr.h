// What libfuse and its helper print, as text for our own error.
#pragma once

#include <string>

#include "format/base/file.h"

namespace backstitch::mount {

// While it lives, standard error goes into memory. Only for a process with one
// thread. Where it cannot be made, standard error stays what it was.
class CapturedStderr {
 public:
  CapturedStderr();
  CapturedStderr(const CapturedStderr&) = delete;
  CapturedStderr& operator=(const CapturedStderr&) = delete;
  ~CapturedStderr();

  // Puts standard error back and returns what was written, on one line.
  std::string finish();

 private:
  void restore();

  Fd memory_;
  Fd before_;
};

}  // namespace backstitch::mount
