#include "src/libvirt/freeze.h"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <thread>

namespace backstitch::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds kGuardStart{10};
constexpr std::chrono::minutes kGuardTries{10};

// Whether the agent's channel is there and somebody has it open: what is not
// there needs no guard, and is not waited for.
bool agent_connected(Guest& guest) {
  return guest.xml().find("name='org.qemu.guest_agent.0' state='connected'") !=
         std::string::npos;
}

}  // namespace

Freeze::Freeze(Guest& guest, const FreezeOptions& options) : guest_(guest) {
  if (options.quiesce == Quiesce::kNo) {
    why_not_ = "it was asked not to be";
    return;
  }
  if (guest.state() != VIR_DOMAIN_RUNNING) {
    why_not_ = "the guest does not run";
  } else if (!agent_connected(guest)) {
    why_not_ = "no guest agent is connected";
  } else {
    freeze(options);
  }
  if (!frozen_ && options.quiesce == Quiesce::kRequire) {
    throw Error(ErrorKind::kFailed, "the file systems of " + guest.name() +
                                        " cannot be frozen: " + why_not_);
  }
}

void Freeze::freeze(const FreezeOptions& options) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw system_error(errno, "make a pipe");
  const Fd theirs(ends[0]);
  leash_ = Fd(ends[1]);
  guard_.emplace(
      Process::start({"/proc/self/exe", kThawGuard, guest_.connection().uri(),
                      guest_.uuid(), std::to_string(options.limit.count())},
                     "backstitch", {.standard_input = theirs.get()}));
  const auto deadline = steady_clock::now() + kGuardStart;
  while (guard_->standard_output().empty()) {
    if (guard_->wait(milliseconds(2)) || steady_clock::now() > deadline) {
      throw Error(
          ErrorKind::kFailed,
          "the guard of the freeze did not start: " + guard_->standard_error());
    }
  }
  virDomainAgentSetResponseTimeout(
      guest_.get(), static_cast<int>(options.agent_patience.count()), 0);
  std::vector<const char*> paths;
  for (const std::string& path : options.mountpoints)
    paths.push_back(path.c_str());
  since_ = steady_clock::now();
  const int count =
      virDomainFSFreeze(guest_.get(), paths.empty() ? nullptr : paths.data(),
                        static_cast<unsigned>(paths.size()), 0);
  if (count > 0) {
    frozen_ = true;
    spdlog::debug("{}: {} file systems frozen", guest_.name(), count);
    return;
  }
  failed_ = true;
  why_not_ = count == 0 ? "the guest has none that could be"
                        : libvirt_failure("freeze").what();
  // It may yet freeze, late: the guard stays behind and thaws, also when this
  // object does not come to be.
  leash_ = Fd();
  guard_->release();
}

Freeze::~Freeze() {
  if (frozen_) {
    try {
      thaw();
    } catch (const Error& error) {
      spdlog::error("{}", error.what());
    }
  }
  leash_ = Fd();
  if (guard_) guard_->release();
}

milliseconds Freeze::thaw() {
  if (!frozen_) return milliseconds(0);
  frozen_ = false;
  const int count = virDomainFSThaw(guest_.get(), nullptr, 0, 0);
  const auto took =
      std::chrono::duration_cast<milliseconds>(steady_clock::now() - since_);
  if (count < 0) {
    const Error failure =
        libvirt_failure("thaw the file systems of " + guest_.name());
    leash_ = Fd();  // the guard goes on trying
    throw Error(failure);
  }
  dismiss_guard();
  if (count == 0) {
    throw Error(ErrorKind::kFailed,
                "the file systems of " + guest_.name() +
                    " were thawed before the backup had begun");
  }
  return took;
}

void Freeze::dismiss_guard() {
  const char done = '.';
  if (::write(leash_.get(), &done, 1) != 1)
    spdlog::debug("the guard of the freeze is gone");
  leash_ = Fd();
}

void run_thaw_guard(const std::string& uri, const std::string& uuid,
                    seconds limit) {
  std::signal(SIGPIPE, SIG_IGN);
  Connection connection(uri);
  Guest guest(connection, uuid);
  if (::write(STDOUT_FILENO, "ready\n", 6) != 6) return;
  pollfd input{STDIN_FILENO, POLLIN, 0};
  const auto wait = std::chrono::duration_cast<milliseconds>(limit);
  if (::poll(&input, 1, static_cast<int>(wait.count())) > 0) {
    char done = 0;
    if (::read(STDIN_FILENO, &done, 1) == 1) return;
  }
  const auto deadline = steady_clock::now() + kGuardTries;
  while (steady_clock::now() < deadline) {
    try {
      if (!guest.active()) return;
      if (virDomainFSThaw(guest.get(), nullptr, 0, 0) >= 0) return;
    } catch (const Error&) {  // libvirtd is away: it comes back
    }
    std::this_thread::sleep_for(milliseconds(500));
  }
}

}  // namespace backstitch::engine
