"""Runs a program under strace with a fault at one of its system calls.

Calls are named by (name, index): strace counts each kind of call by itself, so
the pairs of a traced run are every point where a fault can strike.
"""

import collections
import os
import re
import shutil
import subprocess
import sys

SKIP = 77


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIP)


def fail(message):
    sys.exit(f"failed: {message}")


def require_strace():
    if shutil.which("strace") is None:
        skip("strace is missing; apt install strace")
    works = subprocess.run(
        ["strace", "-o", "/dev/null", "true"], capture_output=True, check=False
    )
    if works.returncode != 0:
        skip("strace may not trace here (ptrace is forbidden)")


def run(command, environment=None):
    return subprocess.run(command, capture_output=True, text=True, check=False,
                          env=environment)


def must(command):
    """Runs what has to succeed and gives its output."""
    result = run(command)
    if result.returncode != 0:
        fail(f"{' '.join(command)}: exit {result.returncode}: {result.stderr}")
    return result.stdout


def calls(command, first_path, trace):
    """The calls of a run as [(name, index)], from the one on that names
    `first_path`: what comes before is the loader and the C library."""
    must(["strace", "-o", trace, *command])
    return read_calls(trace, first_path)


def read_calls(trace, first_path):
    """The same from what strace wrote. With several threads (-f) each counts
    for itself, and a fault strikes the first that gets to an index."""
    counts = collections.Counter()
    found = {}
    begun = False
    with open(trace, encoding="utf-8", errors="replace") as file:
        for line in file:
            call = re.match(r"(\d+ +)?(\w+)\(", line)
            if not call:
                continue
            counts[call.groups()] += 1
            begun = begun or (call[2] != "execve" and first_path in line)
            if begun:
                found[call[2], counts[call.groups()]] = True
    return list(found)


def injected(command, call, fault):
    """Runs with `fault` ("signal=KILL", "error=EIO") at `call`."""
    name, index = call
    return run(
        ["strace", "-qqq", "-o", "/dev/null", "-e", f"trace={name}",
         "-e", f"inject={name}:{fault}:when={index}", *command]
    )


def scratch_directory():
    """Where thousands of small repositories cost no disk's fsync."""
    return "/dev/shm" if os.path.isdir("/dev/shm") else None
