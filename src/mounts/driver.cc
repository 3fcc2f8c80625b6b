#include "src/mounts/driver.h"

#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>

#include "format/base/error.h"
#include "src/base/process.h"
#include "src/mounts/mount_table.h"
#include "src/mounts/mount_users.h"

namespace backstitch::engine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{10};

}  // namespace

bool tree_alive(const std::string& mount_point) {
  const auto mount = mount_at(mount_point);
  if (!mount || mount->type != kDriverType) return false;
  std::error_code code;  // ENOTCONN where the driver is dead
  const std::filesystem::directory_iterator entries(mount_point, code);
  return !code;
}

void mount_tree(const std::string& repository, const std::string& mount_point,
                const std::vector<std::string>& points, bool shared) {
  Arguments arguments = {"/proc/self/exe", "-q", "-r", repository, "mount"};
  if (shared) arguments.emplace_back("--allow-other");
  arguments.insert(arguments.end(), {"--", mount_point});
  arguments.insert(arguments.end(), points.begin(), points.end());
  run(arguments, "backstitch");
}

void unmount_tree(const std::string& mount_point) {
  const auto drivers = mount_drivers(mount_point);
  while (mount_at(mount_point)) {
    if (::geteuid() == 0) {
      if (::umount2(mount_point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0)
        throw system_error(errno, "unmount " + mount_point);
    } else {
      run({"fusermount3", "-u", "-z", "--", mount_point}, "fuse3");
    }
  }
  for (const OtherProcess& driver : drivers) driver.signal(SIGTERM);
  const auto deadline = Clock::now() + kPatience;
  for (const OtherProcess& driver : drivers) {
    const auto left =
        std::max(deadline - Clock::now(), Clock::duration::zero());
    if (!driver.ends_within(std::chrono::ceil<std::chrono::milliseconds>(left)))
      driver.signal(SIGKILL);
  }
}

}  // namespace backstitch::engine
