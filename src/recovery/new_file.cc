#include "src/recovery/new_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <vector>

#include "format/base/error.h"
#include "format/base/file.h"
#include "src/image/image_lock.h"

namespace backstitch::engine {

namespace fs = std::filesystem;

namespace {

constexpr char kRandom[] = "XXXXXX";

// What the names of hidden files for a target begin with.
std::string hidden_prefix(const fs::path& target) {
  // Together at most the 255 bytes that a name may have.
  return ".backstitch-" + target.filename().string().substr(0, 200) + "-";
}

}  // namespace

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
  std::string name =
      (target_.parent_path() / (hidden_prefix(target_) + kRandom)).string();
  const Fd fd(::mkostemp(name.data(), O_CLOEXEC));
  if (!fd) throw system_error(errno, "create a file for " + target_.string());
  path_ = name;
}

void sweep_new_files(const fs::path& target) {
  const std::string prefix = hidden_prefix(target);
  std::vector<fs::path> found;
  std::error_code code;
  for (fs::directory_iterator entry(target.parent_path(), code), end;
       !code && entry != end; entry.increment(code)) {
    const std::string name = entry->path().filename();
    if (name.starts_with(prefix) &&
        name.size() == prefix.size() + sizeof kRandom - 1) {
      found.push_back(entry->path());
    }
  }
  for (const fs::path& path : found) remove_tree(path);
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
