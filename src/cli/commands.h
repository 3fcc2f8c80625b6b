// The table of commands: what exists, in the order of `backstitch --help`.
#pragma once

#include <string>
#include <vector>

#include "src/cli/command.h"

namespace backstitch::cli {

// Made once; lives as long as the process.
const std::vector<Command>& commands();
// nullptr when there is none of that name.
const Command* find_command(const std::string& name);

}  // namespace backstitch::cli
