#!/usr/bin/python3
"""A plain user does what root is not needed for, up to a machine of their own
libvirt that runs from a point; nobody else sees what is mounted for it."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from domainlab import MIB, Disk, check, check_equal, need, say
from own_host import run_on_own_host

USER, OTHER = 65534, 1  # nobody, daemon
URI = "qemu:///session"
UNSUPPORTED, NOT_UP = 6, 9
SIZE = 16 * MIB


def as_user(user, words, **environment):
    return subprocess.run(
        ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
         *map(str, words)], env={**os.environ, **environment},
        capture_output=True, text=True, check=False, timeout=120)


class User:
    """With a home, libvirt and repository of their own."""

    def __init__(self, lab, name):
        for program in ("setpriv", "fusermount3"):
            need(shutil.which(program), f"{program} is not installed")
        # Short: libvirt's sockets lie deep in it.
        home = pathlib.Path(tempfile.mkdtemp(dir="/tmp"))
        lab.undo(lambda: shutil.rmtree(home, ignore_errors=True))
        self.environment = {
            "HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run"),
            "BACKSTITCH_REPOSITORY": str(lab.repository),
            "PATH": f"{home}/bin:{os.environ['PATH']}"}
        for part in ("run", "bin", "disks"):
            (home / part).mkdir()
        # The build may lie where the plain user cannot go.
        for program in ("backstitch", "backstitchfs"):
            shutil.copy(shutil.which(program), home / "bin")
        self.home = home
        self.twin = f"{name}-recovered"
        lab.run("chown", "-R", f"{USER}:{USER}", home, lab.repository)
        lab.undo(self.end)

    def run(self, *words, code=0):
        done = as_user(USER, words, **self.environment)
        check(code is None or done.returncode == code,
              f"{words}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def backstitch(self, *words, code=0):
        return self.run("backstitch", "-c", URI, *words, code=code)

    def end(self):
        self.run("virsh", "-q", "-c", URI, "destroy", self.twin, code=None)
        self.backstitch("discard", self.twin, code=None)


def trees():
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        return [pathlib.Path(line.split()[1]) for line in mounts
                if "fuse.backstitchfs" in line]


def test_a_machine_of_their_own(lab):
    machine = lab.machine([Disk("vda", lab.image("a.qcow2", SIZE))],
                          guest=True).start()
    machine.guest("dd if=/dev/urandom of=/dev/vda bs=64k count=100 conv=fsync")
    lab.backstitch("backup", machine.name)
    machine.power_off()
    user = User(lab, machine.name)
    user.backstitch("verify")
    done = user.run("virsh", "-q", "-c", URI, "list", code=None)
    need(done.returncode == 0, f"no libvirt of a plain user: {done.stderr}")
    storage = ("--storage", user.home / "disks")
    say(user.backstitch("boot", machine.name, *storage).stdout.splitlines()[0])
    tree, = trees()
    for other in (OTHER, 0):
        check(as_user(other, ["ls", tree]).returncode != 0,
              f"user {other} sees the tree")
    say(user.backstitch("finalize", user.twin).stdout.splitlines()[0])
    user.run("virsh", "-q", "-c", URI, "destroy", user.twin)
    final = user.home / "disks" / f"{user.twin}-vda.qcow2"
    lab.run("qemu-img", "compare", final, machine.disks[0].path)
    user.run("virsh", "-q", "-c", URI, "undefine", user.twin)
    final.unlink()
    done = user.backstitch("verify", "--boot", machine.name, *storage,
                           "--expect", "GUEST-READY", "--timeout", "60")
    check("came up" in done.stdout, done.stdout)
    check_equal((list(final.parent.iterdir()), trees()), ([], []),
                "what is left")


run_on_own_host(globals())
