#!/usr/bin/env python3
"""Restores to raw and qcow2 files, directories and devices; what must not be
overwritten; nothing half-written under the final name."""

import json
import os
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from bench_of_images import Bench, check, equal, need, run, wait_until

SIZE = (48 << 20) + 512


def compare(copy, target, form):
    run("qemu-img", "compare", "-f", "raw", "-F", form, copy, target)


def refused(done, word):
    check(done.returncode not in (0, 1), done)
    check(word in done.stderr, done.stderr)


def files(bench, point, copies):
    out = bench.dir / "out"
    out.mkdir()
    for name, form in (("a.raw", "raw"), ("a.qcow2", "qcow2"),
                       ("-b,c:d.qcow2", "qcow2"), ("plain", "raw")):
        bench.backstitch("restore", "--disk", "vda", point, out / name)
        compare(copies["vda"], out / name, form)
        equal((out / name).stat().st_mode & 0o777, 0o600, "mode")
    bench.backstitch("restore", "--disk", "vda", "--format", "qcow2", point,
                     out / "x")
    compare(copies["vda"], out / "x", "qcow2")
    sparse = (out / "a.raw").stat()
    check(sparse.st_blocks * 512 < sparse.st_size // 2, "not sparse")

    refused(bench.backstitch("restore", "--disk", "vda", point, out / "a.raw",
                             ok=False), "--force")
    (out / "a.raw").write_bytes(b"old")
    os.symlink("a.raw", out / "link")
    bench.backstitch("restore", "--disk", "vda", "--force", point, out / "link")
    check((out / "link").is_symlink(), "the link stays")
    compare(copies["vda"], out / "a.raw", "raw")
    equal(sorted(one.name for one in out.iterdir()),
          sorted(["a.raw", "a.qcow2", "-b,c:d.qcow2", "plain", "x", "link"]),
          "nothing else is left")


def directories(bench, point, copies):
    refused(bench.backstitch("restore", point, bench.dir / "file", ok=False),
            "2 disks")
    for form in ("raw", "qcow2"):
        out = bench.dir / f"dir-{form}"
        done = json.loads(bench.backstitch(
            "--json", "restore", "--format", form, point, f"{out}/"))
        equal([one["disk"] for one in done["files"]], ["vda", "vdb"], "disks")
        for disk, copy in copies.items():
            compare(copy, out / f"{disk}.{form}", form)
        refused(bench.backstitch("restore", "--format", form, point, out,
                                 ok=False), "--force")
        bench.backstitch("restore", "--format", form, "--force", point, out)
    refused(bench.backstitch("restore", "--disk", "vdz", point, bench.dir,
                             ok=False), "vdz")
    refused(bench.backstitch("restore", "--disk", "vda", point,
                             "/nowhere/at/all", ok=False), "/nowhere/at/all")
    refused(bench.backstitch("restore", "--format", "vmdk", point, bench.dir,
                             ok=False), "raw or qcow2")


def devices(bench, point, copy):
    if os.geteuid() != 0:
        print("devices: needs root, left out")
        return
    backing = bench.dir / "device"
    backing.write_bytes(os.urandom(64 << 20))
    loop = run("losetup", "--find", "--show", backing).strip()
    try:
        restore = ["restore", "--disk", "vda", point, loop]
        refused(bench.backstitch(*restore, ok=False), "not empty")
        bench.backstitch(*restore, "--force")
        same = subprocess.run(["cmp", "-n", str(SIZE), copy, loop], check=False)
        equal(same.returncode, 0, "device content, holes included")
        with open(loop, "rb") as device:
            device.seek(SIZE)
            with open(backing, "rb") as file:
                file.seek(SIZE)
                check(any(device.read(4096)), "beyond the end is left alone")

        refused(bench.backstitch(*restore, "--force", "--format", "qcow2",
                                 ok=False), "raw only")
        run("mkfs.ext4", "-q", "-F", loop)
        where = bench.dir / "mnt"
        where.mkdir()
        run("mount", loop, where)
        try:
            refused(bench.backstitch(*restore, "--force", ok=False), "in use")
        finally:
            run("umount", where)
        os.truncate(backing, 16 << 20)
        run("losetup", "--set-capacity", loop)
        refused(bench.backstitch(*restore, "--force", ok=False), "needs")
    finally:
        run("losetup", "--detach", loop)


def in_use(bench, point, copies):
    target = bench.dir / "running.raw"
    bench.backstitch("restore", "--disk", "vda", point, target)
    machine = bench.start_machine(target, "runner", form="raw")
    refused(bench.backstitch("restore", "--disk", "vda", "--force", point,
                             target, ok=False), "guest runner")
    machine.kill()
    machine.wait()
    compare(copies["vda"], target, "raw")


def stopped(bench, point):
    """SIGINT and SIGTERM in the middle, and a full disk."""
    out = bench.dir / "stopped"
    out.mkdir()
    for form in ("raw", "qcow2"):
        for number in (signal.SIGINT, signal.SIGTERM):
            target = out / f"x.{form}"
            process = subprocess.Popen(
                ["backstitch", "-q", "-r", str(bench.repository), "restore",
                 point, str(target)], stderr=subprocess.PIPE, text=True)
            wait_until(lambda: list(out.iterdir())
                       or process.poll() is not None, "it writes")
            process.send_signal(number)
            _, err = process.communicate(timeout=60)
            if process.returncode == 0:  # it was quicker than the signal
                target.unlink()
                continue
            equal(process.returncode, 128 + number, err)
            wait_until(lambda: not list(out.iterdir()), "nothing is left", 5)
    if os.geteuid() != 0:
        return
    run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", out)
    try:
        for form in ("raw", "qcow2"):
            done = bench.backstitch("restore", point, out / f"x.{form}",
                                    ok=False)
            check(done.returncode not in (0, 2), done)
            equal(list(out.iterdir()), [], f"after a full disk ({form})")
            check("No space left" in done.stderr, done.stderr)
    finally:
        run("umount", out)


def main():
    need("qemu-system-x86_64")
    with Bench() as bench:
        images = {"vda": bench.make("a.qcow2", SIZE),
                  "vdb": bench.make("b.qcow2", 5 << 20)}
        for _ in range(4):
            for image in images.values():
                bench.change(image, 5 << 20, count=10)
            bench.io(images["vda"], "write -P 7 40M 70000", "discard 0 1M")
            result = bench.backup(images)
        point = f"vm1@{result['point']}"
        copies = {disk: bench.flat_copy(image)
                  for disk, image in images.items()}
        files(bench, point, copies)
        directories(bench, point, copies)
        devices(bench, point, copies["vda"])
        in_use(bench, point, copies)
        big = bench.make("big.qcow2", 1 << 30)
        noise = bench.dir / "noise"
        noise.write_bytes(os.urandom(1 << 20))
        bench.io(big, f"write -s {noise} 0 700M")
        bench.backup({"vda": big}, "big")
        stopped(bench, "big")


main()
