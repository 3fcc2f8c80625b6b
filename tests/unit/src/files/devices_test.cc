#include "src/files/devices.h"

#include <gtest/gtest.h>

namespace backstitch::engine {
namespace {

using Names = std::vector<std::string>;

struct Pair {
  std::string appliance;
  std::string guest;
};

TEST(Devices, AreCalledAsThePointCallsThem) {
  const Names disks = {"vda", "sda", "nvme0n1"};
  for (const Pair& pair : {
           Pair{"/dev/sda", "/dev/vda"},
           Pair{"/dev/sda2", "/dev/vda2"},
           Pair{"/dev/sdb1", "/dev/sda1"},
           Pair{"/dev/sdc", "/dev/nvme0n1"},
           Pair{"/dev/sdc12", "/dev/nvme0n1p12"},
           Pair{"/dev/vg/lv", "/dev/vg/lv"},
           Pair{"btrfsvol:/dev/sda2/@home", "btrfsvol:/dev/vda2/@home"},
       }) {
    EXPECT_EQ(guest_device(pair.appliance, disks), pair.guest);
    EXPECT_EQ(appliance_device(pair.guest, disks), pair.appliance);
  }
}

TEST(Devices, MayBeWrittenShort) {
  EXPECT_EQ(appliance_device("vdb2", {"vda", "vdb"}), "/dev/sdb2");
  EXPECT_EQ(appliance_device("vg/lv", {"vda"}), "/dev/vg/lv");
}

TEST(Devices, AreNotMistakenForOthers) {
  EXPECT_EQ(appliance_device("vdab1", {"vda"}), "/dev/vdab1");
  EXPECT_EQ(appliance_device("vdax", {"vda"}), "/dev/vdax");
  EXPECT_EQ(guest_device("/dev/sdb", {"vda"}), "/dev/sdb");
}

TEST(Devices, CanBeMoreThanTheAlphabet) {
  Names named(30);
  for (size_t i = 0; i < named.size(); ++i)
    named[i] = "disk" + std::string(1, static_cast<char>('a' + i % 26)) +
               (i < 26 ? "" : "z");
  EXPECT_EQ(appliance_device(named[25], named), "/dev/sdz");
  EXPECT_EQ(appliance_device(named[26], named), "/dev/sdaa");
  EXPECT_EQ(appliance_device(named[27] + "3", named), "/dev/sdab3");
}

}  // namespace
}  // namespace backstitch::engine
