#include "format/base/error.h"

#include <cerrno>
#include <cstring>

namespace backstitch {

Error system_error(int code, const std::string& what) {
  const auto kind = code == ENOENT ? ErrorKind::kNotFound : ErrorKind::kFailed;
  return Error(kind, "cannot " + what + ": " + std::strerror(code), code);
}

Error add_context(const Error& error, const std::string& context) {
  return Error(error.kind(), context + ": " + error.what(),
               error.system_errno());
}

}  // namespace backstitch
