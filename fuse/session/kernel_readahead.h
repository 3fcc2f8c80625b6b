// The kernel's read-ahead of one mount.
#pragma once

#include <sys/types.h>

#include <string>

namespace backstitch::mount {

// Sets read_ahead_kb of the mount that has this device number; needs root.
// Returns why it could not, or nothing. (FUSE's INIT can only lower it.)
std::string set_kernel_readahead(dev_t device, unsigned kilobytes);

}  // namespace backstitch::mount
