// Where the driver's log goes.
#pragma once

#include "fuse/options/command_line.h"

namespace backstitch::mount {

// Standard error in the foreground, --log FILE where named, else the system's
// log. What libfuse says goes there too. Throws kFailed.
void start_log(const CommandLine& line);

}  // namespace backstitch::mount
