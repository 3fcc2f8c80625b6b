// A domain's description for the disks that were restored.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace backstitch::engine {

struct RestoredMachine {
  std::string name;
  std::string uuid;
  bool twin = false;    // beside its original: other MAC addresses, other ports
  bool adjust = false;  // disks and media that are not there are left out
  struct Place {
    std::string path;
    std::string format;
    bool device = false;  // a block device
  };
  std::map<std::string, Place> disks;
  std::map<std::string, std::string> files;  // "nvram", "loader", … to path
  std::map<std::string, std::string> media;  // cdrom to path
};

// The description as it was, but for what must be another: the disks named in
// `machine`, whose backing files are gone with all of theirs in one image; name
// and UUID; files beside; the generation id, by which a guest learns that time
// went back. `there` says whether a path is there. What may surprise is
// appended to `notes`.
std::string restored_description(
    const std::string& xml, const RestoredMachine& machine,
    const std::function<bool(const std::string&)>& there,
    std::vector<std::string>& notes);

}  // namespace backstitch::engine
