"""backstitch, as the benchmarks use it."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess

import run

NAME = "bench"


class Repository:
    """A repository with the points of one machine."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        run.run("backstitch", "-q", "-r", self.path, "init")

    def backup(self, image, *options):
        """One more point; gives its Usage."""
        return run.measure("backstitch", "-q", "-r", self.path, "backup",
                           "--image", f"vda={image}", "--name", NAME,
                           *options)

    def backup_domain(self, name, *options):
        """The same of a domain of libvirt."""
        return run.measure("backstitch", "-q", "-r", self.path, "backup", name,
                           *options)

    def restore(self, destination):
        return run.measure("backstitch", "-q", "-r", self.path, "restore",
                           NAME, destination)

    def stored_bytes(self):
        return sum(file.stat().st_size for file in self.path.rglob("*")
                   if file.is_file())

    def manifest(self, name=NAME):
        points = sorted((self.path / name).glob("0*/point.json"))
        return json.loads(points[-1].read_text())


@contextlib.contextmanager
def mounted(repository, mountpoint):
    """A fresh mount; gives the directory of the machine's points."""
    mountpoint = pathlib.Path(mountpoint)
    mountpoint.mkdir(exist_ok=True)
    run.run("backstitch", "-q", "-r", repository.path, "mount", mountpoint)
    try:
        yield mountpoint / NAME
    finally:
        run.run("backstitch", "-q", "unmount", mountpoint)


class Driver:
    """backstitchfs in the foreground, where its process can be watched."""

    def __init__(self, repository, mountpoint):
        self.mountpoint = pathlib.Path(mountpoint)
        self.mountpoint.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            ["backstitchfs", "-f", str(repository), str(self.mountpoint)],
            stderr=subprocess.DEVNULL)
        run.wait_for(lambda: os.path.ismount(self.mountpoint), 30, "the mount")

    @property
    def pid(self):
        return self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
