"""A machine of two qcow2 images and its repository, for the tests that strike
`backstitch backup --image`: the states it can be in, and what must hold after
a run that did not end well."""

import collections
import fcntl
import filecmp
import json
import os
import pathlib
import random
import shutil
import time

from injection import fail, must, run

SIZES = {"vda": 16 << 20, "vdb": (1 << 20) + 512}
NAME = "vm1"

# The levels of the points before the struck run, and its own.
Scenario = collections.namedtuple("Scenario", "name base level")
SCENARIOS = [
    Scenario("first", [], "full"),
    Scenario("full", ["full", "incremental"], "full"),
    Scenario("incremental", ["full", "incremental"], "incremental"),
]


def guest_writes(seed, disk):
    """Writes, zeroes and discards as qemu-io commands, the same every time."""
    source = random.Random(f"{seed} {disk}")
    commands = []
    for kind in ("write", "write", "write", "zero", "discard"):
        length = source.choice([512, 4096, 65536, 800 << 10])
        offset = source.randrange(0, SIZES[disk] - length + 1, 512)
        commands.append({
            "write": f"write -P {source.randrange(1, 256)} {offset} {length}",
            "zero": f"write -z -u {offset} {length}",
            "discard": f"discard {offset} {length}",
        }[kind])
    return commands


class Machine:
    """The images, the repository and a directory for sockets, in one folder.

    `copies` are flat files of what each point holds: {point: {disk: file}}.
    """

    def __init__(self, folder, copies=None):
        self.folder = pathlib.Path(folder)
        self.repository = self.folder / "repository"
        self.copies = dict(copies or {})
        self.environment = {**os.environ, "TMPDIR": str(self.folder / "tmp")}

    def create(self):
        (self.folder / "tmp").mkdir(parents=True)
        must(["backstitch", "-q", "-r", str(self.repository), "init"])
        for disk, size in SIZES.items():
            must(["qemu-img", "create", "-q", "-f", "qcow2",
                  str(self.image(disk)), str(size)])
        return self

    def clone(self, folder):
        shutil.copytree(self.folder, folder)
        return Machine(folder, self.copies)

    def image(self, disk):
        return self.folder / f"{disk}.qcow2"

    def write(self, seed):
        for disk in SIZES:
            words = [word for command in guest_writes(seed, disk)
                     for word in ("-c", command)]
            out = must(["qemu-io", "-f", "qcow2", "-d", "unmap", *words,
                        str(self.image(disk))])
            if "failed" in out:
                fail(f"qemu-io: {out}")

    def flat(self, label):
        """What the images hold now, by disk."""
        files = {}
        for disk in SIZES:
            files[disk] = self.folder / f"{label}-{disk}.flat"
            must(["qemu-img", "convert", "-f", "qcow2", "-O", "raw",
                  str(self.image(disk)), str(files[disk])])
        return files

    def backup_command(self, level):
        return ["backstitch", "-q", "--json", "-r", str(self.repository),
                "backup", "--name", NAME, "--level", level,
                *(word for disk in SIZES
                  for word in ("--image", f"{disk}={self.image(disk)}"))]

    def backup(self, level, where):
        result = run(self.backup_command(level), self.environment)
        if result.returncode != 0:
            fail(f"{where}: the backup: {result.stderr}")
        return json.loads(result.stdout)

    def points(self):
        domain = self.repository / NAME
        if not domain.exists():
            return []
        return sorted(int(entry.name) for entry in domain.iterdir()
                      if entry.name.isdigit())

    def manifest(self, point):
        path = self.repository / NAME / f"{point:06}" / "point.json"
        return json.loads(path.read_text(encoding="utf-8"))

    def bitmaps(self):
        """{disk: names}; read without taking QEMU's locks."""
        return {disk: self.bitmaps_of(disk) for disk in SIZES}

    def bitmaps_of(self, disk):
        info = json.loads(must(["qemu-img", "info", "-U", "--output=json",
                                str(self.image(disk))]))
        data = info["format-specific"]["data"]
        return {entry["name"] for entry in data.get("bitmaps", [])}


def prepare(scenario, folder):
    """A machine before the run that is to be struck, with writes since its
    last point; `copies[None]` is what that run should save."""
    machine = Machine(folder).create()
    machine.write("start")
    for number, level in enumerate(scenario.base):
        point = machine.backup(level, scenario.name)["point"]
        machine.copies[point] = machine.flat(point)
        machine.write(number)
    machine.copies[None] = machine.flat("struck")
    return machine


def processes_of(folder):
    """The programs that name `folder` in their arguments."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(f"{folder}/") in words:
            found.append(words.replace(b"\0", b" ").decode(errors="replace"))
    return found


def locked_images(machine):
    """The images that somebody holds locked: a process that is ending has no
    arguments any more, but its files may be open still."""
    locked = {word.rsplit(":", 1)[1] for word in
              pathlib.Path("/proc/locks").read_text("ascii").split()
              if word.count(":") == 2}
    return [f"{image} is locked" for image in map(machine.image, SIZES)
            if image.exists() and str(image.stat().st_ino) in locked]


def check_nothing_runs(machine, where):
    """A qemu-img is let end what it does to an image; servers die at once."""
    end = time.monotonic() + 10
    while found := processes_of(machine.folder) + locked_images(machine):
        if time.monotonic() > end:
            fail(f"{where}: still running: {found}")
        time.sleep(0.01)


def check_no_lock(machine, where):
    lock = machine.repository / NAME / "lock"
    if not lock.exists():
        return
    with open(lock, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            fail(f"{where}: the domain is still locked")


def check_nothing_left(machine, where):
    """After a run that could clean up behind it."""
    left = list((machine.folder / "tmp").iterdir())
    left += (machine.repository / NAME).glob(".*")
    if left:
        fail(f"{where}: {[str(one) for one in left]} left")


def check_verified(machine, where):
    if not machine.points():
        return
    result = run(["backstitch", "-q", "-r", str(machine.repository), "verify",
                  NAME])
    if result.returncode != 0:
        fail(f"{where}: verify: {result.stdout}{result.stderr}")


def check_restores(machine, point, where):
    out = machine.folder / "restored"
    must(["backstitch", "-q", "-r", str(machine.repository), "restore",
          "--no-sync", f"{NAME}@{point}", f"{out}/"])
    for disk, copy in machine.copies[point].items():
        if not filecmp.cmp(copy, out / f"{disk}.raw", shallow=False):
            fail(f"{where}: point {point} has other bytes in {disk}")
    shutil.rmtree(out)


def check_points(machine, before, where):
    """The points of before, and at most one more, whole. Whether it is there.
    """
    points = machine.points()
    if points[:len(before)] != before or len(points) > len(before) + 1:
        fail(f"{where}: the points are {points}")
    check_verified(machine, where)
    committed = len(points) > len(before)
    if committed:
        machine.copies[points[-1]] = machine.copies[None]
        check_restores(machine, points[-1], where)
    return committed


def check_bitmaps(machine, where, unbroken):
    """Those of the newest point and of its chain's full, and no others; the
    full's may have been broken by a killed qemu-img unless `unbroken`."""
    newest = machine.manifest(machine.points()[-1])
    full = machine.manifest(newest["chain"])
    for disk, names in machine.bitmaps().items():
        needed = {f"{newest['checkpoint']['name']}-{disk}"}
        wanted = needed | {f"{full['checkpoint']['name']}-{disk}"}
        if not (wanted if unbroken else needed) <= names <= wanted:
            fail(f"{where}: bitmaps of {disk}: {names}, not {wanted}")


def check_goes_on(machine, where, unbroken):
    """The guest writes, and the next backup as anybody would make it loses
    nothing; where bitmaps are `unbroken`, nor may it have to read all."""
    had_points = bool(machine.points())
    machine.write("afterwards")
    result = machine.backup("incremental" if had_points else "auto", where)
    reads = {disk["read"] for disk in result["disks"]}
    if unbroken and had_points and reads != {"bitmap"}:
        fail(f"{where}: the next run read {result['disks']}")
    machine.copies[result["point"]] = machine.flat("afterwards")
    check_verified(machine, where)
    for point in machine.points():
        check_restores(machine, point, where)
    check_bitmaps(machine, where, unbroken)
    check_nothing_runs(machine, where)
    if list((machine.repository / NAME).glob(".*")):
        fail(f"{where}: a partial point is left")
