#!/usr/bin/env python3
"""Single files out of ext4, XFS, btrfs in LVM and NTFS: copied, listed, found,
compared, mounted, with all that belongs to them; journals are replayed; nothing
of it is ever seen by this host's kernel."""

import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tarfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import guestdisks
from filelab import (Bench, Watch, alone, check, describe, equal, files,
                     same_trees, side_by_side, wait_until)

NOBODY = 65534


def leftovers():
    """Mounts and directories of ours that are still there."""
    mounts = pathlib.Path("/proc/self/mountinfo").read_text("utf-8")
    return {line.split()[4] for line in mounts.splitlines()
            if "fuse.backstitch" in line}


def copying(bench):
    """All file systems at once, where the guest has them; into a directory in
    which a link waits to lead the copy elsewhere."""
    out, victim = bench.dir / "out", bench.dir / "victim"
    out.mkdir()
    victim.mkdir()
    (out / "srv").symlink_to(victim)
    done = json.loads(files(
        bench, "--json", "cp", "--force", "guest@1:/home", "guest@1:/srv",
        "guest@1:/data/files", "guest@1:/win/files/some where",
        "guest@1:/home/absolute", "guest@1:/home/a file", out).stdout)
    equal(done["missing"] + done["incomplete"], [], "nothing is lost")
    tree = bench.dir / "tree"
    for name in ("home", "srv/files", "files"):
        same_trees(tree, out / name, name)
    same_trees(bench.dir / "plain" / "some where", out / "some where", "NTFS",
               ("content", "size"))
    for name in ("absolute", "a file"):
        copy, original = describe(out)[name], describe(tree)[name]
        equal(copy, original, name)
    check(not (out / "srv").is_symlink() and not list(victim.iterdir()),
          "the copy was led elsewhere")
    check((out / "home" / "sparse").stat().st_blocks * 512 < 1 << 20,
          "the hole was filled")


def choosing(bench):
    """Devices, errors about them, and words that name nothing."""
    found = {one["device"]: one for one in json.loads(
        files(bench, "--json", "filesystems", "guest").stdout)["filesystems"]}
    equal({device: (one["type"], one["label"], one["mountpoint"])
           for device, one in found.items()},
          {"/dev/vda1": ("ext4", "root", "/"),
           "/dev/vg/data": ("btrfs", "", "/data"),
           "/dev/vdc1": ("ntfs", "WIN", "/win"),
           "/dev/vdd": ("xfs", "", "/srv")}, "file systems")
    equal(found["/dev/vda1"]["size_bytes"], 64 << 20, "size")
    for words, status, says in (
            (("ls", "guest:vdx:/"), 3, "guest@2 has no disk 'vdx'"),
            (("ls", "guest:vda:etc/x"), 2, "begins with /"),
            (("ls", "nobody:/"), 3, "nobody"),
            (("cat", "guest@1:/a", "guest@2:/a"), 2, "one point at a time"),
            (("cp", "guest:/etc", bench.dir / "no" / "where"), 3, "no such"),
            (("cp", "guest:/tree", bench.dir), 2, "--force"),
            (("mount", "guest", bench.dir / "no"), 3, "no such directory")):
        done = files(bench, *words, status=status)
        check(says in done.stderr.lower() or says in done.stderr,
              (words, done.stderr))


def several(bench):
    """Data disks alone say not what goes where."""
    done = files(bench, "ls", "crashed:/", status=2)
    for word in ("/dev/vda (ext4", "/dev/vdb (xfs", "-m DEVICE"):
        check(word in done.stderr, done.stderr)


def replaying(bench):
    """What is in the journals alone, as a tar stream."""
    stream = files(bench, "tar", "-m", "vda", "-m", "/dev/vdb:/here",
                   "crashed:/", text=False).stdout
    with tarfile.open(fileobj=io.BytesIO(stream)) as archive:
        for name, disk, in (("./late", "vda"), ("./here/late", "vdb")):
            equal(archive.extractfile(name).read(),
                  f"written to {disk}\n".encode(), name)
            equal(archive.getmember(name).mode, 0o640, f"mode of {name}")


def plain_user(bench):
    """One disk, whose only file system needs no choice; no root."""
    path = bench.dir / "for nobody"
    shutil.copytree(bench.repository, path)
    for place, _, names in os.walk(path):
        for name in ("", *names):
            os.chown(os.path.join(place, name), NOBODY, NOBODY)
    bench.dir.chmod(0o711)
    copy = bench.dir / "copied"
    copy.mkdir()
    os.chown(copy, NOBODY, NOBODY)
    other = type("Other", (), {"repository": path})
    done = files(other, "cp", "guest@1:vdd:/files/deep", "guest@1:vdd:/files",
                 copy, status=1,
                 before=("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
                         "--clear-groups"), cwd="/",
                 env={**os.environ, "HOME": "/nonexistent"})
    check("1 file of guest@1 could not be copied" in done.stderr, done.stderr)
    check(not (copy / "files" / "null").exists(), "a device without root")
    equal((copy / "files" / "a file").stat().st_uid, NOBODY, "owner")
    same_trees(bench.dir / "tree" / "deep", copy / "deep", "plain user",
               ("mode", "content", "time", "first name"))


def differences(bench):
    """What was changed between the points, and what only touched."""
    found = {one["path"]: one for one in json.loads(files(
        bench, "--json", "diff", "--content", "-m", "vdd", "guest@1",
        "guest@2", "/files").stdout)["differences"]}
    equal({path: (one["change"], one.get("what"))
           for path, one in found.items()},
          {"/files/added": ("added", None),
           "/files/absolute": ("removed", None),
           "/files/a file": ("modified", ["content", "time"]),
           "/files/suid": ("modified", ["mode", "owner"]),
           "/files/gr\u00f6\u00dfe-\u65e5\u672c": ("modified", ["time"])},
          "differences")


def change(bench):
    """Between the first point of the guest and its second."""
    with guestdisks.mounted(bench.dir / "vdd", bench.dir / "mnt") as where:
        tree = where / "files"
        (tree / "added").write_text("new")
        (tree / "absolute").unlink()
        (tree / "a file").write_text("olleh\n")
        os.chown(tree / "suid", 5, 6)
        os.utime(tree / "gr\u00f6\u00dfe-\u65e5\u672c")


def browsing(bench):
    """A mount in the background: the same tree, read-only, and all gone after
    it."""
    where = bench.dir / "browse"
    where.mkdir()
    files(bench, "mount", "-m", "vdd", "guest@1", where)
    same_trees(bench.dir / "tree", where / "files", "mount",
               ("mode", "owner", "content", "size"))
    try:
        (where / "x").write_text("x")
        raise AssertionError("it could be written")
    except OSError:
        pass
    bench.backstitch("unmount", where)
    check(not os.path.ismount(where), "unmounted")


def finding(bench):
    document = json.loads(files(
        bench, "--json", "find", "-m", "vda1", "--name", "*a*", "--size", "+5M",
        "--type", "f", "guest@1:/home").stdout)
    equal([(one["path"], one["size_bytes"]) for one in document["files"]],
          [("/home/sparse", 9 << 20)], "found")


def damaged(bench):
    """A byte of the repository under the file's data."""
    shutil.copytree(bench.repository, bench.dir / "damaged")
    data = bench.dir / "damaged" / "big" / "000001" / "vda.data"
    with open(data, "r+b") as file:
        file.seek(data.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    other = type("Other", (), {"repository": bench.dir / "damaged"})
    done = files(other, "cat", "big:/big", status=4, text=False)
    check(b"damaged" in done.stderr and b"vda.data" in done.stderr, done)


def to_head(bench):
    """Nobody reads on: quiet, and by SIGPIPE."""
    words = ["backstitch", "-r", bench.repository, "files", "tar", "big:/"]
    with subprocess.Popen(words, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        process.stdout.read(100)
        process.stdout.close()
        said = process.stderr.read()
    equal((process.returncode, said), (-signal.SIGPIPE, b""), "closed pipe")


def interrupted(bench):
    """Ctrl-C while the appliance starts leaves nothing; what a kill leaves,
    the next one takes away."""
    place = bench.dir / "tmp"
    place.mkdir()

    def strike(number):
        with subprocess.Popen(
                ["backstitch", "-q", "-r", bench.repository, "files", "ls",
                 "guest:/"], stderr=subprocess.PIPE,
                env={**os.environ, "TMPDIR": str(place),
                     "LIBGUESTFS_CACHEDIR": "/var/tmp"}) as process:
            wait_until(lambda: list(place.glob("*/libguestfs*")), "it starts")
            time.sleep(1)
            process.send_signal(number)
            said = process.stderr.read()
            return process.wait(timeout=30), said

    equal(strike(signal.SIGKILL)[0], -signal.SIGKILL, "killed")
    [left] = place.glob("backstitch-private-*")
    wait_until(lambda: not os.path.ismount(left / "tree"), "the driver ends")
    os.utime(left, (0, 0))
    status, said = strike(signal.SIGINT)
    equal(status, 130, said)
    equal(os.listdir(place), [], "left behind")


def main():
    if os.geteuid() != 0:
        print("needs root to make file systems")
        sys.exit(77)
    alone()
    with Bench() as bench:
        before = leftovers()
        images = guestdisks.make_guest(bench.dir)
        bench.backup(images, "guest")
        change(bench)
        bench.backup(images, "guest")
        bench.backup(guestdisks.make_crashed(bench.dir), "crashed")
        (bench.dir / "random").mkdir()
        (bench.dir / "random" / "big").write_bytes(os.urandom(8 << 20))
        guestdisks.make_image(
            bench.dir / "big", 32 << 20, ("mkfs.ext4", "-q"),
            {"big": bench.dir / "random" / "big"}, bench.dir / "mnt")
        bench.backup({"vda": bench.dir / "big"}, "big")
        with Watch(bench.dir):
            side_by_side(*[
                lambda job=job: timed(job, bench) for job in JOBS
                if job.__name__ in (sys.argv[1:] or job.__name__)])
        equal(leftovers(), before, "mounts")


# The longest first: two run at a time.
JOBS = (copying, choosing, differences, browsing, plain_user, replaying,
        damaged, several, finding, to_head, interrupted)


def timed(job, bench):
    begin = time.monotonic()
    job(bench)
    print(f"{job.__name__}: {time.monotonic() - begin:.1f} s", flush=True)


if __name__ == "__main__":
    main()
