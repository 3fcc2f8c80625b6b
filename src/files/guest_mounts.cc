// Which file systems there are, and which are mounted where.
#include <fmt/format.h>

#include <algorithm>

#include "format/base/units.h"
#include "src/files/appliance.h"
#include "src/files/devices.h"

namespace backstitch::engine {

namespace {

// Of those that libguestfs lists, what holds no files.
bool mountable(const GuestFileSystem& one) {
  return one.type != "swap" && one.type != "unknown" &&
         one.type != "crypto_LUKS" && one.type != "BitLocker" &&
         one.type != "LVM2_member" && one.type != "linux_raid_member";
}

std::string text_or_empty(char* text) {
  const CString owned(text);
  return owned ? owned.get() : "";
}

// -1: unknown. The device of a volume inside ("btrfsvol:/dev/sda1/sub") is the
// longest path of its name that is one. guestfs_mountable_device() would tell,
// but by the name that the appliance's kernel gave, which another disk may bear
// here: it finds disks in any order.
int64_t device_size(guestfs_h* guest, std::string name) {
  name.erase(0, name.find('/'));
  for (; name.size() > 1; name.resize(name.rfind('/'))) {
    const int64_t size = guestfs_blockdev_getsize64(guest, name.c_str());
    if (size >= 0) return size;
  }
  return -1;
}

std::string described(const GuestFileSystem& one) {
  return fmt::format("{} ({}{}, {})", one.device, one.type,
                     one.label.empty() ? "" : " \"" + one.label + "\"",
                     format_bytes(one.size_bytes));
}

}  // namespace

std::vector<GuestFileSystem> Appliance::devices() {
  char** list = guestfs_list_filesystems(guest_.get());
  if (list == nullptr) throw guest_error(guest_.get(), "list file systems");
  const auto pairs = take_strings(list);
  std::vector<GuestFileSystem> found;
  for (size_t i = 0; i + 1 < pairs.size(); i += 2) {
    GuestFileSystem one;
    const std::string& device = pairs[i];
    one.device = shown(device);
    one.type = pairs[i + 1];
    one.label = text_or_empty(guestfs_vfs_label(guest_.get(), device.c_str()));
    one.uuid = text_or_empty(guestfs_vfs_uuid(guest_.get(), device.c_str()));
    const int64_t size = device_size(guest_.get(), device);
    if (size > 0) one.size_bytes = static_cast<uint64_t>(size);
    found.push_back(std::move(one));
  }
  return found;
}

std::vector<GuestFileSystem> Appliance::file_systems() {
  auto found = devices();
  for (const Place& place : inspect()) {
    for (auto& one : found) {
      if (one.device == shown(place.device))
        one.mount_point = place.mount_point;
    }
  }
  return found;
}

std::vector<Appliance::Place> Appliance::inspect() {
  char** list = guestfs_inspect_os(guest_.get());
  if (list == nullptr)
    throw guest_error(guest_.get(), "look for an operating system");
  const auto roots = take_strings(list);
  if (roots.empty()) return {};
  if (roots.size() > 1) {
    std::string names;
    for (const auto& root : roots) {
      names += (names.empty() ? "" : ", ") + shown(root) + " (" +
               text_or_empty(guestfs_inspect_get_product_name(guest_.get(),
                                                              root.c_str())) +
               ")";
    }
    throw Error(ErrorKind::kUsage,
                "there are several operating systems: " + names +
                    "; choose a file system with -m DEVICE");
  }
  char** mounts =
      guestfs_inspect_get_mountpoints(guest_.get(), roots.front().c_str());
  if (mounts == nullptr)
    throw guest_error(guest_.get(), "read where file systems are mounted");
  const auto pairs = take_strings(mounts);
  std::vector<Place> places;
  for (size_t i = 0; i + 1 < pairs.size(); i += 2)
    places.push_back({pairs[i + 1], pairs[i]});
  std::stable_sort(places.begin(), places.end(),
                   [](const Place& a, const Place& b) {
                     return a.mount_point.size() < b.mount_point.size();
                   });
  return places;
}

Appliance::Place Appliance::only_file_system() {
  auto found = devices();
  std::erase_if(found, [](const auto& one) { return !mountable(one); });
  const auto is_subvolume = [](const GuestFileSystem& one) {
    return one.device.starts_with("btrfsvol:");
  };
  // What holds the subvolumes shows them all.
  if (!std::all_of(found.begin(), found.end(), is_subvolume))
    std::erase_if(found, is_subvolume);
  if (found.empty()) {
    throw Error(ErrorKind::kNotFound,
                "there is no file system that could be read");
  }
  if (found.size() == 1)
    return {appliance_device(found.front().device, disks_), "/"};
  std::string names;
  for (const auto& one : found)
    names += (names.empty() ? "" : ", ") + described(one);
  throw Error(ErrorKind::kUsage,
              "there are several file systems and no operating system that "
              "says where they are mounted: " +
                  names + "; choose with -m DEVICE");
}

std::vector<std::string> Appliance::mount(
    const std::vector<GuestMount>& chosen) {
  std::vector<Place> places;
  for (const auto& one : chosen)
    places.push_back({appliance_device(one.device, disks_), one.mount_point});
  if (places.empty()) places = inspect();
  if (places.empty()) places.push_back(only_file_system());
  std::vector<std::string> warnings;
  for (const Place& place : places) {
    // The journal is replayed all the same: the device can be written.
    if (guestfs_mount_ro(guest_.get(), place.device.c_str(),
                         place.mount_point.c_str()) == 0)
      continue;
    const Error error = guest_error(
        guest_.get(), "mount " + shown(place.device) + " of the guest");
    if (error.kind() == ErrorKind::kInterrupted) throw error;
    if (!chosen.empty()) {
      throw Error(ErrorKind::kNotFound,
                  std::string(error.what()) +
                      "; `backstitch files filesystems` lists what there is");
    }
    if (place.mount_point == "/") throw Error(ErrorKind::kFailed, error.what());
    warnings.push_back(std::string(error.what()) + ": nothing is on " +
                       place.mount_point);
  }
  return warnings;
}

}  // namespace backstitch::engine
