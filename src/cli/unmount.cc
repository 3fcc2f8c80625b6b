// backstitch unmount: take a tree away, and wait until its driver has gone.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "format/repository/names.h"
#include "src/base/other_process.h"
#include "src/base/process.h"
#include "src/base/stop.h"
#include "src/cli/arguments.h"
#include "src/cli/exit_code.h"
#include "src/cli/output.h"
#include "src/mounts/mount_table.h"
#include "src/mounts/mount_users.h"

namespace backstitch::cli {

namespace {

using engine::kDriverType;
using engine::kFilesType;
using engine::mount_at;
using engine::mount_drivers;
using engine::mount_users;
using engine::OtherProcess;
using engine::real_mount_point;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{30};
// A driver whose mount is gone everywhere ends at once.
constexpr std::chrono::seconds kMomentToEnd{1};

void check_ours(const std::string& mount_point) {
  const auto mount = mount_at(mount_point);
  if (!mount) {
    throw Error(ErrorKind::kNotFound,
                mount_point + ": nothing is mounted here");
  }
  if (mount->type != kDriverType && mount->type != kFilesType) {
    throw Error(ErrorKind::kUsage, mount_point + ": what is mounted here (" +
                                       mount->type +
                                       ") is no tree of backstitch");
  }
}

Error busy(const std::string& mount_point) {
  std::string names;
  for (const auto& user : mount_users(mount_point)) {
    names += (names.empty() ? "" : ", ") + user;
  }
  return Error(ErrorKind::kBusy, mount_point + ": is in use by " +
                                     (names.empty() ? "somebody" : names));
}

// The way of a plain user: fusermount3 is allowed to, for their own mounts.
void unmount_as_user(const std::string& mount_point) {
  auto helper =
      engine::Process::start({"fusermount3", "-u", "--", mount_point}, "fuse3");
  if (helper.wait() == 0) return;
  if (!mount_users(mount_point).empty()) throw busy(mount_point);
  throw Error(ErrorKind::kFailed,
              "cannot unmount " + mount_point + ": " + helper.standard_error());
}

void unmount(const std::string& mount_point) {
  if (::geteuid() != 0) return unmount_as_user(mount_point);
  // The kernel only knows of those in our mount namespace; libvirt's QEMUs have
  // one of their own each.
  if (!mount_users(mount_point).empty()) throw busy(mount_point);
  if (::umount2(mount_point.c_str(), UMOUNT_NOFOLLOW) == 0) return;
  if (errno == EBUSY) throw busy(mount_point);
  throw system_error(errno, "unmount " + mount_point);
}

bool ends_within(const OtherProcess& process, std::chrono::seconds patience) {
  constexpr std::chrono::milliseconds kLook{100};
  const auto deadline = Clock::now() + patience;
  while (!process.ends_within(kLook)) {
    engine::check_stop();
    if (Clock::now() > deadline) return false;
  }
  return true;
}

// Only then are the points it held free for deletion.
void wait_for(const std::vector<OtherProcess>& drivers,
              const std::string& mount_point) {
  for (const OtherProcess& driver : drivers) {
    if (ends_within(driver, kMomentToEnd)) continue;
    // A mount namespace that was made while the tree was mounted (of a QEMU of
    // libvirt's, of a container) may keep it for as long as it lives, though
    // nobody there uses it.
    if (mount_users(mount_point).empty()) driver.signal(SIGTERM);
    if (!ends_within(driver, kPatience))
      spdlog::warn("backstitchfs (process {}) still runs", driver.pid());
  }
}

int run(const Globals& globals, const Values& values) {
  const std::string mount_point = real_mount_point(text(values, "mountpoint"));
  check_ours(mount_point);
  const auto drivers = mount_drivers(mount_point);
  unmount(mount_point);
  wait_for(drivers, mount_point);
  if (globals.json) {
    print_json({{"mountpoint", mount_point}, {"unmounted", true}});
  } else {
    print(fmt::format("unmounted {}\n", format::printable(mount_point)));
  }
  return kExitOk;
}

}  // namespace

Command unmount_command() {
  return {"unmount", "MOUNTPOINT",        "Take a mounted tree away.",
          {},        {{"mountpoint", 1}}, run};
}

}  // namespace backstitch::cli
