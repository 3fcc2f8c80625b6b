#include "fuse/session/startup.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "format/base/error.h"

namespace backstitch::mount {
namespace {

constexpr int kFailed = 1;

void print_error(const std::string& message) {
  std::fprintf(stderr, "backstitchfs: %s\n", message.c_str());
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (true) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(buffer.data(), static_cast<size_t>(got));
  }
}

// The child's word is one byte of exit code and then the message.
[[noreturn]] void wait_for_word(int fd, pid_t child) {
  const std::string word = read_all(fd);
  if (word.empty()) {
    int status = 0;
    ::waitpid(child, &status, 0);
    print_error("the driver ended before anything was mounted");
    ::_exit(kFailed);
  }
  const int exit_code = static_cast<unsigned char>(word[0]);
  if (exit_code != 0) print_error(word.substr(1));
  ::_exit(exit_code);
}

}  // namespace

Startup Startup::begin(bool foreground) {
  if (foreground) return Startup();
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw system_error(errno, "make a pipe");
  Fd from_child(ends[0]);
  Fd to_parent(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) throw system_error(errno, "start a process");
  if (child > 0) {
    to_parent = Fd();
    wait_for_word(from_child.get(), child);
  }
  ::setsid();
  return Startup(std::move(to_parent));
}

void Startup::succeed() {
  if (!parent_) return;
  if (::chdir("/") != 0) throw system_error(errno, "go to /");
  // A terminal or a pipe that whoever started us waits on must not stay open.
  const File null = File::open("/dev/null", O_RDWR);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    ::dup2(null.fd(), fd);
  tell(0, "");
}

void Startup::fail(int exit_code, const std::string& message) {
  if (parent_) {
    tell(exit_code, message);
  } else {
    print_error(message);
  }
}

void Startup::tell(int exit_code, const std::string& message) {
  const std::string word = static_cast<char>(exit_code) + message;
  // A parent that is gone (SIGPIPE is ignored by then) cannot be told.
  [[maybe_unused]] const ssize_t put =
      ::write(parent_.get(), word.data(), word.size());
  parent_ = Fd();
}

}  // namespace backstitch::mount
