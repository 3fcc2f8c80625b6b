#!/usr/bin/env python3
"""Input that makes no sense, and repositories that cannot be used: each gives
one clear line and the documented exit status (man/backstitch.1, EXIT STATUS).

backstitch is found on PATH. Exit status: 0, 77 (skipped, with the reason), 1.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

FAILED, USAGE, NOT_FOUND, DAMAGED, BUSY, UNSUPPORTED, NO_BASE = range(1, 8)
GOLDEN = (pathlib.Path(__file__).resolve().parents[2]
          / "data/golden-1/repository")


def run(*arguments):
    environment = dict(os.environ, LC_ALL="C.UTF-8")
    environment.pop("BACKSTITCH_REPOSITORY", None)
    return subprocess.run(
        ["backstitch", *map(str, arguments)], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=120, env=environment,
        check=False,
    )


def succeed(*arguments):
    result = run(*arguments)
    assert result.returncode == 0, f"{arguments}: {result.stderr}"


def refused(*arguments, status, says=""):
    """One line on stderr, nothing on stdout, the right status."""
    result = run(*arguments)
    lines = [line for line in result.stderr.splitlines()
             if line.startswith("backstitch: ")]
    assert result.returncode == status, (
        f"{arguments}: exit {result.returncode}, not {status}: {result.stderr}"
    )
    assert len(lines) == 1 and says in lines[0], f"{arguments}: {result.stderr}"
    assert "\x1b" not in result.stderr, result.stderr


class Place:
    """A directory with an image and a repository."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.image = self.path / "vda.raw"
        self.image.write_bytes(os.urandom(3 << 20))
        self.repository = self.path / "repository"
        succeed("-r", self.repository, "init")

    def backup(self, *more, name="vm1", repository=None):
        return ["-r", repository or self.repository, "backup",
                "--image", f"vda={self.image}", "--name", name, *more]


@contextlib.contextmanager
def tmpfs(path, options):
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", path],
        capture_output=True, check=False,
    )
    if mounted.returncode != 0:
        print(f"not tested: cannot mount a tmpfs on {path}")
        yield None
        return
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=False)


def test_names(place):
    for name in ("../vm1", "a/b", "/etc", "..", ".", ".hidden", "a\nb",
                 "a\x1b[31m", "x" * 300, "", "repository.json"):
        refused(*place.backup(name=name), status=USAGE)
    for disk in ("../vda", "a/b", "", "x" * 300, "a\nb", "a b"):
        refused("-r", place.repository, "backup", "--name", "vm1", "--image",
                f"{disk}={place.image}", status=USAGE)
    left = {entry.name for entry in place.path.iterdir()}
    assert left == {"vda.raw", "repository"}, left
    left = {entry.name for entry in place.repository.iterdir()}
    assert left == {"repository.json"}, left


def test_what_is_not_there(place):
    refused("-r", place.path / "none", "list", status=NOT_FOUND)
    refused("-r", place.repository, "list", "nobody", status=NOT_FOUND)
    refused("-r", place.repository, "show", "nobody@3", status=NOT_FOUND)
    refused("-r", place.repository, "delete", "nobody@1", status=NOT_FOUND)


def test_levels_without_a_base(place):
    for level in ("incremental", "differential"):
        refused(*place.backup("--level", level), status=NO_BASE)
    refused(*place.backup("--level", "sometimes"), status=USAGE)
    refused(*place.backup("--compression", "rar"), status=USAGE)


def changed_copy(place, name, path, change):
    """The golden repository with one file changed and its hash made right."""
    try:
        import xxhash
    except ImportError:
        print("skipped: apt install python3-xxhash")
        sys.exit(77)
    copy = place.path / name
    shutil.copytree(GOLDEN, copy)
    data = change((copy / path).read_bytes())
    if path.endswith(".json"):
        digest = xxhash.xxh3_128_hexdigest(data[41:]).encode()
        data = data[:9] + digest + data[41:]
    else:
        digest = xxhash.xxh3_128_digest(data[:4080])[::-1]
        data = data[:4080] + digest + data[4096:]
    (copy / path).write_bytes(data)
    return copy


def test_newer_repositories(place):
    newer = changed_copy(
        place, "newer", "repository.json",
        lambda text: text.replace(b'"format": 1', b'"format": 2'))
    refused("-r", newer, "list", status=UNSUPPORTED)
    refused(*place.backup(repository=newer), status=UNSUPPORTED)
    flag = changed_copy(
        place, "flag", "repository.json",
        lambda text: text.replace(b"[]", b'["sealed"]'))
    refused("-r", flag, "list", status=UNSUPPORTED, says="sealed")
    point = changed_copy(
        place, "point", "machine/000001/point.json",
        lambda text: text.replace(b"[]", b'["sealed"]', 1))
    refused("-r", point, "show", "machine@1", status=UNSUPPORTED)
    header = changed_copy(
        place, "header", "machine/000004/vda.map",
        lambda data: data[:16] + b"\1" + data[17:])
    refused("-r", header, "restore", "machine@4", f"{place.path}/out/",
            status=UNSUPPORTED)


def test_damaged_repository(place):
    copy = place.path / "damaged"
    shutil.copytree(GOLDEN, copy)
    (copy / "repository.json").write_text("{}")
    refused("-r", copy, "list", status=DAMAGED)


def test_two_at_once(place):
    """Whoever holds the domain's lock is named; nothing is waited for."""
    domain = place.repository / "vm1"
    domain.mkdir(exist_ok=True)
    holder = subprocess.Popen(
        ["flock", "-x", "-F", domain / "lock", "sleep", "100"])
    try:
        for _ in range(100):
            probe = subprocess.run(["flock", "-n", domain / "lock", "true"],
                                   check=False)
            if probe.returncode != 0:
                break
            time.sleep(0.05)
        refused(*place.backup(), status=BUSY, says="vm1")
    finally:
        holder.kill()
        holder.wait()
    succeed(*place.backup())


def test_full_disk(place):
    with tmpfs(place.path / "small", "size=1m") as path:
        if path is None:
            return
        repository = path / "r"
        succeed("-r", repository, "init")
        refused(*place.backup("--compression", "none", repository=repository),
                status=FAILED, says="No space left")
        left = [entry.name for entry in (repository / "vm1").iterdir()]
        assert not [n for n in left if n != "lock"], left
        succeed("-r", repository, "verify")


def test_read_only(place):
    with tmpfs(place.path / "fixed", "size=16m") as path:
        if path is None:
            return
        repository = path / "r"
        succeed("-r", repository, "init")
        succeed(*place.backup(repository=repository))
        subprocess.run(["mount", "-o", "remount,ro", path], check=True)
        refused(*place.backup(repository=repository), status=FAILED,
                says="Read-only")
        refused("-r", repository, "delete", "vm1@1", status=FAILED)
        succeed("-r", repository, "list")
        succeed("-r", repository, "verify")


def test_one_that_vanishes(place):
    with tmpfs(place.path / "gone", "size=16m") as path:
        if path is None:
            return
        repository = path / "r"
        succeed("-r", repository, "init")
        succeed(*place.backup(repository=repository))
        subprocess.run(["umount", "-l", path], check=True)
        refused("-r", repository, "list", status=NOT_FOUND)
        refused(*place.backup(repository=repository), status=NOT_FOUND)


def main():
    if shutil.which("backstitch") is None:
        print("skipped: backstitch is not on PATH")
        return 77
    for name, test in list(globals().items()):
        if not name.startswith("test_"):
            continue
        with tempfile.TemporaryDirectory(prefix="backstitch-bad-") as path:
            test(Place(path))
        print(f"{name} passed", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
