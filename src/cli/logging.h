// Where log messages go: stderr, and a file when one was named.
#pragma once

#include "src/cli/command.h"

namespace backstitch::cli {

// On stderr in colour where it is a terminal; with the priority that
// sd-daemon(3) describes where it is systemd's journal. The file gets what a
// terminal gets, with date and time, appended. Throws kFailed when the file
// cannot be opened.
void start_logging(const Globals& globals);

// The last word of a run that failed, to the log file only: stderr has it.
void log_failure(const std::string& message);

}  // namespace backstitch::cli
