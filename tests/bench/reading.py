"""Reading a file as fast as it goes: sequentially here, at random by fio."""

import json
import os
import time

import run

BLOCK = 1 << 20
RANDOM_SECONDS = 3


def sequential(path):
    """MB/s (10^6) of reading a file from end to end in pieces of 1 MiB."""
    buffer = bytearray(BLOCK)
    done = 0
    fd = os.open(path, os.O_RDONLY)
    try:
        begin = time.monotonic()
        while True:
            got = os.readv(fd, [buffer])
            if got == 0:
                break
            done += got
        return done / 1e6 / (time.monotonic() - begin)
    finally:
        os.close(fd)


def _fio(path, *options):
    output = run.run(
        "fio", "--name=read", "--readonly", "--rw=randread", "--bs=4k",
        "--norandommap", "--randrepeat=1", "--time_based",
        f"--runtime={RANDOM_SECONDS}", f"--filename={path}",
        "--output-format=json", *options)
    # fio may say something before the document.
    document = json.loads(output[output.index("{"):])
    return document["jobs"][0]["read"]["iops"]


def random_cached(path):
    """Reads a second of 4 KiB at random places, one after the other."""
    return _fio(path, "--ioengine=psync")


def random_direct(path):
    """The same past the page cache, 16 at a time."""
    return _fio(path, "--ioengine=libaio", "--iodepth=16", "--direct=1")
