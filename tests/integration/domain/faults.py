"""Strikes at a backup, and the proof that the next one is exact and finds
nothing left of it."""

import os
import pathlib
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


def strike(lab, where, signal):
    """The environment of a backstitch that gets `signal` at `where`: the name
    of a call of strike.c, "before" or "after" it, and its number."""
    call, side, number = where
    return {**os.environ, "LD_PRELOAD": str(strike_library(lab)),
            "BACKSTITCH_STRIKE": f"{call} {side} {number} {int(signal)}"}


class Struck:
    """A machine with a full and an incremental, and a backup to be struck."""

    def __init__(self, lab, targets=("vda", "vdb"), machine=None, **definition):
        self.lab = lab
        self.machine = machine or lab.machine(
            [Disk(one, lab.image(f"{one}.qcow2", SIZE)) for one in targets],
            **definition).start()
        self.targets = targets
        self.oracle = Oracle(lab, self.machine)
        for level in ("full", "incremental"):
            self.change()
            expect(self.oracle.point(), level,
                   **{one: "bitmap" if level == "incremental" else "whole"
                      for one in targets})

    def change(self):
        for one in self.targets:
            scribble(self.machine, one, SIZE, 3)

    def change_much(self):
        """So much that reading it can be made to take seconds."""
        self.change()
        byte = self.lab.random.randrange(1, 256)
        self.machine.io(self.targets[-1], f"write -P {byte} 4M 16M")

    # --- a backup beside the test ---

    def start(self, *words, env=None):
        return self.lab.start(
            "backstitch", "-r", self.lab.repository, "backup",
            self.machine.name, *words, env=env)

    def start_slow(self, *words, bandwidth="4M"):
        """A backup in the middle of reading the last disk, for seconds."""
        self.change_much()
        child = self.start("--compression", "none", "--bandwidth", bandwidth,
                           *words)
        wait_until(lambda: self.reading(child), "the backup reads")
        return child

    def reading(self, child):
        check_equal(child.poll(), None, f"it has ended: {self.words(child)}")
        files = self.folder().glob(f".*/{self.targets[-1]}.data")
        return any(one.stat().st_size > MIB for one in files)

    def start_held(self, where, *words):
        """A backup that is stopped at a call (see strike())."""
        child = self.start(*words, env=strike(self.lab, where, 19))
        stat = pathlib.Path(f"/proc/{child.pid}/stat")

        def held():
            check_equal(child.poll(), None, f"not held: {self.words(child)}")
            return stat.read_text().rsplit(")", 1)[1].split()[0] == "T"

        wait_until(held, f"the backup is at {where}")
        return child

    @staticmethod
    def words(child):
        """What one that has ended said."""
        return child.communicate()[1] if child.poll() is not None else ""

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

    # --- what is there ---

    def folder(self):
        return self.lab.repository / self.machine.name

    def partial(self):
        return sorted(one.name for one in self.folder().glob(".*"))

    def scratch(self):
        return sorted(str(one) for one in self.lab.path.rglob("*.scratch"))

    def job(self):
        return self.machine.virsh("backup-dumpxml", ok=False).returncode == 0

    def ours(self):
        return sorted(one for one in self.machine.checkpoints()
                      if one.startswith("backstitch-"))

    def check_nothing_left(self, checkpoints=2):
        """No job, no scratch file, no partial point, no socket, and only the
        checkpoints that later points build on."""
        check(not self.job(), "a job is left")
        check_equal(self.scratch(), [], "scratch files")
        check_equal(self.partial(), [], "partial points")
        left = list(pathlib.Path("/tmp").glob("backstitch-*"))
        check_equal(left, [], "what is left in /tmp")
        for one in self.targets:
            bitmaps = [name for name in self.machine.bitmaps(one)
                       if name.startswith("backstitch-")]
            check_equal(len(bitmaps), checkpoints, f"of {one}: {bitmaps}")
            if self.machine.state() != "shut off":
                check_equal(bitmaps, self.ours(), f"bitmaps of {one}")

    # --- and that it goes on ---

    def next_is_exact(self, how="bitmap", checkpoints=2, **disks):
        """Changes more, makes a point and compares it."""
        self.change()
        result = self.oracle.point()
        expect(result, "incremental",
               **{one: disks.get(one, how) for one in self.targets})
        self.check_nothing_left(checkpoints)
        return result


def took(begin, most, what):
    seconds = time.monotonic() - begin
    check(seconds < most, f"{what} took {seconds:.1f} s, more than {most} s")
    say(f"{what}: {seconds:.2f} s")
