// Machines that run from a recovery point, with nothing restored first.
//
// Each disk is a qcow2 overlay on the storage where the machine will live, over
// the point's image in a mounted tree. Whatever fails, the guest's writes are
// in the overlay.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "format/repository/repository.h"
#include "src/recovery/boot_xml.h"
#include "src/recovery/session.h"

namespace backstitch::engine {

struct BootRequest {
  std::string name;     // of the new domain; empty: DOMAIN-recovered
  std::string storage;  // directory; empty: libvirt's default pool's
  BootNetwork network = BootNetwork::kIsolated;
  uint64_t memory_bytes = 0;
  unsigned cpus = 0;
  bool start_paused = false;
  std::string format;  // of the disks at last; empty: as they were
  // For a session that is to be thrown away: its files lie in a directory of
  // their own in `storage`, and what its consoles say is logged there.
  bool throw_away = false;
};

struct BootResult {
  Session session;
  std::vector<std::string> notes;  // what is not as it was
  std::chrono::milliseconds took{0};
};

// Starts a transient domain. Throws kUsage when the name or a file is taken,
// kNotFound, kFailed; then nothing is left of it.
BootResult boot_point(const format::Repository& repository,
                      const format::Point& point, const std::string& uri,
                      const BootRequest& request);

// The same for who holds the session's lock; the request has its name.
BootResult boot_point(const SessionLock& lock,
                      const format::Repository& repository,
                      const format::Point& point, const std::string& uri,
                      const BootRequest& request);

// Mounts again and starts the machine on its overlays: after a reboot of the
// host, or when the driver or the guest was killed. Throws kBusy when it runs
// and all is well, kUsage for one that is to be thrown away.
BootResult resume_session(const std::string& name);

// Ends the machine and removes all that was made for it.
void discard_session(const std::string& name);
void discard_session(const SessionLock& lock, const std::string& name);

// What has become of a session's machine: "running", "paused", "off".
std::string session_state(const Session& session);

}  // namespace backstitch::engine
