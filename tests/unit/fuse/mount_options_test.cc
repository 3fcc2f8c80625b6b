#include "fuse/options/mount_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "format/base/error.h"
#include "fuse/options/command_line.h"

namespace backstitch::mount {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

MountOptions parsed(const std::string& text) {
  MountOptions options;
  parse_mount_options(text, options);
  return options;
}

CommandLine command_line(std::vector<const char*> words) {
  words.insert(words.begin(), "backstitchfs");
  return parse_command_line(static_cast<int>(words.size()), words.data());
}

TEST(MountOptions, OwnWords) {
  const MountOptions options = parsed(
      "allow_other,point=vm1@3,point=vm2,cache=16M,threads=4,readahead_kb=0,"
      "log=/var/log/x,nonempty");
  EXPECT_TRUE(options.allow_other);
  EXPECT_TRUE(options.nonempty);
  EXPECT_THAT(options.points, ElementsAre("vm1@3", "vm2"));
  EXPECT_EQ(options.cache_bytes, 16U << 20);
  EXPECT_EQ(options.threads, 4U);
  EXPECT_EQ(options.readahead_kb, 0U);
  EXPECT_EQ(options.log_file, "/var/log/x");
}

TEST(MountOptions, Writable) {
  EXPECT_FALSE(parsed("rw").writable);
  const MountOptions options = parsed("writable,overlay=/var/a\\,b");
  EXPECT_TRUE(options.writable);
  EXPECT_EQ(options.overlay, "/var/a,b");
  EXPECT_THROW(command_line({"-o", "overlay=/x", "r", "m"}), Error);
}

TEST(MountOptions, WordsOfMountAndSystemdAreAccepted) {
  const MountOptions options = parsed(
      "ro,rw,dev,nodev,suid,nosuid,exec,user=root,user,users,noauto,auto,"
      "nofail,_netdev,defaults,relatime,x-systemd.automount,"
      "x-systemd.requires=a.service,comment=text,,");
  EXPECT_FALSE(options.allow_other);
  EXPECT_THAT(options.passed_on, IsEmpty());
}

TEST(MountOptions, SomeGoOnToTheKernel) {
  EXPECT_THAT(
      parsed("noexec,noatime,context=system_u:object_r:x:s0").passed_on,
      ElementsAre("noexec", "noatime", "context=system_u:object_r:x:s0"));
}

TEST(MountOptions, ABackslashKeepsACommaInAValue) {
  EXPECT_THAT(parsed("point=a\\,b\\\\c=d@1").points, ElementsAre("a,b\\c=d@1"));
}

TEST(MountOptions, WhatIsWrongIsNamed) {
  for (const char* text :
       {"no_such", "threads", "threads=", "threads=0", "threads=1x",
        "threads=-1", "threads=99999999999", "cache=much", "cache", "point",
        "point=", "readahead_kb=1000000", "=x"}) {
    try {
      parsed(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUsage) << text;
    }
  }
}

TEST(CommandLine, TheOrderThatMountUses) {
  const CommandLine line =
      command_line({"/repo", "/mnt", "-o", "rw,allow_other"});
  EXPECT_EQ(line.repository, "/repo");
  EXPECT_EQ(line.mount_point, "/mnt");
  EXPECT_TRUE(line.mount.allow_other);
  EXPECT_FALSE(line.foreground);
}

TEST(CommandLine, PointsAndOptionsInAnyOrder) {
  const CommandLine line = command_line(
      {"-f", "/repo", "-othreads=2", "/mnt", "vm1", "-o", "cache=1M", "vm2@3"});
  EXPECT_TRUE(line.foreground);
  EXPECT_THAT(line.mount.points, ElementsAre("vm1", "vm2@3"));
  EXPECT_EQ(line.mount.threads, 2U);
  EXPECT_EQ(line.mount.cache_bytes, 1U << 20);
}

TEST(CommandLine, WrongOnesAreUsageErrors) {
  for (const std::vector<const char*>& words : {std::vector<const char*>{},
                                                {"/repo"},
                                                {"--no-such", "a", "b"},
                                                {"a", "b", "-o"}}) {
    EXPECT_THROW(command_line(words), Error);
  }
  EXPECT_EQ(command_line({"--help"}).action, CommandLine::Action::kHelp);
  EXPECT_EQ(command_line({"-V"}).action, CommandLine::Action::kVersion);
}

}  // namespace
}  // namespace backstitch::mount
