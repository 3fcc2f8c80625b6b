// A host that ssh leads to: what libvirt's own "qemu+ssh://" URIs say of the
// way (user, port, keyfile=, no_verify=, command=) holds for us too.
#pragma once

#include <memory>

#include "src/libvirt/host.h"

namespace backstitch::engine {

// Its connections end with it, and with the thread that calls this.
std::unique_ptr<Host> make_ssh_host(const UriParts& parts);

}  // namespace backstitch::engine
