// Where QEMU offers a domain's disks during a backup job, and the way there.
#pragma once

#include <memory>
#include <pugixml.hpp>
#include <string>

#include "src/libvirt/connection.h"
#include "src/libvirt/host.h"
#include "src/nbd/connection.h"

namespace backstitch::engine {

struct ServerOptions {
  bool tls = false;              // over TCP, encrypted
  std::string tls_certificates;  // a directory; empty: libnbd's default
  std::string host;              // for TCP; empty: that of the URI
  unsigned port = 10809;
};

// Made before the job, and outlives it.
class NbdServer {
 public:
  virtual ~NbdServer() = default;
  // Fills in <server>.
  virtual void describe(pugi::xml_node server) const = 0;
  // Once the job has begun: the export's address on this machine.
  virtual NbdAddress address(const std::string& export_name) = 0;
};

// A Unix socket where the host's files can be reached, else TCP, which needs
// `options.tls`: nobody's disk goes over a network in the clear. Throws
// kUnsupported.
std::unique_ptr<NbdServer> make_server(Guest& guest, const Host& host,
                                       const ServerOptions& options);

}  // namespace backstitch::engine
