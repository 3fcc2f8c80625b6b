// The machine back in libvirt: its disks, the files that it has beside them,
// and its definition.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "format/repository/repository.h"
#include "src/base/progress.h"
#include "src/recovery/image_target.h"

namespace backstitch::engine {

struct DefineRequest {
  std::string name;  // of the machine; empty: as it was
  // Where disks go that `places` does not name: a directory or a pool.
  std::string directory;
  std::string pool;
  std::map<std::string, std::string> places;  // disk to file or block device
  std::vector<std::string> disks;             // empty: all
  std::string format;      // "raw", "qcow2"; empty: as they were
  bool adjust = false;     // leave out or change what the host lacks
  bool overwrite = false;  // files, volumes, a definition that is there
  bool dry_run = false;    // only check, and say what would be
  Durability durability = Durability::kSynced;
  uint64_t bandwidth = 0;  // bytes a second at most; 0: no limit
};

struct DefinedDisk {
  std::string disk;
  std::string path;
  std::string format;
  uint64_t size_bytes = 0;
};

struct DefineResult {
  std::string name;
  std::string uuid;
  bool new_identity = false;  // another UUID and other MAC addresses
  bool autostart = false;
  std::vector<DefinedDisk> disks;
  std::vector<std::string> files;  // beside the disks
  std::vector<std::string> notes;  // what is not as it was, in words
};

// All is checked first: room, names that are taken, whether libvirt takes the
// description. The definition comes last; whatever fails before, or is
// interrupted, leaves nothing of what was made, and a definition that was to be
// replaced as it was. Throws kUsage when something is there and `overwrite` is
// false, kBusy when a machine that would be replaced is running, kNotFound,
// kUnsupported, kFailed.
DefineResult define_point(const format::Point& point, const std::string& uri,
                          const DefineRequest& request, Progress& progress);

}  // namespace backstitch::engine
