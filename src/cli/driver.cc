#include "src/cli/driver.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "format/base/error.h"

namespace backstitch::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* kName = "backstitchfs";

bool executable(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) &&
         ::access(path.c_str(), X_OK) == 0;
}

// posix_spawn's two C objects.
struct SpawnSettings {
  SpawnSettings() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    // A process that ignores SIGPIPE hands that on.
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }

  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

}  // namespace

std::string find_driver() {
  std::error_code error;
  const fs::path own = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const auto& path : {own / kName, own / ".." / "fuse" / kName}) {
    if (executable(path)) return path.lexically_normal().string();
  }
  const char* path = std::getenv("PATH");
  std::istringstream directories(path == nullptr ? "" : path);
  for (std::string directory; std::getline(directories, directory, ':');) {
    const fs::path program = fs::path(directory) / kName;
    if (!directory.empty() && executable(program)) return program.string();
  }
  throw Error(ErrorKind::kUnsupported,
              "backstitchfs, the program that shows the images, is neither "
              "beside this one nor in PATH");
}

Driver::Driver(const std::string& program,
               const std::vector<std::string>& arguments, bool behind) {
  SpawnSettings settings;
  const auto to_null = [&](int fd, int flags) {
    posix_spawn_file_actions_addopen(&settings.actions, fd, "/dev/null", flags,
                                     0);
  };
  to_null(STDIN_FILENO, O_RDONLY);
  if (behind) {
    // A file in memory: unlike a pipe it makes nobody wait for anybody.
    stderr_ = Fd(::memfd_create("backstitchfs-errors", MFD_CLOEXEC));
    if (!stderr_) throw system_error(errno, "create a file in memory");
    to_null(STDOUT_FILENO, O_WRONLY);
    posix_spawn_file_actions_adddup2(&settings.actions, stderr_.get(),
                                     STDERR_FILENO);
  }
  std::vector<std::string> words = {kName};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const int code = ::posix_spawn(&pid_, program.c_str(), &settings.actions,
                                 &settings.attributes, argv.data(), environ);
  if (code != 0) throw system_error(code, "start " + program);
  pidfd_ = Fd(::pidfd_open(pid_, 0));
}

std::optional<int> Driver::wait(std::chrono::milliseconds patience) {
  if (pidfd_) {
    pollfd ended = {pidfd_.get(), POLLIN, 0};
    ::poll(&ended, 1, static_cast<int>(patience.count()));
  }
  int status = 0;
  const pid_t waited = ::waitpid(pid_, &status, pidfd_ ? WNOHANG : 0);
  if (waited == 0 || (waited < 0 && errno == EINTR)) return std::nullopt;
  if (waited < 0) throw system_error(errno, "wait for backstitchfs");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void Driver::stop() const { ::kill(pid_, SIGTERM); }

std::string Driver::error() const {
  constexpr size_t kMost = 64 << 10;
  std::string text(kMost, '\0');
  const ssize_t got =
      stderr_ ? ::pread(stderr_.get(), text.data(), text.size(), 0) : 0;
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  while (text.ends_with('\n')) text.pop_back();
  const std::string prefix = std::string(kName) + ": ";
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

}  // namespace backstitch::cli
