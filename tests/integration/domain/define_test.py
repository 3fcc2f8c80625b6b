#!/usr/bin/python3
"""restore --define: machines that are gone come back as they were, or beside
their originals, to directories, pools, block devices and other hosts; nothing
is overwritten unasked, and nothing half-made stays."""

import os
import pathlib
import re
import shutil
import signal
import time

from domainlab import (MIB, Disk, check, check_equal, need_programs, say,
                       wait_until)
from lost_machine import (MAC, NVRAM, TPM, Uefi, Unchanged, domains,
                          loop_device, make_pool, plain_machine, restore, same,
                          write)
from own_host import run_on_own_host
from recovered import Recovered
from remote import Sshd

USAGE, BUSY, UNSUPPORTED, FAILED, INTERRUPTED = 2, 5, 6, 1, 130


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
    lab.virsh("start", "twin", "--paused")
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


CHOSEN = """\
<domain type='qemu'><name>{name}</name><memory unit='MiB'>256</memory>
  <os firmware='efi'><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/></features>
  <cpu mode='custom' match='exact'><model fallback='forbid'>qemu64</model></cpu>
  <devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
    <source file='{disk}'/><target dev='vda'/></disk></devices></domain>
"""


def test_firmware_that_libvirt_chooses(lab):
    """Only a machine that runs says where its variables are."""
    os.environ["BACKSTITCH_STATE"] = str(lab.directory("state"))
    name = f"backstitch-test-{lab.session.name}-chosen"
    xml = lab.path / "chosen.xml"
    xml.write_text(CHOSEN.format(name=name, disk=lab.image("a.qcow2", MIB)),
                   encoding="utf-8")

    def remove():
        lab.virsh("destroy", name, ok=False)
        lab.virsh("undefine", name, "--nvram", "--checkpoints-metadata",
                  ok=False)
    lab.undo(remove)
    lab.virsh("define", xml)
    lab.virsh("start", name, "--paused")
    lab.virsh("destroy", name)
    variables = NVRAM / f"{name}_VARS.fd"
    content = variables.read_bytes()[:-16] + b"left by the test"
    variables.write_bytes(content)
    lab.backstitch("backup", name)
    remove()
    check(not variables.exists(), "the variables are still there")
    check_equal(restore(lab, name, lab.directory("storage"))["notes"], [],
                "notes")
    check_equal(variables.read_bytes(), content, "the UEFI variables")
    lab.virsh("start", name, "--paused")
    booted = Recovered(lab, f"{name}-recovered")
    lab.backstitch("boot", name, "--storage", lab.directory("overlays"),
                   "--start-paused")
    path = pathlib.Path(booted.xml().findtext("os/nvram"))
    check_equal(path.read_bytes(), content, "the variables of one booted")


def test_of_image_files(lab):
    """A point without a description becomes a plain machine."""
    os.environ["BACKSTITCH_STATE"] = str(lab.directory("state"))
    image = lab.image("vda.qcow2", 4 * MIB)
    write(lab, image, "qcow2", "write -P 6 0 1M")
    lab.backstitch("backup", "--image", f"vda={image}", "--name", "plain")
    storage = lab.directory("storage")
    restore(lab, "plain", storage, "--format", "raw")
    lab.undo(lambda: lab.virsh("undefine", "plain", ok=False))
    lab.run("qemu-img", "compare", "-f", "qcow2", "-F", "raw", image,
            storage / "vda.raw")
    xml = lab.virsh("dumpxml", "plain").stdout
    check(f"<source file='{storage}/vda.raw'/>" in xml, xml)


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
    lab.virsh("start", machine.uuid, "--paused")


run_on_own_host(globals())
