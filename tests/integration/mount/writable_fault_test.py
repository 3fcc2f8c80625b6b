"""Errors and SIGKILL at every system call by which an overlay is written.

What a successful fsync covered is there afterwards, whatever failed before or
since; every other block is old or new. A writer is told of every error.
"""

import contextlib
import errno
import mmap
import os
import re
import shutil
import subprocess

from mountlab import (MIB, check, check_equal, need, read_file, run, tool,
                      wait_until, write_disk)
from overlaymodel import BLOCK, Model
from writable_model_test import (KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE, fallocate)

SIZE = MIB + 100
CALLS = "pwrite64,fdatasync,fsync,fallocate,ftruncate,renameat2,mkdir"


def prepare(lab):
    need(shutil.which("strace"), "strace is not installed")
    write_disk(lab.file("disk"), SIZE, seed=5, pieces=12)
    lab.point(vda=lab.file("disk"))


def start(lab, injection, calls=CALLS):
    """The driver with one thread for requests, under strace."""
    mount = lab.directory("mount")
    lab.undo(lab.unmount)
    process = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", lab.file("trace"), "-e",
         f"trace={calls}", "-e", f"inject={calls}:{injection}",
         tool("BACKSTITCHFS"), "-f", lab.repository, mount, "-o",
         f"writable,threads=1,overlay={lab.file('overlay')}"],
        stderr=subprocess.PIPE, text=True)
    wait_until(lambda: os.path.ismount(mount) or process.poll() is not None,
               "mounted, or ended")
    return process


class Writer:
    """A fixed sequence of changes; notes what the model may expect of each."""

    def __init__(self, path, model):
        self.model = model
        self.direct = os.open(path, os.O_RDWR | os.O_DIRECT)
        self.errors = []

    def close(self):
        with contextlib.suppress(OSError):  # of a driver that is dead
            os.close(self.direct)

    def content(self):
        with mmap.mmap(-1, SIZE // BLOCK * BLOCK + BLOCK) as buffer:
            got = os.preadv(self.direct, [buffer], 0)
            return buffer[:got]

    def attempt(self, action):
        """Whether it succeeded. The driver's end goes through."""
        try:
            action()
            return True
        except OSError as error:
            if error.errno in (errno.ENOTCONN, errno.ECONNABORTED):
                raise
            self.errors.append(error.errno)
            return False

    def change(self, offset, data, action):
        self.model.change(offset, data)
        if not self.attempt(action):
            self.model.adopt(self.content())

    def write(self, offset, byte, length):
        data = bytes([byte]) * length

        def action():
            with mmap.mmap(-1, length) as buffer:
                buffer[:] = data
                if os.pwritev(self.direct, [buffer], offset) != length:
                    raise OSError(errno.EIO, "a short write")
        self.change(offset, data, action)

    def zero(self, mode, offset, length):
        self.change(offset, bytes(length),
                    lambda: fallocate(self.direct, mode, offset, length))

    def sync(self):
        if self.attempt(lambda: os.fsync(self.direct)):
            self.model.synced()

    def run(self):
        self.write(8 * BLOCK, 1, 4 * BLOCK)
        self.write(30 * BLOCK + 512, 2, 512)
        self.sync()
        self.write(9 * BLOCK, 3, BLOCK)
        self.write(10 * BLOCK + 512, 4, 2 * BLOCK)
        self.zero(PUNCH_HOLE | KEEP_SIZE, 8 * BLOCK, BLOCK)
        self.sync()
        self.zero(ZERO_RANGE, 20 * BLOCK + 100, 3 * BLOCK)
        self.write(8 * BLOCK, 5, 512)
        self.write(40 * BLOCK, 6, 10 * BLOCK)
        self.sync()
        self.write(50 * BLOCK, 7, BLOCK)
        self.sync()


def strike(lab, content, injection):
    """One run; whether the fault came, and what the writer was told."""
    shutil.rmtree(lab.file("overlay"), ignore_errors=True)
    process = start(lab, injection)
    model = Model(content)
    writer = None
    try:
        if process.poll() is None:
            writer = Writer(f"{lab.file('mount')}/vm1/latest/vda.raw", model)
            writer.run()
    except OSError as error:
        check("KILL" in injection, f"{injection}: {error}")
    finally:
        if writer:
            writer.close()
    lab.run("umount", "-l", lab.file("mount"))
    said = process.communicate(timeout=20)[1]
    came = b"INJECTED" in read_file(lab.file("trace")) or process.returncode < 0
    lab.mount("-o", f"writable,overlay={lab.file('overlay')}")
    model.check_possible(
        read_file(f"{lab.file('mount')}/vm1/latest/vda.raw"))
    lab.must("umount", lab.file("mount"))
    wait_until(lambda: lab.run("flock", "-n", lab.file("overlay/.lock"),
                               "true").returncode == 0, "the driver ends")
    return came, writer.errors if writer else [], said


def strike_everywhere(lab, fault):
    prepare(lab)
    content = read_file(lab.file("disk"))
    told = 0
    for number in range(1, 200):
        came, errors, said = strike(lab, content, f"{fault}:when={number}")
        if not came:
            check(number > 15, f"only {number - 1} calls were struck")
            print(f"{fault}: {number - 1} places, {told} told", flush=True)
            return told
        told += bool(errors)
        check(not errors or "error" in said, f"nothing in the log: {said!r}")
    raise AssertionError("the faults do not end")


def test_data_are_durable_before_the_journal_names_them(lab):
    prepare(lab)
    mount = lab.directory("mount")
    lab.undo(lab.unmount)
    process = subprocess.Popen(
        ["strace", "-f", "-qq", "-y", "-o", lab.file("trace"), "-e",
         "trace=pwrite64,fdatasync", tool("BACKSTITCHFS"), "-f", lab.repository,
         mount, "-o", f"writable,threads=1,overlay={lab.file('overlay')}"],
        stderr=subprocess.DEVNULL)
    wait_until(lambda: os.path.ismount(mount), "mounted")
    writer = Writer(f"{mount}/vm1/latest/vda.raw",
                    Model(read_file(lab.file("disk"))))
    for number in range(5):
        writer.write(number * BLOCK, number + 1, BLOCK)
        writer.sync()
    writer.close()
    lab.must("umount", mount)
    process.wait(timeout=20)
    calls = re.findall(r"(pwrite64|fdatasync)\(\d+<[^>]*vda\.(\w+)",
                       read_file(lab.file("trace")).decode())
    # Before it, the journal is made. Its first record needs room, filled ahead.
    begin = calls.index(("pwrite64", "blocks"))
    first = [("pwrite64", "blocks"), ("fdatasync", "blocks"),
             ("pwrite64", "journal"), ("pwrite64", "journal"),
             ("fdatasync", "journal")]
    others = [step for number, step in enumerate(first) if number != 2]
    check_equal(calls[begin:], first + 4 * others, "order of the calls")


def test_sigkill_at_every_call(lab):
    strike_everywhere(lab, "signal=KILL")


def test_a_full_disk_at_every_call(lab):
    check(strike_everywhere(lab, "error=ENOSPC") > 10, "writers are not told")


def test_failing_storage_at_every_call(lab):
    check(strike_everywhere(lab, "error=EIO") > 10, "writers are not told")


def test_nothing_is_taken_for_durable_after_a_sync_failed(lab):
    prepare(lab)
    process = start(lab, "error=EIO:when=1", "fdatasync")
    mount = lab.file("mount")
    writer = Writer(f"{mount}/vm1/latest/vda.raw",
                    Model(read_file(lab.file("disk"))))
    writer.write(0, 1, BLOCK)
    check_equal(writer.errors, [], "before")
    writer.sync()
    writer.sync()
    check(not writer.attempt(lambda: os.pwrite(
        writer.direct, mmap.mmap(-1, BLOCK), 0)), "a write after it")
    check_equal(writer.errors, [errno.EIO] * 3, "errors")
    check_equal(len(writer.content()), SIZE, "reading goes on")
    writer.close()
    lab.run("umount", mount)
    said = process.communicate(timeout=20)[1]
    check_equal(process.returncode, 1, f"exit: {said}")
    check("may be lost" in said, said)


if __name__ == "__main__":
    run(globals())
