// Who keeps a mounted tree busy, and who serves it.
#pragma once

#include <string>
#include <vector>

#include "src/base/other_process.h"

namespace backstitch::engine {

// "qemu-system-x86 (process 123)", "/dev/loop0", "/mnt/inner (mounted on it)":
// everybody with something of the tree open or below it, as far as this user
// may see. Each once.
std::vector<std::string> mount_users(const std::string& mount_point);

// Processes that serve this mount point: backstitchfs, or `backstitch files
// mount`, that were started with it.
std::vector<OtherProcess> mount_drivers(const std::string& mount_point);

}  // namespace backstitch::engine
