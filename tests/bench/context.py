"""What all measures share: where they work, how often, and on which disks."""

import pathlib
import random
import shutil
import subprocess

import peers
import run


class Context:
    def __init__(self, work, build, rounds):
        self.work = pathlib.Path(work)
        self.build = pathlib.Path(build)
        self.rounds = rounds
        self.rng = random.Random(2026)

    def _made_once(self, name, size, **content):
        path = self.work / name
        if not path.exists():
            peers.build_disk(path, size, **content)
        return path

    def disk(self):
        """8 GiB with 2 GiB of data, half random and half text; qcow2."""
        return self._made_once("disk.qcow2", "8G")

    def dense_disk(self):
        """The same data on a disk that holds little else: for reading."""
        return self._made_once("dense.qcow2", "2180M")

    def private_copy(self, disk, name):
        """A copy for those who write to it."""
        path = self.work / name
        run.run("cp", "--sparse=always", disk, path)
        return path

    def fresh(self, name):
        """A path where nothing is, whatever was there before."""
        path = self.work / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        return path

    def device_kind(self):
        """What the work directory lies on."""
        found = subprocess.run(
            ["stat", "--file-system", "--format=%T", str(self.work)],
            check=True, capture_output=True, text=True)
        return found.stdout.strip()
