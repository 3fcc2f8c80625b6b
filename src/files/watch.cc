#include "src/files/watch.h"

#include <sys/types.h>
#include <unistd.h>

#include <charconv>
#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <string>

#include "src/base/stop.h"

namespace backstitch::engine {

namespace {

using std::chrono::steady_clock;
constexpr std::chrono::milliseconds kPoll{100};

// The name and the parent of a process, from proc(5)'s "PID (NAME) STATE PPID".
bool is_child_called(const std::filesystem::path& process, pid_t parent,
                     const std::string& beginning) {
  std::ifstream file(process / "stat");
  std::string line;
  std::getline(file, line);
  const size_t open = line.find('(');
  const size_t close = line.rfind(')');
  if (open == std::string::npos || close == std::string::npos) return false;
  std::istringstream rest(line.substr(close + 1));
  std::string state;
  pid_t ppid = 0;
  return rest >> state >> ppid && ppid == parent &&
         line.compare(open + 1, beginning.size(), beginning) == 0;
}

// Calls on a handle wait for one another, so it cannot be asked for the process
// while it starts one: /proc can.
void kill_appliance() {
  std::error_code code;
  std::filesystem::directory_iterator at("/proc", code);
  for (; !code && at != std::filesystem::directory_iterator();
       at.increment(code)) {
    const std::string name = at->path().filename();
    pid_t pid = 0;
    const auto [end, error] =
        std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc() || end != name.data() + name.size()) continue;
    for (const char* program : {"qemu", "supermin"}) {
      if (is_child_called(at->path(), ::getpid(), program))
        ::kill(pid, SIGKILL);
    }
  }
}

}  // namespace

Watch::Watch(guestfs_h* guest, std::optional<std::chrono::seconds> limit) {
  const auto begin = steady_clock::now();
  thread_ = std::jthread([=](const std::stop_token& token) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    while (!token.stop_requested()) {
      wake.wait_for(lock, token, kPoll, [] { return false; });
      if (token.stop_requested()) return;
      if (stop_signal() == 0 &&
          !(limit && steady_clock::now() - begin > *limit))
        continue;
      guestfs_user_cancel(guest);
      kill_appliance();
    }
  });
}

}  // namespace backstitch::engine
