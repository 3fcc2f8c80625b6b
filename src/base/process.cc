#include "src/base/process.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <span>
#include <sstream>
#include <thread>
#include <utility>

#include "format/base/error.h"

namespace backstitch::engine {
namespace {

using std::chrono::milliseconds;

constexpr uint64_t kMostError = 64 << 10;
constexpr uint64_t kMostOutput = 80 << 20;
constexpr int kFirstListenFd = 3;  // sd_listen_fds(3): SD_LISTEN_FDS_START
constexpr char kListenPid[] = "LISTEN_PID=";

// All that the child needs, made before fork: between fork and exec only
// async-signal-safe calls are allowed, and malloc is none.
struct Launch {
  Arguments argument_text;
  std::vector<char*> arguments;
  std::vector<std::string> environment_text;
  std::vector<char*> environment;
  char* listen_pid =
      nullptr;  // the digits of LISTEN_PID=, filled in by the child
  std::string program;
  int out = -1;
  int err = -1;
  pid_t parent = 0;
  StartOptions options;
};

std::string find_program(const std::string& name, const std::string& package) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string candidate = folder + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  throw Error(ErrorKind::kUnsupported,
              name + " is not installed (Debian's package: " + package + ")");
}

Fd memory_file(const std::string& name) {
  Fd fd(::memfd_create(name.c_str(), MFD_CLOEXEC));
  if (!fd) throw system_error(errno, "make a memory file for " + name);
  return fd;
}

// Not const, because exec's prototype is older than const.
std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  list.reserve(texts.size() + 1);
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

Launch prepare(const Arguments& arguments, const std::string& package,
               const StartOptions& options) {
  Launch launch;
  launch.program = find_program(arguments.at(0), package);
  launch.argument_text = arguments;
  launch.arguments = pointers(launch.argument_text);
  launch.parent = ::getpid();
  launch.options = options;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, "LISTEN_", 7) != 0)
      launch.environment_text.emplace_back(*entry);
  }
  for (const std::string& entry : options.environment) {
    const std::string name = entry.substr(0, entry.find('='));
    if (std::getenv(name.c_str()) == nullptr)
      launch.environment_text.push_back(entry);
  }
  if (options.listen_fd >= 0) {
    launch.environment_text.emplace_back("LISTEN_FDS=1");
    launch.environment_text.push_back(kListenPid + std::string(16, '\0'));
  }
  launch.environment = pointers(launch.environment_text);
  if (options.listen_fd >= 0) {
    launch.listen_pid =
        launch.environment_text.back().data() + sizeof kListenPid - 1;
  }
  return launch;
}

// Runs in the child. Failures before exec end as 127, as in a shell.
[[noreturn]] void become(const Launch& launch) {
  ::setpgid(0, 0);
  if (launch.options.die_with_us) {
    ::prctl(PR_SET_PDEATHSIG, launch.options.death_signal);
    if (::getppid() != launch.parent) ::_exit(127);
  }
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  const int input = launch.options.standard_input;
  bool ready = null >= 0 && ::dup2(input >= 0 ? input : null, 0) == 0 &&
               ::dup2(launch.out, 1) == 1 &&
               (launch.options.share_stderr || ::dup2(launch.err, 2) == 2);
  if (launch.options.listen_fd >= 0) {
    std::to_chars(launch.listen_pid, launch.listen_pid + 15, ::getpid());
    ready = ready &&
            ::dup2(launch.options.listen_fd, kFirstListenFd) == kFirstListenFd;
    // dup2 onto itself leaves close-on-exec as it was.
    ::fcntl(kFirstListenFd, F_SETFD, 0);
  }
  // Only ignored signals outlive exec; what we do without is others' way out.
  std::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (ready) {
    ::execve(launch.program.c_str(), launch.arguments.data(),
             launch.environment.data());
  }
  ::_exit(127);
}

std::string read_memory_file(const Fd& fd, uint64_t most) {
  const off_t end = ::lseek(fd.get(), 0, SEEK_END);
  if (end <= 0) return {};
  const auto size = static_cast<uint64_t>(end);
  const uint64_t begin = size > most ? size - most : 0;
  std::string text(size - begin, '\0');
  const ssize_t got =
      ::pread(fd.get(), text.data(), text.size(), static_cast<off_t>(begin));
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return text;
}

}  // namespace

Process::Process(pid_t pid, std::string name, Fd out, Fd err)
    : pid_(pid),
      name_(std::move(name)),
      out_(std::move(out)),
      err_(std::move(err)) {}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      name_(std::move(other.name_)),
      out_(std::move(other.out_)),
      err_(std::move(other.err_)),
      status_(other.status_) {}

Process::~Process() {
  if (pid_ <= 0 || status_) return;
  try {
    stop();
  } catch (const Error&) {  // somebody else has waited for it: it is gone
  }
}

Process Process::start(const Arguments& arguments, const std::string& package,
                       const StartOptions& options) {
  Fd out = memory_file(arguments.at(0));
  Fd err = memory_file(arguments.at(0));
  Launch launch = prepare(arguments, package, options);
  launch.out = out.get();
  launch.err = err.get();
  const pid_t pid = ::fork();
  if (pid < 0) throw system_error(errno, "start " + launch.program);
  if (pid == 0) become(launch);
  return Process(pid, arguments[0], std::move(out), std::move(err));
}

std::optional<int> Process::wait(milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  auto pause = std::chrono::microseconds(200);
  while (!status_) {
    int status = 0;
    const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
    if (ended == pid_) status_ = status;
    if (ended < 0 && errno != EINTR)
      throw system_error(errno, "wait for " + name_);
    if (ended != 0) continue;
    if (std::chrono::steady_clock::now() >= deadline) break;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::microseconds(20000));
  }
  return status_;
}

int Process::wait() {
  while (!status_) {
    int status = 0;
    if (::waitpid(pid_, &status, 0) == pid_) {
      status_ = status;
    } else if (errno != EINTR) {
      throw system_error(errno, "wait for " + name_);
    }
  }
  return *status_;
}

int Process::stop() {
  for (const int signal_number : {SIGTERM, SIGKILL}) {
    if (wait(milliseconds(0))) break;
    ::kill(pid_, signal_number);
    if (wait(milliseconds(5000))) break;
  }
  return wait();
}

std::string Process::standard_output() const {
  return read_memory_file(out_, kMostOutput);
}

std::string Process::standard_error() const {
  std::string text = read_memory_file(err_, kMostError);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string describe_status(int status) {
  if (WIFSIGNALED(status)) {
    return "killed by signal " + std::to_string(WTERMSIG(status)) + " (" +
           strsignal(WTERMSIG(status)) + ")";
  }
  return "exit status " + std::to_string(WEXITSTATUS(status));
}

std::string run(const Arguments& arguments, const std::string& package,
                const std::string& input) {
  File text;
  StartOptions options;
  if (!input.empty()) {
    text = File(memory_file(arguments.at(0)), "the input of " + arguments[0]);
    text.write_at(0, std::as_bytes(std::span(input)));
    options.standard_input = text.fd();
  }
  Process process = Process::start(arguments, package, options);
  const int status = process.wait();
  if (status == 0) return process.standard_output();
  std::string what = process.standard_error();
  if (what.empty()) what = arguments[0] + ": " + describe_status(status);
  throw Error(ErrorKind::kFailed, what);
}

}  // namespace backstitch::engine
