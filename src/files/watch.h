// Ends what the appliance is doing when that must not go on.
#pragma once

#include <guestfs.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

namespace backstitch::engine {

// While it lives: when a stop was asked for (src/base/stop.h), or the time is
// over, transfers are cancelled and the appliance is killed, so that the call
// that is under way fails. It can lose nothing: all that it writes is thrown
// away anyway.
class Watch {
 public:
  explicit Watch(guestfs_h* guest,
                 std::optional<std::chrono::seconds> limit = std::nullopt);

 private:
  std::jthread thread_;
};

}  // namespace backstitch::engine
