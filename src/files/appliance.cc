#include "src/files/appliance.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>

#include "format/base/synchronized.h"
#include "src/base/stop.h"
#include "src/files/devices.h"
#include "src/mounts/driver.h"
#include "src/mounts/mount_table.h"

namespace backstitch::engine {

namespace {

// With KVM the appliance is there in a few seconds. One that is not by then is
// taken for a victim of a KVM that does not work.
constexpr std::chrono::seconds kKvmPatience{60};

bool set_by_user(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

GuestHandle make_handle(const std::vector<GuestDisk>& disks) {
  GuestHandle guest(guestfs_create());
  if (!guest) throw system_error(errno, "make a handle of libguestfs");
  guestfs_set_error_handler(guest.get(), nullptr, nullptr);
  // A Ctrl-C is for this program, which then ends the appliance.
  guestfs_set_pgroup(guest.get(), 1);
  guestfs_set_identifier(guest.get(), "backstitch");
  if (!set_by_user("LIBGUESTFS_BACKEND"))
    guestfs_set_backend(guest.get(), "direct");
  for (const GuestDisk& disk : disks) {
    // Read-only: with an overlay of its own that takes what is written.
    if (guestfs_add_drive_opts(guest.get(), disk.image.c_str(),
                               GUESTFS_ADD_DRIVE_OPTS_READONLY, 1,
                               GUESTFS_ADD_DRIVE_OPTS_FORMAT, "raw", -1) != 0) {
      throw guest_error(guest.get(), "add the disk " + disk.name);
    }
  }
  return guest;
}

Error launch_error(guestfs_h* guest) {
  const Error error = guest_error(guest, "start the appliance of libguestfs");
  if (error.kind() == ErrorKind::kInterrupted) return error;
  return Error(error.kind(), std::string(error.what()) +
                                 " (libguestfs-test-tool(1) says more)");
}

}  // namespace

Appliance::Appliance(const std::vector<GuestDisk>& disks) {
  for (const auto& disk : disks) disks_.push_back(disk.name);
  launch(disks);
  watch_.emplace(guest_.get());
}

void Appliance::launch(const std::vector<GuestDisk>& disks) {
  const bool choose = !set_by_user("LIBGUESTFS_BACKEND_SETTINGS") &&
                      ::access("/dev/kvm", R_OK | W_OK) == 0;
  if (choose && launch_with_kvm(disks)) return;
  guest_ = make_handle(disks);
  if (choose) guestfs_set_backend_setting(guest_.get(), "force_tcg", "1");
  const Watch watch(guest_.get());
  if (guestfs_launch(guest_.get()) != 0) throw launch_error(guest_.get());
}

// A host may claim to have KVM and fail at it: QEMU ends at once, or the
// machine hangs. One try at a time, as long as it may be ended: ending one
// appliance ends all of this program.
bool Appliance::launch_with_kvm(const std::vector<GuestDisk>& disks) {
  static Synchronized<bool> kvm_fails(false);
  return kvm_fails.with([&](bool& fails) {
    if (fails) return false;
    guest_ = make_handle(disks);
    const Watch watch(guest_.get(), kKvmPatience);
    if (guestfs_launch(guest_.get()) == 0) return true;
    check_stop();
    spdlog::debug("{}; trying without KVM", launch_error(guest_.get()).what());
    fails = true;
    return false;
  });
}

std::string Appliance::shown(const std::string& device) const {
  return guest_device(device, disks_);
}

void Appliance::serve(const std::string& directory,
                      const std::string& mount_options) {
  if (guestfs_mount_local(
          guest_.get(), directory.c_str(), GUESTFS_MOUNT_LOCAL_READONLY, 1,
          GUESTFS_MOUNT_LOCAL_OPTIONS, mount_options.c_str(), -1) != 0) {
    throw guest_error(guest_.get(), "mount on " + directory);
  }
  // The one stop that is no failure: it unmounts, and the call returns.
  watch_.reset();
  const std::jthread unmounter([&](const std::stop_token& token) {
    while (!token.stop_requested() && stop_signal() == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    if (stop_signal() == 0) return;
    try {
      unmount_tree(directory);
    } catch (const Error& error) {
      spdlog::warn("{}", error.what());
    }
  });
  const int done = guestfs_mount_local_run(guest_.get());
  if (done != 0 && stop_signal() == 0)
    throw guest_error(guest_.get(), "show files on " + directory);
}

void require_guests() {}

std::unique_ptr<GuestView> start_guest(const std::vector<GuestDisk>& disks) {
  return std::make_unique<Appliance>(disks);
}

}  // namespace backstitch::engine
