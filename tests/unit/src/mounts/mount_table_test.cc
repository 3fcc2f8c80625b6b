#include "src/mounts/mount_table.h"

#include <gtest/gtest.h>

namespace backstitch::engine {
namespace {

TEST(MountTable, ReadsALineOfMountinfo) {
  const auto mount = parse_mount(
      "36 35 0:98 / /mnt/a\\040b ro,nosuid master:1 shared:2 - "
      "fuse.backstitchfs /srv/repo ro,user_id=0");
  ASSERT_TRUE(mount);
  EXPECT_EQ(mount->point, "/mnt/a b");
  EXPECT_EQ(mount->type, kDriverType);
  EXPECT_EQ(mount->source, "/srv/repo");
  EXPECT_EQ(mount->device, "0:98");
}

TEST(MountTable, ReadsALineWithoutOptionalFields) {
  const auto mount = parse_mount("22 1 8:1 / / rw - ext4 /dev/sda1 rw");
  ASSERT_TRUE(mount);
  EXPECT_EQ(mount->point, "/");
  EXPECT_EQ(mount->type, "ext4");
}

TEST(MountTable, TakesNothingFromOtherLines) {
  EXPECT_FALSE(parse_mount(""));
  EXPECT_FALSE(parse_mount("22 1 8:1 /"));
  EXPECT_FALSE(parse_mount("22 1 8:1 / / rw ext4 /dev/sda1 rw"));
  EXPECT_FALSE(parse_mount("22 1 8:1 / / rw -"));
}

TEST(MountTable, FindsTheRoot) { EXPECT_TRUE(mount_at("/")); }

TEST(MountTable, MakesMountPointsAbsolute) {
  EXPECT_EQ(real_mount_point("/proc/"), "/proc");
  EXPECT_EQ(real_mount_point("/proc/../proc/."), "/proc");
  EXPECT_EQ(real_mount_point("/"), "/");
}

}  // namespace
}  // namespace backstitch::engine
