"""What the tests of the command line share: running it, repositories, checks.

Each test is a script whose functions named test_* run in order. It exits with 0,
77 (skipped; the last line says why) or 1. The programs are found on PATH; the
environment variable MAKE_REPOSITORY names the maker of test repositories.
"""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import traceback

TIMES = [
    "2026-01-01T10:00:00.000Z",
    "2026-01-01T20:00:00.000Z",
    "2026-01-02T10:00:00.000Z",
    "2026-02-10T10:00:00.000Z",
    "2026-02-11T10:00:00.000Z",
]


class Skip(Exception):
    """This machine cannot run the test; the text says why."""


def environment(**changes):
    env = dict(os.environ, TZ="UTC", LC_ALL="C.UTF-8")
    env.pop("BACKSTITCH_REPOSITORY", None)
    env.update(changes)
    return env


def run(*arguments, status=0, env=None, **options):
    """Runs backstitch and checks its exit status."""
    result = subprocess.run(
        ["backstitch", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        env=env or environment(),
        **options,
    )
    assert result.returncode == status, (
        f"{arguments}: exit status {result.returncode}, not {status}\n"
        f"{result.stdout}{result.stderr}"
    )
    return result


def run_json(*arguments, status=0):
    """The one document that a command prints."""
    return json.loads(run("--json", *arguments, status=status).stdout)


def fails(*arguments, status, says):
    """A failure is one line that says why; with --json also a document."""
    plain = run(*arguments, status=status)
    assert plain.stdout == "", plain.stdout
    assert plain.stderr.startswith("backstitch: "), plain.stderr
    assert plain.stderr.count("\n") == 1, plain.stderr
    assert says in plain.stderr, plain.stderr
    document = run_json(*arguments, status=status)
    assert says in document["error"]["message"], document
    return document["error"]["kind"]


@contextlib.contextmanager
def workplace():
    path = pathlib.Path(tempfile.mkdtemp(prefix="backstitch-cli-"))
    try:
        yield path
    finally:
        unmount_below(path)
        shutil.rmtree(path)


def unmount_below(path):
    """What a failed test left mounted must not be mistaken for its files."""
    mounts = pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    for line in mounts.splitlines():
        point = line.split()[4]
        if point.startswith(f"{path}/"):
            subprocess.run(["umount", "-l", point], check=False)


def make_repository(path, domains=("vm1",), times=TIMES):
    for domain in domains:
        subprocess.run(
            [os.environ["MAKE_REPOSITORY"], path, domain, *times], check=True
        )
    return path


def flip(path, offset):
    """Damages one byte."""
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 0x40]))


def main(tests):
    for name, test in list(tests.items()):
        if not name.startswith("test_"):
            continue
        try:
            test()
        except Skip as reason:
            print(f"skipped: {reason}")
            sys.exit(77)
        except Exception:
            traceback.print_exc()
            print(f"{name} failed")
            sys.exit(1)
        print(f"{name} passed")
