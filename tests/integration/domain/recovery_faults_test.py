#!/usr/bin/python3
"""boot, finalize and discard while something that takes part is killed: no write
that the guest has flushed is lost, and the command that the manual names goes on.

A row is a moment (a call, see strike.c), at which backstitch is held, and who is
killed then. Each victim is struck once a command, at a moment that the seed
chooses; BACKSTITCH_ROWS=TEXT runs all rows whose call has the text in its name.
"""

import json
import os
import pathlib
import signal
import time

from checks import wait_until
from domainlab import MIB, Disk, check, check_equal, say
from faults import strike
from own_host import run_on_own_host
from recovered import Recovered
from recovery_test import drivers, file_sum

SIZE = 24 * MIB
FAILED, NOT_FOUND, BUSY, INTERRUPTED = 1, 3, 5, 130
# One more each time, flushed, at a place of its own.
TICKER = ("i=0; while :; do i=$((i+1)); echo $i | dd of=/dev/vda bs=4096 "
          "seek=5000 count=1 conv=fsync,sync,notrunc 2>/dev/null; "
          "echo $i >/tmp/new; mv /tmp/new /tmp/tick; done")

EARLY = ("backstitch", "libvirtd")
ALL = ("backstitch", "driver", "qemu", "libvirtd")
BOOT = [(("renameat2", "after", 1), EARLY),
        (("renameat2", "after", 2), EARLY),
        (("virDomainCreateXML", "before", 1), (*EARLY, "driver")),
        (("virDomainCreateXML", "after", 1), ALL),
        (("renameat2", "after", 3), ALL)]
FINALIZE = [(("renameat2", "before", 1), ALL),           # the copy gets its name
            (("renameat2", "after", 2), ALL),            # and that is noted
            (("virDomainBlockCopy", "before", 1), ALL),
            (("virDomainBlockCopy", "after", 1), ALL),
            (("virDomainBlockJobAbort", "before", 1), ALL),  # to the bridge
            (("virDomainBlockJobAbort", "after", 1), ALL),
            (("renameat2", "before", 3), ALL),
            (("virDomainBlockCommit", "after", 1), ALL),
            (("virDomainBlockJobAbort", "before", 2), ALL),  # to the end
            (("virDomainBlockJobAbort", "after", 2), ALL),
            (("renameat2", "after", 4), ALL),
            (("virDomainDefineXML", "before", 1), ALL),
            (("virDomainDefineXML", "after", 1), ALL),
            (("umount2", "after", 1), EARLY)]
DISCARD = [(("virDomainDestroy", "before", 1), ALL),
           (("virDomainDestroy", "after", 1), (*EARLY, "driver")),
           (("umount2", "before", 1), (*EARLY, "driver")),
           (("umount2", "after", 1), EARLY)]


def rows(lab, table):
    every = [(where, victim) for where, victims in table for victim in victims]
    text = os.environ.get("BACKSTITCH_ROWS")
    if text is not None:
        return [row for row in every if text in row[0][0]]
    return [lab.random.choice([row for row in every if row[1] == victim])
            for victim in ALL]


class Scene:
    """A point of a machine that is off, and its recovered twin."""

    def __init__(self, lab):
        os.environ["BACKSTITCH_STATE"] = str(lab.directory("state"))
        self.lab = lab
        self.machine = lab.machine([Disk("vda", lab.image("a.qcow2", SIZE))],
                                   guest=True).start()
        self.machine.guest("dd if=/dev/urandom of=/dev/vda bs=64k count=160 "
                           "conv=fsync")
        self.sum = self.machine.guest("dd if=/dev/vda bs=64k count=160 "
                                      "2>/dev/null | sha256sum").split()[0]
        lab.backstitch("backup", self.machine.name)
        self.machine.power_off()
        self.whole = file_sum(lab, self.machine.disks[0].path, "qcow2")
        self.storage = lab.directory("storage")
        self.twin = Recovered(lab, self.machine.name + "-recovered")

    def words(self, command):
        if command == "boot":
            return ["boot", self.machine.name, "--storage", self.storage]
        return [command, self.twin.name]

    def start(self, words, env=None):
        return self.lab.start("backstitch", "-r", self.lab.repository, "-c",
                              self.lab.uri, *words, env=env)

    def strike(self, command, where, victim):
        """The command is held, the victim killed; how the command ended."""
        child = self.start(self.words(command),
                           strike(self.lab, where, signal.SIGSTOP))
        stat = pathlib.Path(f"/proc/{child.pid}/stat")

        def held():
            check_equal(child.poll(), None, f"{command} never came to {where}")
            return stat.read_text().rsplit(")", 1)[1].split()[0] == "T"
        wait_until(held, f"{command} is at {where}", 40)
        if victim == "backstitch":
            child.kill()
        elif victim == "libvirtd":
            self.lab.daemons.restart_libvirtd(signal.SIGKILL)
        else:
            for pid in (drivers(self.twin) if victim == "driver"
                        else [self.twin.pid()]):
                os.kill(pid, signal.SIGKILL)
        child.send_signal(signal.SIGCONT)
        _, words = child.communicate(timeout=60)
        say(f"{command}, {' '.join(map(str, where))}, SIGKILL of {victim}: "
            f"{child.returncode} {words.splitlines()[-1:]}")
        check("terminate called" not in words, words)
        return child.returncode

    def session(self):
        done = self.lab.backstitch("--json", "sessions")
        found = json.loads(done.stdout)["sessions"]
        return found[0] if found else None

    def run(self, *words, allowed=(0,)):
        done = self.lab.backstitch(*words, ok=False)
        check(done.returncode in allowed,
              f"{words}: {done.returncode} {done.stderr}")
        return done.returncode

    def begin_again(self):
        """As the manual says: --resume, or where nothing ever ran discard and
        boot; where no session is left, boot."""
        if self.session():
            # What was seen of a machine's end takes libvirt a moment.
            time.sleep(0.3)
            code = self.run("boot", "--resume", self.twin.name,
                            allowed=(0, BUSY, FAILED))
            if code != FAILED:
                return
            self.run("discard", self.twin.name)
        self.run(*self.words("boot"))

    def check_guest(self, tick=0):
        self.twin.close()
        found = self.twin.guest("dd if=/dev/vda bs=64k count=160 2>/dev/null | "
                                "sha256sum").split()[0]
        check_equal(found, self.sum, "what the guest finds")
        now = self.twin.guest("dd if=/dev/vda bs=4096 skip=5000 count=1 "
                              "2>/dev/null | tr -d '\\0'") if tick else "0"
        check(int(now or 0) >= tick, f"flushed {tick}, found {now!r}")

    def check_gone(self):
        check_equal(self.session(), None, "the session")
        check_equal(list(self.storage.iterdir()), [], "files in the storage")
        check_equal(drivers(self.twin), [], "drivers")
        check(self.twin.name not in self.lab.virsh("list", "--all").stdout,
              "the machine is there")
        with open("/proc/self/mounts", encoding="utf-8") as mounts:
            check(self.twin.name not in mounts.read(), "the tree is mounted")

    def discard(self):
        self.twin.close()
        self.run("discard", self.twin.name, allowed=(0, NOT_FOUND))
        self.check_gone()

    def finalize(self):
        """Until it is done; --resume where it says so."""
        for _ in range(4):
            code = self.run("finalize", self.twin.name,
                            allowed=(0, FAILED, NOT_FOUND))
            if code != FAILED:
                break
            self.run("boot", "--resume", self.twin.name, allowed=(0, BUSY))
        check(code != FAILED, "it comes to no end")
        check_equal(self.session(), None, "the session")
        if "running" not in self.lab.virsh("domstate", self.twin.name).stdout:
            self.lab.virsh("start", self.twin.name)

    def remove_final(self):
        self.twin.close()
        self.lab.virsh("destroy", self.twin.name)
        self.lab.virsh("undefine", self.twin.name)
        for path in self.storage.iterdir():
            path.unlink()
        self.check_gone()


def test_boot(lab):
    scene = Scene(lab)
    for where, victim in rows(lab, BOOT):
        scene.strike("boot", where, victim)
        scene.begin_again()
        overlay = scene.storage / f"{scene.twin.name}-vda.overlay.qcow2"
        check_equal(file_sum(lab, overlay, "qcow2"), scene.whole, "its disk")
        if victim == ALL[-1]:
            scene.check_guest()
        scene.discard()


def test_finalize(lab):
    scene = Scene(lab)
    for where, victim in rows(lab, FINALIZE):
        scene.run(*scene.words("boot"))
        scene.twin.guest(f"({TICKER}) >/dev/null 2>&1 & "
                         "while [ ! -e /tmp/tick ]; do sleep 0.1; done")
        tick = int(scene.twin.guest("cat /tmp/tick"))
        scene.strike("finalize", where, victim)
        if victim != "qemu":
            wait_until(lambda: "running" in lab.virsh(
                "domstate", scene.twin.name).stdout, "the guest goes on")
        if victim not in ("qemu", "driver"):
            tick = int(scene.twin.guest("cat /tmp/tick"))
        scene.finalize()
        scene.check_guest(tick)
        left = [path.name for path in scene.storage.iterdir()]
        check_equal(left, [f"{scene.twin.name}-vda.qcow2"], "files")
        scene.remove_final()


def interrupt(scene, command, where, code):
    child = scene.start(scene.words(command),
                        strike(scene.lab, where, signal.SIGINT))
    _, words = child.communicate(timeout=60)
    check_equal(child.returncode, code, f"{command} at {where}: {words}")
    scene.check_gone()


def test_discard(lab):
    scene = Scene(lab)
    say("Ctrl-C: a boot that has not come to its end leaves nothing")
    for where in (("renameat2", "after", 1), ("renameat2", "after", 2)):
        interrupt(scene, "boot", where, INTERRUPTED)
    scene.run(*scene.words("boot"), "--start-paused")
    interrupt(scene, "discard", ("virDomainDestroy", "before", 1), 0)
    for where, victim in rows(lab, DISCARD):
        scene.run(*scene.words("boot"), "--start-paused")
        scene.strike("discard", where, victim)
        scene.discard()


def hidden(scene):
    return [path for path in scene.storage.iterdir()
            if path.name.startswith(".")]


def test_killed_while_copying(lab):
    """What it had copied is swept by the next command; Ctrl-C leaves nothing."""
    scene = Scene(lab)
    scene.run(*scene.words("boot"))
    slow = [*scene.words("finalize"), "--bandwidth", "2M"]
    for number, left in ((signal.SIGINT, 0), (signal.SIGKILL, 1),
                         (signal.SIGKILL, 1)):
        child = scene.start(slow)
        wait_until(lambda: len(hidden(scene)) == 1, "it copies")
        time.sleep(0.3)
        child.send_signal(number)
        child.communicate(timeout=20)
        check_equal(child.returncode, 130 if number == signal.SIGINT else -9,
                    "exit code")
        check_equal(len(hidden(scene)), left, "hidden files")
    scene.finalize()
    scene.check_guest()
    check_equal(hidden(scene), [], "hidden files after finalize")
    scene.remove_final()
    scene.run(*scene.words("boot"), "--start-paused")
    child = scene.start(slow)
    wait_until(lambda: hidden(scene), "it copies")
    child.kill()
    child.communicate()
    scene.discard()


def test_pulled(lab):
    """Killed in the middle and begun again; and where a copy is refused."""
    scene = Scene(lab)
    for refused in (False, True):
        scene.run(*scene.words("boot"))
        scene.twin.guest("dd if=/dev/urandom of=/dev/vda bs=64k seek=200 "
                         "count=20 conv=fsync")
        words = scene.words("finalize")
        if refused:
            child = scene.start(words, strike(
                lab, ("virDomainBlockCopy", "before", 1), 0))
        else:
            child = scene.start([*words, "--pull", "--bandwidth", "2M"])
            wait_until(lambda: "Block Pull" in lab.virsh(
                "blockjob", "--raw", scene.twin.name, "vda").stdout, "it pulls")
            time.sleep(1)
            check_equal(child.poll(), None, "--bandwidth is not kept to")
            child.kill()
            child.communicate()
            child = scene.start([*words, "--pull"])
        _, told = child.communicate(timeout=60)
        check_equal(child.returncode, 0, f"exit code: {told}")
        check_equal("pulled instead" in told, refused, f"a word of it: {told}")
        scene.check_guest()
        whole = scene.twin.guest("sha256sum </dev/vda", 60).split()[0]
        path = scene.storage / f"{scene.twin.name}-vda.overlay.qcow2"
        check_equal(list(scene.storage.iterdir()), [path], "files")
        check("backing-filename" not in lab.image_info(path), "it has a base")
        check_equal(file_sum(lab, path, "qcow2"), whole, "its file")
        check_equal(drivers(scene.twin), [], "drivers")
        # Nothing is left to QEMU's end; as it is defined, it starts again.
        scene.twin.close()
        os.kill(scene.twin.pid(), signal.SIGKILL)
        wait_until(lambda: "shut off" in lab.virsh(
            "domstate", scene.twin.name).stdout, "libvirt has seen it")
        check_equal(file_sum(lab, path, "qcow2"), whole, "its file, later")
        lab.virsh("start", scene.twin.name)
        scene.check_guest()
        scene.remove_final()


run_on_own_host(globals())
