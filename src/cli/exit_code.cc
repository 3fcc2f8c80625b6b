#include "src/cli/exit_code.h"

#include <csignal>

#include "src/base/stop.h"

namespace backstitch::cli {

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kFailed:
      return 1;
    case ErrorKind::kUsage:
      return 2;
    case ErrorKind::kNotFound:
      return 3;
    case ErrorKind::kDamaged:
      return kExitDamaged;
    case ErrorKind::kBusy:
      return 5;
    case ErrorKind::kUnsupported:
      return 6;
    case ErrorKind::kNoBase:
      return 7;
    case ErrorKind::kInterrupted:
      return 128 +
             (engine::stop_signal() != 0 ? engine::stop_signal() : SIGINT);
  }
  return 1;
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
