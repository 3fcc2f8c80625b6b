"""What the tests of restore --define share: machines to lose, and a look at
all that must not change."""

import json
import os
import pathlib
import shutil
import uuid

from domainlab import (MIB, Disk, check, check_equal, need_programs, say,
                       wait_until)

FIRMWARE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd"
TPM = pathlib.Path("/var/lib/libvirt/swtpm")
NVRAM = pathlib.Path("/var/lib/libvirt/qemu/nvram")
MAC = "52:54:00:11:22:33"
CONTENT = "it came back with all it had"

UEFI = """\
<domain type='qemu'><name>{name}</name><uuid>{uuid}</uuid>
  <genid>{genid}</genid>
  <memory unit='MiB'>512</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type>
    <loader readonly='yes' type='pflash'>{firmware}</loader>
    <nvram template='{variables}'>{nvram}</nvram>
    <kernel>{guest}/vmlinuz</kernel><initrd>{guest}/initrd.gz</initrd>
    <cmdline>console=ttyS0 quiet panic=-1 show=vda:note</cmdline></os>
  <features><acpi/></features>
  <cpu mode='custom' match='exact'><model fallback='forbid'>qemu64</model></cpu>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='writeback' discard='unmap'/>
      <source file='{vda}'/><target dev='vda' bus='virtio'/>
      <serial>first</serial></disk>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/>
      <source file='{vdb}'/><target dev='vdb' bus='virtio'/></disk>
    <disk type='file' device='cdrom'><source file='{medium}'/>
      <target dev='sda' bus='sata'/><readonly/></disk>
    <interface type='user'><mac address='{mac}'/><model type='virtio'/>
    </interface>
    <tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>
    <serial type='file'><source path='{console}'/></serial>
    <graphics type='vnc' port='5917'/>
  </devices></domain>
"""


def write(lab, path, form, *commands):
    lab.run("qemu-io", "-f", form, path,
            *(word for command in commands for word in ("-c", command)))


class Uefi:
    """A machine with all that can be beside disks; its images and copies of
    them."""

    def __init__(self, lab):
        need_programs("swtpm")
        self.lab = lab
        lab.session.machines += 1
        self.name = f"backstitch-test-{lab.session.name}-" \
                    f"uefi{lab.session.machines}"
        self.uuid = str(uuid.uuid4())
        self.home = lab.directory("home")
        self.console = lab.path / "console.log"
        self.vda, self.vdb = self.home / "system.qcow2", self.home / "data.img"
        self.medium = self.home / "seed.iso"
        self.nvram = NVRAM / f"{self.name}_VARS.fd"
        self._make_files()
        os.environ["BACKSTITCH_STATE"] = str(lab.directory("state"))
        xml = lab.path / "uefi.xml"
        xml.write_text(UEFI.format(
            name=self.name, uuid=self.uuid, genid=uuid.uuid4(),
            firmware=FIRMWARE, variables=VARIABLES, nvram=self.nvram,
            guest=lab.guest(), vda=self.vda, vdb=self.vdb, mac=MAC,
            medium=self.medium, console=self.console), encoding="utf-8")
        lab.virsh("define", xml)
        lab.undo(lambda: self.remove(self.uuid))
        lab.virsh("autostart", self.uuid)
        # swtpm makes its state.
        lab.virsh("start", self.uuid, "--paused")
        self.tpm = self.tpm_state(self.uuid).read_bytes()
        lab.backstitch("backup", self.name)
        lab.virsh("destroy", self.uuid)
        self.xml = self.dump(self.uuid)

    def _make_files(self):
        folder = self.lab.directory("content")
        (folder / "note").write_text(CONTENT + "\n", encoding="utf-8")
        raw = self.lab.image("content.raw", 16 * MIB, "raw")
        self.lab.run("mkfs.ext4", "-q", "-F", "-d", folder, raw)
        self.lab.run("qemu-img", "convert", "-O", "qcow2", "-o",
                     "cluster_size=128k,lazy_refcounts=on,extended_l2=on", raw,
                     self.vda)
        self.vdb.write_bytes(b"")
        os.truncate(self.vdb, 24 * MIB)
        write(self.lab, self.vdb, "raw", "write -P 7 1M 3M", "write -P 9 20M 1M")
        self.medium.write_bytes(self.lab.random.randbytes(300 * 1024))
        content = bytearray(pathlib.Path(VARIABLES).read_bytes())
        content[-16:] = b"left by the test"
        NVRAM.mkdir(parents=True, exist_ok=True)
        self.nvram.write_bytes(content)
        self.copies = self.lab.directory("copies")
        for path in (self.vda, self.vdb, self.medium, self.nvram):
            shutil.copy(path, self.copies / path.name)

    @staticmethod
    def tpm_state(known):
        state, = (TPM / known / "tpm2").glob("*.permall")
        return state

    def remove(self, known):
        self.lab.virsh("destroy", known, ok=False)
        self.lab.virsh("undefine", known, "--nvram", "--checkpoints-metadata",
                       ok=False)

    def dump(self, known):
        return self.lab.virsh("dumpxml", "--inactive", "--security-info",
                              known).stdout

    def lose(self):
        """The machine and all its files."""
        self.lab.virsh("undefine", self.uuid, "--nvram",
                       "--checkpoints-metadata")
        shutil.rmtree(self.home)
        check(not self.nvram.exists(), "the variables are still there")
        check(not (TPM / self.uuid / "tpm2").exists(), "the TPM is still there")

    def same_disks(self, vda, vdb):
        for copy, form, path in (("system.qcow2", "qcow2", vda),
                                 ("data.img", "raw", vdb)):
            self.lab.run("qemu-img", "compare", "-U", "-f", form,
                         self.copies / copy, path)

    def same_variables(self, path):
        check_equal(pathlib.Path(path).read_bytes(),
                    (self.copies / self.nvram.name).read_bytes(),
                    "the UEFI variables")

    def start(self, known):
        """Until the guest has read its disk."""
        self.console.write_bytes(b"")
        self.console.chmod(0o666)
        self.lab.virsh("start", known)
        wait_until(lambda: CONTENT.encode() in self.console.read_bytes(),
                   "the guest shows its file", 90)


def restore(lab, point, *words, code=0, uri=None):
    """What it printed: a document, or the error's text."""
    if uri:
        before, lab.uri = lab.uri, uri
    done = lab.backstitch("--json", "restore", point, "--define", *words,
                          ok=False)
    if uri:
        lab.uri = before
    check_equal(done.returncode, code,
                f"exit code of {words}; {done.stdout}{done.stderr}")
    document = json.loads(done.stdout)
    if code:
        say(f"{words[-2:]}: {document['error']['message']}")
        return document["error"]["message"]
    return document


def domains(lab):
    return set(lab.virsh("list", "--all", "--name").stdout.split())


def tree(*folders):
    """All files below: path to size and time, so that a change is seen."""
    found = {}
    for folder in folders:
        for path in pathlib.Path(folder).rglob("*"):
            status = path.lstat()
            found[path] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return found


class Unchanged:
    """Neither files nor machines come or go in a block."""

    def __init__(self, lab, *folders):
        self.lab, self.folders = lab, (*folders, NVRAM, TPM)

    def _state(self):
        shown = {name: self.lab.virsh("dumpxml", "--inactive", name).stdout
                 for name in domains(self.lab)}
        return shown, {path: state for path, state in tree(*self.folders).items()
                       if not path.is_dir()}

    def __enter__(self):
        self.before = self._state()

    def __exit__(self, kind, *rest):
        if not kind:
            check_equal(self._state(), self.before, "machines and files")


def make_pool(lab, name):
    """A directory of volumes; the directory."""
    folder = lab.directory(name)
    lab.virsh("pool-create-as", name, "dir", "--target", folder)
    lab.undo(lambda: lab.virsh("pool-destroy", name, ok=False))
    return folder


def loop_device(lab, size):
    backing = lab.image("device.raw", size, "raw")
    device = lab.run("losetup", "--find", "--show", backing).stdout.strip()
    lab.undo(lambda: lab.run("losetup", "--detach", device))
    return device


def plain_machine(lab):
    """Off; vda has a data file, vdb is raw, vdc is qcow2 with zstd; and copies
    of what they hold."""
    os.environ["BACKSTITCH_STATE"] = str(lab.directory("state"))
    lab.image("vda.qcow2", 8 * MIB, "qcow2", "-o",
              f"data_file={lab.path}/vda.bytes,data_file_raw=on")
    lab.image("vdb.raw", 4 * MIB, "raw")
    lab.image("vdc.qcow2", 32 * MIB, "qcow2", "-o",
              "compression_type=zstd,cluster_size=32k")
    write(lab, lab.path / "vda.qcow2", "qcow2", "write -P 3 1M 2M")
    write(lab, lab.path / "vdb.raw", "raw", "write -P 4 0 1M")
    write(lab, lab.path / "vdc.qcow2", "qcow2", "write -P 5 5M 20M")
    machine = lab.machine([Disk("vda", lab.path / "vda.qcow2"),
                           Disk("vdb", lab.path / "vdb.raw", "raw"),
                           Disk("vdc", lab.path / "vdc.qcow2")])
    lab.backstitch("backup", machine.name)
    for name in ("vda", "vdb", "vdc"):
        image, = lab.path.glob(f"{name}.[rq]*")
        lab.run("qemu-img", "convert", "-O", "raw", image,
                lab.path / f"{name}.copy")
    return machine


def same(lab, name, form, path):
    lab.run("qemu-img", "compare", "-f", "raw", "-F", form,
            lab.path / f"{name}.copy", path)
