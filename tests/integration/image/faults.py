#!/usr/bin/env python3
"""Images in use, sources that die, runs that are killed: no false point, and
nothing written between two points is ever missed."""

import os
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from bench_of_images import (Bench, bitmaps, check, disk, equal, need, run,
                             our_bitmaps, wait_until)

SIZE = 256 << 20
EXIT_BUSY = 5


def points(bench, name="vm1"):
    folder = bench.repository / name
    return sorted(one.name for one in folder.iterdir() if one.name.isdigit())


def images_in_use(bench, image, form):
    before = bitmaps(image) if form == "qcow2" else None
    machine = bench.start_machine(image, "busy guest", form)
    for level in ("full", "copy"):
        done = bench.backup({"vda": image}, level=level, ok=False)
        check(done.returncode != 0, "an image in use was backed up")
        check("in use by qemu-system-x86_64" in done.stderr, done.stderr)
        check(f"process {machine.pid}, guest busy guest" in done.stderr,
              done.stderr)
        check('"busy"' in done.stdout, done.stdout)
    machine.terminate()
    machine.wait()
    if before is not None:
        equal(set(bitmaps(image)), set(before), "bitmaps after a refusal")


def children_of(process):
    """{pid: program} of what a process started."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue
        name, rest = stat[stat.index("(") + 1:].rsplit(")", 1)
        if int(rest.split()[1]) == process.pid:
            found[int(entry.name)] = name
    return found


def start_slow_backup(bench, image):
    """A backup that has been stopped in the middle of reading, and the
    qemu-nbd that it reads from."""
    process = subprocess.Popen(
        ["backstitch", "--json", "-r", str(bench.repository), "backup",
         "--image", f"vda={image}", "--name", "vm1", "--compression",
         "zstd:13"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    bench.children.append(process)
    servers = []

    def reading():
        partial = list((bench.repository / "vm1").glob(".*/vda.data"))
        servers[:] = [pid for pid, name in children_of(process).items()
                      if name == "qemu-nbd"]
        return servers and any(one.stat().st_size > 0 for one in partial)

    wait_until(reading, "the backup reads")
    return process, servers[0]


def rewrite(bench, image, seed):
    """Content that keeps the compressor busy for a while."""
    source = bench.dir / "text"
    words = [bytes(bench.random.choices(b"abcdefgh \n", k=7 + seed % 5))
             for _ in range(5000)]
    text = b"".join(bench.random.choices(words, k=1 << 20))
    source.write_bytes(b"".join(
        text[at:] + text[:at] for at in range(0, 700000, 100000)))
    bench.io(image, f"write -s {source} {seed << 20} 56M")


def server_dies(bench, image):
    before = points(bench)
    rewrite(bench, image, 3)
    process, server = start_slow_backup(bench, image)
    os.kill(server, signal.SIGKILL)
    out, err = process.communicate(timeout=60)
    check(process.returncode != 0, "a backup without its source succeeded")
    check("qemu-nbd ended (killed by signal 9" in err, err)
    check('"error"' in out, out)
    equal(points(bench), before, "points")
    equal(len(our_bitmaps(image)), 2, "the new bitmap was taken back")
    result = bench.backup_and_copy({"vda": image})
    equal(disk(result)["read"], "bitmap", "the next one")


def run_is_interrupted(bench, image):
    before = points(bench)
    rewrite(bench, image, 5)
    process, _ = start_slow_backup(bench, image)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    equal(process.returncode, 130, "exit code; " + err)
    equal(points(bench), before, "points")
    equal(len(our_bitmaps(image)), 2, "the new bitmap was taken back")
    result = bench.backup_and_copy({"vda": image})
    equal(disk(result)["read"], "bitmap", "the next one")


def run_is_killed(bench, image):
    before = points(bench)
    rewrite(bench, image, 7)
    process, server = start_slow_backup(bench, image)
    process.kill()
    process.wait()
    wait_until(lambda: not pathlib.Path(f"/proc/{server}").exists(),
               "qemu-nbd dies with its backup")
    equal(points(bench), before, "points")
    equal(len(our_bitmaps(image)), 3, "an orphan")
    bench.io(image, "write -P 99 100M 1M")
    result = bench.backup_and_copy({"vda": image})
    equal(disk(result)["read"], "bitmap", "the next one")
    equal(len(our_bitmaps(image)), 2, "the orphan is gone")


def machine_starts(bench, image, form):
    """While we read, no machine can start; one that wrote anyway is noticed."""
    before = points(bench)
    rewrite(bench, image, 9) if form == "qcow2" else image.write_bytes(
        os.urandom(48 << 20))
    process, _ = start_slow_backup(bench, image)
    os.kill(process.pid, signal.SIGSTOP)
    machine = subprocess.run(
        ["qemu-io", "-f", form, "-c", "write 0 4k", str(image)],
        capture_output=True, text=True, check=False)
    check("lock" in machine.stderr, "a machine could write: " + machine.stderr)
    with open(image, "r+b") as file:  # somebody who knows no locks
        file.seek(-1, os.SEEK_END)
        byte = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(byte)
    os.kill(process.pid, signal.SIGCONT)
    _, err = process.communicate(timeout=120)
    check("was written to while it was read" in err, err)
    equal(points(bench), before, "points")


def usage(bench, image):
    second = bench.make("other.qcow2", SIZE)
    link = bench.dir / "link.qcow2"
    link.symlink_to(image)
    for arguments, word in (
            (["--image", f"vda={image}"], "--name"),
            (["--name", "x"], "--image"),
            (["--name", "x", "--image", "vda"], "DISK=FILE"),
            (["--name", "x", "--image", f"vda={image}", "--level", "odd"],
             "--level"),
            (["--name", "x", "--image", f"vda={image}", "--compression", "odd"],
             "compression"),
            (["--name", "../x", "--image", f"vda={image}"], "name"),
            (["--name", "x", "--image", f"../vda={image}"], "vda"),
            (["--name", "x", "--image", f"vda={image}", "--image",
              f"vda={second}"], "twice"),
            (["--name", "x", "--image", f"vda={image}", "--image",
              f"vdb={link}"], "twice"),
            (["--name", "x", "--image", f"vda={image}", "--exclude", "vda"],
             "no disk"),
            (["--name", "x", "--image", f"vda={image}", "--include", "vdz"],
             "vdz"),
            (["--name", "x", "--image", "vda=/nowhere/a.qcow2"], "/nowhere"),
            (["--name", "x", "--image", f"vda={bench.dir}"], "neither"),
            (["--name", "x", "--image", f"vda={image}", "--level",
              "incremental"], "full"),
            (["--name", "x", "x", "--image", f"vda={image}"], "exclude")):
        done = bench.backstitch("backup", *arguments, ok=False)
        check(done.returncode not in (0, 1), f"{arguments}: {done}")
        check(word in done.stderr, f"{arguments}: {done.stderr}")
        check(done.stderr.count("\n") == 1, done.stderr)
    nowhere = f"qemu+unix:///system?socket={bench.dir}/nobody-listens"
    done = bench.backstitch("-c", nowhere, "backup", "machine", ok=False)
    check(done.returncode == 1, done)
    check(f"cannot connect to {nowhere}" in done.stderr, done.stderr)
    check(done.stderr.count("\n") == 1, done.stderr)
    bench.backstitch("backup", "--name", "x", "--image", f"vda={second}")
    over = bench.dir / "overlay.qcow2"
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", second,
        over)
    done = bench.backup({"vda": over}, "overlay", ok=False)
    check("--format vda=qcow2" in done.stderr, done.stderr)
    bench.io(second, "write -P 8 1M 1M")
    bench.backup_and_copy({"vda": over}, "overlay",
                          extra=["--format", "vda=qcow2"])


def guest_writes_a_header(bench):
    """A raw disk whose guest makes it look like qcow2."""
    image = bench.make("raw.img", 16 << 20, form="raw")
    bench.backup_and_copy({"vda": image}, "sly")
    evil = bench.make("evil.qcow2", 1 << 20)
    bench.io(image, f"write -s {evil} 0 {evil.stat().st_size // 512 * 512}",
             form="raw")
    for level in ("auto", "full", "copy"):
        done = bench.backup({"vda": image}, "sly", level=level, ok=False)
        check("--format vda=" in done.stderr, f"{level}: {done.stderr}")
    result = bench.backup({"vda": image}, "sly",
                          extra=["--format", "vda=raw"])
    equal(disk(result)["size_bytes"], 16 << 20, "read as raw")


def newest_manifest_is_damaged(bench):
    """A new full is the way out, so it must be possible."""
    image = bench.make("d.qcow2", 1 << 20)
    for _ in range(2):
        bench.backup({"vda": image}, "damaged")
    manifest = bench.repository / "damaged" / "000002" / "point.json"
    manifest.write_bytes(manifest.read_bytes()[:-20])
    done = bench.backup({"vda": image}, "damaged", ok=False)
    check("000002/point.json" in done.stderr, done.stderr)
    bench.backup({"vda": image}, "damaged", level="full")
    result = bench.backup({"vda": image}, "damaged")
    equal(disk(result)["read"], "bitmap", "after the new full")


def main():
    need("qemu-system-x86_64")
    with Bench() as bench:
        image = bench.make("a.qcow2", SIZE)
        raw = bench.make("a.img", 48 << 20, form="raw")
        bench.io(image, "write -P 1 0 16M")
        bench.backup_and_copy({"vda": image})
        bench.io(image, "write -P 2 1M 1M")
        bench.backup_and_copy({"vda": image})
        images_in_use(bench, image, "qcow2")
        images_in_use(bench, raw, "raw")
        server_dies(bench, image)
        run_is_interrupted(bench, image)
        run_is_killed(bench, image)
        machine_starts(bench, image, "qcow2")
        usage(bench, image)
        guest_writes_a_header(bench)
        newest_manifest_is_damaged(bench)
        bench.check_all()
        machine_starts(bench, raw, "raw")


main()
