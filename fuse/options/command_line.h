// The command line of backstitchfs.
#pragma once

#include <filesystem>
#include <string>

#include "fuse/options/mount_options.h"

namespace backstitch::mount {

struct CommandLine {
  enum class Action { kMount, kHelp, kVersion };

  Action action = Action::kMount;
  std::string repository;
  std::string mount_point;
  bool foreground = false;
  bool verbose = false;
  MountOptions mount;  // points named as arguments included
};

// Throws kUsage.
CommandLine parse_command_line(int argc, const char* const* argv);
// What --help prints.
std::string help_text();

}  // namespace backstitch::mount
