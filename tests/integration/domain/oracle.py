"""What a point must hold: flat copies of the disks, made beside backstitch.

The copies are made by `qemu-img convert` from the images, while the machine is
suspended or off; nothing of backstitch takes part. Points are looked at through
the mount, which shows new ones by itself.
"""

import json
import os
import pathlib
import subprocess
import tempfile

from checks import check, check_equal, say, wait_until
from daemons import URI


class Oracle:
    """The points of one machine in one repository. The mount lives as long as
    the test."""

    def __init__(self, lab, machine, repository=None, name=""):
        self.lab = lab
        self.machine = machine
        self.name = name or machine.name  # in the repository
        self.repository = repository or lab.repository
        self.copies = {}  # point -> {disk: flat copy}
        self._mount = None
        self._number = 0

    # --- making points ---

    def backup(self, *words, ok=True):
        """Runs the backup; its JSON, or the finished process of a failure."""
        done = self.lab.backstitch(*self._command(words), ok=ok,
                                   repository=self.repository)
        return json.loads(done.stdout) if ok else done

    def start(self, *words):
        """Starts the backup; the process."""
        return self.lab.start(
            "backstitch", "-r", self.repository, "-c", URI,
            *self._command(words))

    def _command(self, words):
        if self.name != self.machine.name:
            words = ["--name", self.name, *words]
        return ["--json", "backup", self.machine.name, *words]

    def point(self, *words):
        """A point, compared with the disks. The guest must be quiet: nothing
        may write between the call and its end."""
        return self.take(self.backup(*words))

    def take(self, result):
        """The same for a backup that is over."""
        self.keep(result, self.copy([one["name"] for one in result["disks"]]))
        return result

    def keep(self, result, copies):
        """Takes flat copies as the truth of a point, and compares them."""
        self.copies[result["point"]] = copies
        self.compare(result["point"])
        how = ", ".join(f"{one['name']} {one['read']} {one['read_bytes']}"
                        for one in result["disks"])
        say(f"{self.machine.name}@{result['point']} {result['level']} "
            f"{result['consistency']}: as the disks ({how})")

    def copy(self, targets):
        """{disk: flat copy} of the disks as they are now."""
        machine = self.machine
        running = machine.state() == "running"
        if running:
            machine.suspend()  # QEMU writes its metadata out then
        try:
            return {target: self._flat(machine.disk(target))
                    for target in targets}
        finally:
            if running:
                machine.resume()

    def _flat(self, disk):
        self._number += 1
        directory = self.lab.directory(f"flat-{self.machine.uuid[:8]}")
        path = directory / f"{self.repository.name}-{self._number}.raw"
        self.lab.run("qemu-img", "convert", "-U", "-f", disk.form, "-O", "raw",
                     disk.path, path)
        return path

    # --- looking at points ---

    def mount(self):
        if not self._mount:
            path = pathlib.Path(tempfile.mkdtemp(prefix="mount-",
                                                 dir=self.lab.path))
            self.lab.undo(lambda: subprocess.run(
                ["umount", "-l", path], capture_output=True, check=False))
            self.lab.backstitch("mount", path, repository=self.repository)
            self._mount = path
        return self._mount

    def directory(self, point):
        """Where the mount shows a point."""
        path = self.mount() / self.name / f"{point:06d}"
        wait_until(path.is_dir, f"{path} appears", 5)
        return path

    def image(self, point, disk):
        return self.directory(point) / f"{disk}.raw"

    def compare(self, point):
        for disk, copy in self.copies[point].items():
            image = self.image(point, disk)
            what = f"{self.machine.name}@{point} {disk}"
            check_equal(image.stat().st_size, copy.stat().st_size,
                        f"size of {what}")
            done = subprocess.run(["cmp", copy, image], capture_output=True,
                                  text=True, check=False)
            check(done.returncode == 0,
                  f"{what} is not what the disk held: {done.stdout}"
                  f"{done.stderr}")

    def delete(self, point):
        """Deletes a point. Its number may be used again, for another image."""
        # The kernel tells the driver of the last close a moment later.
        wait_until(lambda: self.lab.backstitch(
            "delete", f"{self.name}@{point}", repository=self.repository,
            ok=False).returncode == 0, f"@{point} is deleted", 5)
        del self.copies[point]
        self._mount = None

    def check_all(self):
        """Every point is still what it was, through a second mount, which has
        nothing in its caches; and verify finds no fault."""
        self._mount = None
        for point in self.copies:
            self.compare(point)
        self.lab.backstitch("verify", self.name,
                            repository=self.repository)
        say(f"all {len(self.copies)} points again, through a fresh mount")

    def show(self, point):
        done = self.lab.backstitch(
            "--json", "show", f"{self.name}@{point}",
            repository=self.repository)
        return json.loads(done.stdout)

    def checkpoint(self, point):
        """Its name, "" when the point has none."""
        kept = self.show(point)["manifest"].get("checkpoint") or {}
        return kept.get("name", "")

    def points(self):
        folder = os.path.join(self.repository, self.name)
        if not os.path.isdir(folder):
            return []
        return sorted(int(name) for name in os.listdir(folder)
                      if name.isdigit()
                      and os.path.exists(f"{folder}/{name}/point.json"))
