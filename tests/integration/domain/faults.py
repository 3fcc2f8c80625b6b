"""Strikes at a backup, and the proof that the next one is exact and finds
nothing left of it."""

import os
import pathlib
import signal
import subprocess
import time

from domainlab import Disk, MIB, Oracle, check, check_equal, say, wait_until
from writes import expect, scribble

HERE = pathlib.Path(__file__).resolve().parent
SIZE = 24 * MIB
EXIT_FAILED = 1
EXIT_BUSY = 5


def strike_library(lab):
    library = lab.session.path / "strike.so"
    if not library.exists():
        lab.run("cc", "-shared", "-fPIC", "-O1", "-o", library,
                HERE / "strike.c")
    return library


def strike(lab, where, number):
    """The environment of a backstitch that gets a signal at `where`: the name
    of a call of strike.c, "before" or "after" it, and its number."""
    call, side, count = where
    return {**os.environ, "LD_PRELOAD": str(strike_library(lab)),
            "BACKSTITCH_STRIKE": f"{call} {side} {count} {int(number)}"}


def last_words(child):
    return child.communicate()[1] if child.poll() is not None else ""


class Backups:
    """Backups of a machine that run beside the test. `words` go to each."""

    def __init__(self, lab, machine, words=()):
        self.lab = lab
        self.machine = machine
        self.words = words
        self.oracle = Oracle(lab, machine)

    def start(self, *words, env=None):
        return self.lab.start(
            "backstitch", "-r", self.lab.repository, "-c", self.lab.uri,
            "backup", self.machine.name, *self.words, *words, env=env)

    def start_held(self, where, *words):
        """A backup that is stopped at a call (see strike())."""
        child = self.start(*words, env=strike(self.lab, where, signal.SIGSTOP))
        stat = pathlib.Path(f"/proc/{child.pid}/stat")

        def held():
            check_equal(child.poll(), None, f"not held: {last_words(child)}")
            return stat.read_text().rsplit(")", 1)[1].split()[0] == "T"

        wait_until(held, f"the backup is at {where}", 30)
        return child

    def wait(self, child, code, word="", seconds=60):
        """Waits for its end; what it wrote to stderr."""
        try:
            _, words = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            check(False, f"still there after {seconds} s")
        check_equal(child.returncode, code, f"exit code; {words}")
        check(word in words, f"no {word!r} in {words!r}")
        check("terminate called" not in words, words)
        return words

    def folder(self):
        return self.lab.repository / self.machine.name

    def partial(self):
        return sorted(one.name for one in self.folder().glob(".*"))

    def scratch(self):
        return sorted(str(one) for one in self.lab.path.rglob("*.scratch"))

    def job(self):
        return self.machine.virsh("backup-dumpxml", ok=False).returncode == 0

    def check_ended(self):
        """No job, no scratch file, no partial point, no socket."""
        check(not self.job(), "a job is left")
        check_equal(self.scratch(), [], "scratch files")
        check_equal(self.partial(), [], "partial points")
        left = list(pathlib.Path("/tmp").glob("backstitch-*"))
        check_equal(left, [], "what is left in /tmp")


def ours(names):
    return sorted(one for one in names if one.startswith("backstitch-"))


class Struck(Backups):
    """A machine with a full and an incremental. `targets` are the disks that
    change, `whole` those that are read whole each time."""

    def __init__(self, lab, targets=("vda", "vdb"), machine=None, whole=(),
                 words=(), **definition):
        super().__init__(lab, machine or lab.machine(
            [Disk(one, lab.image(f"{one}.qcow2", SIZE)) for one in targets],
            **definition).start(), words)
        self.targets = targets
        self.whole = {one: "whole" for one in whole}
        for level in ("full", "incremental"):
            self.change()
            expect(self.oracle.point(*words), level, **self.whole,
                   **{one: "bitmap" if level == "incremental" else "whole"
                      for one in targets})

    def change(self):
        for one in self.targets:
            scribble(self.machine, one, SIZE, 3)

    def start_slow(self):
        """A backup in the middle of reading the last disk, for seconds."""
        self.change()
        last = self.targets[-1]
        byte = self.lab.random.randrange(1, 256)
        self.machine.io(last, f"write -P {byte} 4M 16M")
        child = self.start("--compression", "none", "--bandwidth", "4M")

        def reading():
            check_equal(child.poll(), None, f"it ended: {last_words(child)}")
            return any(one.stat().st_size > MIB
                       for one in self.folder().glob(f".*/{last}.data"))

        wait_until(reading, "the backup reads", 30)
        return child

    def ours(self):
        return ours(self.machine.checkpoints())

    def check_nothing_left(self, checkpoints=2):
        """Only so many checkpoints (None: any), which later points build on."""
        self.check_ended()
        if checkpoints is None:
            return
        for one in self.targets:
            bitmaps = ours(self.machine.bitmaps(one))
            check_equal(len(bitmaps), checkpoints, f"of {one}: {bitmaps}")
            if self.machine.state() != "shut off":
                check_equal(bitmaps, self.ours(), f"bitmaps of {one}")

    def next_is_exact(self, how="bitmap", checkpoints=2, **disks):
        """Changes more, makes a point and compares it."""
        self.change()
        result = self.oracle.point(*self.words)
        expect(result, "incremental", **self.whole,
               **{one: disks.get(one, how) for one in self.targets})
        self.check_nothing_left(checkpoints)
        return result


def took(begin, most, what):
    seconds = time.monotonic() - begin
    check(seconds < most, f"{what} took {seconds:.1f} s, more than {most} s")
    say(f"{what}: {seconds:.2f} s")
