// What of a machine another host lacks.
#pragma once

#include <string>
#include <vector>

#include "src/libvirt/connection.h"
#include "src/libvirt/host.h"

namespace backstitch::engine {

// The description with what the hypervisor and its host do not have changed or
// left out: emulator and machine type, KVM, networks and bridges, devices
// passed through, shared directories, sockets and files of consoles, screens,
// security models, TPM. Each is a word in `notes`. Disks and files of <os> are
// not looked at. Throws kFailed on what is no description of a domain.
std::string adjust_description(const std::string& xml, Connection& connection,
                               const Host& host,
                               std::vector<std::string>& notes);

}  // namespace backstitch::engine
