#!/usr/bin/python3
"""Cleans up after a test that was killed with no time for it.

    guard.py DIRECTORY NAME     reads its standard input until it ends

A line "daemon PID" names a process to be ended as well; a line "done" says that
nothing is left to do. Otherwise, once the input ends: machines and pools with
NAME in their names, mounts and loop devices below DIRECTORY, the daemons, and
DIRECTORY itself are taken away.
"""

import json
import os
import shutil
import signal
import subprocess
import sys

URI = "qemu:///system"


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=60).stdout


def virsh(*words):
    return run("virsh", "-q", "-c", URI, *words)


def remove_machines(name):
    for machine in virsh("list", "--all", "--name").splitlines():
        if name in machine:
            virsh("destroy", machine)
            virsh("undefine", machine, "--checkpoints-metadata",
                  "--snapshots-metadata", "--nvram")
    for pool in virsh("pool-list", "--all", "--name").splitlines():
        if name in pool:
            virsh("pool-destroy", pool)


def release(directory):
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        places = [line.split()[1] for line in mounts]
    for place in reversed(places):
        if place.startswith(directory + "/"):
            run("umount", "-l", place)
    loops = json.loads(run("losetup", "--list", "--json") or "{}")
    for loop in loops.get("loopdevices", []):
        if (loop["back-file"] or "").startswith(directory + "/"):
            run("losetup", "--detach", loop["name"])


def main():
    directory, name = sys.argv[1:3]
    # Whoever stops the test at a terminal must not stop this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    daemons = []
    for line in sys.stdin:
        word, _, pid = line.strip().partition(" ")
        if word == "done":
            return
        daemons.append(int(pid))
    remove_machines(name)
    release(directory)
    for pid in daemons:
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
    shutil.rmtree(directory, ignore_errors=True)


main()
