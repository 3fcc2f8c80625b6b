#include "src/cli/exit_code.h"

#include "src/base/stop.h"

namespace backstitch::cli {

int exit_code(ErrorKind kind) {
  if (kind == ErrorKind::kInterrupted && engine::stop_signal() != 0)
    return 128 + engine::stop_signal();
  return exit_code_of(kind);
}

ErrorKind error_kind(int code) {
  for (const auto kind :
       {ErrorKind::kUsage, ErrorKind::kNotFound, ErrorKind::kDamaged,
        ErrorKind::kBusy, ErrorKind::kUnsupported, ErrorKind::kNoBase,
        ErrorKind::kInterrupted}) {
    if (exit_code(kind) == code) return kind;
  }
  return ErrorKind::kFailed;
}

std::string to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kFailed:
      return "failed";
    case ErrorKind::kUsage:
      return "usage";
    case ErrorKind::kNotFound:
      return "not-found";
    case ErrorKind::kDamaged:
      return "damaged";
    case ErrorKind::kBusy:
      return "busy";
    case ErrorKind::kUnsupported:
      return "unsupported";
    case ErrorKind::kNoBase:
      return "no-base";
    case ErrorKind::kInterrupted:
      return "interrupted";
  }
  return "failed";
}

}  // namespace backstitch::cli
