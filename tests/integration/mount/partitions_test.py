"""Partitions of a disk are files that can be mounted."""

import os
import re
import shutil

from mountlab import (MIB, check, check_equal, need, read_file, run,
                      write_disk)


def tools(*names):
    for name in names:
        need(shutil.which(name), f"{name} is not installed")


def as_device(lab, disk, sector):
    """The disk as a block device with sectors of that size."""
    device = lab.must("losetup", "--find", "--show", "--sector-size",
                      str(sector), disk)
    detach = lambda: lab.run("losetup", "--detach", device)
    lab.undo(detach)
    return device, detach


def partition(lab, script, size=64 * MIB, sector=512):
    """A disk partitioned by sfdisk; returns (name, begin, length) of each."""
    disk = lab.file("disk")
    write_disk(disk, size, seed=size)
    # sfdisk takes the sector size from a device; a file has 512 bytes.
    target, detach = disk, lambda: None
    if sector != 512:
        target, detach = as_device(lab, disk, sector)
    lab.must("sfdisk", "--quiet", "--wipe=always", "--no-reread", target,
             input=script)
    table = lab.must("sfdisk", "--dump", target)
    lab.must("sync")
    detach()
    parts = []
    for line in table.splitlines():
        found = re.match(r"\S+?(\d+) : start= *(\d+), size= *(\d+)(.*)", line)
        if not found or re.search(r"type=(f|5|85)\b", found.group(4)):
            continue
        number, begin, length = (int(found.group(n)) for n in (1, 2, 3))
        parts.append((f"vda.p{number}.raw", begin * sector, length * sector))
    check(parts, f"sfdisk made no partitions: {table}")
    return parts


def check_parts(lab, parts):
    flat = read_file(lab.file("disk"))
    lab.point(vda=lab.file("disk"))
    point = f"{lab.mount()}/vm1/latest"
    check_equal(sorted(os.listdir(point)),
                sorted([name for name, _, _ in parts] + ["vda.raw"]), "files")
    for name, begin, length in parts:
        got = read_file(f"{point}/{name}")
        check(got == flat[begin:begin + length], f"{name} differs")
    return point


def test_gpt(lab):
    tools("sfdisk")
    check_parts(lab, partition(lab, "label: gpt\n,4M\n,8M\n,,\n"))


def test_gpt_with_sectors_of_4096_bytes(lab):
    tools("sfdisk")
    check_parts(lab, partition(lab, "label: gpt\n,4M\n,,\n", sector=4096))


def test_gpt_whose_first_header_is_damaged(lab):
    tools("sfdisk")
    parts = partition(lab, "label: gpt\n,4M\n,8M\n")
    with open(lab.file("disk"), "r+b") as disk:
        disk.seek(512 + 40)
        disk.write(b"\xff" * 8)
    check_parts(lab, parts)


def test_mbr_with_logical_partitions(lab):
    tools("sfdisk")
    parts = partition(lab, "label: dos\n,4M\n,4M\n,,E\n,5M\n,6M\n,7M\n")
    check_equal([name for name, _, _ in parts][-1], "vda.p7.raw", "last part")
    check_parts(lab, parts)


def test_a_partition_mounts_by_loop(lab):
    tools("sfdisk", "mke2fs", "losetup")
    parts = partition(lab, "label: gpt\n,4M\n,32M\n")
    files = lab.directory("files")
    for number in range(20):
        write_disk(f"{files}/file{number}", 50_000 + number, seed=number,
                   pieces=3)
    _, begin, length = parts[1]
    lab.must("mke2fs", "-q", "-t", "ext4", "-d", files, "-E",
             f"offset={begin}", lab.file("disk"), f"{length // 1024}k")
    point = check_parts(lab, parts)
    seen = lab.directory("seen")
    lab.undo(lambda: lab.unmount("seen"))
    lab.must("mount", "-o", "ro,loop,noload", f"{point}/vda.p2.raw", seen)
    for name in os.listdir(files):
        check(read_file(f"{seen}/{name}") == read_file(f"{files}/{name}"), name)
    lab.must("umount", seen)


def test_blocks_of_a_partition_are_its_own(lab):
    tools("sfdisk")
    disk = lab.file("disk")
    with open(disk, "wb") as file:
        file.truncate(64 * MIB)
    lab.must("sfdisk", "--quiet", disk, input="label: gpt\n,16M\n,,\n")
    with open(disk, "r+b") as file:
        file.seek(20 * MIB)
        file.write(os.urandom(3 * MIB))
    lab.point(vda=disk)
    point = f"{lab.mount()}/vm1/latest"
    first, second = (os.stat(f"{point}/vda.p{n}.raw").st_blocks * 512
                     for n in (1, 2))
    check_equal(first, 0, "blocks of the empty partition")
    check(3 * MIB <= second < 4 * MIB, f"blocks of the other: {second}")


run(globals())
