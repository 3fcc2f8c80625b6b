#!/usr/bin/python3
"""One round of life in a directory: files come, change, get holes, and go.

    churn.py DIRECTORY SEED

The same seed on the same tree does the same.
"""

import ctypes
import os
import random
import sys

KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 0x01, 0x02, 0x10
STEPS = 40
MAX_FILES = 120
MAX_BYTES = 1 << 20

libc = ctypes.CDLL(None, use_errno=True)


def fallocate(fd, mode, offset, length):
    if libc.fallocate(fd, mode, ctypes.c_int64(offset),
                      ctypes.c_int64(length)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def content(rng, length):
    kind = rng.randrange(3)
    if kind == 0:
        return rng.randbytes(length)
    if kind == 1:
        line = f"line {rng.random()} of a text that repeats itself\n".encode()
        return (line * (length // len(line) + 1))[:length]
    return bytes(length)


def some_range(rng, size):
    offset = rng.randrange(size)
    return offset, rng.randrange(1, size - offset + 1)


def create(rng, path, _size):
    with open(path, "wb") as file:
        file.write(content(rng, rng.randrange(1, MAX_BYTES)))


def create_sparse(rng, path, _size):
    with open(path, "wb") as file:
        file.truncate(rng.randrange(1, 4 * MAX_BYTES))


def overwrite(rng, path, size):
    offset, length = some_range(rng, size)
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(content(rng, length))


def append(rng, path, _size):
    with open(path, "ab") as file:
        file.write(content(rng, rng.randrange(1, MAX_BYTES // 4)))


def truncate(rng, path, size):
    os.truncate(path, rng.randrange(size))


def on_range(mode):
    def change(rng, path, size):
        offset, length = some_range(rng, size)
        with open(path, "r+b") as file:
            fallocate(file.fileno(), mode | KEEP_SIZE, offset, length)
    return change


def remove(_rng, path, _size):
    os.unlink(path)


def rename(rng, path, _size):
    os.rename(path, f"{path}-{rng.randrange(1000)}")


def link(rng, path, _size):
    os.symlink(os.path.basename(path), f"{path}-link{rng.randrange(1 << 32)}")


CHANGES = [overwrite, overwrite, append, truncate, on_range(PUNCH_HOLE),
           on_range(PUNCH_HOLE), on_range(ZERO_RANGE), on_range(ZERO_RANGE),
           remove, rename, link]


def main():
    directory, seed = sys.argv[1], int(sys.argv[2])
    rng = random.Random(seed)
    for step in range(STEPS):
        files = sorted(
            entry.path for entry in os.scandir(directory)
            if entry.is_file(follow_symlinks=False)
            and entry.stat().st_size > 0)
        if not files or (len(files) < MAX_FILES and rng.random() < 0.4):
            make = create_sparse if rng.random() < 0.2 else create
            make(rng, os.path.join(directory, f"f{seed}-{step}"), 0)
            continue
        path = rng.choice(files)
        rng.choice(CHANGES)(rng, path, os.path.getsize(path))


main()
