#include "fuse/session/captured_stderr.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace backstitch::mount {

CapturedStderr::CapturedStderr() {
  Fd memory(::memfd_create("stderr", MFD_CLOEXEC));
  Fd before(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
  if (!memory || !before || ::dup2(memory.get(), STDERR_FILENO) < 0) return;
  memory_ = std::move(memory);
  before_ = std::move(before);
}

CapturedStderr::~CapturedStderr() { restore(); }

std::string CapturedStderr::finish() {
  if (!before_) return "";
  restore();
  std::array<char, 2048> buffer{};
  const ssize_t got = ::pread(memory_.get(), buffer.data(), buffer.size(), 0);
  std::string text(buffer.data(),
                   static_cast<size_t>(std::max<ssize_t>(got, 0)));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; ++at)
    text.replace(at, 1, "; ");
  return text;
}

void CapturedStderr::restore() {
  if (!before_) return;
  ::dup2(before_.get(), STDERR_FILENO);
  before_ = Fd();
}

}  // namespace backstitch::mount
