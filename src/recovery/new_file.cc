#include "src/recovery/new_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

#include "format/base/error.h"
#include "format/base/file.h"
#include "src/image/image_lock.h"

namespace backstitch::engine {

namespace fs = std::filesystem;

void check_new_file(const fs::path& target, bool overwrite) {
  struct stat status {};
  if (::stat(target.c_str(), &status) != 0) return;
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorKind::kUsage,
                target.string() + " exists and is no regular file");
  }
  if (!overwrite) {
    throw Error(ErrorKind::kUsage,
                target.string() + " exists; --force overwrites it");
  }
  refuse_if_in_use(target);
}

NewFile::NewFile(const fs::path& target, bool overwrite)
    : target_(fs::absolute(target)), overwrite_(overwrite) {
  check_new_file(target_, overwrite);
  // Behind a symbolic link the file is replaced and not the link.
  std::error_code code;
  const fs::path behind = fs::canonical(target_, code);
  if (!code) target_ = behind;
  std::string name = (target_.parent_path() / ".backstitch-XXXXXX").string();
  const Fd fd(::mkostemp(name.data(), O_CLOEXEC));
  if (!fd) throw system_error(errno, "create a file for " + target_.string());
  path_ = name;
}

NewFile::~NewFile() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove(path_, ignored);
}

void NewFile::publish(Durability durability) {
  // Writing took its time: a machine that was started on the old file meanwhile
  // would lose all that it writes from here on.
  check_new_file(target_, overwrite_);
  rename_path(path_, target_, overwrite_);
  path_.clear();
  if (durability == Durability::kSynced) sync_directory(target_.parent_path());
}

}  // namespace backstitch::engine
