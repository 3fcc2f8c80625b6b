// Exit codes: man/backstitchfs.8, EXIT STATUS.
#pragma once

#include "format/base/error.h"

namespace backstitch::mount {

int exit_code(ErrorKind kind);

}  // namespace backstitch::mount
