#include "src/libvirt/freeze.h"

#include <spdlog/spdlog.h>

namespace backstitch::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

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
  guard_.emplace(GuardDuty::kThaw, guest_.connection().uri(), guest_.uuid(),
                 options.limit);
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
  // It may yet freeze, late: the guard stays behind and thaws.
  guard_->let_go();
}

Freeze::~Freeze() {
  if (frozen_) {
    try {
      thaw();
    } catch (const Error& error) {
      spdlog::error("{}", error.what());
    }
  }
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
    guard_->let_go();  // it goes on trying
    throw Error(failure);
  }
  guard_->dismiss();
  if (count == 0) {
    throw Error(ErrorKind::kFailed,
                "the file systems of " + guest_.name() +
                    " were thawed before the backup had begun");
  }
  return took;
}

}  // namespace backstitch::engine
