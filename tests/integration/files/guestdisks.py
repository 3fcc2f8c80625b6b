"""Disks of guests, made with known files: ext4, XFS, btrfs in LVM, NTFS.

The file systems are filled by this host's kernel, through loop devices that
are gone before the first command is tested.
"""

import contextlib
import os
import pathlib
import random
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "image"))
from bench_of_images import run

MIB = 1 << 20
ODD_TIME = 981_173_106_789_000_000  # ns, in 2001


def access_list(user):
    """A POSIX ACL as the kernel shows it: `user` may read and write."""
    entries = ((0x01, 6, -1), (0x02, 6, user), (0x04, 4, -1), (0x10, 6, -1),
               (0x20, 4, -1))
    return struct.pack("<I", 2) + b"".join(
        struct.pack("<HHi", *entry) for entry in entries)


def make_tree(path):
    """Files with everything that a copy may lose."""
    rng = random.Random(11)
    path.mkdir()
    (path / "a file").write_text("hello\n")
    os.setxattr(path / "a file", "user.note", b"some\0value")
    (path / "new\nline").write_text("x")
    (path / "gr\u00f6\u00dfe-\u65e5\u672c").write_text("u")
    (path / "absolute").symlink_to("/etc/fstab")
    (path / "dangling").symlink_to("../nowhere")
    (path / "deep" / "er" / "empty").mkdir(parents=True)
    (path / "deep" / "er" / "random").write_bytes(rng.randbytes(300_001))
    os.link(path / "deep" / "er" / "random", path / "deep" / "hard")
    os.setxattr(path / "deep" / "hard", "system.posix_acl_access",
                access_list(77))
    with open(path / "sparse", "wb") as file:
        file.truncate(9 * MIB)
        file.seek(5 * MIB)
        file.write(b"in the middle")
    os.mkfifo(path / "fifo")
    os.mknod(path / "null", 0o020640, os.makedev(1, 3))
    (path / "suid").write_bytes(b"#!/bin/sh\n")
    os.chmod(path / "suid", 0o4755)
    os.chmod(path / "deep" / "er" / "empty", 0o1777)
    for name in ("a file", "absolute"):
        os.chown(path / name, 1234, 4321, follow_symlinks=False)
    for name in ("a file", "absolute", "deep"):
        os.utime(path / name, ns=(ODD_TIME, ODD_TIME), follow_symlinks=False)


def make_plain_tree(path):
    """What NTFS can hold."""
    rng = random.Random(12)
    (path / "some where").mkdir(parents=True)
    (path / "some where" / "gr\u00f6\u00dfe").write_bytes(rng.randbytes(70_000))
    (path / "read me").write_text("text\r\n")


@contextlib.contextmanager
def mounted(image, where, *options):
    where.mkdir(exist_ok=True)
    run("mount", "-o", ",".join(("loop", *options)), image, where)
    try:
        yield where
    finally:
        run("umount", where)


def make_image(image, size, mkfs, trees, where):
    """An image of one file system with {directory: tree or text} in it."""
    with open(image, "wb") as file:
        file.truncate(size)
    run(*mkfs, image)
    with mounted(image, where):
        for name, tree in trees.items():
            target = where / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if tree is None:
                target.mkdir()
            elif isinstance(tree, str):
                target.write_text(tree)
            else:
                run("cp", "-a", tree, target)


def in_partition(image, disk, table):
    """A disk with a table of that kind and the image as its one partition."""
    size = os.path.getsize(image)
    with open(disk, "wb") as file:
        file.truncate(size + 2 * MIB)
    run("sfdisk", "-q", disk, input=f"label: {table}\nstart=2048, "
        f"size={size // 512}\n")
    run("dd", f"if={image}", f"of={disk}", "bs=1M", "seek=1", "conv=notrunc,"
        "sparse", "status=none")


def in_volume(image, disk, group, volume):
    """A disk with LVM and the image as its one logical volume.

    No device-mapper is asked: LVM only writes what it would map."""
    size = os.path.getsize(image)
    with open(disk, "wb") as file:
        file.truncate(size + 9 * MIB)
    loop = run("losetup", "--find", "--show", disk).strip()
    try:
        config = ("--config", "global{activation=0 use_lvmpolld=0} "
                  f'devices{{filter=["a|^{loop}$|","r|.*|"] use_devicesfile=0}} '
                  "activation{udev_sync=0 udev_rules=0}")
        run("pvcreate", "-qq", "-y", *config, loop)
        run("vgcreate", "-qq", "-y", *config, group, loop)
        run("lvcreate", "-qq", "-y", "-an", "-Zn", "-Wn", *config, "-L",
            f"{size}b", "-n", volume, group)
        start = run("pvs", "--noheadings", "--nosuffix", "--units", "b",
                    "-o", "pe_start", *config, loop).strip()
    finally:
        run("losetup", "--detach", loop)
    run("dd", f"if={image}", f"of={disk}", "bs=1M", f"seek={int(start) // MIB}",
        "conv=notrunc,sparse", "status=none")


def make_guest(place):
    """A machine with an operating system, as far as one can see by its files,
    and a file system of each kind; the images by disk."""
    where = place / "mnt"
    make_tree(place / "tree")
    make_plain_tree(place / "plain")
    fstab = ("/dev/vda1 / ext4 defaults 0 1\n/dev/vg/data /data btrfs "
             "defaults 0 2\n/dev/vdc1 /win ntfs defaults 0 2\n/dev/vdd /srv "
             "xfs defaults 0 2\n")
    empty = {name: None for name in ("bin", "data", "srv", "win")}
    tree = place / "tree"
    make_image(place / "root", 64 * MIB, ("mkfs.ext4", "-q", "-L", "root"),
               {"etc/fstab": fstab, "etc/hostname": "guest\n", "home": tree,
                **empty}, where)
    make_image(place / "data", 128 * MIB, ("mkfs.btrfs", "-q"),
               {"files": tree}, where)
    make_image(place / "win", 16 * MIB, ("mkntfs", "-q", "-F", "-L", "WIN"),
               {"files": place / "plain"}, where)
    make_image(place / "vdd", 320 * MIB, ("mkfs.xfs", "-q"), {"files": tree},
               where)
    in_partition(place / "root", place / "vda", "gpt")
    in_volume(place / "data", place / "vdb", "vg", "data")
    in_partition(place / "win", place / "vdc", "dos")
    return {disk: place / disk for disk in ("vda", "vdb", "vdc", "vdd")}


def make_crashed(place):
    """Disks as a crash leaves them: what was written last is in the journal
    alone. The images by disk."""
    images = {}
    for disk, size, mkfs, blind in (
            ("vda", 64 * MIB, ("mkfs.ext4", "-q"), "noload"),
            ("vdb", 320 * MIB, ("mkfs.xfs", "-q"), "norecovery")):
        source = place / f"live-{disk}"
        make_image(source, size, mkfs, {"here": None}, place / "mnt")
        with mounted(source, place / "mnt") as where:
            fd = os.open(where / "late", os.O_WRONLY | os.O_CREAT, 0o640)
            os.write(fd, f"written to {disk}\n".encode())
            os.fsync(fd)
            os.close(fd)
            run("cp", "--sparse=always", source, place / f"crashed-{disk}")
        images[disk] = place / f"crashed-{disk}"
        # The proof that the journal is needed.
        with mounted(images[disk], place / "mnt", "ro", blind) as where:
            assert (where / "here").is_dir(), "the file system can be read"
            assert not (where / "late").exists(), "the journal is not needed"
    return images
