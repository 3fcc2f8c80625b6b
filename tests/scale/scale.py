#!/usr/bin/python3
"""A disk of 16 TiB with a thousand points, read through a mount: what must be
there is there, and the driver's memory stays small.

    scale.py SCALE_REPOSITORY
"""

import os
import pathlib
import random
import struct
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
import ours
import run

SIZE = 16 << 40
POINTS = 1000
CHUNKS = 16
CHUNK_BYTES = 65536
HIGHEST_RSS = 64 << 20
SAMPLES = 400
MASK = (1 << 64) - 1


def mix(value):
    """As in scale_repository.cc."""
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def chunks_of(point):
    chunks = SIZE // CHUNK_BYTES
    return [0] + [mix((point << 32) + i) % chunks
                  for i in range(1, CHUNKS + 1)]


def expected(chunk, point):
    return struct.pack("<QQ", chunk, point) * (CHUNK_BYTES // 16)


def check_point(directory, number, rng):
    """Chunks of a point against who must have written them last."""
    writers = {}
    for point in range(1, number + 1):
        for chunk in chunks_of(point):
            writers[chunk] = point
    path = directory / f"{number:06d}" / "vda.raw"
    assert path.stat().st_size == SIZE, f"{path}: size"
    some = rng.sample(sorted(writers), min(SAMPLES, len(writers)))
    with open(path, "rb", buffering=0) as disk:
        for chunk in [0] + some:
            content = os.pread(disk.fileno(), CHUNK_BYTES,
                               chunk * CHUNK_BYTES)
            assert content == expected(chunk, writers[chunk]), \
                f"{path}: chunk {chunk} differs"
            hole = (chunk + 1) * CHUNK_BYTES
            if chunk + 1 not in writers and hole < SIZE:
                assert not any(os.pread(disk.fileno(), 4096, hole)), \
                    f"{path}: chunk {chunk + 1} should be zero"
        first = os.lseek(disk.fileno(), CHUNK_BYTES, os.SEEK_DATA)
        second = sorted(writers)[1] * CHUNK_BYTES
        assert first == second, f"{path}: SEEK_DATA gives {first}"


def main():
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        print("needs root and /dev/fuse")
        sys.exit(77)
    rng = random.Random(16)
    parent = os.environ.get("BACKSTITCH_TEST_DIR", "/var/tmp")
    with tempfile.TemporaryDirectory(dir=parent) as work:
        repository = f"{work}/repository"
        run.run(sys.argv[1], repository, "big", SIZE, POINTS, CHUNKS)
        with ours.Driver(repository, f"{work}/mnt") as driver:
            for number in [1, 2, POINTS // 2, POINTS]:
                check_point(driver.mountpoint / "big", number, rng)
            rss = run.highest_rss(driver.pid)
        assert rss < HIGHEST_RSS, f"the driver took {rss} bytes of memory"
    print(f"memory of the driver: {rss / (1 << 20):.1f} MiB")


main()
