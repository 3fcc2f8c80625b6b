#!/usr/bin/python3
"""Points of a running Linux guest that writes, overwrites, zeroes and trims: a
full, ten incrementals, a differential and a copy. Each is compared when it is
made, and again after the last.

Quiet points: nothing in the guest writes, and the images are copied by qemu-img;
some are made while the machine is suspended.
Busy points: the guest counts on three disks (the third is raw) while the backup
runs; the rest is compared with checksums that the guest computed with its file
system frozen, and the counting with what can be at one instant. Slow points are
busy ones that read so slowly that the guest overwrites and discards meanwhile
what is not read yet.
"""

import json

import hashlib

from domainlab import MIB, Disk, Oracle, check, check_equal, say, wait_until
from own_host import run_on_own_host
from guest_work import (DISK_BYTES, TICK_BYTES, TICK_START, GuestWork,
                        file_sums_of, make_disk)
from ticks import Ticks

SECOND_BYTES = 16 * MIB

SLOW = ("--bandwidth", str(7 * MIB))

PLAN = [("full", "slow"), ("incremental", "quiet"), ("incremental", "busy"),
        ("incremental", "slow"), ("incremental", "paused"), ("copy", "busy"),
        ("incremental", "busy"), ("incremental", "quiet"),
        ("differential", "slow"), ("incremental", "busy"),
        ("incremental", "paused"), ("incremental", "slow"),
        ("incremental", "busy")]


def sum_of(image, start, length):
    digest = hashlib.sha256()
    with open(image, "rb") as file:
        file.seek(start)
        while length:
            piece = file.read(min(length, MIB))
            check(piece, f"{image} ends early")
            digest.update(piece)
            length -= len(piece)
    return digest.hexdigest()


class Truth:
    """A machine at work, and what is known of each of its points."""

    def __init__(self, lab):
        self.lab = lab
        self.machine = lab.machine([
            Disk("vda", make_disk(lab, "vda")),
            Disk("vdb", lab.image("vdb.qcow2", SECOND_BYTES + TICK_BYTES),
                 options={"cache": "none", "discard": "unmap",
                          "detect_zeroes": "unmap"}),
            Disk("vdc", lab.image("vdc.raw", TICK_BYTES, "raw"), form="raw")],
            guest=True).start()
        self.oracle = Oracle(lab, self.machine)
        self.work = GuestWork(self.machine, lab.random, SECOND_BYTES)
        self.ticks = Ticks(self.machine,
                           [("vda", "/dev/vda3", TICK_START, 0),
                            ("vdb", "/dev/vdb", 0, SECOND_BYTES),
                            ("vdc", "/dev/vdc", 0, 0)])
        self.sums = {}   # point -> checksums of ranges, from the guest
        self.wiped = {}  # point -> what ranges must hold

    def point(self, level, how):
        words = ["--level", level]
        slots = self.work.truth()
        alone = how in ("quiet", "paused")
        if alone:
            self.ticks.pause()
        files = self.work.file_sums()
        self.work.freeze()
        if alone:
            result = self.alone(words, how)
        else:
            sums = self.work.sums()
            result = (self.slowly(words) if how == "slow"
                      else self.oracle.backup(*words))
            self.sums[result["point"]] = sums
        self.work.thaw()
        if alone:
            self.ticks.go_on()
        self.wiped[result["point"]] = slots
        self.check(result["point"])
        if result["point"] % 4 == 1:
            self.check_files(result["point"], files)
        return result

    def alone(self, words, how):
        if how != "paused":
            return self.oracle.point(*words)
        self.machine.suspend()
        result = self.oracle.point(*words)
        self.machine.resume()
        return result

    def slowly(self, words):
        """Overwrites what was summed, once the job has begun."""
        backup = self.oracle.start(*words, *SLOW)
        wait_until(lambda: self.machine.job() or backup.poll() is not None,
                   "the job begins")
        self.work.disturb()
        check(backup.poll() is None, "the backup was over before the guest had "
              "overwritten anything")
        out, errors = backup.communicate(timeout=120)
        check_equal(backup.returncode, 0, f"a slow backup: {errors}")
        return json.loads(out)

    def check(self, point):
        """What is known besides the flat copies."""
        for (disk, start, length), wanted in self.sums.get(point, {}).items():
            check_equal(sum_of(self.oracle.image(point, disk), start, length),
                        wanted, f"@{point}: {disk} from {start} on, as the "
                        "guest read it")
        image = self.oracle.image(point, "vda")
        with open(image, "rb") as file:
            for start, (length, byte) in self.wiped[point].items():
                file.seek(start)
                check(file.read(length) == bytes([byte]) * length,
                      f"@{point}: vda from {start} on is not full of {byte}")
        last = self.ticks.check(lambda disk: self.oracle.image(point, disk))
        zeroed = sum(byte == 0 for _, byte in self.wiped[point].values())
        say(f"@{point}: {len(self.sums.get(point, {}))} checksums of the guest, "
            f"{zeroed} ranges wiped, one instant (number {last})")

    def check_the_check(self):
        """Disks of two points are not of one instant."""
        try:
            self.ticks.check(lambda disk: self.oracle.image(
                3 if disk == "vda" else 4, disk))
        except AssertionError:
            return
        raise AssertionError("disks of two instants were taken for one")

    def check_files(self, point, wanted):
        partition = self.oracle.directory(point) / "vda.p1.raw"
        check_equal(file_sums_of(self.lab, partition), wanted,
                    f"@{point}: the files in its partition")
        say(f"@{point}: {len(wanted)} files, through its file system")


def check_result(result, level, how, before, full):
    """What a backup says of itself."""
    check_equal(result["level"], level, "level")
    check_equal(result["consistency"], "paused" if how == "paused" else "crash",
                f"consistency of @{result['point']}")
    parents = {"incremental": before, "differential": full}
    check_equal(result["parent"] or None, parents.get(level),
                f"parent of @{result['point']}")
    for disk in result["disks"]:
        whole = level in ("full", "copy") or disk["name"] == "vdc"
        check_equal(disk["read"], "whole" if whole else "bitmap",
                    f"how {disk['name']} of @{result['point']} was read")
        check(disk["read_bytes"] < DISK_BYTES or whole, disk)


def test_a_running_guest(lab):
    truth = Truth(lab)
    truth.work.begin()
    truth.ticks.begin()
    before = full = None
    for level, how in PLAN:
        result = truth.point(level, how)
        check_result(result, level, how, before, full)
        if level != "copy":
            before = result["point"]
        if level == "full":
            full = before
        # Fewer steps than points would leave a point without changes.
        truth.work.change()
    truth.ticks.end()
    truth.check_the_check()
    for point in truth.wiped:
        truth.check(point)
    truth.oracle.check_all()
    check_equal(truth.oracle.points(), list(range(1, len(PLAN) + 1)), "points")


run_on_own_host(globals())
