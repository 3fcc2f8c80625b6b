// The driver from its command line to its end.
#pragma once

#include "fuse/options/command_line.h"

namespace backstitch::mount {

// Mounts, serves until a signal or until somebody unmounts, cleans up. Returns
// the exit code of the process: of the parent too, when it goes into the
// background. Failures have been printed.
int serve(const CommandLine& line);

}  // namespace backstitch::mount
