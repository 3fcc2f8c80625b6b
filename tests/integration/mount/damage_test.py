"""Damage gives EIO and a reason, never wrong bytes, and stays where it is."""

import errno
import glob
import os

from mountlab import (CHUNK, MIB, check, check_equal, check_errno, read_file,
                      run, wait_until, write_disk)


def two_domains(lab, compression="zstd"):
    for domain in ("vm1", "vm2"):
        disk = lab.file(domain)
        write_disk(disk, 8 * MIB, seed=len(domain), pieces=100)
        lab.point(domain, "--compression", compression, vda=disk)


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 0x40]))


def read_pieces(path, flat):
    """Chunk by chunk: how many gave EIO; others must be right."""
    damaged = 0
    with open(path, "rb", buffering=0) as image:
        for offset in range(0, len(flat), CHUNK):
            try:
                got = os.pread(image.fileno(), CHUNK, offset)
            except OSError as error:
                check_equal(error.errno, errno.EIO, f"errno at {offset}")
                damaged += 1
                continue
            check(got == flat[offset:offset + CHUNK], f"wrong bytes at {offset}")
    return damaged


def check_one_damaged_chunk(lab, compression):
    two_domains(lab, compression)
    data = f"{lab.repository}/vm1/000001/vda.data"
    flip(data, 4096 + (os.path.getsize(data) - 4096) // 2)
    mount = lab.mount()
    flat = read_file(lab.file("vm1"))
    check_equal(read_pieces(f"{mount}/vm1/latest/vda.raw", flat), 1,
                "chunks that cannot be read")
    check(read_file(f"{mount}/vm2/latest/vda.raw") ==
          read_file(lab.file("vm2")), "the other machine")
    check("vm1/000001/vda.data" in lab.log(), f"no reason in: {lab.log()}")


def test_a_damaged_stored_chunk(lab):
    check_one_damaged_chunk(lab, "none")


def test_a_damaged_compressed_chunk(lab):
    check_one_damaged_chunk(lab, "zstd:3")


def test_a_damaged_map(lab):
    two_domains(lab)
    pages = f"{lab.repository}/vm1/000001/vda.map"
    flip(pages, os.path.getsize(pages) - 100)
    mount = lab.mount()
    flat = read_file(lab.file("vm1"))
    # Size and name are still known, so the file is there; its bytes are not.
    path = f"{mount}/vm1/latest/vda.raw"
    check_equal(os.path.getsize(path), len(flat), "size")
    check(read_pieces(path, flat) > 0, "nothing was damaged")
    with open(path, "rb") as image:
        check_errno(errno.EIO, lambda: os.lseek(image.fileno(), 0, os.SEEK_DATA),
                    "SEEK_DATA in a damaged map")
    check("vda.map" in lab.log(), f"no reason in: {lab.log()}")


def test_a_file_that_was_cut_or_removed(lab):
    two_domains(lab)
    data = f"{lab.repository}/vm1/000001/vda.data"
    os.truncate(data, os.path.getsize(data) // 2)
    mount = lab.mount()
    flat = read_file(lab.file("vm1"))
    path = f"{mount}/vm1/latest/vda.raw"
    check(read_pieces(path, flat) > 0, "nothing was damaged")
    os.unlink(f"{lab.repository}/vm2/000001/vda.data")
    check_errno(errno.EIO, lambda: read_file(f"{mount}/vm2/latest/vda.raw"),
                "a file without its data")


def test_a_damaged_manifest_hides_no_other_point(lab):
    two_domains(lab)
    lab.point("vm1", vda=lab.file("vm1"))
    flip(f"{lab.repository}/vm1/000001/point.json", 60)
    domain = f"{lab.mount()}/vm1"
    check_equal(sorted(os.listdir(domain)), ["000001", "000002", "latest"],
                "listing")
    check_errno(errno.EIO, lambda: os.listdir(f"{domain}/000001"),
                "the point with the damaged manifest")
    check_equal(os.listdir(f"{domain}/000002"), ["vda.raw"], "the other")
    check("point.json" in lab.log(), f"no reason in: {lab.log()}")


def test_a_repository_that_vanishes_gives_errors_and_no_hang(lab):
    two_domains(lab)
    mount = lab.mount()
    os.rename(lab.repository, lab.file("elsewhere"))
    try:
        os.listdir(f"{mount}/vm1/latest")
        raise AssertionError("listing a repository that is gone succeeded")
    except OSError:
        pass
    os.rename(lab.file("elsewhere"), lab.repository)
    wait_until(lambda: os.path.exists(f"{mount}/vm1/latest/vda.raw"), "back", 3)


def test_no_single_byte_changes_what_is_read(lab):
    """Every 97th byte of a point's files flipped in turn, with fresh caches."""
    disk = lab.file("disk")
    write_disk(disk, 300_000, seed=5, pieces=4)
    lab.point(vda=disk)
    flat = read_file(disk)
    checked = 0
    for path in sorted(glob.glob(f"{lab.repository}/vm1/000001/vda.*")):
        size = os.path.getsize(path)
        for offset in range(0, size, max(97, size // 12)):
            flip(path, offset)
            mount = lab.mount()
            read_pieces(f"{mount}/vm1/000001/vda.raw", flat)
            lab.must("umount", mount)
            flip(path, offset)
            checked += 1
    check(checked >= 20, f"only {checked} places were tried")


run(globals())
