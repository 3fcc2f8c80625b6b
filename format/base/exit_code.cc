#include "format/base/exit_code.h"

namespace backstitch {

int exit_code_of(ErrorKind kind) {
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
      return 130;
  }
  return 1;
}

}  // namespace backstitch
