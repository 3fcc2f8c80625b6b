#include "fuse/session/kernel_readahead.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include "format/base/error.h"
#include "format/base/file.h"

namespace backstitch::mount {

std::string set_kernel_readahead(dev_t device, unsigned kilobytes) {
  const std::string path = "/sys/class/bdi/" + std::to_string(major(device)) +
                           ":" + std::to_string(minor(device)) +
                           "/read_ahead_kb";
  try {
    const std::string text = std::to_string(kilobytes);
    File::open(path, O_WRONLY).write_at(0, std::as_bytes(std::span(text)));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace backstitch::mount
