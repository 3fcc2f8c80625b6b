#include "src/recovery/define_xml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace backstitch::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kXml[] = R"(<domain type="kvm" id="4">
  <name>vm1</name><uuid>old-uuid</uuid>
  <sysinfo type="smbios"><system><entry name="uuid">old-uuid</entry>
    <entry name="serial">7</entry></system></sysinfo>
  <os><type>hvm</type>
    <nvram type="file"><source file="/old/vars.fd"/></nvram></os>
  <devices>
    <disk type="network" device="disk"><driver name="qemu" type="raw"
        cache="none"/><source protocol="nbd"><host name="far"/></source>
      <backingStore type="file"><source file="/old/base"/></backingStore>
      <target dev="vda" bus="virtio"/><serial>s</serial></disk>
    <disk type="file" device="disk"><source file="/old/luks">
        <encryption format="luks"/></source><target dev="vdb"/></disk>
    <disk type="file" device="disk"><source file="/here/data"/>
      <target dev="vdc"/></disk>
    <disk type="file" device="cdrom"><source file="/gone.iso"/>
      <target dev="sda"/></disk>
    <interface type="network"><mac address="52:54:00:00:00:01"/></interface>
    <channel type="unix"><source mode="bind" path="/run/vm1"/>
      <target type="virtio" name="org.qemu.guest_agent.0"/></channel>
    <serial type="file"><source path="/log/vm1.log"/></serial>
    <graphics type="vnc" port="5901"/>
  </devices></domain>)";

class DefineXml : public ::testing::Test {
 protected:
  std::string make() {
    return restored_description(
        kXml, machine_,
        [](const std::string& path) { return path.starts_with("/here"); },
        notes_);
  }

  RestoredMachine machine_{
      .name = "vm1",
      .uuid = "old-uuid",
      .twin = false,
      .adjust = false,
      .disks = {{"vda", {"/new/vda.qcow2", "qcow2", false}},
                {"vdb", {"/dev/vg/vdb", "raw", true}}},
      .files = {{"nvram", "/new/vars.fd"}},
      .media = {}};
  std::vector<std::string> notes_;
};

TEST_F(DefineXml, ChangesWhatMustBeAnother) {
  const std::string xml = make();
  EXPECT_THAT(xml, HasSubstr("<source file=\"/new/vda.qcow2\" />"));
  EXPECT_THAT(xml, HasSubstr("<source dev=\"/dev/vg/vdb\" />"));
  EXPECT_THAT(xml, HasSubstr("<nvram>/new/vars.fd</nvram>"));
  EXPECT_THAT(xml, Not(HasSubstr("backingStore")));
  EXPECT_THAT(xml, Not(HasSubstr("encryption")));
  EXPECT_THAT(xml, Not(HasSubstr("id=\"4\"")));
}

TEST_F(DefineXml, LeavesTheRest) {
  const std::string xml = make();
  for (const char* kept :
       {"type=\"kvm\"", "cache=\"none\"", "<serial>s</serial>", "old-uuid",
        "52:54:00:00:00:01", "/run/vm1", "/log/vm1.log", "port=\"5901\"",
        "/here/data", "/gone.iso"}) {
    EXPECT_THAT(xml, HasSubstr(kept));
  }
  EXPECT_THAT(notes_,
              ElementsAre(HasSubstr("vdb: its image is not encrypted"),
                          HasSubstr("vdc: not restored, it stays what it was"),
                          HasSubstr("sda: its medium /gone.iso is not there")));
}

TEST_F(DefineXml, ATwinSharesNothing) {
  machine_.name = "vm2";
  machine_.uuid = "new-uuid";
  machine_.twin = true;
  const std::string xml = make();
  for (const char* gone : {"old-uuid", "52:54:00:00:00:01", "/run/vm1",
                           "\"/log/vm1.log\"", "5901", "/here/data"}) {
    EXPECT_THAT(xml, Not(HasSubstr(gone)));
  }
  EXPECT_THAT(xml, HasSubstr("<entry name=\"uuid\">new-uuid</entry>"));
  EXPECT_THAT(xml, HasSubstr("/log/vm2-vm1.log"));
  EXPECT_THAT(xml, HasSubstr("org.qemu.guest_agent.0"));
}

TEST_F(DefineXml, AdjustingLeavesOutWhatIsNotThere) {
  machine_.adjust = true;
  machine_.disks.erase("vdb");
  const std::string xml = make();
  EXPECT_THAT(xml, Not(HasSubstr("vdb")));
  EXPECT_THAT(xml, Not(HasSubstr("/gone.iso")));
  EXPECT_THAT(xml, HasSubstr("\"sda\""));
  EXPECT_THAT(xml, HasSubstr("/here/data"));
}

TEST_F(DefineXml, AMediumOfThePointIsUsed) {
  machine_.media["sda"] = "/new/seed.iso";
  EXPECT_THAT(make(), HasSubstr("<source file=\"/new/seed.iso\" />"));
}

}  // namespace
}  // namespace backstitch::engine
