#!/usr/bin/env python3
"""Images that cannot give a bitmap, odd sizes, and bitmaps that are lost."""

import json
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from bench_of_images import (Bench, bitmaps, check, disk, equal, machine_io,
                             our_bitmaps, run)

SIZE = 24 << 20


def whole_because(result, word, name="vda"):
    one = disk(result, name)
    equal(one["read"], "whole", name)
    check(word in one["reason"], one["reason"])


def without_bitmaps(bench):
    """Raw and qcow2 version 2: read whole, stored as what differs."""
    for name, form, word in (("raw", "raw", "raw images"),
                             ("v2", "qcow2", "version 2")):
        options = ["-o", "compat=0.10"] if name == "v2" else []
        image = bench.make(f"{name}.img", SIZE, *options, form=form)
        images = {"vda": image}
        bench.change(image, SIZE, form=form)
        bench.backup_and_copy(images, name)
        bench.io(image, "write -P 77 5M 64k", "write -z 9M 64k", form=form)
        result = bench.backup_and_copy(images, name)
        whole_because(result, word)
        check(disk(result)["changed_bytes"] <= 128 << 10, result)
        equal(our_bitmaps(image), [], "bitmaps")


def odd_sizes(bench):
    for size in (512, 65536 - 512, 65536 + 512, (1 << 20) + 1536, SIZE + 512):
        for form in ("qcow2", "raw"):
            name = f"odd-{form}-{size}"
            image = bench.make(f"{name}.img", size, form=form)
            for _ in range(2):
                bench.io(image, f"write -P 9 {size - 512} 512", form=form)
                bench.change(image, size, count=4, form=form)
                bench.backup_and_copy({"vda": image}, name)
    # A file that is no multiple of 512 is seen as QEMU sees it.
    ragged = bench.dir / "ragged.img"
    ragged.write_bytes(b"x" * 70001)
    result = bench.backup_and_copy({"vda": ragged}, "ragged")
    equal(disk(result)["size_bytes"], 70144, "rounded up")


def resized(bench):
    image = bench.make("grow.qcow2", SIZE)
    bench.change(image, SIZE)
    bench.backup_and_copy({"vda": image}, "grow")
    for size in (SIZE + (10 << 20), SIZE * 9, SIZE - (5 << 20)):
        for name in our_bitmaps(image):  # QEMU cannot shrink with bitmaps
            if size < SIZE:
                run("qemu-img", "bitmap", "--remove", "-f", "qcow2", image,
                    name)
        run("qemu-img", "resize", "-q", "-f", "qcow2", "--shrink", image, size)
        bench.change(image, size)
        whole_because(bench.backup_and_copy({"vda": image}, "grow"), "resized")
        bench.change(image, size)
        result = bench.backup_and_copy({"vda": image}, "grow")
        equal(disk(result)["read"], "bitmap", "after the resize")


def lost_bitmaps(bench):
    image = bench.make("lost.qcow2", SIZE)
    images = {"vda": image}
    bench.change(image, SIZE)
    bench.backup_and_copy(images, "lost")

    (name,) = our_bitmaps(image)
    bench.change(image, SIZE)
    run("qemu-img", "bitmap", "--remove", "-f", "qcow2", image, name)
    whole_because(bench.backup_and_copy(images, "lost"), "no bitmap")

    bench.change(image, SIZE)
    run("qemu-img", "bitmap", "--disable", "-f", "qcow2", image,
        our_bitmaps(image)[-1])
    whole_because(bench.backup_and_copy(images, "lost"), "switched off")

    # A machine that was killed leaves bitmaps that nobody can trust.
    machine = bench.start_machine(image)
    machine_io(machine, "write -P 5 3M 1M")
    machine.kill()
    machine.wait()
    check(any("in-use" in flags for flags in bitmaps(image).values()),
          "not in use")
    result = bench.backup_and_copy(images, "lost")
    whole_because(result, "not closed cleanly")
    equal(len(our_bitmaps(image)), 1, "the broken ones are gone")

    # A machine that was shut down leaves good ones.
    machine = bench.start_machine(image)
    machine_io(machine, "write -P 6 7M 1M")
    machine.terminate()
    machine.wait()
    result = bench.backup_and_copy(images, "lost")
    equal(disk(result)["read"], "bitmap", "after a clean shutdown")
    check(disk(result)["read_bytes"] >= 1 << 20, result)


def new_and_mixed(bench):
    """A disk that joins later is whole in a point that is else by bitmap."""
    images = {"vda": bench.make("m1.qcow2", SIZE)}
    bench.change(images["vda"], SIZE)
    bench.backup_and_copy(images, "mixed")
    images["vdb"] = bench.make("m2.img", SIZE, form="raw")
    bench.change(images["vda"], SIZE)
    result = bench.backup_and_copy(images, "mixed")
    equal(disk(result)["read"], "bitmap", "vda")
    whole_because(result, "new", "vdb")

    # Images under each other's names: their bitmaps do not count.
    images["vdc"] = bench.make("m3.qcow2", SIZE)
    bench.change(images["vdc"], SIZE)
    bench.backup_and_copy(images, "mixed")
    swapped = {"vda": images["vdc"], "vdb": images["vdb"],
               "vdc": images["vda"]}
    whole_because(bench.backup_and_copy(swapped, "mixed"), "no bitmap")


def two_repositories(bench):
    image = bench.make("two.qcow2", SIZE)
    second = bench.dir / "second"
    bench.backstitch("init", repository=second)
    for turn in range(6):
        bench.change(image, SIZE)
        where = second if turn % 2 else bench.repository
        result = bench.backup_and_copy({"vda": image}, "two", repository=where)
        equal(disk(result)["read"], "whole" if turn < 2 else "bitmap",
              f"turn {turn}")


def odd_names(bench):
    plain = bench.make("plain.qcow2", SIZE)
    bench.change(plain, SIZE)
    for number, name in enumerate(
            ["-dash.qcow2", "json:x.qcow2", "a=b,c.qcow2", "nbd:x y.qcow2"]):
        shutil.copy(plain, bench.dir / name)
        machine = f"odd, name {number}"
        for _ in range(2):
            done = bench.backstitch(
                "backup", "--image", f"vda={name}", "--name", machine, ok=False,
                cwd=bench.dir)
            equal(done.returncode, 0, name + done.stderr)
            bench.change(bench.dir / name, SIZE, count=2)
        done = bench.backstitch("--json", "show", machine)
        check('"bitmap"' in done, done)


def stays_small(bench):
    """The clusters of bitmaps that went serve the next ones."""
    image = bench.make("small.qcow2", SIZE)
    lengths = []
    for _ in range(8):
        bench.io(image, "write -P 3 1M 64k")
        bench.backup_and_copy({"vda": image}, "small")
        lengths.append(image.stat().st_size)
        run("qemu-img", "check", "-q", image)
    equal(lengths[2:], lengths[2:3] * 6, "length of the image")


def says_who_read_it(bench):
    image = bench.make("tools.qcow2", SIZE)
    bench.backup_and_copy({"vda": image}, "tools")
    (path,) = bench.repository.glob("tools/0*/point.json")
    version = json.loads(path.read_text())["tools"]["qemu"]
    check(version and f"version {version}" in run("qemu-img", "--version"),
          version)


def main():
    with Bench() as bench:
        without_bitmaps(bench)
        odd_sizes(bench)
        resized(bench)
        lost_bitmaps(bench)
        new_and_mixed(bench)
        two_repositories(bench)
        odd_names(bench)
        stays_small(bench)
        says_who_read_it(bench)
        bench.check_all()


main()
