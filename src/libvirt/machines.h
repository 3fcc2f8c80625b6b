// What a hypervisor has already: names, UUIDs, addresses and disks that are
// taken.
#pragma once

#include <string>
#include <vector>

#include "src/libvirt/connection.h"

namespace backstitch::engine {

struct KnownMachine {
  std::string name;
  std::string uuid;
  bool active = false;
  std::vector<std::string> macs;   // in small letters
  std::vector<std::string> paths;  // files, devices and directories it uses
};

// All domains, as they are now. One that goes away meanwhile is left out.
std::vector<KnownMachine> known_machines(Connection& connection);

// "52:54:00:aa:bb:cc" of each network card in a description, in small letters.
std::vector<std::string> mac_addresses(const std::string& xml);

// Whether a description can be defined with what is there (emulators, machine
// types, buses). Throws what libvirt says when it cannot; gives it, or nothing,
// when it can and the machine would not start. Processors and devices of the
// host are not looked at. Nothing stays defined.
std::string check_description(Connection& connection, const std::string& xml);

}  // namespace backstitch::engine
