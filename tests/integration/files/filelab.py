"""What the tests of `backstitch files` share: running it under watch, and
comparing trees."""

import concurrent.futures
import hashlib
import os
import pathlib
import stat
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "image"))
from bench_of_images import Bench, check, equal, wait_until  # noqa: F401

# The appliance is emulated and slow; a machine that is busy, too.
PATIENCE = 240


def alone():
    """Starts this script anew with mounts of its own: what other programs of
    this host mount is not seen."""
    if os.environ.get("BACKSTITCH_TEST_ALONE") != "1":
        os.environ["BACKSTITCH_TEST_ALONE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv])


class Watch:
    """No loop device over anything of ours and no file system of a guest on
    this host, ever."""

    KINDS = {"ext4", "ext3", "ext2", "xfs", "btrfs", "ntfs", "ntfs3",
             "fuseblk"}

    def __init__(self, place):
        self.ours = (str(place), "backstitch-private-", "libguestfs")

    def __enter__(self):
        self.before = self.look()
        self.after = set()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def look(self):
        found = set()
        mounts = pathlib.Path("/proc/self/mountinfo").read_text("utf-8")
        for line in mounts.splitlines():
            left, right = line.split(" - ", 1)
            if right.split()[0] in self.KINDS:
                found.add(f"{right.split()[1]} on {left.split()[4]}")
        for loop in pathlib.Path("/sys/block").glob("loop*"):
            try:
                file = (loop / "loop" / "backing_file").read_text()
            except OSError:
                continue  # free
            if any(word in file for word in self.ours):
                found.add(file)
        return found

    def run(self):
        while not self.ended.wait(0.02):
            self.after |= self.look()

    def __exit__(self, *unused):
        self.ended.set()
        self.thread.join()
        new = self.after - self.before
        check(not new, f"seen while files were read: {new}")


def files(bench, *arguments, status=0, text=True, before=(), **options):
    """Runs `backstitch files`; the finished process."""
    done = subprocess.run(
        [*before, "backstitch", "-q", "-r", str(bench.repository), "files",
         *map(str, arguments)],
        capture_output=True, text=text, timeout=PATIENCE, check=False,
        stdin=subprocess.DEVNULL, **options)
    check(done.returncode == status,
          f"{arguments}: exit {done.returncode}, not {status}\n{done.stdout}\n"
          f"{done.stderr}")
    return done


def side_by_side(*jobs):
    """Runs functions two at a time; the first failure counts."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(job) for job in jobs]:
            future.result()


def look(path):
    status = os.lstat(path)
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFREG:
        content = hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
    elif kind == stat.S_IFLNK:
        content = os.readlink(path)
    elif kind in (stat.S_IFCHR, stat.S_IFBLK):
        content = status.st_rdev
    else:
        content = None
    return status, content


def describe(top):
    """All that a copy must keep, by path."""
    found = {}
    first_names = {}
    for place, directories, names in os.walk(top):
        for name in sorted([*directories, *names, "."]):
            if name == "." and place != str(top):
                continue
            path = os.path.join(place, name)
            status, content = look(path)
            below = os.path.relpath(path, top)
            first = first_names.setdefault(status.st_ino, below)
            found[below] = {
                "mode": oct(status.st_mode),
                "owner": (status.st_uid, status.st_gid),
                "time": status.st_mtime_ns,
                "content": content,
                "size": status.st_size
                if stat.S_ISREG(status.st_mode) else None,
                "first name": first if status.st_nlink > 1
                and not stat.S_ISDIR(status.st_mode) else None,
                "attributes": {
                    key: os.getxattr(path, key, follow_symlinks=False)
                    for key in os.listxattr(path, follow_symlinks=False)},
            }
    return found


def same_trees(left, right, what, only=None):
    """`only`: the properties that are compared."""
    a, b = describe(left), describe(right)
    equal(sorted(a), sorted(b), f"{what}: names")
    for path, properties in a.items():
        for key, value in properties.items():
            if only is None or key in only:
                equal(b[path][key], value, f"{what}: {path!r}: {key}")
