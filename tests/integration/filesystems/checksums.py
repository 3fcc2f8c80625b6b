#!/usr/bin/python3
"""Prints one line for everything in a tree: its kind, size, hash and name.

    checksums.py DIRECTORY
"""

import hashlib
import os
import sys


def describe(path):
    if os.path.islink(path):
        return f"link {os.readlink(path)}"
    if os.path.isdir(path):
        return "directory"
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return f"file {os.path.getsize(path)} {digest.hexdigest()}"


def main():
    top = sys.argv[1]
    for directory, subdirectories, files in os.walk(top):
        subdirectories.sort()
        for name in sorted(files + subdirectories):
            path = os.path.join(directory, name)
            print(os.path.relpath(path, top), describe(path))


main()
