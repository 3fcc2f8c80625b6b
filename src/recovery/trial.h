// Does a point come up? A copy of its machine is started, and thrown away.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "format/base/bytes.h"
#include "format/repository/repository.h"

namespace backstitch::engine {

struct TrialRequest {
  std::string storage;  // directory; empty: libvirt's default pool's
  // A regular expression (POSIX, extended) that a line on a console must match;
  // empty: the guest's agent must answer, or the machine still run at the end.
  std::string expect;
  std::chrono::seconds limit{300};
};

enum class TrialEvidence {
  kNone,     // it did not come up
  kConsole,  // said what was expected
  kAgent,    // the guest's agent answered
  kRunning,  // was still there at the end, and was not asked
};

struct TrialConsole {
  std::string name;
  std::string tail;  // its last lines, as plain text
};

struct TrialResult {
  TrialEvidence evidence = TrialEvidence::kNone;
  std::string reason;  // why it did not come up, or what spoke for it
  std::chrono::milliseconds start{0};  // from the call to a running machine
  std::chrono::milliseconds wait{0};   // from there to the evidence
  std::vector<std::string> notes;      // what is not as it was
  std::vector<TrialConsole> consoles;
  Bytes screenshot;           // PNG; empty: there is none
  std::string no_screenshot;  // why there is none
  std::string hypervisor;     // version

  bool up() const { return evidence != TrialEvidence::kNone; }
};

// Starts the point's machine without a network from a mounted tree, watches it,
// and removes everything, whatever happens. What such a call left that was
// killed is removed first. A machine that cannot be started is one that did not
// come up. Throws kUsage (an expression that is none), kInterrupted, and what
// hinders it otherwise.
TrialResult try_point(const format::Repository& repository,
                      const format::Point& point, const std::string& uri,
                      const TrialRequest& request);

}  // namespace backstitch::engine
