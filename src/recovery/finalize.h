// Moves a recovered machine's disks to their final storage while it runs.
//
// For each disk:
//   copy     the point's image beside the running machine, at full speed
//   bridge   a new overlay over that file takes the old one's place, by a
//            shallow block copy: only what the guest has written is moved
//   fold     an active commit merges the bridge into the file
// Where libvirt refuses the bridge, or when asked to, the point is pulled into
// the overlay instead, by QEMU and much slower: the overlay is the disk then.
// The guest is paused for the moment in which a disk changes its place, so that
// the session's file never names one that lacks a write. A step that was
// interrupted is begun again; the guest goes on meanwhile.
#pragma once

#include <chrono>

#include "src/base/progress.h"
#include "src/recovery/session.h"

namespace backstitch::engine {

struct FinalizeOptions {
  uint64_t bandwidth = 0;  // bytes a second at most; 0: no limit
  bool pull = false;       // for disks that were not copied yet
};

struct FinalizeResult {
  Session session;
  std::chrono::milliseconds took{0};
  std::chrono::milliseconds longest_pause{0};  // of the guest
};

// Makes the domain persistent at last, and releases the mounted point. Throws
// kNotFound without such a session, kFailed when its machine does not run,
// kInterrupted; then it can be called again.
FinalizeResult finalize_session(const std::string& name,
                                const FinalizeOptions& options,
                                Progress& progress);

}  // namespace backstitch::engine
