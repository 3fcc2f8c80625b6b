#!/usr/bin/python3
"""doctor finds what was broken on purpose, and its advice mends it."""

import json
import os
import pathlib
import signal
import subprocess

from domainlab import MIB, Disk, check, check_equal, need_programs, wait_until
from own_host import run_on_own_host

SIZE = 32 * MIB


def findings(lab, **options):
    done = lab.run("backstitch", "-r", options.pop("repository",
                                                   lab.repository),
                   "-c", lab.uri, "--json", "doctor", ok=False, **options)
    document = json.loads(done.stdout)
    problems = [f for f in document["findings"] if f["grade"] == "problem"]
    check_equal(document["problems"], len(problems), "problems")
    check_equal(done.returncode, 1 if problems else 0, "exit code")
    return document["findings"]


def troubles(lab, **options):
    return [f for f in findings(lab, **options) if f["grade"] != "good"]


class Ailment:
    """What stands in the way: found, mended by what doctor says, gone."""

    def __init__(self, lab, **options):
        self.lab = lab
        self.options = options

    def found(self, says, grade="problem"):
        named = [f for f in troubles(self.lab, **self.options)
                 if says in f["what"]]
        check_equal(len(named), 1, f"findings that say {says!r}")
        check_equal(named[0]["grade"], grade, says)
        return named[0]

    def is_mended_by_advice(self, says, grade="problem"):
        remedy = self.found(says, grade)["remedy"]
        check(remedy, f"{says}: nothing to be done?")
        self.lab.run("bash", "-c", remedy, **{
            key: value for key, value in self.options.items()
            if key == "env"})
        left = [f for f in troubles(self.lab, **self.options)
                if says in f["what"]]
        check_equal(left, [], f"after {remedy!r}")


def test_a_repository(lab):
    """None, one that others can read, one that nobody can write."""
    missing = lab.path / "not yet"
    Ailment(lab, repository=missing).is_mended_by_advice("no repository")
    os.chmod(missing, 0o755)
    Ailment(lab, repository=missing).is_mended_by_advice("other users")
    small = lab.directory("read only")
    lab.run("mount", "-t", "tmpfs", "none", small)
    lab.undo(lambda: lab.run("umount", "-l", small, ok=False))
    lab.run("backstitch", "-r", small / "r", "init")
    lab.run("mount", "-o", "remount,ro", small)
    Ailment(lab, repository=small / "r").is_mended_by_advice("cannot be written")


def backed_up_images(lab):
    image = lab.image("image.qcow2", SIZE)
    lab.run("qemu-io", "-f", "qcow2", "-c", "write -P 7 0 4M", image)
    return image


def test_mounts(lab):
    """A mount whose driver was killed."""
    image = backed_up_images(lab)
    lab.backstitch("backup", "--image", f"vda={image}", "--name", "vm")
    tree = lab.directory("tree")
    lab.undo(lambda: lab.run("umount", "-l", tree, ok=False))
    lab.backstitch("mount", tree)
    check_equal([f for f in troubles(lab) if "driver" in f["what"]], [],
                "while it lives")
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        if str(tree).encode() in entry.read_bytes():
            os.kill(int(entry.parent.name), signal.SIGKILL)
    wait_until(lambda: not os.access(tree / "vm", os.F_OK), "it is dead")
    Ailment(lab).is_mended_by_advice("has died")
    check_equal(list(tree.iterdir()), [], "what is below the mount")


def test_the_host(lab):
    """FUSE without a device, without leave, a state directory that is none,
    a configuration that cannot be."""
    hidden = lab.directory("dev")
    ailment = Ailment(lab)
    lab.run("mount", "-t", "tmpfs", "-o", "mode=0755", "none", hidden)
    lab.undo(lambda: lab.run("umount", "-l", hidden, ok=False))
    for name, major, minor in (("null", 1, 3), ("zero", 1, 5),
                               ("urandom", 1, 9)):
        lab.run("mknod", "-m", "666", hidden / name, "c", major, minor)
    lab.run("mount", "--bind", hidden, "/dev")
    try:
        ailment.is_mended_by_advice("/dev/fuse cannot be used")
    finally:
        lab.run("umount", "-l", "/dev")
    copy = lab.path / "fuse.conf"
    copy.write_text("#user_allow_other\n", encoding="utf-8")
    lab.run("mount", "--bind", copy, "/etc/fuse.conf")
    lab.undo(lambda: lab.run("umount", "-l", "/etc/fuse.conf", ok=False))
    ailment.is_mended_by_advice("plain users", "note")
    config = lab.path / "backstitch.toml"
    config.write_text("repository = 'x'\n", encoding="utf-8")
    env = dict(os.environ, BACKSTITCH_CONFIG=str(config))
    Ailment(lab, env=env).is_mended_by_advice("names no machine", "note")
    config.write_text("repository = \n", encoding="utf-8")
    found = Ailment(lab, env=env).found("line 1")
    check(str(config) in found["remedy"], found)


def test_programs(lab):
    """A PATH without qemu-img: the advice names the package that has it."""
    there = lab.directory("bin")
    for name in ("qemu-nbd", "fusermount3"):
        (there / name).symlink_to(f"/usr/bin/{name}")
    program = subprocess.run(["which", "backstitch"], check=True, text=True,
                             capture_output=True).stdout.strip()
    (there / "backstitch").symlink_to(program)
    env = dict(os.environ, PATH=str(there))
    found = Ailment(lab, env=env).found("qemu-img")
    package = found["remedy"].split()[-1]
    check_equal(lab.run("dpkg", "-S", "/usr/bin/qemu-img").stdout.split(":")[0],
                package, "the package")


def test_machines(lab):
    """Images without bitmaps, bitmaps that are broken, a job that was left
    behind, no channel for the agent."""
    old = lab.image("old.qcow2", SIZE, "qcow2", "-o", "compat=0.10")
    broken = lab.image("broken.qcow2", SIZE)
    machine = lab.machine([Disk("vda", old), Disk("vdb", broken)])
    machine.define()
    ailment = Ailment(lab)
    ailment.is_mended_by_advice("version 2 of qcow2", "note")
    ailment.is_mended_by_advice("no channel for the guest agent", "note")
    machine.start(paused=True)
    lab.backstitch("backup", machine.name)
    job = lab.path / "job.xml"
    sockets = lab.directory("sockets")
    sockets.chmod(0o777)
    job.write_text("<domainbackup mode='pull'><server transport='unix' "
                   f"socket='{sockets}/nbd'/></domainbackup>",
                   encoding="utf-8")
    lab.virsh("backup-begin", machine.name, job)
    ailment.is_mended_by_advice("backup job under way", "note")
    machine.power_off()
    machine.start(paused=True)
    lab.backstitch("backup", machine.name)
    os.kill(machine.pid(), signal.SIGKILL)
    machine.wait_off()
    ailment_of = [f for f in troubles(lab) if "was broken" in f["what"]]
    check(ailment_of, "broken bitmaps")
    for finding in ailment_of:
        lab.run("bash", "-c", finding["remedy"])
    check_equal([f for f in troubles(lab) if "was broken" in f["what"]], [],
                "broken bitmaps")


def test_no_libvirt(lab):
    lab.daemons.stop()
    Ailment(lab).is_mended_by_advice("cannot connect to")


if __name__ == "__main__":
    run_on_own_host(globals())
