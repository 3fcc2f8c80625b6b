// The names of block devices: the appliance calls the disks /dev/sda, /dev/sdb,
// …; a user knows them as the point does, /dev/vda.
#pragma once

#include <string>
#include <vector>

namespace backstitch::engine {

// `disks` are the point's names in the order in which the appliance got them.
// Both leave alone what names no disk of theirs (LVM, md), and go into
// "btrfsvol:DEVICE/SUBVOLUME".
std::string guest_device(const std::string& appliance_device,
                         const std::vector<std::string>& disks);
// From what a user writes: "vda2", "/dev/vda2", "vg/lv".
std::string appliance_device(const std::string& guest_device,
                             const std::vector<std::string>& disks);

}  // namespace backstitch::engine
