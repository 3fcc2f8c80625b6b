#include "fuse/session/exit_code.h"

namespace backstitch::mount {

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kFailed:
      return 1;
    case ErrorKind::kUsage:
      return 2;
    case ErrorKind::kNotFound:
      return 3;
    case ErrorKind::kDamaged:
      return 4;
    case ErrorKind::kBusy:
      return 5;
    case ErrorKind::kUnsupported:
      return 6;
    case ErrorKind::kNoBase:
      return 7;
    case ErrorKind::kInterrupted:
      return 130;
  }
  return 1;
}

}  // namespace backstitch::mount
