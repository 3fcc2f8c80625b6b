// The one exception type of the project, and how system errors become it.
//
// A message says what was being done, to what, and why it failed. The kind
// decides the exit code of a program (man/backstitch.1, EXIT STATUS) and the
// errno of a FUSE reply.
#pragma once

#include <stdexcept>
#include <string>

namespace backstitch {

enum class ErrorKind {
  kFailed,       // I/O, a source that died, a full disk
  kUsage,        // the caller asked for something that makes no sense
  kNotFound,     // no such repository, domain, point, disk
  kDamaged,      // stored bytes are not what was written
  kBusy,         // somebody else holds what this needs
  kUnsupported,  // newer format, unknown flag, missing tool or kernel feature
  kNoBase,       // the level asked for has no point to build on
  kInterrupted,  // SIGINT or SIGTERM
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message, int system_errno = 0)
      : std::runtime_error(message), kind_(kind), errno_(system_errno) {}

  ErrorKind kind() const { return kind_; }
  // The errno behind the failure, or 0 where there was none.
  int system_errno() const { return errno_; }

 private:
  ErrorKind kind_;
  int errno_;
};

// "cannot WHAT: strerror(code)". ENOENT becomes kNotFound, all else kFailed.
Error system_error(int code, const std::string& what);

// The same failure seen from further out: "CONTEXT: message", kind kept.
Error add_context(const Error& error, const std::string& context);

}  // namespace backstitch
