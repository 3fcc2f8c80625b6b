"""Images read through a mount are the disks that were backed up."""

import ctypes
import errno
import fcntl
import mmap
import os
import random
import stat
import threading

from mountlab import (CHUNK, MIB, change_disk, check, check_equal, check_errno,
                      read_file, run, write_disk)


def chain(lab, size=24 * MIB, points=3, **words):
    """A chain of points of one disk; returns the flat copy of each."""
    disk = lab.file("disk")
    write_disk(disk, size, seed=size)
    flat = []
    for number in range(points):
        if number:
            change_disk(disk, seed=number)
        lab.point(vda=disk, **words)
        flat.append(read_file(disk))
    return flat


def test_every_point_equals_its_flat_copy(lab):
    flat = chain(lab)
    mount = lab.mount()
    for number, content in enumerate(flat, start=1):
        path = f"{mount}/vm1/{number:06}/vda.raw"
        check(read_file(path) == content, f"{path} differs")


def test_sizes_that_are_no_multiple_of_anything(lab):
    for size in (1, 511, 4097, CHUNK - 1, CHUNK, CHUNK + 1, 9 * MIB + 12345):
        disk = lab.file(f"disk{size}")
        write_disk(disk, size, seed=size, pieces=5)
        lab.point(f"vm{size}", vda=disk)
    mount = lab.mount()
    for size in (1, 511, 4097, CHUNK - 1, CHUNK, CHUNK + 1, 9 * MIB + 12345):
        path = f"{mount}/vm{size}/latest/vda.raw"
        check_equal(os.path.getsize(path), size, path)
        check(read_file(path) == read_file(lab.file(f"disk{size}")), path)


def test_random_reads_of_any_alignment(lab):
    flat = chain(lab)[-1]
    rng = random.Random(7)
    mount = lab.mount()
    with open(f"{mount}/vm1/latest/vda.raw", "rb", buffering=0) as image:
        for _ in range(500):
            offset = rng.randrange(0, len(flat) + 1000)
            length = rng.choice((1, 100, 4096, CHUNK, 3 * CHUNK + 5, MIB))
            got = os.pread(image.fileno(), length, offset)
            check(got == flat[offset:offset + length],
                  f"{length} bytes at {offset} differ")


def read_direct(path, block):
    """The whole file through O_DIRECT, front to back."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT)
    buffer = mmap.mmap(-1, block)
    try:
        whole = bytearray()
        while (got := os.preadv(descriptor, [buffer], len(whole))) > 0:
            whole += buffer[:got]
        return bytes(whole)
    finally:
        os.close(descriptor)


def test_direct_reads_bypass_the_page_cache_and_are_right(lab):
    flat = chain(lab)
    mount = lab.mount()
    for block in (4096, CHUNK, MIB, 4 * MIB):
        got = read_direct(f"{mount}/vm1/000002/vda.raw", block)
        check(got == flat[1], f"O_DIRECT in blocks of {block}")


def test_fifty_readers_at_once(lab):
    flat = chain(lab, points=5)
    mount = lab.mount()
    wrong = []

    def read(number):
        rng = random.Random(number)
        content = flat[number % 5]
        path = f"{mount}/vm1/{number % 5 + 1:06}/vda.raw"
        if number % 10 == 9:
            if read_direct(path, CHUNK) != content:
                wrong.append(path)
            return
        with open(path, "rb", buffering=0) as image:
            for _ in range(60):
                offset = rng.randrange(len(content))
                length = rng.choice((512, 4096, CHUNK, MIB))
                if os.pread(image.fileno(), length,
                            offset) != content[offset:offset + length]:
                    wrong.append((path, offset))

    threads = [threading.Thread(target=read, args=(n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check_equal(wrong, [], "readers that saw other bytes")


def extents(path):
    """(begin, end) of each data extent, by SEEK_DATA and SEEK_HOLE."""
    found = []
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        position = 0
        while position < size:
            try:
                begin = os.lseek(file.fileno(), position, os.SEEK_DATA)
            except OSError as error:
                check_equal(error.errno, errno.ENXIO, "end of data")
                break
            position = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
            check(position > begin, "an extent without length")
            found.append((begin, position))
    return found


def test_holes_are_seen_and_counted(lab):
    disk = lab.file("disk")
    with open(disk, "wb") as file:
        file.truncate(64 * MIB + 100)
        for offset in (3 * CHUNK, 40 * MIB, 64 * MIB):
            file.seek(offset)
            file.write(b"x" * 100)
    lab.point(vda=disk)
    path = f"{lab.mount()}/vm1/latest/vda.raw"
    end = 64 * MIB + 100
    check_equal(extents(path),
                [(3 * CHUNK, 4 * CHUNK), (40 * MIB, 40 * MIB + CHUNK),
                 (64 * MIB, end)], "extents")
    with open(path, "rb") as file:
        check_equal(os.lseek(file.fileno(), 0, os.SEEK_HOLE), 0, "first hole")
        check_equal(os.lseek(file.fileno(), 64 * MIB + 1, os.SEEK_HOLE), end,
                    "the hole at the end")
        check_errno(errno.ENXIO,
                    lambda: os.lseek(file.fileno(), end, os.SEEK_DATA),
                    "SEEK_DATA at the end")
    blocks = os.stat(path).st_blocks * 512
    check(2 * CHUNK < blocks <= 3 * CHUNK, f"du says {blocks}")


def test_an_empty_disk_and_side_files(lab):
    disk = lab.file("empty")
    with open(disk, "wb") as file:
        file.truncate(1 << 40)
    side = lab.file("side")
    with open(side, "w", encoding="utf-8") as file:
        file.write("<domain/>\n")
    lab.point("vm1", "--file", f"domain.xml={side}", vda=disk)
    point = f"{lab.mount()}/vm1/latest"
    check_equal(sorted(os.listdir(point)), ["domain.xml", "vda.raw"], "files")
    check_equal(read_file(f"{point}/domain.xml"), b"<domain/>\n", "side file")
    status = os.stat(f"{point}/vda.raw")
    check_equal((status.st_size, status.st_blocks), (1 << 40, 0), "empty disk")
    check_equal(extents(f"{point}/vda.raw"), [], "extents of an empty disk")


def test_the_tree_is_read_only_and_private(lab):
    chain(lab, size=MIB, points=1)
    mount = lab.mount()
    path = f"{mount}/vm1/000001/vda.raw"
    status = os.stat(path)
    check_equal(stat.S_IMODE(status.st_mode), 0o400, "mode of an image")
    check_equal(stat.S_IMODE(os.stat(mount).st_mode), 0o500, "mode of the root")
    check_equal(status.st_uid, os.getuid(), "owner")
    check_errno(errno.EROFS, lambda: os.open(path, os.O_RDWR), "open to write")
    check_errno(errno.EROFS, lambda: os.unlink(path), "unlink")
    check_errno(errno.EROFS, lambda: os.mkdir(f"{mount}/x"), "mkdir")
    check_errno(errno.EROFS, lambda: os.chmod(path, 0o600), "chmod")
    check_errno(errno.ENOENT, lambda: os.stat(f"{mount}/vm2"), "other domain")
    check_errno(errno.ENOENT, lambda: os.stat(f"{mount}/vm1/000002"),
                "other point")
    check_errno(errno.ENOENT, lambda: os.stat(f"{mount}/vm1/000001/vda.p1.raw"),
                "partition of a disk without any")


def test_time_of_images_is_the_points(lab):
    chain(lab, size=MIB, points=1)
    mount = lab.mount()
    status = os.stat(f"{mount}/vm1/000001/vda.raw")
    check(abs(status.st_mtime - os.stat(lab.file("disk")).st_mtime) < 60,
          f"mtime {status.st_mtime}")


def test_inode_numbers_stay_while_known(lab):
    chain(lab, size=MIB, points=2)
    mount = lab.mount()
    path = f"{mount}/vm1/000001/vda.raw"
    with open(path, "rb") as held:
        inode = os.fstat(held.fileno()).st_ino
        for _ in range(3):
            os.listdir(f"{mount}/vm1/000001")
            check_equal(os.stat(path).st_ino, inode, "inode number")
        other = os.stat(f"{mount}/vm1/000002/vda.raw").st_ino
        check(other != inode, "two images with one inode number")


def test_warm_pages_are_kept_across_opens(lab):
    chain(lab, size=16 * MIB, points=1)
    path = f"{lab.mount()}/vm1/latest/vda.raw"
    read_file(path)
    with open(path, "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        libc = ctypes.CDLL(None, use_errno=True)
        pages = len(mapped) // 4096
        resident = (ctypes.c_ubyte * pages)()
        address = ctypes.c_void_p()
        # The address of the mapping, by way of the buffer that it exports.
        view = ctypes.py_object(mapped)
        buffer = (ctypes.c_byte * 80)()
        check_equal(ctypes.pythonapi.PyObject_GetBuffer(view, buffer, 0), 0,
                    "buffer of the mapping")
        address.value = ctypes.c_void_p.from_buffer(buffer).value
        result = libc.mincore(address, ctypes.c_size_t(len(mapped)), resident)
        ctypes.pythonapi.PyBuffer_Release(buffer)
        check_equal(result, 0, "mincore")
        kept = sum(1 for page in resident if page & 1)
        check(kept > pages * 9 // 10, f"{kept} of {pages} pages are cached")


def test_locks_and_copies_that_tools_use(lab):
    flat = chain(lab, size=4 * MIB, points=1)[0]
    path = f"{lab.mount()}/vm1/latest/vda.raw"
    with open(path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
    lab.must("cp", "--sparse=always", path, lab.file("copy"))
    check(read_file(lab.file("copy")) == flat, "cp")


run(globals())
