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
// Those whose name is two words of which this is the first: "files" of
// "files ls".
std::vector<const Command*> commands_of(const std::string& group);

}  // namespace backstitch::cli
