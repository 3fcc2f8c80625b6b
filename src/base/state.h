// Where a host's own files are kept.
#pragma once

#include <filesystem>

namespace backstitch::engine {

// What must survive a reboot: BACKSTITCH_STATE, else /var/lib/backstitch for
// root, else $XDG_STATE_HOME/backstitch.
std::filesystem::path state_directory();

}  // namespace backstitch::engine
