"""Plain users mount, and only they see the tree unless all may."""

import os
import shutil
import subprocess

from mountlab import (MIB, check, check_equal, need, read_file, run, tool,
                      write_disk)

USER, GROUP = 65534, 65534  # nobody
OTHER = 1  # daemon: neither root nor nobody
UNSUPPORTED, FAILED = 6, 1


def as_user(user, *command):
    return ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
            *command)


def prepare(lab):
    """A repository and a mount point that belong to the plain user."""
    need(shutil.which("setpriv"), "setpriv is not installed")
    need(shutil.which("fusermount3"), "fusermount3 is not installed")
    write_disk(lab.file("disk"), 2 * MIB, seed=1)
    lab.point(vda=lab.file("disk"))
    lab.directory("mount")
    lab.must("chown", "-R", f"{USER}:{GROUP}", lab.repository,
             lab.file("mount"))
    lab.undo(lambda: lab.unmount("mount"))
    # The build may lie where the plain user cannot go.
    shutil.copy(tool("BACKSTITCHFS"), lab.file("backstitchfs"))


def mount_as_user(lab, *words):
    return lab.run(*as_user(USER, lab.file("backstitchfs"), lab.repository,
                            lab.file("mount"), *words))


def sees_tree(lab, user):
    done = subprocess.run(
        as_user(user, "cat", f"{lab.file('mount')}/vm1/latest/vda.raw"),
        capture_output=True)
    return done.returncode == 0 and done.stdout == read_file(lab.file("disk"))


def test_a_plain_user_mounts_and_unmounts(lab):
    prepare(lab)
    done = mount_as_user(lab)
    check_equal(done.returncode, 0, f"mount: {done.stderr}")
    check(sees_tree(lab, USER), "the user cannot read the image")
    check(not sees_tree(lab, OTHER), "another user reads the image")
    lab.must(*as_user(USER, "fusermount3", "-u", lab.file("mount")))
    check(not os.path.ismount(lab.file("mount")), "still mounted")


def test_a_plain_users_driver_stops_on_a_signal(lab):
    prepare(lab)
    driver = subprocess.Popen(as_user(USER, lab.file("backstitchfs"),
                                      lab.repository, lab.file("mount"), "-f"))
    try:
        for _ in range(500):
            if os.path.ismount(lab.file("mount")) or sees_tree(lab, USER):
                break
        driver.terminate()
        check_equal(driver.wait(timeout=10), 0, "exit")
    finally:
        driver.kill()
    table = read_file("/proc/self/mounts").decode()
    check(lab.file("mount") not in table, "still mounted")


def test_others_see_it_only_with_allow_other(lab):
    prepare(lab)
    lab.mount("-o", "allow_other")
    check(sees_tree(lab, OTHER), "another user cannot read")
    mode = os.stat(f"{lab.file('mount')}/vm1/latest/vda.raw").st_mode & 0o777
    check_equal(mode, 0o444, "mode with allow_other")


def test_allow_other_for_a_plain_user_needs_fuse_conf(lab):
    prepare(lab)
    with open("/etc/fuse.conf", encoding="utf-8") as file:
        need("user_allow_other" not in [line.strip() for line in file],
             "/etc/fuse.conf allows it here")
    done = mount_as_user(lab, "-o", "allow_other")
    check_equal(done.returncode, UNSUPPORTED, done.stderr)
    check("user_allow_other" in done.stderr, done.stderr)
    check_equal(done.stderr.count("\n"), 1, f"lines of {done.stderr!r}")


def test_a_directory_that_the_user_cannot_write(lab):
    prepare(lab)
    lab.must("chown", "0:0", lab.file("mount"))
    done = mount_as_user(lab)
    check_equal(done.returncode, FAILED, done.stderr)
    check("write access" in done.stderr, done.stderr)


def test_without_fusermount3(lab):
    prepare(lab)
    need(shutil.which("unshare"), "unshare is not installed")
    helper = os.path.realpath(shutil.which("fusermount3"))
    hidden = lab.file("hidden")
    with open(hidden, "w", encoding="utf-8"):
        pass
    command = " ".join(as_user(USER, lab.file("backstitchfs"), lab.repository,
                               lab.file("mount")))
    done = lab.run("unshare", "-m", "sh", "-c",
                   f"mount --bind {hidden} {helper} && exec {command}")
    check_equal(done.returncode, UNSUPPORTED, done.stderr)
    check("fusermount3 is missing" in done.stderr, done.stderr)
    check_equal(done.stderr.count("\n"), 1, f"lines of {done.stderr!r}")


run(globals())
