#!/usr/bin/python3
"""The independent reader reads the golden repository, and finds damage in it.

    golden_test.py GOLDEN_DIRECTORY

Exit status: 0, 77 (skipped: a module is missing), 1.
"""

import os
import shutil
import subprocess
import sys
import tempfile

try:
    import xxhash
    import zstandard  # noqa: F401  (the reader needs it)
except ImportError as missing:
    print(f"skipped: {missing}; apt install python3-xxhash python3-zstandard")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
READER = [sys.executable, "-B", os.path.join(HERE, "reader.py")]
DAMAGED, UNSUPPORTED = 4, 6


def read(*arguments):
    return subprocess.run(
        [*READER, *arguments], capture_output=True, text=True, check=False
    )


def check(condition, message):
    if not condition:
        sys.exit(f"failed: {message}")


def rehash(text):
    digest = xxhash.xxh3_128_hexdigest(text[41:]).encode()
    return text[:9] + digest + text[41:]


def rehash_header(data):
    digest = xxhash.xxh3_128_digest(data[:4080])
    return data[:4080] + digest[::-1] + data[4096:]


def change(path, function):
    with open(path, "rb") as file:
        content = file.read()
    with open(path, "wb") as file:
        file.write(function(content))


def flip(offset):
    return lambda data: (
        data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1:]
    )


def replace_in_json(old, new):
    return lambda text: rehash(text.replace(old, new, 1))


def replace_in_header(offset, new):
    return lambda data: rehash_header(
        data[:offset] + new + data[offset + len(new):]
    )


# What is done to which file of a copy, and how the reader must end.
VARIANTS = [
    ("page-changed-is-damaged", "machine/000001/vda.map", flip(5000), DAMAGED),
    ("chunk-changed-is-damaged", "machine/000001/vda.data", flip(9000),
     DAMAGED),
    ("header-changed-is-damaged", "machine/000001/vda.data", flip(100),
     DAMAGED),
    ("remains-changed-is-damaged", "machine/000003/vda.data", flip(4100),
     DAMAGED),
    ("manifest-changed-is-damaged", "machine/000001/point.json", flip(300),
     DAMAGED),
    ("side-file-changed-is-damaged", "machine/000001/domain.xml", flip(3),
     DAMAGED),
    ("data-cut-is-damaged", "machine/000001/vda.data",
     lambda data: data[:-1], DAMAGED),
    ("map-of-another-point-is-damaged", "machine/000001/vda.map",
     replace_in_header(36, b"\2\0\0\0"), DAMAGED),
    ("newer-version-is-unsupported", "repository.json",
     replace_in_json(b'"format": 1', b'"format": 2'), UNSUPPORTED),
    ("unknown-feature-is-unsupported", "machine/000001/point.json",
     replace_in_json(b'"incompatible": []', b'"incompatible": ["x"]'),
     UNSUPPORTED),
    ("newer-header-is-unsupported", "machine/000001/vda.map",
     replace_in_header(8, b"\2\0\0\0"), UNSUPPORTED),
    ("unknown-flag-is-unsupported", "machine/000001/vda.map",
     replace_in_header(16, b"\1"), UNSUPPORTED),
]


def test_hashes(repository, expected):
    result = read("hash", repository)
    check(result.returncode == 0, result.stderr)
    check(result.stdout == expected, f"hashes differ:\n{result.stdout}")


def test_extract(repository, expected, scratch):
    """Every disk as a raw file, which sees the zeroes too."""
    for line in expected.splitlines():
        digest, name = line.split("  ", 1)
        domain, point, disk = name.rsplit("/", 2)
        raw = os.path.join(scratch, "raw")
        result = read("extract", repository, domain, point, disk, raw)
        check(result.returncode == 0, result.stderr)
        with open(raw, "rb") as file:
            check(xxhash.xxh3_128_hexdigest(file.read()) == digest, name)


def test_variants(repository, scratch):
    for name, path, function, code in VARIANTS:
        copy = os.path.join(scratch, name)
        shutil.copytree(repository, copy)
        change(os.path.join(copy, path), function)
        result = read("hash", copy)
        check(result.returncode == code,
              f"{name}: exit {result.returncode}, {result.stderr}")
        check(result.stderr.count("\n") == 1, f"{name}: {result.stderr}")
        shutil.rmtree(copy)


def test_what_is_not_there(repository):
    for arguments in (["machine", "3", "vda"], ["machine", "9", "vda"],
                      ["machine", "1", "sda"], ["nobody", "1", "vda"]):
        result = read("extract", repository, *arguments, "/dev/null")
        check(result.returncode == 3, f"{arguments}: {result.stderr}")
    check(read("hash", "/nonexistent").returncode == 3, "no repository")


def main():
    golden = sys.argv[1]
    repository = os.path.join(golden, "repository")
    with open(os.path.join(golden, "expected"), encoding="utf-8") as file:
        expected = file.read()
    with tempfile.TemporaryDirectory() as scratch:
        test_hashes(repository, expected)
        test_extract(repository, expected, scratch)
        test_variants(repository, scratch)
        test_what_is_not_there(repository)


if __name__ == "__main__":
    main()
