#!/usr/bin/python3
"""import struck by SIGKILL at its system calls, and gone on with.

    import_test.py

An archive of which an earlier run has brought two of five points is imported
under strace. After a strike every point of the repository is whole and one of
the archive's, or absent. The next run brings the rest, does not touch points
that were there and leaves nothing else; then all disks are what the archive
says. SEED=N chooses the same calls again, STRIKES=N how many.
Exit status: 0, 77 (skipped), 1.
"""

import concurrent.futures
import json
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import injection  # noqa: E402
import sparsestream  # noqa: E402
import trees  # noqa: E402

STRIKES = int(os.environ.get("STRIKES", "60"))
SIZES = {"vda": 1500 * 1024, "vdb": 200 * 1024 + 512}
# Level, number of the checkpoint and of the one before.
RUNS = [("full", 0, None), ("inc", 1, 0), ("diff", 2, 1), ("inc", 2, 1),
        ("inc", 3, 2)]
LEVELS = ["full", "incremental", "differential", "incremental", "incremental"]
BROUGHT_BEFORE = 2
# What happens seldom and decides most is always struck.
COMMITTING = {"rename", "renameat2", "mkdir", "link", "unlink", "unlinkat"}


class Lab:
    """The archive, what its points hold, and the repository before the run."""

    def __init__(self, directory, seed):
        self.directory = pathlib.Path(directory)
        self.archive = self.directory / "archive"
        self.before = self.directory / "before"
        self.archive.mkdir()
        self.truth = []
        (self.archive / "vmconfig.virtnbdbackup.0.xml").write_text(
            "<domain type='kvm'><name>vm</name></domain>")
        disks = [sparsestream.Disk(random.Random(seed), size, name)
                 for name, size in SIZES.items()]
        for run in range(len(RUNS)):
            self.write(disks, run)
            if run + 1 == BROUGHT_BEFORE:
                self.must(self.before, "init")
                self.must(self.before, *self.words())

    def write(self, disks, run):
        level, checkpoint, parent = RUNS[run]
        held = {}
        for disk in disks:
            disk.write(6, largest=40)
            disk.zero()
            before = self.truth[-1][disk.name] if self.truth else b""
            extents = (disk.full() if level == "full" else
                       disk.changes(False, keep=level == "diff"))
            name = {"full": "full", "inc": f"inc.virtnbdbackup.{checkpoint}",
                    "diff": f"diff.{1700000000 + checkpoint}"}[level]
            sparsestream.write_stream(
                self.archive / f"{disk.name}.{name}.data", len(disk.content),
                extents, sparsestream.Variant(compress=True), disk=disk.name,
                level=level, checkpoint=f"virtnbdbackup.{checkpoint}",
                parent="" if parent is None else f"virtnbdbackup.{parent}",
                date=f"2026-01-02T03:04:{run + 1:02}.5")
            held[disk.name] = bytes(sparsestream.apply(
                before, len(disk.content), extents))
        self.truth.append(held)

    def words(self):
        return "import", str(self.archive)

    def command(self, repository, *words):
        # The index of an archive is killed while it is written, too.
        return ["env", f"XDG_CACHE_HOME={repository}.cache", "backstitch", "-q",
                "--json", "-r", str(repository), *map(str, words)]

    def must(self, repository, *words):
        return injection.must(self.command(repository, *words))

    def points(self, repository):
        found = json.loads(self.must(repository, "list", "vm"))["points"]
        return [(point["point"], point["level"]) for point in found]

    def copy(self, name):
        repository = self.directory / name
        shutil.copytree(self.before, repository)
        return repository

    def check_disks(self, repository, number, where):
        folder = self.directory / f"{repository.name}.restored"
        folder.mkdir()
        self.must(repository, "restore", f"vm@{number}", folder, "--format",
                  "raw")
        for disk, content in self.truth[number - 1].items():
            if (folder / f"{disk}.raw").read_bytes() != content:
                injection.fail(f"{where}: {disk} of point {number} is not what "
                               "the archive says")
        shutil.rmtree(folder)


def stamps(repository):
    """What changes when a point's files are written again."""
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns)
            for record in repository.glob("vm/0*/point.json")
            for path in record.parent.iterdir()}


def check_struck(lab, repository, where):
    whole = list(enumerate(LEVELS, 1))
    points = lab.points(repository)
    if points != whole[:len(points)] or len(points) < BROUGHT_BEFORE:
        injection.fail(f"{where}: points are {points}")
    lab.must(repository, "verify")
    before = stamps(repository)
    lab.must(repository, *lab.words())
    after = stamps(repository)
    touched = [str(path) for path in before if after.get(path) != before[path]]
    if touched:
        injection.fail(f"{where}: written again: {touched}")
    if lab.points(repository) != whole:
        injection.fail(f"{where}: the next run made {lab.points(repository)}")
    left = trees.leftovers(repository)
    if left:
        injection.fail(f"{where}: {left} left")
    lab.must(repository, "verify")
    # Those before were there; what was interrupted is what could be wrong.
    for number in range(max(len(points), BROUGHT_BEFORE), len(whole) + 1):
        lab.check_disks(repository, number, where)


def strike(lab, call):
    where = f"SIGKILL at {call[0]} number {call[1]}"
    repository = lab.copy(where.replace(" ", "-"))
    name, index = call
    result = injection.run(
        ["strace", "-f", "-qqq", "-o", "/dev/null", "-e", f"trace={name}", "-e",
         f"inject={name}:signal=KILL:when={index}",
         *lab.command(repository, *lab.words())])
    if result.returncode == 0 and len(lab.points(repository)) != len(RUNS):
        injection.fail(f"{where}: success, but points are missing")
    check_struck(lab, repository, where)
    shutil.rmtree(repository)
    shutil.rmtree(f"{repository}.cache")
    return result.returncode != 0


def chosen_calls(lab, seed):
    repository = lab.copy("traced")
    trace = lab.directory / "trace"
    injection.must(["strace", "-f", "-o", str(trace),
                    *lab.command(repository, *lab.words())])
    calls = injection.read_calls(trace, str(repository))
    check_struck(lab, repository, "no fault")
    for number in range(1, len(RUNS) + 1):
        lab.check_disks(repository, number, "no fault")
    always = [call for call in calls if call[0] in COMMITTING]
    others = [call for call in calls if call[0] not in COMMITTING]
    some = random.Random(seed).sample(
        others, min(len(others), max(0, STRIKES - len(always))))
    return len(calls), always + some


def main():
    injection.require_strace()
    seed = int(os.environ.get("SEED", time.time_ns() % 1000000))
    print(f"SEED={seed}", flush=True)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(
        dir=injection.scratch_directory()
    ) as directory:
        lab = Lab(directory, seed)
        count, calls = chosen_calls(lab, seed)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            ended = sum(pool.map(lambda call: strike(lab, call), calls))
    if ended < len(calls) / 2:
        injection.fail(f"only {ended} of {len(calls)} runs were ended")
    print(f"{count} system calls, {len(calls)} strikes, {ended} runs ended, "
          f"{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
