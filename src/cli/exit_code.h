// What a failure is called and which exit code it gives.
// Documented in man/backstitch.1, EXIT STATUS.
#pragma once

#include <string>

#include "format/base/exit_code.h"

namespace backstitch::cli {

inline constexpr int kExitOk = 0;
// All was done, and --strict was said.
inline constexpr int kExitWarnings = 8;
// verify --boot: the machine did not come up.
inline constexpr int kExitNotUp = 9;

// An interruption is 128 and the signal that asked for it.
int exit_code(ErrorKind kind);
// The way back, for a program of ours that was called; kFailed for others.
ErrorKind error_kind(int exit_code);
// "failed", "not-found", …: the `kind` of a JSON error.
std::string to_string(ErrorKind kind);

}  // namespace backstitch::cli
