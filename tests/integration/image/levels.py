#!/usr/bin/env python3
"""Every level on a qcow2 with two disks, and that every point restores."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from bench_of_images import (Bench, check, disk, equal, our_bitmaps)

SIZE = 96 << 20


def read_how(result):
    return [one["read"] for one in result["disks"]]


def main():
    with Bench() as bench:
        images = {"vda": bench.make("a.qcow2", SIZE),
                  "vdb": bench.make("b, c:d.qcow2", 10 << 20)}

        def change():
            bench.change(images["vda"], SIZE)
            bench.change(images["vdb"], 10 << 20, count=3)

        change()
        first = bench.backup_and_copy(images)
        equal(first["level"], "full", "auto without a chain")
        equal(read_how(first), ["whole", "whole"], "a full")

        for _ in range(4):
            change()
            result = bench.backup_and_copy(images)
            equal(result["level"], "incremental", "auto with a chain")
            equal(read_how(result), ["bitmap", "bitmap"], "an incremental")
            equal(len(our_bitmaps(images["vda"])), 2, "bitmaps kept")

        nothing = bench.backup_and_copy(images)
        equal(disk(nothing)["read_bytes"], 0, "nothing was written")

        change()
        before = our_bitmaps(images["vda"])
        copy = bench.backup_and_copy(images, level="copy")
        equal(copy["level"], "copy", "copy")
        equal(our_bitmaps(images["vda"]), before, "a copy leaves no bitmap")

        change()
        result = bench.backup_and_copy(images)
        equal(result["parent"], nothing["point"], "a copy is no parent")
        equal(read_how(result), ["bitmap", "bitmap"], "after a copy")

        for _ in range(2):
            change()
            result = bench.backup_and_copy(images, level="differential")
            equal(result["parent"], first["point"], "differential")
            equal(read_how(result), ["bitmap", "bitmap"], "a differential")
        change()
        result = bench.backup_and_copy(images)
        equal(read_how(result), ["bitmap", "bitmap"], "after a differential")

        change()
        result = bench.backup_and_copy(images, level="full")
        equal(read_how(result), ["whole", "whole"], "a second full")
        equal(len(our_bitmaps(images["vda"])), 1, "the old chain's are gone")
        change()
        result = bench.backup_and_copy(images)
        equal(result["parent"], result["point"] - 1, "on the second full")

        result = bench.backup_and_copy(images, extra=["--exclude", "vda"])
        equal([one["name"] for one in result["disks"]], ["vdb"], "--exclude")
        change()
        bench.backup_and_copy(images)
        check(len(bench.copies) == 15, "points")
        bench.check_all()


main()
