// What commands ask of their parsed arguments.
#pragma once

#include <string>
#include <vector>

#include "src/cli/command.h"

namespace backstitch::cli {

// The value, or an empty string when it was not given.
std::string text(const Values& values, const std::string& name);
// All values of a repeatable argument, none when it was not given.
std::vector<std::string> texts(const Values& values, const std::string& name);
// Whether a bool_switch was given.
bool flag(const Values& values, const std::string& name);

// "vm1@7".
std::string point_label(const std::string& domain, uint32_t number);

}  // namespace backstitch::cli
