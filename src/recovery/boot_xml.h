// A domain's description as its recovered twin needs it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "src/recovery/session.h"

namespace backstitch::engine {

enum class BootNetwork {
  kIsolated,    // network cards with the cable out
  kNone,        // no network cards
  kAsBackedUp,  // as it was, MAC addresses among it
};

struct BootMachine {
  std::string name;
  std::string uuid;
  BootNetwork network = BootNetwork::kIsolated;
  uint64_t memory_bytes = 0;  // 0: as it was
  unsigned cpus = 0;          // 0: as it was
  bool emulate = false;       // the host has no KVM
  // Disk to its final file and format; a disk that is none of these goes.
  struct Disk {
    std::string path;
    std::string format;
  };
  std::map<std::string, Disk> disks;
  // New places of files that the description names: "nvram", "loader",
  // "kernel", "initrd"; what is not here stays.
  std::map<std::string, std::string> files;
};

// The description on final storage. What had to be left out is appended to
// `notes`, in words. Throws kFailed on what is no domain description.
std::string adapt_description(const std::string& xml,
                              const BootMachine& machine,
                              std::vector<std::string>& notes);

// The same with each disk at the place where the session says it is. Backing
// files are named one by one: libvirt then probes nothing, and changes the
// owner of nothing that is mounted.
std::string description_now(const Session& session);

// The same description with the disk `target` in another file.
std::string with_disk_at(const std::string& xml, const std::string& target,
                         const std::string& path, const std::string& format);

// With `type='qemu'` and a processor that can be emulated.
std::string emulated(const std::string& xml);

}  // namespace backstitch::engine
