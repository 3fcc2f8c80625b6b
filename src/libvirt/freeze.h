// The guest's file systems frozen for a moment, through its agent.
//
// A machine that stays frozen is dead to its users. So whatever happens, it is
// thawed: by the object; by a process of its own when this one is killed or the
// limit is over; and again and again where the agent hung and may freeze late.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "src/libvirt/connection.h"
#include "src/libvirt/guard.h"

namespace backstitch::engine {

enum class Quiesce { kAuto, kRequire, kNo };

struct FreezeOptions {
  Quiesce quiesce = Quiesce::kAuto;
  std::vector<std::string> mountpoints;  // empty: all
  std::chrono::seconds agent_patience{10};
  std::chrono::seconds limit{30};  // that it may stay frozen
};

class Freeze {
 public:
  // Freezes. With kAuto a guest without an agent that answers is left as it is
  // and why_not() says why; with kRequire that is thrown (kFailed).
  Freeze(Guest& guest, const FreezeOptions& options);
  Freeze(const Freeze&) = delete;
  Freeze& operator=(const Freeze&) = delete;
  ~Freeze();

  bool frozen() const { return frozen_; }
  // Whether an agent is there that would not.
  bool failed() const { return failed_; }
  const std::string& why_not() const { return why_not_; }
  // Thaws, and says how long it was frozen. Throws when the guest was thawed in
  // between (by the guard, say) or cannot be.
  std::chrono::milliseconds thaw();

 private:
  void freeze(const FreezeOptions& options);

  Guest& guest_;
  bool frozen_ = false;
  bool failed_ = false;
  std::string why_not_;
  std::chrono::steady_clock::time_point since_;
  std::optional<Guard> guard_;
};

}  // namespace backstitch::engine
