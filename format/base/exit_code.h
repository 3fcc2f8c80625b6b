// The exit codes of the programs: man/backstitch.1 and man/backstitchfs.8, EXIT
// STATUS.
#pragma once

#include "format/base/error.h"

namespace backstitch {

inline constexpr int kExitDamaged = 4;

// kInterrupted is 130, as after SIGINT; who knows the signal says it.
int exit_code_of(ErrorKind kind);

}  // namespace backstitch
