#!/usr/bin/python3
"""Archives made by the real virtnbdbackup of a machine of libvirt: every point
mounted, restored and imported equals the disk as it was, and what virtnbdrestore
makes of it."""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "domain"))

from domainlab import (MIB, Disk, check, check_equal,  # noqa: E402
                       need_programs, say)
from own_host import run_on_own_host  # noqa: E402
from recovered import Recovered  # noqa: E402

SIZES = {"vda": 40 * MIB, "vdb": 6 * MIB, "vdc": 3 * MIB}


class Peer:
    """A machine, and what virtnbdbackup makes of it in one directory."""

    def __init__(self, lab, machine, name, *words):
        self.lab = lab
        self.machine = machine
        self.path = lab.path / name
        self.words = words
        self.truth = []  # of each point: {disk: flat copy}
        self.files = []  # of each point: {disk: data files, the oldest first}
        self.chain = {}

    def run(self, level, *words):
        """A run, and what its point must hold."""
        before = self.data_files()
        self.lab.run("virtnbdbackup", "-U", "qemu:///system", "-n", "-d",
                     self.machine.name, "-l", level, "-o", self.path,
                     *self.words, *words)
        made = {name.split(".")[0]: name
                for name in sorted(self.data_files() - before)}
        files = {disk: self.chain.get(disk, []) + [name]
                 for disk, name in made.items()}
        if level != "diff":
            self.chain.update(files)
        self.files.append(files)
        self.truth.append({disk: self.flat(disk) for disk in made})

    def data_files(self):
        return {file.name for file in self.path.glob("*.data")}

    def flat(self, target):
        disk = self.machine.disk(target)
        path = self.lab.path / f"{self.path.name}.{len(self.truth)}.{target}"
        self.lab.run("qemu-img", "convert", "-U", "-f", disk.form, "-O", "raw",
                     disk.path, path)
        return path

    def change(self, random):
        """Writes, zeroes and discards, in both disks that have a bitmap."""
        for target in ("vda", "vdb"):
            pieces = SIZES[target] // MIB
            commands = [
                f"write -P {random.randrange(1, 255)} "
                f"{random.randrange(pieces)}M {random.randrange(1, 16) * 64}k"
                for _ in range(5)]
            commands += [f"write -z {random.randrange(pieces)}M 128k",
                         f"write -z -u {random.randrange(pieces)}M 64k",
                         f"discard {random.randrange(pieces)}M 256k"]
            self.machine.io(target, *commands)

    # --- looking at the points ---

    def backstitch(self, *words, **options):
        return self.lab.backstitch(*words, repository=self.path, **options)

    def points(self):
        return json.loads(self.backstitch(
            "--json", "list", self.machine.name).stdout)["points"]

    def same(self, one, other, what):
        done = self.lab.run("cmp", one, other, ok=False)
        check(done.returncode == 0, f"{what}: {done.stdout}{done.stderr}")

    def check_mounted(self, repository=None):
        mount = self.lab.directory("mount")
        self.lab.backstitch("mount", mount,
                            repository=repository or self.path)
        try:
            for number, disks in enumerate(self.truth, 1):
                point = mount / self.machine.name / f"{number:06}"
                check_equal(sorted(file.stem for file in point.glob("vd?.raw")),
                            sorted(disks), f"disks of point {number}")
                for disk, flat in disks.items():
                    self.same(point / f"{disk}.raw", flat,
                              f"{self.path.name} {number} {disk}, mounted")
                check(self.machine.uuid in (point / "domain.xml").read_text(),
                      "domain.xml")
        finally:
            self.lab.backstitch("unmount", mount)

    def check_restored(self):
        for number, disks in enumerate(self.truth, 1):
            out = self.lab.directory(f"{self.path.name}.out{number}")
            self.backstitch("restore", "--no-sync",
                            f"{self.machine.name}@{number}", f"{out}/")
            for disk, flat in disks.items():
                self.same(out / f"{disk}.raw", flat, f"restored {number} {disk}")

    def check_against_peer(self, number, disk):
        """virtnbdrestore, told which files, in which order."""
        out = self.lab.directory(f"{self.path.name}.peer{number}{disk}")
        self.lab.run("virtnbdrestore", "-n", "-i", self.path, "-o", out,
                     "-f", out / "socket",
                     "--sequence", ",".join(self.files[number - 1][disk]),
                     cwd=out)
        flat = out / "flat"
        self.lab.run("qemu-img", "convert", "-O", "raw", out / disk, flat)
        self.same(flat, self.truth[number - 1][disk],
                  f"virtnbdrestore {number} {disk}")


def machine_of(lab):
    machine = lab.machine([
        Disk("vda", lab.image("vda.qcow2", SIZES["vda"]),
             options={"discard": "unmap"}),
        Disk("vdb", lab.image("vdb.qcow2", SIZES["vdb"]),
             options={"discard": "unmap"}),
        Disk("vdc", lab.image("vdc.raw", SIZES["vdc"], "raw"), form="raw")])
    machine.start(paused=True)
    # Longer than what the program reads at once, which it then splits.
    machine.io("vda", "write -P 7 0 36M")
    machine.io("vdc", "write -P 9 1M 1M")
    return machine


def test_archives_of_the_program(lab):
    need_programs("virtnbdbackup", "virtnbdrestore", "qemu-nbd")
    machine = machine_of(lab)
    for name, words in {"lz4": ["-z"], "plain": []}.items():
        peer = Peer(lab, machine, name, *words)
        peer.change(lab.random)
        peer.run("full", "--raw")
        for level in ("inc", "diff", "inc"):
            peer.change(lab.random)
            peer.run(level)
        points = peer.points()
        check_equal([point["level"] for point in points],
                    ["full", "incremental", "differential", "incremental"],
                    "levels")
        check_equal([point["parent"] for point in points], [0, 1, 2, 2],
                    "parents")
        check_equal([point["disks"] for point in points],
                    [["vda", "vdb", "vdc"]] + [["vda", "vdb"]] * 3, "disks")
        peer.check_mounted()
        peer.check_restored()
        for number in (3, 4):
            peer.check_against_peer(number, "vda")
        peer.backstitch("verify")
        check_stale(peer, points)
        imported = lab.new_repository(f"{name}.repository")
        lab.backstitch("import", peer.path, repository=imported)
        peer.check_mounted(imported)
        lab.backstitch("verify", repository=imported)
        say(f"{name}: {len(points)} points as the disks were")


def check_stale(peer, points):
    """This version drops no zeroes, as its logs tell; without them nobody
    knows."""
    version = peer.lab.run("virtnbdbackup", "-V", ok=False).stdout
    check_equal([point["possibly_stale"] for point in points], [False] * 4,
                f"flags with logs {version}")
    for log in peer.path.glob("backup.*.log"):
        log.rename(log.with_suffix(".hidden"))
    check_equal([point["possibly_stale"] for point in peer.points()],
                [False] + [True] * 3, "flags without logs")


def test_copies(lab):
    need_programs("virtnbdbackup")
    machine = machine_of(lab)
    peer = Peer(lab, machine, "copy", "-z")
    peer.run("copy", "--raw")
    check_equal([(point["level"], point["disks"]) for point in peer.points()],
                [("copy", ["vda", "vdb", "vdc"])], "a copy")
    peer.check_mounted()
    zipped = lab.path / "out.zip"
    work = lab.directory("work")
    with open(zipped, "wb") as out:
        done = lab.start("virtnbdbackup", "-U", "qemu:///system", "-n", "-d",
                         machine.name, "-l", "copy", "-o", "-", stdout=out,
                         cwd=work)
        _, errors = done.communicate(timeout=60)
    check_equal(done.returncode, 0, f"virtnbdbackup to a zip file: {errors}")
    peer.path = zipped
    del peer.truth[0]["vdc"]  # raw disks are left out of zip files
    peer.check_mounted()
    peer.backstitch("verify")


def test_boot_and_finalize(lab):
    need_programs("virtnbdbackup")
    machine = machine_of(lab)
    peer = Peer(lab, machine, "booted", "-z")
    peer.run("full", "--raw")
    peer.change(lab.random)
    peer.run("inc")
    storage = lab.directory("storage")
    storage.chmod(0o777)
    recovered = Recovered(lab, f"{machine.name}-back")
    peer.backstitch("boot", f"{machine.name}@2", "--name", recovered.name,
                    "--storage", storage, "--network", "none",
                    "--start-paused")
    lab.backstitch("finalize", recovered.name)
    for disk, flat in peer.truth[1].items():
        final = pathlib.Path(recovered.sources()[disk])
        check_equal(final.parent, storage, f"where {disk} is")
        lab.run("qemu-img", "convert", "-U", "-O", "raw", final,
                lab.path / "final")
        peer.same(lab.path / "final", flat, f"{disk} on its storage")


if __name__ == "__main__":
    run_on_own_host(globals())
