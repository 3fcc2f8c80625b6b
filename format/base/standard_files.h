// Descriptors 0 to 2 as every program expects them.
#pragma once

#include <fcntl.h>
#include <unistd.h>

namespace backstitch {

// Opens those that the caller left closed ("2>&-", some daemons). Else a file
// that is opened later, such as a point's, gets the number, and what is meant
// for a terminal is written into it.
inline void open_standard_files() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    const int null = ::open("/dev/null", O_RDWR);
    if (null != fd) ::_exit(1);
  }
}

}  // namespace backstitch
