#!/usr/bin/python3
"""repair: a hundred seeded damages mended, and repair struck at its calls.

    repair_test.py FAULT_DRIVER MAKE_REPOSITORY

A damaged repository must come back byte for byte from its copy, whatever was
hit: data, map, header, manifest, side file; flipped, zeroed, cut, grown, gone.
From an image of the disk, content comes back where the copy has nothing.
SEED=N makes the same damages again. Exit status: 0, 77 (skipped), 1.
"""

import os
import random
import shutil
import sys
import tempfile
import time

import injection
import trees

SINGLE = 40
TOGETHER = (6, 10)  # rounds of so many damages at once
STRIKES = 60


def flip(path, chance):
    size = os.path.getsize(path)
    if size == 0:
        return cut(path, chance)
    at = chance.randrange(size)
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ (1 << chance.randrange(8))]))
    return f"flip at {at}"


def scribble(path, chance):
    size = os.path.getsize(path)
    begin = chance.randrange(size)
    length = min(size - begin, chance.choice((1, 100, 4096, 70000)))
    with open(path, "r+b") as file:
        file.seek(begin)
        file.write(chance.choice((bytes(length), chance.randbytes(length))))
    return f"write {length} at {begin}"


def cut(path, chance):
    to = chance.randrange(os.path.getsize(path))
    os.truncate(path, to)
    return f"cut at {to}"


def grow(path, chance):
    with open(path, "ab") as file:
        file.write(chance.randbytes(chance.randrange(1, 9000)))
    return "grown"


def remove(path, _chance):
    os.unlink(path)
    return "removed"


WAYS = [flip, flip, flip, scribble, scribble, cut, grow, remove]


class Lab:
    def __init__(self, driver, directory):
        self.driver = driver
        self.directory = directory
        self.whole = os.path.join(directory, "whole")
        self.copy = os.path.join(directory, "copy")
        self.drive("init", self.whole)
        for step, level in ((1, "full"), (2, "incremental"),
                            (3, "incremental"), (4, "incremental"),
                            (5, "full"), (6, "differential")):
            self.drive("backup", self.whole, step, level)
        self.drive("delete", self.whole, 2)
        injection.must(["backstitch", "-q", "-r", self.whole, "copy-to",
                        "--init", self.copy])
        self.truth = trees.files_of(self.whole)

    def drive(self, *words):
        return injection.must([self.driver, *map(str, words)])

    def fresh(self, name):
        target = os.path.join(self.directory, name)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.whole, target)
        return target

    def repair(self, target):
        return ["backstitch", "-q", "-r", target, "repair", "--from",
                self.copy]

    def victims(self):
        """Every file but the two that need no repair."""
        return [name for name in sorted(self.truth)
                if name not in ("repository.json", "vm/lock")]

    def damage(self, target, chance):
        """Hits each kind of file alike, not each file: most are .map."""
        endings = sorted({os.path.splitext(n)[1] for n in self.victims()})
        ending = chance.choice(endings)
        name = chance.choice([n for n in self.victims()
                              if n.endswith(ending)])
        path = os.path.join(target, name)
        way = chance.choice(WAYS)
        if not os.path.exists(path):
            return f"{name}: gone before"
        if os.path.getsize(path) == 0 and way is not remove:
            way = grow
        return f"{name}: {way(path, chance)}"

    def expect_whole(self, target, where):
        if trees.files_of(target) != self.truth:
            found = trees.files_of(target)
            names = [n for n in self.truth.keys() | found.keys()
                     if self.truth.get(n) != found.get(n)]
            injection.fail(f"{where}: {names} are not as they were")


def mend(lab, name, count, chance):
    target = lab.fresh(name)
    done = [lab.damage(target, chance) for _ in range(count)]
    where = "; ".join(done)
    damaged = trees.files_of(target) != lab.truth
    if damaged and lab_verify(target) != 4:
        injection.fail(f"{where}: verify finds nothing")
    result = injection.run(lab.repair(target))
    if result.returncode != 0:
        injection.fail(f"{where}: repair: exit {result.returncode}: "
                       f"{result.stdout}{result.stderr}")
    if damaged and "repaired" not in result.stdout:
        injection.fail(f"{where}: {result.stdout}")
    lab.expect_whole(target, where)


def lab_verify(target):
    return injection.run(["backstitch", "-q", "-r", target,
                          "verify"]).returncode


def check_without_source(lab):
    """What nobody has stays damaged, and that is said; no false success."""
    target = lab.fresh("alone")
    path = os.path.join(target, "vm/000006/vda.data")
    with open(path, "r+b") as file:
        file.seek(4100)
        file.write(b"damage")
    before = trees.files_of(target)
    result = injection.run(["backstitch", "-q", "-r", target, "repair"])
    if result.returncode != 4 or "still damaged" not in result.stdout:
        injection.fail(f"nothing to mend from: {result}")
    if "disk range" not in result.stdout:
        injection.fail(f"no range is named: {result.stdout}")
    if trees.files_of(target) != before:
        injection.fail("repair changed what it could not mend")


def struck(lab, chance):
    """SIGKILL, ENOSPC and EIO: no more damage than before, no false success,
    and the next run mends all."""
    model = lab.fresh("model")
    for name in ("vm/000001/vda.data", "vm/000001/vda.map",
                 "vm/000003/point.json", "vm/000004/domain.xml",
                 "vm/000006/vdb.map"):
        with open(os.path.join(model, name), "r+b") as file:
            file.seek(10 if name.endswith((".xml", "6/vdb.map")) else 4200)
            file.write(b"scribble")
    os.truncate(os.path.join(model, "vm/000003/point.json"), 700)
    os.unlink(os.path.join(model, "vm/000005/vda.data"))
    damaged = trees.files_of(model)
    traced = os.path.join(lab.directory, "traced")
    shutil.copytree(model, traced)
    calls = injection.calls(lab.repair(traced), traced,
                            os.path.join(lab.directory, "trace"))
    lab.expect_whole(traced, "traced")
    writing = [c for c in calls if c[0] in
               ("pwrite64", "fsync", "ftruncate", "renameat2", "openat",
                "write", "fallocate")]
    strikes = [(c, "signal=KILL") for c in
               chance.sample(calls, min(STRIKES, len(calls)))]
    strikes += [(c, "error=" + e) for e in ("EIO", "ENOSPC") for c in
                chance.sample(writing, min(STRIKES // 3, len(writing)))]
    for call, fault in strikes:
        strike(lab, model, damaged, call, fault)
    return len(strikes)


def strike(lab, model, damaged, call, fault):
    where = f"repair, {fault} at {call[0]} number {call[1]}"
    target = os.path.join(lab.directory, "struck")
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(model, target)
    result = injection.injected(lab.repair(target), call, fault)
    if result.returncode == 0:
        lab.expect_whole(target, where)
    for name, content in trees.files_of(target).items():
        hidden = os.path.basename(name).startswith(".")
        if not hidden and damaged.get(name) == lab.truth.get(name) != content:
            injection.fail(f"{where}: {name} was whole and is not")
    injection.must(lab.repair(target))
    lab.expect_whole(target, where)


def check_image(lab, make_repository, chance):
    """Without a copy, from the image: of what it still holds all comes back,
    coded again to the length that it had."""
    folder = os.path.join(lab.directory, "image")
    os.mkdir(folder)
    image = os.path.join(folder, "vda.img")
    words = [chance.randbytes(7) for _ in range(300)]
    with open(image, "wb") as file:
        for chunk in range(48):
            if chunk % 6 == 5:
                file.write(chance.randbytes(65536))
            else:
                text = b" ".join(chance.choices(words, k=9000))
                file.write(text[:65536])
        file.write(b"a tail that fills no chunk")
    qcow2 = os.path.join(folder, "vda.qcow2")
    injection.must(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", image,
                    qcow2])
    for compression, live, kind in (("zstd:9", image, "raw"),
                                    ("zstd:-5", qcow2, "qcow2"),
                                    ("none", qcow2, "qcow2")):
        repository = os.path.join(folder, compression)
        injection.must([make_repository, repository, "vm", "--compression",
                        compression, f"vda={image}"])
        truth = trees.files_of(repository)
        path = os.path.join(repository, "vm/000001/vda.data")
        size = os.path.getsize(path)
        with open(path, "r+b") as file:
            file.seek(4096 if chance.random() < 0.5 else size // 2)
            file.write(bytes(size // 3))
        injection.must(["backstitch", "-q", "-r", repository, "repair", "vm",
                        "--from-image", f"vda={live}", "--format",
                        f"vda={kind}"])
        if lab_verify(repository) != 0:
            injection.fail(f"{compression}: the image did not mend it")
        if trees.files_of(repository) != truth:
            print(f"{compression}: coded differently, and right")


def main():
    injection.require_strace()
    driver, make_repository = map(os.path.abspath, sys.argv[1:3])
    seed = int(os.environ.get("SEED", time.time_ns() % 1000000))
    print(f"SEED={seed}", flush=True)
    chance = random.Random(seed)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(
        dir=injection.scratch_directory()
    ) as directory:
        lab = Lab(driver, directory)
        for _ in range(SINGLE):
            mend(lab, "single", 1, chance)
        for _ in range(TOGETHER[0]):
            mend(lab, "together", TOGETHER[1], chance)
        print(f"{SINGLE + TOGETHER[0] * TOGETHER[1]} damages mended,"
              f" {time.monotonic() - begun:.0f} s", flush=True)
        check_without_source(lab)
        check_image(lab, make_repository, chance)
        count = struck(lab, chance)
    print(f"{count} strikes, {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
