#include "src/libvirt/guard.h"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <thread>

#include "src/libvirt/connection.h"

namespace backstitch::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds kStartPatience{10};
constexpr std::chrono::minutes kTries{10};
constexpr char kThaw[] = "thaw";
constexpr char kResume[] = "resume";
constexpr char kPowerOff[] = "power-off";

const char* word_for(GuardDuty duty) {
  switch (duty) {
    case GuardDuty::kThaw:
      return kThaw;
    case GuardDuty::kResume:
      return kResume;
    case GuardDuty::kPowerOff:
      break;
  }
  return kPowerOff;
}

// Whether the guest is as it should be.
bool act(const std::string& duty, Guest& guest) {
  const int state = guest.state();
  if (state == VIR_DOMAIN_SHUTOFF) return true;
  if (duty == kThaw) return virDomainFSThaw(guest.get(), nullptr, 0, 0) >= 0;
  if (state != VIR_DOMAIN_PAUSED) return true;
  if (duty == kPowerOff) return virDomainDestroy(guest.get()) == 0;
  return virDomainResume(guest.get()) == 0;
}

}  // namespace

Guard::Guard(GuardDuty duty, const std::string& uri, const std::string& uuid,
             seconds limit) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw system_error(errno, "make a pipe");
  const Fd theirs(ends[0]);
  leash_ = Fd(ends[1]);
  process_.emplace(
      Process::start({"/proc/self/exe", kGuardArgument, word_for(duty), uri,
                      uuid, std::to_string(limit.count())},
                     "backstitch", {.standard_input = theirs.get()}));
  const auto deadline = steady_clock::now() + kStartPatience;
  while (process_->standard_output().empty()) {
    if (process_->wait(milliseconds(2)) || steady_clock::now() > deadline) {
      throw Error(ErrorKind::kFailed, "the guard of the guest did not start: " +
                                          process_->standard_error());
    }
  }
}

Guard::~Guard() {
  let_go();
  process_->release();
}

void Guard::dismiss() {
  const char done = '.';
  if (leash_ && ::write(leash_.get(), &done, 1) != 1)
    spdlog::debug("the guard of the guest is gone");
  let_go();
}

void run_guard(const std::string& duty, const std::string& uri,
               const std::string& uuid, seconds limit) {
  Connection connection(uri);
  Guest guest(connection, uuid);
  if (::write(STDOUT_FILENO, "ready\n", 6) != 6) return;
  pollfd input{STDIN_FILENO, POLLIN, 0};
  const auto wait = std::chrono::duration_cast<milliseconds>(limit);
  if (::poll(&input, 1, static_cast<int>(wait.count())) > 0) {
    char done = 0;
    if (::read(STDIN_FILENO, &done, 1) == 1) return;
  }
  const auto deadline = steady_clock::now() + kTries;
  while (steady_clock::now() < deadline) {
    try {
      if (act(duty, guest)) return;
    } catch (const Error& error) {
      // libvirtd is away: it comes back. A transient guest is gone: so be it.
      if (error.kind() == ErrorKind::kNotFound) return;
    }
    std::this_thread::sleep_for(milliseconds(500));
  }
}

}  // namespace backstitch::engine
