#!/usr/bin/python3
"""restore --define: machines that are gone come back as they were, or beside
their originals, to directories, pools, block devices and other hosts; nothing
is overwritten unasked, and nothing half-made stays."""

import json
import os
import pathlib
import re
import shutil
import signal
import time
import uuid

from domainlab import (MIB, Disk, check, check_equal, need_programs, say,
                       wait_until)
from own_host import run_on_own_host
from remote import Sshd

USAGE, BUSY, UNSUPPORTED, FAILED, INTERRUPTED = 2, 5, 6, 1, 130
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

    def start(self, known, prefix=""):
        """Until the guest has read its disk."""
        console = self.console.with_name(prefix + self.console.name)
        console.write_bytes(b"")
        console.chmod(0o666)
        self.lab.virsh("start", known)
        wait_until(lambda: CONTENT.encode() in console.read_bytes(),
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


def test_a_lost_machine_comes_back_and_boots(lab):
    machine = Uefi(lab)
    storage = lab.directory("storage")
    machine.lose()
    shutil.rmtree(storage)
    with Unchanged(lab, storage):
        found = restore(lab, machine.name, f"{storage}/", "--dry-run")
    check(not storage.exists(), "a dry run made a directory")
    check_equal([one["path"] for one in found["files"]][:2],
                [str(storage / "system.qcow2"), str(storage / "data.img")],
                "where it would go")
    done = lab.backstitch("restore", machine.name, f"{storage}/", "--define")
    say(done.stdout.replace("\n", "\n  "))
    machine.same_disks(storage / "system.qcow2", storage / "data.img")
    machine.same_variables(machine.nvram)
    check_equal(machine.tpm_state(machine.uuid).read_bytes(), machine.tpm,
                "the TPM's state")
    medium = storage / "seed.iso"
    check_equal(medium.read_bytes(),
                (machine.copies / "seed.iso").read_bytes(), "the medium")
    check("Autostart:      enable" in lab.virsh("dominfo", machine.uuid).stdout,
          "autostart is not set")
    wanted = machine.xml.replace(str(machine.home), str(storage))
    genid = re.compile("<genid>.*</genid>")
    got = machine.dump(machine.uuid)
    check(genid.search(got)[0] != genid.search(wanted)[0],
          "the guest is not told that time went back")
    check_equal(genid.sub("", got), genid.sub("", wanted), "the description")
    info = lab.image_info(storage / "system.qcow2")
    data = info["format-specific"]["data"]
    check_equal((info["cluster-size"], data["lazy-refcounts"],
                 data["extended-l2"]), (128 << 10, True, True), "qcow2 options")
    machine.start(machine.uuid)
    with Unchanged(lab, storage):
        words = restore(lab, machine.name, storage, "--force", code=BUSY)
        check("it runs" in words, words)


def test_it_replaces_nothing_unasked(lab):
    machine = Uefi(lab)
    storage = lab.directory("storage")
    name = machine.name
    with Unchanged(lab, storage, machine.home):
        words = restore(lab, name, storage, code=USAGE)
        check("--force" in words and "--name" in words, words)
        words = restore(lab, name, machine.home, "--name", "other",
                        "--to", f"vda={machine.vda}", "--force", code=USAGE)
        check("belongs to" in words, words)
        restore(lab, name, storage, "--to", f"vdz={storage}/x", code=USAGE)
        restore(lab, name, storage, "--name", "a/b", code=USAGE)
        restore(lab, name, "--name", "other", code=USAGE)
        restore(lab, name, storage / "missing", "--name", "other", code=3)
        restore(lab, name, storage, "--name", "other", "--disk", "vdz", code=3)
    check(lab.virsh("checkpoint-list", name).stdout.strip(), "no checkpoint")
    result = restore(lab, name, storage, "--name", "twin")
    lab.undo(lambda: machine.remove("twin"))
    check_equal(result["new_identity"], True, "new identity")
    xml = machine.dump("twin")
    for old in (MAC, machine.uuid, str(machine.vda), str(machine.vdb),
                str(machine.nvram), "5917", f"'{machine.console}'"):
        check(old not in xml, f"the twin has {old}: {xml}")
    machine.same_disks(storage / "twin-vda.qcow2", storage / "twin-vdb.raw")
    machine.same_variables(NVRAM / "twin_VARS.fd")
    check_equal(machine.tpm_state(result["uuid"]).read_bytes(), machine.tpm,
                "the twin's TPM")
    check(not result["autostart"], "the twin starts with the host")
    lab.virsh("start", machine.uuid, "--paused")
    machine.start("twin", "twin-")
    with Unchanged(lab, storage):
        restore(lab, name, storage, "--name", "twin", "--force", code=BUSY)
    for known in ("twin", machine.uuid):
        lab.virsh("destroy", known)
    machine.remove("twin")
    with Unchanged(lab, storage):
        words = restore(lab, name, storage, "--name", "twin", code=USAGE)
        check("exists" in words, words)
    write(lab, machine.vdb, "raw", "write -P 1 0 24M")
    result = restore(lab, name, machine.home, "--force", "--disk", "vdb")
    check(any("vda: not restored" in note for note in result["notes"]), result)
    machine.same_disks(machine.vda, machine.vdb)
    check_equal(lab.virsh("checkpoint-list", name).stdout.strip(), "",
                "checkpoints of disks that are gone")
    genid = re.compile("<genid>.*</genid>")
    check_equal(genid.sub("", machine.dump(name)), genid.sub("", machine.xml),
                "the description")
    result = restore(lab, name, storage, "--name", "third", "--disk", "vda")
    lab.undo(lambda: machine.remove("third"))
    check(any("vdb: left out" in note for note in result["notes"]), result)
    check("vdb" not in machine.dump("third"), "the third shares a disk")


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


def test_pools_devices_and_data_files(lab):
    machine = plain_machine(lab)
    pool = make_pool(lab, "volumes")
    device = loop_device(lab, 8 * MIB)
    storage = lab.directory("storage")
    words = [machine.name, "--pool", "volumes", "--name", "spread", "--to",
             f"vda={storage}/first,of=three.qcow2", "--to", f"vdb={device}"]
    with Unchanged(lab, pool, storage):
        restore(lab, *words, "--to", "vdc=/dev/nothing", code=3)
        restore(lab, machine.name, "--name", "spread", "--to",
                f"vdb={storage}/x", code=USAGE)
        restore(lab, *words, "--format", "qcow2", code=USAGE)
        write(lab, device, "raw", "write -P 1 0 64k")
        text = restore(lab, *words, code=USAGE)
        check("not empty" in text, text)
        write(lab, device, "raw", "write -z 0 64k")
        restore(lab, machine.name, "--name", "spread", "--pool", "nothing",
                code=3)
    result = restore(lab, *words)
    lab.undo(lambda: lab.virsh("undefine", "spread", ok=False))
    paths = {one["disk"]: one["path"] for one in result["files"]}
    same(lab, "vda", "qcow2", paths["vda"])
    same(lab, "vda", "raw", paths["vda"] + ".data")
    lab.run("cmp", "-n", 4 * MIB, lab.path / "vdb.copy", device)
    same(lab, "vdc", "qcow2", paths["vdc"])
    check_equal(pathlib.Path(paths["vdc"]).parent, pool, "the pool's directory")
    data = lab.image_info(paths["vdc"])
    check_equal((data["cluster-size"],
                 data["format-specific"]["data"]["compression-type"]),
                (32 << 10, "zstd"), "qcow2 options of a volume")
    volume = lab.virsh("vol-dumpxml", "--pool", "volumes",
                       pathlib.Path(paths["vdc"]).name).stdout
    check("<format type='qcow2'/>" in volume, volume)
    xml = lab.virsh("dumpxml", "spread").stdout
    check(f"<source dev='{device}'/>" in xml, xml)
    # QEMU can open all of it, the data file among it.
    lab.virsh("start", "spread", "--paused")
    lab.virsh("destroy", "spread")
    lab.virsh("undefine", "spread")
    text = restore(lab, machine.name, "--pool", "volumes", "--name", "spread",
                   code=USAGE)
    check("--force" in text, text)
    restore(lab, machine.name, "--pool", "volumes", "--name", "spread",
            "--force")
    same(lab, "vdc", "qcow2", paths["vdc"])


def test_nothing_half_made_stays(lab):
    machine = plain_machine(lab)
    pool = make_pool(lab, "halves")
    storage = lab.directory("storage")
    slow = ["--define", "--name", "half", "--bandwidth", "4M"]

    def cut(place, number):
        child = lab.start("backstitch", "-r", lab.repository, "restore",
                          machine.name, *place, *slow)
        # The last disk is being written.
        wait_until(lambda: any(path.stat().st_size and "vdc" in path.name
                               for folder in (pool, storage)
                               for path in folder.iterdir()), "it is at work")
        time.sleep(0.3)
        child.send_signal(number)
        child.communicate(timeout=30)
        return child.returncode

    for place in ([storage], ["--pool", "halves"]):
        with Unchanged(lab, storage, pool):
            check_equal(cut(place, signal.SIGINT), INTERRUPTED, "exit code")
        check_equal(lab.virsh("vol-list", "halves").stdout.strip(), "",
                    "volumes")
    before = domains(lab)
    cut([storage], signal.SIGKILL)
    check(list(storage.glob(".backstitch-*")), "nothing was killed")
    check_equal(domains(lab), before, "machines")
    restore(lab, machine.name, storage, "--name", "half")
    check_equal(sorted(path.name for path in storage.iterdir()),
                ["half-vda.qcow2", "half-vda.qcow2.data", "half-vdb.raw",
                 "half-vdc.qcow2"], "files")
    lab.virsh("undefine", "half")


def test_what_fails_late_is_taken_back(lab):
    machine = Uefi(lab)
    storage = lab.directory("storage")
    lab.run("mount", "-t", "tmpfs", "-o", "ro", "none", TPM)
    try:
        with Unchanged(lab, storage, machine.home):
            words = restore(lab, machine.name, storage, "--name", "late",
                            code=FAILED)
            check("ead-only" in words, words)
    finally:
        lab.run("umount", TPM)
    full = lab.directory("full")
    lab.run("mount", "-t", "tmpfs", "-o", "size=2m", "none", full)
    lab.undo(lambda: lab.run("umount", full))
    with Unchanged(lab, full):
        words = restore(lab, machine.name, full, "--name", "late", code=FAILED)
        check("are needed" in words, words)


LACKING = """
    <interface type='network'><source network='gone'/></interface>
    <interface type='bridge'><source bridge='br-gone'/></interface>
    <hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/>
      <product id='0xbeef'/></source></hostdev>
    <filesystem type='mount'><source dir='/gone'/><target dir='shared'/>
    </filesystem>
    <disk type='file' device='cdrom'><source file='/gone/big.iso'/>
      <target dev='hdc' bus='ide'/><readonly/></disk>"""


def test_what_a_host_lacks(lab):
    emulator = lab.path / "qemu-of-the-old-host"
    emulator.symlink_to("/usr/bin/qemu-system-x86_64")
    os.environ["BACKSTITCH_STATE"] = str(lab.directory("state"))
    machine = lab.machine([Disk("vda", lab.image("vda.qcow2", 8 * MIB)),
                           Disk("vdb", lab.image("vdb.qcow2", 8 * MIB))],
                          extra=LACKING)
    xml = machine.run / "old.xml"
    xml.write_text(machine.xml().replace("/usr/bin/qemu-system-x86_64",
                                         str(emulator)), encoding="utf-8")
    lab.virsh("define", xml)
    lab.backstitch("backup", machine.name, "--exclude", "vdb")
    lab.virsh("undefine", machine.name, "--checkpoints-metadata")
    for path in (emulator, lab.path / "vda.qcow2", lab.path / "vdb.qcow2"):
        path.unlink()
    storage = lab.directory("storage")
    with Unchanged(lab, storage):
        words = restore(lab, machine.name, storage, code=FAILED)
        check("--adjust" in words, words)
    notes = restore(lab, machine.name, storage, "--adjust")["notes"]
    say("\n  ".join(notes))
    for word in (str(emulator), "network gone", "bridge br-gone",
                 "passed through", "/gone", "hdc: empty", "vdb: left out"):
        check(any(word in note for note in notes), f"no word of {word}")
    lab.virsh("start", machine.uuid, "--paused")


def test_on_another_host(lab):
    need_programs("sshd", "ssh", "ssh-keygen")
    machine = Uefi(lab)
    pool = make_pool(lab, "far")
    machine.lose()
    sshd = Sshd(lab)
    path = sshd.client("far", lab.path / "seen").parent
    os.environ["PATH"] = f"{path}:{os.environ['PATH']}"
    uri = sshd.uri(f"keyfile={sshd.key}&no_verify=1")
    with Unchanged(lab, pool):
        words = restore(lab, machine.name, lab.path, uri=uri, code=UNSUPPORTED)
        check("--pool" in words and "pool-create-as" in words, words)
        restore(lab, machine.name, "--pool", "far", "--to", "vda=/x", uri=uri,
                code=UNSUPPORTED)
        restore(lab, machine.name, "--pool", "far", "--dry-run", uri=uri)
    # The directory is a pool's.
    result = restore(lab, machine.name, pool, uri=uri)
    check_equal(result["autostart"], True, "autostart")
    machine.same_disks(pool / "system.qcow2", pool / "data.img")
    check((pool / "data.img").stat().st_blocks * 512 < 12 * MIB,
          "the raw volume is not sparse")
    check_equal(lab.image_info(pool / "system.qcow2")["cluster-size"],
                128 << 10, "cluster size")
    machine.same_variables(machine.nvram)
    check_equal(machine.tpm_state(machine.uuid).read_bytes(), machine.tpm,
                "the TPM's state")
    machine.start(machine.uuid)


run_on_own_host(globals())
