#include "src/libvirt/domain_xml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "format/base/error.h"

namespace backstitch::engine {
namespace {

using ::testing::ElementsAre;

constexpr char kDomain[] = R"(<domain type='kvm' id='3'>
  <name>vm1</name><uuid>0f0f0f0f-0000-0000-0000-00000000000a</uuid>
  <os><type>hvm</type>
    <loader readonly='yes' type='pflash'>/usr/share/OVMF/CODE.fd</loader>
    <nvram template='/t.fd'>/var/lib/vm1.fd</nvram>
    <kernel>/boot/k</kernel><initrd>/boot/i</initrd></os>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
      <source file='/a.snap' index='2'/>
      <backingStore type='file' index='1'><format type='qcow2'/>
        <source file='/a.qcow2'/>
        <backingStore type='block'><source dev='/dev/vg/base'/>
          <backingStore/></backingStore></backingStore>
      <target dev='vda' bus='virtio'/></disk>
    <disk type='block' device='disk'><driver type='raw'/>
      <source dev='/dev/vg/b'/><target dev='sdb' bus='scsi'/><transient/></disk>
    <disk type='volume'><source pool='p' volume='v'/>
      <target dev='vdc'/><readonly/></disk>
    <disk type='file' device='cdrom'><target dev='hdc'/></disk>
    <tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/>
    </channel>
  </devices>
  <seclabel type='dynamic' model='apparmor'><label>x</label></seclabel>
  <seclabel type='dynamic' model='dac'><label>+64055:+121</label></seclabel>
</domain>)";

TEST(DomainXml, SaysWhatIsBackedUp) {
  const DomainXml domain = parse_domain_xml(kDomain);
  EXPECT_EQ(domain.name, "vm1");
  EXPECT_EQ(domain.uuid, "0f0f0f0f-0000-0000-0000-00000000000a");
  EXPECT_EQ(domain.loader, "/usr/share/OVMF/CODE.fd");
  EXPECT_EQ(domain.nvram, "/var/lib/vm1.fd");
  EXPECT_EQ(domain.kernel, "/boot/k");
  EXPECT_EQ(domain.initrd, "/boot/i");
  EXPECT_TRUE(domain.has_tpm);
  EXPECT_TRUE(domain.has_agent);
  EXPECT_EQ(domain.dac_label, "+64055:+121");
}

TEST(DomainXml, DescribesDisks) {
  const auto disks = parse_domain_xml(kDomain).disks;
  ASSERT_EQ(disks.size(), 4U);
  EXPECT_EQ(disks[0].target, "vda");
  EXPECT_EQ(disks[0].format, "qcow2");
  EXPECT_EQ(disks[0].path, "/a.snap");
  EXPECT_THAT(disks[0].backing, ElementsAre("/a.qcow2", "/dev/vg/base"));
  EXPECT_EQ(disks[1].path, "/dev/vg/b");
  EXPECT_TRUE(disks[1].transient);
  EXPECT_EQ(disks[2].device, "disk");  // the default
  EXPECT_EQ(disks[2].pool, "p");
  EXPECT_EQ(disks[2].volume, "v");
  EXPECT_TRUE(disks[2].has_source && disks[2].readonly);
  EXPECT_EQ(disks[3].device, "cdrom");
  EXPECT_FALSE(disks[3].has_source);
}

TEST(DomainXml, OtherTextIsRefused) {
  for (const char* text : {"", "<domain>", "<network/>", "{}"})
    EXPECT_THROW(parse_domain_xml(text), Error) << text;
  EXPECT_TRUE(parse_domain_xml("<domain/>").disks.empty());
}

}  // namespace
}  // namespace backstitch::engine
