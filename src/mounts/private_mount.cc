#include "src/mounts/private_mount.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <sstream>

#include "format/base/error.h"
#include "format/base/file.h"
#include "src/base/stop.h"
#include "src/mounts/driver.h"
#include "src/mounts/mount_table.h"

namespace backstitch::engine {

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr const char* kDriver = "backstitchfs";
constexpr std::string_view kName = "backstitch-private-";
constexpr milliseconds kPoll{5};
// Exit codes of backstitchfs(8).
constexpr int kExitDamaged = 4;
constexpr int kExitUnsupported = 6;
constexpr std::time_t kAge = 60;  // seconds

// Never through what may still be mounted: the tree's directory must be empty.
void remove_directory(const fs::path& directory) {
  std::error_code ignored;
  if (fs::remove(directory / "tree", ignored))
    fs::remove_all(directory, ignored);
}

Fd locked(const fs::path& directory) {
  Fd fd(::open(directory.c_str(),
               O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) fd = Fd();
  return fd;
}

// What programs that were killed left: nobody holds it locked. One that was
// made just now may not be locked yet.
void sweep(const fs::path& parent) {
  std::error_code error;
  for (fs::directory_iterator entry(parent, error);
       !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const fs::path& path = entry->path();
    struct stat status {};
    if (path.filename().string().starts_with(kName) &&
        ::lstat(path.c_str(), &status) == 0 && status.st_uid == ::geteuid() &&
        std::time(nullptr) - status.st_mtime > kAge && locked(path))
      remove_directory(path);
  }
}

fs::path make_directory() {
  std::error_code code;
  fs::path parent = fs::canonical(fs::temp_directory_path(code), code);
  if (code) parent = "/tmp";
  sweep(parent);
  std::string path = parent / (std::string(kName) + "XXXXXX");
  if (::mkdtemp(path.data()) == nullptr)
    throw system_error(errno, "create " + path);
  fs::create_directory(fs::path(path) / "tree");
  return path;
}

Process start(const std::string& repository, const fs::path& directory,
              const std::vector<std::string>& points) {
  Arguments arguments = {driver_program(), "-f", "--", repository,
                         directory / "tree"};
  arguments.insert(arguments.end(), points.begin(), points.end());
  StartOptions options;
  options.die_with_us = true;
  // It unmounts before it goes.
  options.death_signal = SIGTERM;
  try {
    return Process::start(arguments, "backstitch", options);
  } catch (const Error&) {
    remove_directory(directory);
    throw;
  }
}

ErrorKind kind_of(int status) {
  if (!WIFEXITED(status)) return ErrorKind::kFailed;
  switch (WEXITSTATUS(status)) {
    case kExitDamaged:
      return ErrorKind::kDamaged;
    case kExitUnsupported:
      return ErrorKind::kUnsupported;
    default:
      return ErrorKind::kFailed;
  }
}

}  // namespace

std::string driver_program() {
  std::error_code error;
  const fs::path own = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const auto& path : {own / kDriver, own / ".." / "fuse" / kDriver}) {
    if (fs::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0) {
      return path.lexically_normal().string();
    }
  }
  return kDriver;
}

PrivateMount::PrivateMount(const std::string& repository,
                           const std::vector<std::string>& points)
    : directory_(make_directory()),
      lock_(locked(directory_)),
      driver_(start(repository, directory_, points)) {
  try {
    wait_until_mounted();
  } catch (...) {
    driver_.stop();
    remove_directory(directory_);
    throw;
  }
}

PrivateMount::~PrivateMount() {
  try {
    driver_.stop();
    unmount_tree(tree());
  } catch (const Error&) {
    // Nothing more can be done; the directory stays and can be seen.
    return;
  }
  remove_directory(directory_);
}

void PrivateMount::wait_until_mounted() {
  while (!mount_at(tree())) {
    check_stop();
    const auto status = driver_.wait(kPoll);
    if (!status) continue;
    std::string words = driver_.standard_error();
    const std::string prefix = std::string(kDriver) + ": ";
    if (words.starts_with(prefix)) words.erase(0, prefix.size());
    if (words.empty()) words = prefix + describe_status(*status);
    throw Error(kind_of(*status), words);
  }
}

std::string PrivateMount::complaints() const {
  std::istringstream lines(driver_.standard_error());
  for (std::string line; std::getline(lines, line);) {
    const size_t level = line.find("error: ");
    if (level != std::string::npos) return line.substr(level + 7);
  }
  return "";
}

}  // namespace backstitch::engine
