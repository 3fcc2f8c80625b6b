#include "src/libvirt/domain_disks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "format/base/error.h"
#include "tests/support/expect_error.h"

namespace backstitch::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

DomainDisk disk(const std::string& target, const std::string& device,
                bool has_source = true) {
  DomainDisk made;
  made.target = target;
  made.device = device;
  made.type = "file";
  made.has_source = has_source;
  return made;
}

DomainXml machine() {
  DomainXml domain;
  domain.name = "vm1";
  domain.disks = {disk("vda", "disk"),  disk("vdb", "disk"),
                  disk("hdc", "cdrom"), disk("fda", "floppy"),
                  disk("sdl", "lun"),   disk("vdc", "disk", false)};
  return domain;
}

std::vector<std::string> targets(const DiskChoice& choice) {
  std::vector<std::string> names;
  for (const DomainDisk& chosen : choice.disks) names.push_back(chosen.target);
  return names;
}

TEST(ChooseDisks, TakesHardDisksAndSaysWhatItLeavesOut) {
  const DiskChoice choice = choose_disks(machine(), {}, {});
  EXPECT_THAT(targets(choice), ElementsAre("vda", "vdb"));
  EXPECT_THAT(choice.left_out, ElementsAre("hdc", "fda", "sdl", "vdc"));
  EXPECT_THAT(choice.notes, ElementsAre("hdc: a cdrom", "fda: a floppy",
                                        "sdl: a SCSI device passed through",
                                        "vdc: a drive without a medium"));
}

TEST(ChooseDisks, TheUserDecides) {
  const DiskChoice some = choose_disks(machine(), {"vdb"}, {});
  EXPECT_THAT(targets(some), ElementsAre("vdb"));
  EXPECT_THAT(some.notes, IsEmpty());
  EXPECT_THAT(targets(choose_disks(machine(), {}, {"vdb", "hdc"})),
              ElementsAre("vda"));
}

TEST(ChooseDisks, WhatMakesNoSenseIsRefused) {
  using Names = std::vector<std::string>;
  const auto refused = [](const Names& include, const Names& exclude,
                          const std::string& words) {
    test::expect_error(ErrorKind::kUsage, words,
                       [&] { choose_disks(machine(), include, exclude); });
  };
  refused({"vdz"}, {}, "no such disk");
  refused({}, {"vdz"}, "no such disk");
  refused({"hdc"}, {}, "a cdrom");
  refused({"vda"}, {"vda"}, "no disk");
}

}  // namespace
}  // namespace backstitch::engine
