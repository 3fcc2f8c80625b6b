// What a session is to be, before anything of it is there.
#pragma once

#include <string>
#include <vector>

#include "format/repository/repository.h"
#include "src/libvirt/connection.h"
#include "src/recovery/boot.h"

namespace backstitch::engine {

// Its names and places; makes nothing. `request` has its name. Throws kUsage
// when that cannot be one.
Session plan_session(const format::Repository& repository,
                     const format::Point& point, const std::string& uri,
                     const BootRequest& request);

// Adds the machine's description, and writes the files that it names beside
// the disks. `notes` says what is not as it was.
void describe_session(Session& session, const format::Point& point,
                      Connection& connection, const BootRequest& request,
                      std::vector<std::string>& notes);

}  // namespace backstitch::engine
