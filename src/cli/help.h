// The texts of --help, made from the table of commands.
#pragma once

#include <string>

#include "src/cli/command.h"

namespace backstitch::cli {

// How an option is shown and completed.
struct OptionText {
  std::string short_name;  // "-r", or empty
  std::string long_name;   // "--repository", or empty
  std::string value;       // "DIR", empty when it takes none
  std::string default_value;
  std::string description;
};
OptionText describe(const boost::program_options::option_description& option);

// `backstitch --help`, or that of a group: `backstitch files --help`.
std::string overview_help(const Options& globals,
                          const std::string& group = "");
// `backstitch COMMAND --help`.
std::string command_help(const Command& command);

}  // namespace backstitch::cli
