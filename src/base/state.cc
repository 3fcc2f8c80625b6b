#include "src/base/state.h"

#include <unistd.h>

#include <cstdlib>

namespace backstitch::engine {

namespace fs = std::filesystem;

fs::path state_directory() {
  const auto from = [](const char* name) {
    const char* value = std::getenv(name);
    return fs::path(value != nullptr ? value : "");
  };
  if (const fs::path state = from("BACKSTITCH_STATE"); !state.empty())
    return fs::absolute(state);
  if (::geteuid() == 0) return "/var/lib/backstitch";
  if (const fs::path state = from("XDG_STATE_HOME"); !state.empty())
    return state / "backstitch";
  return from("HOME") / ".local/state/backstitch";
}

}  // namespace backstitch::engine
