"""Seeded operations on a writable image against a flat model, with the driver
killed now and then.

After a kill, each 4 KiB block must be what it was at the last fsync or at some
time since. OPERATIONS (200000) and BACKSTITCH_SEED can be set.
"""

import contextlib
import ctypes
import errno
import mmap
import os
import random
import threading
import time

from mountlab import (MIB, check, check_equal, read_file, run, write_disk)
from overlaymodel import Model

SIZE = 6 * MIB + 1234
OPERATIONS = int(os.environ.get("OPERATIONS", "200000"))
SEED = int(os.environ.get("BACKSTITCH_SEED", random.randrange(1 << 32)))
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16

libc = ctypes.CDLL(None, use_errno=True)


def fallocate(descriptor, mode, offset, length):
    if libc.fallocate(descriptor, mode, ctypes.c_long(offset),
                      ctypes.c_long(length)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


class Exerciser:
    """One open image, and operations on it."""

    def __init__(self, path, model, rng):
        self.path, self.model, self.rng = path, model, rng
        self.plain = os.open(path, os.O_RDWR)
        self.direct = os.open(path, os.O_RDWR | os.O_DIRECT)
        self.aligned = mmap.mmap(-1, 256 << 10)
        # A page of a dead file is a SIGBUS: nobody kills while this is held.
        self.mapping = threading.Lock()
        self.is_doomed = self.is_dead = False

    def close(self):
        for descriptor in (self.plain, self.direct):
            with contextlib.suppress(OSError):  # of a driver that is dead
                os.close(descriptor)
        self.aligned.close()

    def range(self, most=40000, unit=1):
        offset = self.rng.randrange(SIZE // unit) * unit
        length = (1 + self.rng.randrange(most)) // unit * unit or unit
        return offset, min(length, (SIZE - offset) // unit * unit)

    def bytes(self, length):
        if self.rng.randrange(4) == 0:
            return bytes([self.rng.randrange(256)]) * length
        return self.rng.randbytes(length)

    def whole(self, got, wanted, what):
        if got < wanted and self.is_doomed:
            raise OSError(errno.ENOTCONN, "killed in between")
        check_equal(got, wanted, what)

    def refused(self, code, action, what):
        try:
            action()
        except OSError as error:
            if error.errno != code:
                raise
            return
        raise AssertionError(f"{what} succeeded")

    def same(self, offset, got, what):
        wanted = self.model.content[offset:offset + len(got)]
        if got == wanted:
            return
        at = next(i for i in range(len(got)) if got[i] != wanted[i])
        raise AssertionError(f"{what} at {offset}, length {len(got)}: "
                             f"differs at {offset + at}")

    def read(self):
        offset, length = self.range()
        got = os.pread(self.plain, length, offset)
        self.whole(len(got), length, "read")
        self.same(offset, got, "read")

    def direct_read(self):
        offset, length = self.range(200000, 512)
        if length == 0:
            return
        view = memoryview(self.aligned)[:length]
        self.whole(os.preadv(self.direct, [view], offset), length, "direct read")
        self.same(offset, bytes(view), "direct read")

    @contextlib.contextmanager
    def map(self, protection):
        with self.mapping:
            if self.is_dead:
                raise OSError(errno.ENOTCONN, "killed")
            with mmap.mmap(self.plain, SIZE, prot=protection) as mapped:
                yield mapped

    def mapped_read(self):
        offset, length = self.range()
        with self.map(mmap.PROT_READ) as mapped:
            self.same(offset, mapped[offset:offset + length], "mapped read")

    def write(self):
        offset, length = self.range()
        data = self.bytes(length)
        self.model.change(offset, data)
        self.whole(os.pwrite(self.plain, data, offset), length, "write")

    def small_write(self):
        offset, length = self.range(600)
        data = self.bytes(length)
        self.model.change(offset, data)
        self.whole(os.pwrite(self.plain, data, offset), length, "write")

    def direct_write(self):
        offset, length = self.range(200000, 512)
        if length == 0:
            return
        data = self.bytes(length)
        self.aligned[:length] = data
        self.model.change(offset, data)
        view = memoryview(self.aligned)[:length]
        self.whole(os.pwritev(self.direct, [view], offset), length, "direct write")

    def mapped_write(self):
        offset, length = self.range()
        data = self.bytes(length)
        self.model.change(offset, data)
        with self.map(mmap.PROT_READ | mmap.PROT_WRITE) as mapped:
            mapped[offset:offset + length] = data
            mapped.flush()

    def zero(self, mode, most):
        offset, length = self.range(most)
        self.model.change(offset, bytes(length))
        fallocate(self.plain, mode, offset, length)

    def punch(self):
        self.zero(PUNCH_HOLE | KEEP_SIZE, 60000)

    def zero_range(self):
        self.zero(ZERO_RANGE | self.rng.choice((0, KEEP_SIZE)), 60000)

    def punch_much(self):
        self.zero(PUNCH_HOLE | KEEP_SIZE, SIZE)

    def allocate(self):
        offset, length = self.range()
        fallocate(self.plain, self.rng.choice((0, KEEP_SIZE)), offset, length)

    def truncate(self):
        self.refused(errno.EPERM, lambda: os.ftruncate(
            self.plain, self.rng.randrange(SIZE)), "truncate")

    def beyond(self):
        self.refused(errno.EFBIG,
                     lambda: os.pwrite(self.plain, b"x", SIZE + 7),
                     "a write beyond the end")

    def holes(self):
        offset = self.rng.randrange(SIZE)
        try:
            data = os.lseek(self.plain, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            data = SIZE
        check(not any(self.model.content[offset:data]), "data in a hole")

    def sync(self):
        self.rng.choice((os.fsync, os.fdatasync))(self.plain)
        self.model.synced()

    WEIGHTS = {read: 15, direct_read: 8, mapped_read: 2, write: 15,
               small_write: 20, direct_write: 10, mapped_write: 5, punch: 8,
               zero_range: 8, punch_much: 0.2, allocate: 1, truncate: 1,
               beyond: 1, holes: 5, sync: 8}

    def step(self):
        operations = list(self.WEIGHTS)
        weights = list(self.WEIGHTS.values())
        self.rng.choices(operations, weights)[0](self)


DEAD = (errno.ENOTCONN, errno.ECONNABORTED, errno.EIO)


class Killer(threading.Thread):
    """Kills the driver some time from now."""

    def __init__(self, process, exerciser, seconds):
        super().__init__()
        self.process, self.exerciser = process, exerciser
        self.seconds = seconds
        self.start()

    def run(self):
        time.sleep(self.seconds)
        self.exerciser.is_doomed = True
        with self.exerciser.mapping:
            self.exerciser.is_dead = True
            self.process.kill()


def until_killed(exerciser, most):
    """Operations until the driver is dead; how many."""
    for done in range(most):
        try:
            exerciser.step()
        except OSError as error:
            check(exerciser.is_doomed and error.errno in DEAD,
                  f"operation {done}: {error}")
            return done
    return most


def mount(lab):
    return lab.start("-o", f"writable,overlay={lab.file('overlay')}",
                     "--log", lab.file("log"))


def test_random_operations_with_kills(lab):
    print(f"BACKSTITCH_SEED={SEED}", flush=True)
    rng = random.Random(SEED)
    write_disk(lab.file("disk"), SIZE, seed=SEED, pieces=40)
    lab.point(vda=lab.file("disk"))
    model = Model(read_file(lab.file("disk")))
    path = f"{lab.file('mount')}/vm1/latest/vda.raw"
    done = kills = 0
    while done < OPERATIONS:
        process = mount(lab)
        model.check_crashed(read_file(path))
        exerciser = Exerciser(path, model, rng)
        killer = None
        if rng.randrange(10) > 0:
            killer = Killer(process, exerciser, rng.random() * 1.5)
        done += until_killed(exerciser, 5000)
        exerciser.close()
        if killer:
            killer.join()
            process.wait(timeout=10)
            lab.unmount()
            kills += 1
        else:
            check(read_file(path) == model.content, "the whole content")
            lab.must("umount", lab.file("mount"))
            process.wait(timeout=10)
            # A clean end makes everything durable.
            model.synced()
    print(f"{done} operations, {kills} kills", flush=True)
    check(kills > 3 or OPERATIONS < 100000, "hardly any kills")


def test_the_base_is_never_touched(lab):
    write_disk(lab.file("disk"), SIZE, seed=1, pieces=40)
    lab.point(vda=lab.file("disk"))

    def files():
        return {name: read_file(os.path.join(directory, name))
                for directory, _, names in os.walk(lab.repository)
                for name in names}

    before = files()
    process = lab.start("-o", "writable")
    path = f"{lab.file('mount')}/vm1/latest/vda.raw"
    content = read_file(path)
    exerciser = Exerciser(path, Model(content), random.Random(SEED))
    for _ in range(3000):
        exerciser.step()
    exerciser.close()
    lab.must("umount", lab.file("mount"))
    process.wait(timeout=10)
    check(files() == before, "the repository has changed")
    lab.mount("-o", "writable")
    check(read_file(path) == content, "writes without an overlay are dropped")


if __name__ == "__main__":
    run(globals())
