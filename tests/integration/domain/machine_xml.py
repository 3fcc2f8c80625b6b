"""The definition of a test's machine, with any disks."""

from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

MACHINE = """\
<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='MiB'>{memory_mib}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='{board}'>hvm</type>{boot}
  </os>
  <features><acpi/></features>
  <cpu mode='custom' match='exact'><model fallback='forbid'>qemu64</model></cpu>
  <on_reboot>destroy</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
{disks}
    <controller type='scsi' index='0' model='virtio-scsi'/>
    <serial type='file'>
      <source path='{run}/console.log'/><target port='0'/>
    </serial>
    <serial type='unix'>
      <source mode='bind' path='{run}/ctl.sock'/><target port='1'/>
    </serial>
    <memballoon model='none'/>
{extra}
  </devices>
</domain>
"""

GUEST = """
    <kernel>{guest}/vmlinuz</kernel>
    <initrd>{guest}/initrd.gz</initrd>
    <cmdline>console=ttyS0 quiet panic=-1 {words}</cmdline>"""

DISK = """\
    <disk type='{kind}' device='{device}'>
      <driver {driver}/>
{source}
      <target dev='{target}' bus='{bus}'/>{extra}
    </disk>"""

SOURCE_ATTRIBUTE = {"file": "file", "block": "dev"}


@dataclass
class Disk:
    """One disk of a machine. `path` is where its bytes can be found by the
    test, also where libvirt is told a pool and a volume."""
    target: str
    path: str = ""
    form: str = "qcow2"
    bus: str = "virtio"
    kind: str = "file"       # file, block, volume, network
    device: str = "disk"     # disk, cdrom, floppy
    pool: str = ""
    volume: str = ""
    socket: str = ""         # of the NBD server of a network disk
    extra: str = ""          # further elements
    options: dict = field(default_factory=lambda: {
        "cache": "writeback", "discard": "unmap", "detect_zeroes": "off"})

    def source(self):
        if self.kind == "volume":
            return (f"      <source pool={quoteattr(self.pool)} "
                    f"volume={quoteattr(self.volume)}/>")
        if self.kind == "network":
            return ("      <source protocol='nbd' name=''><host transport='unix'"
                    f" socket={quoteattr(str(self.socket))}/></source>")
        if not self.path:
            return ""  # an empty drive
        return (f"      <source {SOURCE_ATTRIBUTE[self.kind]}="
                f"{quoteattr(str(self.path))}/>")

    def xml(self):
        driver = {"name": "qemu", "type": self.form}
        if self.device == "disk":
            driver.update(self.options)
        return DISK.format(
            kind=self.kind, device=self.device, target=self.target,
            driver=" ".join(f"{key}='{value}'" for key, value in driver.items()),
            bus=self.bus, source=self.source(), extra=self.extra)


def machine_xml(name, uuid, disks, run, *, guest=None, words="", extra="",
                board="pc", memory_mib=None):
    """`guest`: the directory of the guest that is booted; without it the
    machine stays in its firmware, and only the monitor writes."""
    boot = ""
    if guest:
        boot = GUEST.format(guest=guest, words=escape(words))
    return MACHINE.format(
        name=escape(name), uuid=uuid, board=board, boot=boot, run=run, extra=extra,
        memory_mib=memory_mib or (384 if guest else 64),
        disks="\n".join(disk.xml() for disk in disks))
