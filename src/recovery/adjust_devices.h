// Devices of a machine that lean on something of its host.
#pragma once

#include <pugixml.hpp>
#include <string>
#include <vector>

#include "src/libvirt/connection.h"
#include "src/libvirt/host.h"

namespace backstitch::engine {

// Network cards lose their cable where their network is not there; devices,
// directories, sockets and files that are not there are left out.
void adjust_devices(pugi::xml_node devices, Connection& connection,
                    const Host& host, std::vector<std::string>& notes);

}  // namespace backstitch::engine
