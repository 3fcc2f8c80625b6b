#include "src/base/other_process.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "format/base/error.h"

namespace backstitch::engine {

// glibc 2.36's own functions are not declared for C++.
OtherProcess::OtherProcess(pid_t pid)
    : pid_(pid), handle_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {
  if (!handle_ && errno != ESRCH)
    throw system_error(errno, "watch process " + std::to_string(pid));
}

void OtherProcess::signal(int number) const {
  if (handle_)
    ::syscall(SYS_pidfd_send_signal, handle_.get(), number, nullptr, 0);
}

bool OtherProcess::ends_within(std::chrono::milliseconds patience) const {
  using Clock = std::chrono::steady_clock;
  if (!handle_) return true;
  const auto deadline = Clock::now() + patience;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        std::max(deadline - Clock::now(), Clock::duration::zero()));
    pollfd ended = {handle_.get(), POLLIN, 0};
    const int found = ::poll(&ended, 1, static_cast<int>(left.count()));
    if (found > 0) return true;
    if (found == 0 || errno != EINTR) return false;
  }
}

}  // namespace backstitch::engine
