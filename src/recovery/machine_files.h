// What a recovered machine has beside its disks.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "format/repository/repository.h"
#include "src/libvirt/connection.h"
#include "src/recovery/session.h"

namespace backstitch::engine {

// The point's domain.xml; for a point made of image files, which has none, a
// plain machine with its disks.
std::string domain_description(const format::Point& point);

// Puts NVRAM, and what of firmware, kernel and initrd this host does not have,
// into the session's storage, and the TPM's state where libvirt looks for it.
// Notes them in the session, and gives the new places as BootMachine::files
// wants them.
std::map<std::string, std::string> write_machine_files(
    const format::Point& point, const std::string& xml, Session& session,
    std::vector<std::string>& notes);

// Whether the hypervisor says that it can do without emulation.
bool has_kvm(Connection& connection);

// Makes the user that QEMU runs as the owner, where that is another one.
void give_to_hypervisor(Connection& connection,
                        const std::filesystem::path& path);

}  // namespace backstitch::engine
