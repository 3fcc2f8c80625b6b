// backstitch backup --all.
#pragma once

#include "src/cli/command.h"

namespace backstitch::cli {

// Backs up every domain, some at once, and goes on after one that fails. Gives
// the exit code of the first failure.
int backup_all(const Globals& globals, const Values& values);

}  // namespace backstitch::cli
