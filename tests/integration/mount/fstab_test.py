"""mount(8) mounts a repository, as it does for /etc/fstab and systemd."""

import ctypes
import os
import shutil

from mountlab import (MIB, check, check_equal, need, read_file, run, tool,
                      write_disk)


def prepare(lab):
    need(shutil.which("mount.fuse3") or os.path.exists("/sbin/mount.fuse3"),
         "mount.fuse3 is not installed")
    write_disk(lab.file("disk"), 2 * MIB, seed=1)
    lab.point(vda=lab.file("disk"))
    lab.point("vm2", vda=lab.file("disk"))
    lab.directory("mount")
    lab.undo(lambda: lab.unmount("mount"))


def install(directory="/usr/local/sbin"):
    """The driver where mount(8) finds it, in a mount namespace of our own.

    mount(8) hands no PATH on, so that its helper looks in the usual places.
    """
    need(os.path.isdir(directory), f"there is no {directory}")
    libc = ctypes.CDLL(None, use_errno=True)
    new_namespace, recursive, private, bind = 0x20000, 0x4000, 1 << 18, 0x1000
    check_equal(libc.unshare(new_namespace), 0, "a mount namespace")
    check_equal(libc.mount(b"none", b"/", None, recursive | private, None), 0,
                "mounts of our own")
    check_equal(libc.mount(os.path.dirname(tool("BACKSTITCHFS")).encode(),
                           directory.encode(), None, bind, None), 0,
                "the driver installed")


def check_mounted(lab):
    content = read_file(f"{lab.file('mount')}/vm1/latest/vda.raw")
    check(content == read_file(lab.file("disk")), "content")
    lines = [line.split() for line in
             read_file("/proc/self/mounts").decode().splitlines()]
    mounted = [line for line in lines if line[1] == lab.file("mount")]
    check_equal(len(mounted), 1, "mounts")
    check_equal(mounted[0][0], lab.repository, "source")
    check_equal(mounted[0][2], "fuse.backstitchfs", "type")
    check("ro" in mounted[0][3].split(","), f"options {mounted[0][3]}")
    return mounted[0][3].split(",")


def test_mount_with_the_type_as_systemd_calls_it(lab):
    prepare(lab)
    lab.must("mount", lab.repository, lab.file("mount"), "-t",
             "fuse.backstitchfs", "-o",
             "allow_other,nofail,_netdev,x-systemd.automount")
    check("allow_other" in check_mounted(lab), "allow_other is not in force")
    lab.must("umount", lab.file("mount"))


def test_a_line_of_fstab(lab):
    prepare(lab)
    with open(lab.file("fstab"), "w", encoding="utf-8") as fstab:
        fstab.write(f"{lab.repository} {lab.file('mount')} fuse.backstitchfs "
                    "defaults,ro,noauto,nofail,user,_netdev,noatime,"
                    "x-systemd.requires=network-online.target,"
                    "cache=16M,threads=4,point=vm1@1 0 0\n")
    lab.must("mount", "--fstab", lab.file("fstab"), lab.file("mount"))
    check_mounted(lab)
    check_equal(os.listdir(lab.file("mount")), ["vm1"], "domains")
    lab.must("umount", lab.file("mount"))


def test_a_writable_mount_is_read_only_all_the_same(lab):
    prepare(lab)
    lab.must("mount", "-t", "fuse.backstitchfs", "-o", "rw,suid,dev,exec",
             lab.repository, lab.file("mount"))
    options = check_mounted(lab)
    check("nosuid" in options and "nodev" in options, f"options {options}")


def test_a_path_with_blanks_and_commas(lab):
    prepare(lab)
    odd = lab.file("a repository, with \\ odd name")
    os.rename(lab.repository, odd)
    lab.must(tool("BACKSTITCHFS"), odd, lab.file("mount"))
    check_equal(sorted(os.listdir(lab.file("mount"))), ["vm1", "vm2"],
                "domains")


def test_failures_reach_mount(lab):
    prepare(lab)
    done = lab.run("mount", "-t", "fuse.backstitchfs", lab.file("absent"),
                   lab.file("mount"))
    check(done.returncode != 0, "mounting nothing succeeded")
    check("absent" in done.stderr, done.stderr)


if os.geteuid() == 0:
    install()
run(globals())
