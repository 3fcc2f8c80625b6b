#!/usr/bin/python3
"""copy-to struck at its system calls: SIGKILL, ENOSPC and EIO, and resumed.

    replication_test.py FAULT_DRIVER

After a strike every point of the target is whole and as in the source, or
absent. The next run brings the rest, does not touch points that were there,
and leaves a target whose files are those of the source, byte for byte.
SEED=N chooses the same calls again, STRIKES=N how many of each kind.
Exit status: 0, 77 (skipped), 1.
"""

import concurrent.futures
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

import injection
import trees

STRIKES = int(os.environ.get("STRIKES", "30"))
WRITING = {
    "write", "pwrite64", "fsync", "rename", "renameat2", "fallocate",
    "ftruncate", "mkdir", "openat", "unlink", "unlinkat", "link", "rmdir",
}
# What happens seldom and decides most is always struck.
COMMITTING = {"rename", "renameat2", "mkdir", "link"}


class Lab:
    """A source with every kind of point, and the state that its copy is in
    before the run that is struck."""

    def __init__(self, driver, directory):
        self.driver = driver
        self.directory = directory
        self.source = os.path.join(directory, "source")
        self.before = os.path.join(directory, "before")
        self.drive("init", self.source)
        for step, level in ((1, "full"), (2, "incremental"),
                            (3, "incremental")):
            self.drive("backup", self.source, step, level)
        # The target has 1 to 3 and then loses 2 and 3, of which the source
        # still has 2: remains are filled again, and become a point again.
        injection.must(self.copy(self.before, "--init"))
        self.drive("delete", self.before, 2, 3)
        for step, level in ((4, "incremental"), (5, "incremental")):
            self.drive("backup", self.source, step, level)
        self.drive("delete", self.source, 1, 4)
        for step, level in ((6, "full"), (7, "differential"),
                            (8, "incremental")):
            self.drive("backup", self.source, step, level)
        self.points = self.check(self.source)

    def drive(self, *words):
        return injection.must([self.driver, *map(str, words)])

    def copy(self, target, *options):
        return ["backstitch", "-q", "-r", self.source, "copy-to", *options,
                target]

    def check(self, repository):
        return set(self.drive("check", repository).splitlines())


def stamps(repository):
    """What changes when a point's files are written again."""
    found = {}
    for number in os.listdir(os.path.join(repository, "vm")):
        folder = os.path.join(repository, "vm", number)
        if number.isdigit() and "point.json" in os.listdir(folder):
            for name in os.listdir(folder):
                status = os.stat(os.path.join(folder, name))
                found[number, name] = status.st_ino, status.st_mtime_ns
    return found


def check_resumed(lab, target, where):
    there = lab.check(target)
    allowed = lab.points | lab.check(lab.before)
    if not there <= allowed:
        injection.fail(f"{where}: points are {there}")
    before = stamps(target)
    injection.must(lab.copy(target))
    after = stamps(target)
    touched = [name for name in before if after.get(name) != before[name]]
    if touched:
        injection.fail(f"{where}: written again: {touched}")
    if not lab.points <= lab.check(target):
        injection.fail(f"{where}: the next run did not bring all")
    left = trees.leftovers(target)
    if left:
        injection.fail(f"{where}: {left} left")
    different = trees.differences(lab.source, target, lab.points)
    if different:
        injection.fail(f"{where}: not as in the source: {different}")


def strike(lab, call, fault):
    where = f"{fault} at {call[0]} number {call[1]}"
    target = os.path.join(lab.directory, where.replace(" ", "-"))
    shutil.copytree(lab.before, target)
    result = injection.injected(lab.copy(target), call, fault)
    if result.returncode == 0 and not lab.points <= lab.check(target):
        injection.fail(f"{where}: success, but points are missing")
    if fault.startswith("error") and result.returncode != 0:
        if result.returncode not in (1, 3) or result.stderr.count("\n") != 1:
            injection.fail(f"{where}: exit {result.returncode}: "
                           f"{result.stderr}")
    check_resumed(lab, target, where)
    shutil.rmtree(target)
    return result.returncode != 0


def strikes(lab, seed):
    target = os.path.join(lab.directory, "traced")
    shutil.copytree(lab.before, target)
    calls = injection.calls(lab.copy(target), target,
                            os.path.join(lab.directory, "trace"))
    check_resumed(lab, target, "no fault")
    chance = random.Random(seed)
    chosen = []
    for fault, may in (("signal=KILL", lambda name: True),
                       ("error=ENOSPC", WRITING.__contains__),
                       ("error=EIO", WRITING.__contains__)):
        able = [call for call in calls if may(call[0])]
        always = [c for c in able if c[0] in COMMITTING]
        others = [c for c in able if c[0] not in COMMITTING]
        some = chance.sample(others, min(STRIKES, len(others)))
        if fault == "error=EIO":
            always, some = [], some[:STRIKES // 2]
        chosen += [(call, fault) for call in always + some]
    return len(calls), chosen


def check_remains_are_sparse(lab):
    """Of what the source deleted only what is needed arrives, in holes."""
    target = os.path.join(lab.directory, "sparse")
    injection.must(lab.copy(target, "--init"))
    different = trees.differences(lab.source, target, lab.points)
    if different:
        injection.fail(f"an empty target: {different}")
    for number in ("000001", "000004"):
        for name in ("vda.data", "vdb.data"):
            path = os.path.join("vm", number, name)
            here = os.stat(os.path.join(lab.source, path)).st_blocks
            there = os.stat(os.path.join(target, path)).st_blocks
            if there > here:
                injection.fail(f"{path}: {there} blocks, {here} in the source")


def main():
    injection.require_strace()
    driver = os.path.abspath(sys.argv[1])
    seed = int(os.environ.get("SEED", time.time_ns() % 1000000))
    print(f"SEED={seed}", flush=True)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(
        dir=injection.scratch_directory()
    ) as directory:
        lab = Lab(driver, directory)
        check_remains_are_sparse(lab)
        count, chosen = strikes(lab, seed)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            ended = sum(pool.map(lambda s: strike(lab, *s), chosen))
    if ended < len(chosen) / 3:
        injection.fail(f"only {ended} of {len(chosen)} runs were ended")
    print(f"{count} system calls, {len(chosen)} strikes, {ended} runs ended,"
          f" {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
