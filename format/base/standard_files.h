// Descriptors 0 to 2 as every program expects them.
#pragma once

#include <fcntl.h>
#include <unistd.h>

namespace backstitch {

// Opens those that the caller left closed ("2>&-", some daemons). Else a file
// that is opened later, such as a point's, gets the number, and what is meant
// for a terminal is written into it. Each is opened the wrong way round: to use
// it still fails, so that results that nobody can read are no success.
inline void open_standard_files() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    const int null = ::open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
    if (null != fd) ::_exit(1);
  }
}

}  // namespace backstitch
