#include "src/files/workplace.h"

#include <cstdlib>

namespace backstitch::engine {

namespace {

constexpr const char* kTemporary = "TMPDIR";
constexpr const char* kCache = "LIBGUESTFS_CACHEDIR";

}  // namespace

Workplace::Workplace(const std::filesystem::path& directory) {
  if (const char* value = std::getenv(kTemporary)) before_ = value;
  // By guestfs(3); one that is set already stays.
  ::setenv(kCache, before_.value_or("/var/tmp").c_str(), 0);
  ::setenv(kTemporary, directory.c_str(), 1);
}

Workplace::~Workplace() {
  if (before_) {
    ::setenv(kTemporary, before_->c_str(), 1);
  } else {
    ::unsetenv(kTemporary);
  }
}

}  // namespace backstitch::engine
