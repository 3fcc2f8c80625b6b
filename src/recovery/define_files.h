// What a machine has beside its disks, on its way back to its host.
#pragma once

#include <string>
#include <vector>

#include "format/repository/repository.h"
#include "src/libvirt/host.h"
#include "src/recovery/define_plan.h"
#include "src/recovery/define_xml.h"
#include "src/recovery/undo.h"

namespace backstitch::engine {

struct PlannedFile {
  std::string name;     // in the point
  std::string path;     // on the hypervisor's host
  std::string element;  // of <os>; empty: none of its
  std::string target;   // the cdrom whose medium it is; empty: none
};

// Whether a path is there; where the host cannot be looked at, it is taken for
// there.
bool there_at(const Host& host, const std::string& path);

// UEFI variables and the TPM's state always; firmware, kernel, initrd and media
// where they are not at their old places, in `directory` then. What is neither
// there nor in the point is noted. Throws kUnsupported when a host takes none.
std::vector<PlannedFile> plan_files(const format::Point& point,
                                    const std::string& xml,
                                    const Identity& identity,
                                    const std::string& uri, const Host& host,
                                    const std::string& directory,
                                    std::vector<std::string>& notes);

// Throws kUsage when one is there.
void refuse_files(const std::vector<PlannedFile>& files, const Host& host);

// Writes them; what was there is put back by `undo`.
void write_files(const format::Point& point,
                 const std::vector<PlannedFile>& files, const Host& host,
                 Undo& undo);

}  // namespace backstitch::engine
