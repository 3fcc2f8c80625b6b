"""Starting and stopping the driver, and what it says when it cannot."""

import os
import shutil
import signal
import subprocess
import time

from mountlab import (MIB, check, check_equal, need, read_file, run, tool,
                      wait_until, write_disk)

FAILED, USAGE, NOT_FOUND, BUSY, UNSUPPORTED = 1, 2, 3, 5, 6


def make_point(lab):
    write_disk(lab.file("disk"), MIB, seed=1, pieces=5)
    lab.point(vda=lab.file("disk"))


def check_refused(done, code, *words):
    check_equal(done.returncode, code, f"exit code; {done.stderr}")
    check_equal(done.stderr.count("\n"), 1, f"lines of {done.stderr!r}")
    for word in words:
        check(word in done.stderr, f"{word!r} is not in {done.stderr!r}")


def drivers_on(path):
    """Ids of driver processes whose command line has the path."""
    found = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = read_file(f"/proc/{process}/cmdline").split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"backstitchfs") and path.encode() in words:
            found.append(int(process))
    return found


def test_the_tree_can_be_read_when_the_command_returns(lab):
    make_point(lab)
    for _ in range(10):
        mount = lab.mount()
        check_equal(os.listdir(f"{mount}/vm1/latest"), ["vda.raw"], "files")
        lab.must("umount", mount)


def test_umount_ends_the_driver(lab):
    make_point(lab)
    mount = lab.mount()
    check_equal(len(drivers_on(mount)), 1, "drivers")
    lab.must("umount", mount)
    wait_until(lambda: not drivers_on(mount), "the driver ends")
    check("unmounted" in lab.log(), lab.log())


def test_signals_end_the_driver_cleanly(lab):
    make_point(lab)
    for number in (signal.SIGTERM, signal.SIGINT):
        process = lab.start()
        process.send_signal(number)
        check_equal(process.wait(timeout=10), 0, f"exit after {number}")
        check(not os.path.ismount(lab.file("mount")), "still mounted")


def test_a_signal_ends_it_while_a_file_is_open(lab):
    make_point(lab)
    process = lab.start()
    with open(f"{lab.file('mount')}/vm1/latest/vda.raw", "rb"):
        process.send_signal(signal.SIGTERM)
        check_equal(process.wait(timeout=10), 0, "exit")
    check(not os.path.ismount(lab.file("mount")), "still mounted")


def test_a_signal_to_the_background_driver(lab):
    make_point(lab)
    mount = lab.mount()
    os.kill(drivers_on(mount)[0], signal.SIGTERM)
    wait_until(lambda: not os.path.ismount(mount), "unmounted")
    wait_until(lambda: not drivers_on(mount), "ended")


def test_the_background_driver_lets_go_of_its_caller(lab):
    make_point(lab)
    mount = lab.mount()
    driver = drivers_on(mount)[0]
    check_equal(os.readlink(f"/proc/{driver}/cwd"), "/", "directory")
    for descriptor in (0, 1, 2):
        check_equal(os.readlink(f"/proc/{driver}/fd/{descriptor}"), "/dev/null",
                    f"descriptor {descriptor}")


def test_relative_paths(lab):
    make_point(lab)
    lab.directory("mount")
    lab.undo(lambda: lab.unmount("mount"))
    lab.must(tool("BACKSTITCHFS"), "repository", "mount", "--log", "log",
             cwd=lab.path)
    check_equal(os.listdir(lab.file("mount/vm1/latest")), ["vda.raw"], "files")
    time.sleep(1.1)
    check_equal(os.listdir(lab.file("mount/vm1/000001")), ["vda.raw"], "later")


def test_a_busy_mount_point(lab):
    make_point(lab)
    lab.mount()
    check_refused(lab.try_mount(), BUSY, "is mounted there already")


def test_a_mount_point_that_is_not_empty(lab):
    make_point(lab)
    with open(os.path.join(lab.directory("mount"), "file"), "w",
              encoding="utf-8"):
        pass
    check_refused(lab.try_mount(), BUSY, "not empty", "-o nonempty")
    lab.mount("-o", "nonempty")


def test_a_mount_point_that_is_no_directory(lab):
    make_point(lab)
    check_refused(lab.try_mount(where="disk"), USAGE, "not a directory")
    done = lab.run(tool("BACKSTITCHFS"), lab.repository, lab.file("absent"))
    check_refused(done, NOT_FOUND, "absent")


def test_a_mount_point_in_the_way_of_the_repository(lab):
    make_point(lab)
    check_refused(lab.try_mount(where="repository"), USAGE, "contain each other")
    check_refused(lab.try_mount("-o", "nonempty", where="."), USAGE,
                  "contain each other")
    check_refused(lab.try_mount(where="repository/vm1"), USAGE,
                  "contain each other")


def test_repositories_that_cannot_be_used(lab):
    make_point(lab)
    done = lab.try_mount(repository=lab.file("absent"))
    check_refused(done, NOT_FOUND, "absent")
    done = lab.try_mount(repository=lab.directory("empty"))
    check_refused(done, NOT_FOUND, "empty")
    identity = f"{lab.repository}/repository.json"
    with open(identity, "w", encoding="utf-8") as file:
        file.write("{}")
    check(lab.try_mount().returncode in (4, UNSUPPORTED), "a damaged identity")


def test_wrong_usage(lab):
    make_point(lab)
    for words in ((), ("only-one",), ("--no-such-option", "a", "b"),
                  ("a", "b", "-o", "no_such_option"),
                  ("a", "b", "-o", "threads=many"),
                  ("a", "b", "-o", "cache=big")):
        check_refused(lab.run(tool("BACKSTITCHFS"), *words), USAGE)
    check("Usage:" in lab.must(tool("BACKSTITCHFS"), "--help"), "--help")
    check("backstitchfs" in lab.must(tool("BACKSTITCHFS"), "--version"),
          "--version")


def test_the_remains_of_a_dead_driver_are_removed(lab):
    make_point(lab)
    mount = lab.mount()
    os.kill(drivers_on(mount)[0], signal.SIGKILL)
    wait_until(lambda: not os.path.exists(mount), "the mount is dead")
    lab.mount()
    check_equal(os.listdir(f"{mount}/vm1/latest"), ["vda.raw"], "files")
    table = read_file("/proc/self/mounts").decode()
    check_equal(table.count(f" {mount} "), 1, "mounts there")


def test_without_dev_fuse(lab):
    make_point(lab)
    need(shutil.which("unshare"), "unshare is not installed")
    lab.directory("mount")
    lab.directory("dev")
    done = lab.run("unshare", "-m", "sh", "-c",
                   f"mount --bind {lab.file('dev')} /dev && exec "
                   f"{tool('BACKSTITCHFS')} {lab.repository} {lab.file('mount')}")
    # The shell's own complaints about an empty /dev are not ours.
    done.stderr = "".join(line for line in done.stderr.splitlines(True)
                          if line.startswith("backstitchfs:"))
    check_refused(done, UNSUPPORTED, "/dev/fuse", "modprobe fuse")


def test_read_ahead_of_the_mount_is_raised(lab):
    make_point(lab)

    def read_ahead(*words):
        mount = lab.mount(*words)
        device = os.stat(mount).st_dev
        path = f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}"
        need(os.access(f"{path}/read_ahead_kb", os.W_OK),
             "/sys cannot be written here")
        value = int(read_file(f"{path}/read_ahead_kb"))
        lab.must("umount", mount)
        return value

    check_equal(read_ahead(), 1024, "read_ahead_kb")
    check_equal(read_ahead("-o", "readahead_kb=256"), 256, "when asked for")
    check(read_ahead("-o", "readahead_kb=0") < 1024, "left alone")


def test_memory_stays_small(lab):
    write_disk(lab.file("disk"), 64 * MIB, seed=3, pieces=2000)
    lab.point(vda=lab.file("disk"))
    mount = lab.mount()
    path = f"{mount}/vm1/latest/vda.raw"
    readers = [subprocess.Popen(["dd", f"if={path}", "of=/dev/null", "bs=1M",
                                 "iflag=direct"], stderr=subprocess.DEVNULL)
               for _ in range(8)]
    for reader in readers:
        check_equal(reader.wait(), 0, "dd")
    driver = drivers_on(mount)[0]
    status = read_file(f"/proc/{driver}/status").decode()
    peak = int(status.split("VmHWM:")[1].split()[0]) // 1024
    check(peak < 96, f"peak resident memory: {peak} MiB")


run(globals())
