"""What a writable mount takes, keeps, and refuses."""

import errno
import os
import shutil
import stat
import subprocess

from mountlab import (MIB, check, check_equal, check_errno, need, read_file, run,
                      tool, wait_until, write_disk)

USAGE, DAMAGED, BUSY = 2, 4, 5


def make_point(lab, size=MIB, seed=1):
    write_disk(lab.file("disk"), size, seed=seed, pieces=8)
    return lab.point(vda=lab.file("disk"))


def overlay(lab):
    return f"writable,overlay={lab.file('overlay')}"


def put(path, offset, data, sync=False):
    with open(path, "r+b", buffering=0) as file:
        check_equal(os.pwrite(file.fileno(), data, offset), len(data), "write")
        if sync:
            os.fsync(file.fileno())


def end(lab, where="mount"):
    """Unmounts and waits for the driver, which holds the overlay's lock."""
    lab.must("umount", lab.file(where))
    lock = lab.file("overlay/.lock")
    if os.path.exists(lock):
        wait_until(lambda: lab.run("flock", "-n", lock, "true").returncode == 0,
                   "the driver ends")


def refused(lab, code, *words, where="mount2", options=None):
    done = lab.try_mount("-o", options or overlay(lab), where=where)
    check_equal(done.returncode, code, f"exit code; {done.stderr}")
    for word in words:
        check(word in done.stderr, f"{word!r} is not in {done.stderr!r}")


def test_what_was_written_is_there_again(lab):
    make_point(lab)
    path = f"{lab.mount('-o', overlay(lab))}/vm1/latest/vda.raw"
    wanted = bytearray(read_file(path))
    put(path, 5000, b"hello" * 3000)
    wanted[5000:20000] = b"hello" * 3000
    check(read_file(path) == wanted, "at once")
    end(lab)
    lab.mount("-o", overlay(lab))
    check(read_file(path) == wanted, "mounted again")
    status = os.stat(path)
    check_equal(stat.S_IMODE(status.st_mode), 0o600, "mode")
    end(lab)
    lab.mount()
    check(read_file(path) == read_file(lab.file("disk")), "the point itself")


def test_looking_makes_no_files_and_holds_no_point(lab):
    make_point(lab)
    mount = lab.mount("-o", overlay(lab))
    read_file(f"{mount}/vm1/latest/vda.raw")
    check_equal(os.listdir(lab.file("overlay")), [".lock"], "files")
    check_equal(lab.delete("vm1", 1).returncode, 0, "deletion")


def test_a_point_that_was_written_cannot_be_deleted(lab):
    make_point(lab)
    mount = lab.mount("-o", "writable")
    put(f"{mount}/vm1/latest/vda.raw", 0, b"x")
    done = lab.delete("vm1", 1)
    check(done.returncode != 0, "it was deleted")
    end(lab)
    wait_until(lambda: lab.delete("vm1", 1).returncode == 0, "deleted")


def test_a_second_writer_is_refused(lab):
    make_point(lab)
    lab.mount("-o", overlay(lab))
    refused(lab, BUSY, "in use", "process")


def test_overlays_of_something_else_are_refused(lab):
    make_point(lab)
    mount = lab.mount("-o", overlay(lab))
    put(f"{mount}/vm1/latest/vda.raw", 0, b"x")
    end(lab)
    make_point(lab, seed=2)
    # The newest point is another one now; the overlay is of the first.
    done = lab.run(tool("BACKSTITCHFS"), lab.repository, lab.directory("other"),
                   "vm1@latest", "-o", overlay(lab))
    check_equal(done.returncode, USAGE, done.stderr)
    check("vm1@1" in done.stderr, done.stderr)
    shutil.rmtree(lab.repository)
    make_point(lab)
    refused(lab, USAGE, "another repository")


def test_directories_that_cannot_be_overlays(lab):
    make_point(lab)
    with open(os.path.join(lab.directory("full"), "file"), "wb"):
        pass
    for directory, code in (("full", USAGE), ("mount2/overlay", USAGE),
                            ("repository/overlay", USAGE),
                            ("absent/overlay", 3)):
        refused(lab, code,
                options=f"writable,overlay={lab.file(directory)}")
    refused(lab, USAGE, "needs -o writable",
            options=f"overlay={lab.file('overlay')}")


def test_damaged_overlays_are_refused(lab):
    make_point(lab)
    mount = lab.mount("-o", overlay(lab))
    for number in range(4):
        put(f"{mount}/vm1/latest/vda.raw", number * 8192, b"x", sync=True)
    end(lab)
    with open(lab.file("overlay/vm1/000001/vda.journal"), "r+b") as journal:
        journal.seek(4096 + 70)
        journal.write(b"damage")
    refused(lab, DAMAGED, "vda.journal", "damaged")


def test_what_is_no_write_is_refused(lab):
    side = lab.file("side")
    with open(side, "w", encoding="utf-8") as file:
        file.write("<domain/>\n")
    write_disk(lab.file("disk"), MIB, seed=1, pieces=3)
    lab.point("vm1", "--file", f"domain.xml={side}", vda=lab.file("disk"))
    point = f"{lab.mount('-o', 'writable')}/vm1/000001"
    path = f"{point}/vda.raw"
    for code, action, what in (
            (errno.EPERM, lambda: os.truncate(path, 5), "truncate"),
            (errno.EPERM, lambda: os.open(path, os.O_RDWR | os.O_TRUNC),
             "open to truncate"),
            (errno.EPERM, lambda: os.chmod(path, 0o777), "chmod"),
            (errno.EPERM, lambda: os.utime(path, (1, 1)), "utime"),
            (errno.EFBIG, lambda: put(path, MIB, b"x"), "write at the end"),
            (errno.EROFS, lambda: os.open(f"{point}/domain.xml", os.O_RDWR),
             "a side file"),
            (errno.EROFS, lambda: os.unlink(path), "unlink"),
            (errno.EROFS, lambda: os.rename(path, f"{point}/x"), "rename"),
            (errno.EROFS, lambda: os.mkdir(f"{point}/x"), "mkdir"),
            (errno.EROFS, lambda: os.open(f"{point}/x", os.O_CREAT), "create")):
        check_errno(code, action, what)
    os.truncate(path, MIB)  # to what it is
    with open(path, "r+b", buffering=0) as file:
        check_equal(os.pwrite(file.fileno(), b"abc", MIB - 2), 2,
                    "bytes written across the end")


def test_a_partition_and_its_disk_are_the_same_bytes(lab):
    need(shutil.which("sfdisk"), "sfdisk is not installed")
    disk = lab.file("disk")
    with open(disk, "wb") as file:
        file.truncate(8 * MIB)
    lab.must("sfdisk", "-q", disk, input="label: gpt\nstart=2048, size=8192\n")
    lab.point(vda=disk)
    point = f"{lab.mount('-o', overlay(lab))}/vm1/latest"
    part, whole = f"{point}/vda.p1.raw", f"{point}/vda.raw"
    for turn in range(3):
        text = f"turn {turn} ".encode() * 500
        put(part, 1000, text)
        check(read_file(whole)[MIB + 1000:][:len(text)] == text, "by the disk")
        put(whole, MIB + 9000, text)
        check(read_file(part)[9000:][:len(text)] == text, "by the partition")
    check_errno(errno.EFBIG, lambda: put(part, 4 * MIB, b"x"), "its end")
    end(lab)
    lab.mount("-o", overlay(lab))
    check(read_file(part)[1000:][:len(text)] == text, "mounted again")


def test_a_huge_disk_costs_what_is_written(lab):
    with open(lab.file("disk"), "wb") as file:
        file.truncate(8 << 40)
    lab.point(vda=lab.file("disk"))
    process = lab.start("-o", "writable")
    path = f"{lab.file('mount')}/vm1/latest/vda.raw"
    for number in range(2000):
        put(path, number * 4 * (1 << 30) + 512, b"x" * 4096)
    lab.must("fallocate", "-p", "-o", str(1 << 40), "-l", str(6 << 40), path)
    put(path, 3 << 40, b"y", sync=True)
    check_equal(read_at(path, (3 << 40) - 1, 3), b"\0y\0", "in the hole")
    status = read_file(f"/proc/{process.pid}/status").decode()
    peak = int(status.split("VmHWM:")[1].split()[0]) // 1024
    check(peak < 128, f"peak resident memory: {peak} MiB")


def read_at(path, offset, length):
    with open(path, "rb") as file:
        return os.pread(file.fileno(), length, offset)


def loop_over(lab, path):
    device = lab.must("losetup", "--find", "--show", "--direct-io=on", path)
    lab.undo(lambda: subprocess.run(["losetup", "-d", device],
                                    capture_output=True))
    return device


def make_file_system(lab, size, command):
    disk = lab.file("disk")
    with open(disk, "wb") as file:
        file.truncate(size)
    lab.must(*command, disk)
    lab.point(vda=disk)


def churn(directory, rounds):
    """Files that come, change and go; what must be there at the end."""
    wanted = {}
    for number in range(rounds):
        name = os.path.join(directory, f"d{number % 7}", f"f{number % 31}")
        os.makedirs(os.path.dirname(name), exist_ok=True)
        if number % 5 == 4 and name in wanted:
            os.unlink(name)
            del wanted[name]
            continue
        wanted[name] = os.urandom(1000 + number * 700 % 200000)
        with open(name, "wb") as file:
            file.write(wanted[name])
            if number % 3 == 0:
                os.fsync(file.fileno())
    return wanted


def check_file_system(lab, make, fsck, size=64 * MIB):
    for tool_name in (make[0], fsck[0], "losetup"):
        need(shutil.which(tool_name), f"{tool_name} is not installed")
    make_file_system(lab, size, make)
    path = f"{lab.mount('-o', overlay(lab))}/vm1/latest/vda.raw"
    inner = lab.directory("inner")
    lab.undo(lambda: lab.unmount("inner"))
    device = loop_over(lab, path)
    lab.must("mount", "-o", "discard", device, inner)
    wanted = churn(inner, 400)
    lab.must("fstrim", inner)
    lab.must("umount", inner)
    lab.must(*fsck, device)
    lab.must("losetup", "-d", device)
    end(lab)
    lab.mount("-o", overlay(lab))
    device = loop_over(lab, path)
    lab.must("mount", device, inner)
    for name, content in wanted.items():
        check(read_file(name) == content, f"{name} differs")
    lab.must("umount", inner)
    lab.must(*fsck, device)


def test_ext4_by_loop(lab):
    check_file_system(lab, ("mkfs.ext4", "-q", "-F"), ("e2fsck", "-f", "-n"))


def test_xfs_by_loop(lab):
    check_file_system(lab, ("mkfs.xfs", "-q", "-f"), ("xfs_repair", "-n"),
                      size=320 * MIB)


def test_the_journal_of_an_unclean_file_system_is_replayed(lab):
    for tool_name in ("mkfs.ext4", "e2fsck", "losetup"):
        need(shutil.which(tool_name), f"{tool_name} is not installed")
    make_file_system(lab, 64 * MIB, ("mkfs.ext4", "-q", "-F"))
    inner = lab.directory("inner")
    lab.undo(lambda: lab.unmount("inner"))
    # A copy taken in the middle of writing is what a crash leaves.
    device = loop_over(lab, lab.file("disk"))
    lab.must("mount", device, inner)
    wanted = churn(inner, 60)
    lab.must("sync", "-f", inner)
    os.makedirs(os.path.join(inner, "late"))
    lab.must("sync", inner)
    shutil.copy(lab.file("disk"), lab.file("unclean"))
    lab.must("umount", inner)
    lab.point(vda=lab.file("unclean"))
    path = f"{lab.mount('-o', 'writable')}/vm1/latest/vda.raw"
    before = read_file(path)
    check("needs_recovery" in lab.must("dumpe2fs", "-h", path),
          "the copy is clean")
    device = loop_over(lab, path)
    lab.must("mount", device, inner)
    check(os.path.isdir(os.path.join(inner, "late")), "the journal's directory")
    for name, content in wanted.items():
        check(read_file(name) == content, f"{name} differs")
    lab.must("umount", inner)
    lab.must("e2fsck", "-f", "-n", device)
    lab.must("losetup", "-d", device)
    end(lab)
    lab.mount()
    check(read_file(path) == before, "the point itself")


def test_fio_verifies_what_it_wrote(lab):
    need(shutil.which("fio"), "fio is not installed")
    with open(lab.file("disk"), "wb") as file:
        file.truncate(64 * MIB)
    lab.point(vda=lab.file("disk"))
    path = f"{lab.mount('-o', overlay(lab))}/vm1/latest/vda.raw"
    device = loop_over(lab, path)
    job = ("fio", "--name=job", f"--filename={device}", "--direct=1",
           "--ioengine=libaio", "--iodepth=16", "--rw=randwrite",
           "--bsrange=512-64k", "--size=64M", "--verify=crc32c",
           "--randseed=7", "--blockalign=512")
    lab.must(*job, "--fsync=64", "--verify_fatal=1", cwd=lab.path)
    lab.must("losetup", "-d", device)


run(globals())
