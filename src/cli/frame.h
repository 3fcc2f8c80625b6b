// From argv to a command and its values.
#pragma once

#include <string>
#include <vector>

#include "src/cli/command.h"

namespace backstitch::cli {

// -r, -c, --log-file, --json, -q, -v, --help, --version.
const Options& global_options();

struct Invocation {
  enum class Action { kRun, kHelp, kVersion } action = Action::kRun;
  Globals globals;
  const Command* command = nullptr;  // kHelp: may be missing
  std::string group;                 // kHelp: "files" of "files ls"
  Values values;
};

// Throws kUsage, with a suggestion where a word is near to a known one.
// Environment variables stand in for -r and -c.
Invocation parse_arguments(const std::vector<std::string>& arguments);

// Whether --json is among them: errors are told in JSON even when the rest
// cannot be parsed.
bool wants_json(const std::vector<std::string>& arguments);

}  // namespace backstitch::cli
