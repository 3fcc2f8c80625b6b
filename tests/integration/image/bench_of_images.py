"""What the tests of image backups share: a bench with images and a repository.

An integration test is an executable that exits with 0, 77 (skipped; its last
line says why) or anything else (failed), with `backstitch` on its PATH.
"""

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

EXIT_USAGE = 2

# A test that is stopped (a time limit) cleans up as one that failed.
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))


def skip(reason):
    print(reason)
    sys.exit(77)


def need(*programs):
    for program in programs:
        if shutil.which(program) is None:
            skip(f"{program} is not installed")


def run(*command, ok=True, **options):
    """Runs a program; its stdout. A failure of it fails the test."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True,
        check=False, **options)
    if ok and done.returncode != 0:
        raise AssertionError(
            f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout if ok else done


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def equal(left, right, what):
    check(left == right, f"{what}: {left!r} is not {right!r}")


def wait_until(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, f"timed out: {what}")
        time.sleep(0.02)


class Bench:
    """A work directory with a repository, removed at the end."""

    def __init__(self):
        need("backstitch", "qemu-img", "qemu-nbd", "qemu-io")
        parent = os.environ.get("BACKSTITCH_TEST_DIR", "/var/tmp")
        self.dir = pathlib.Path(
            tempfile.mkdtemp(prefix="backstitch-test.", dir=parent))
        self.children = []
        self.random = random.Random(int(os.environ.get("BACKSTITCH_SEED", 7)))
        self.copies = {}
        self.repository = self.dir / "repository"
        self.backstitch("init")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for child in self.children:
            child.kill()
            child.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    # --- backstitch ---

    def backstitch(self, *arguments, repository=None, ok=True, **options):
        return run("backstitch", "-r", repository or self.repository,
                   *arguments, ok=ok, **options)

    def backup(self, images, name="vm1", ok=True, repository=None, level=None,
               extra=()):
        """Backs up {disk: file}; the JSON result, or the failed process."""
        arguments = ["--json", "backup", "--name", name, *extra]
        for disk, file in images.items():
            arguments += ["--image", f"{disk}={file}"]
        if level:
            arguments += ["--level", level]
        done = self.backstitch(*arguments, ok=ok, repository=repository)
        return json.loads(done) if ok else done

    def backup_and_copy(self, images, name="vm1", **options):
        """A backup, and flat copies of what the images hold now."""
        result = self.backup(images, name, **options)
        key = (str(options.get("repository") or self.repository), name,
               result["point"])
        self.copies[key] = {
            one["name"]: self.flat_copy(images[one["name"]])
            for one in result["disks"]}
        return result

    def check_all(self):
        """Every point restores to what its images held then."""
        target = self.dir / "restored.raw"
        for (repository, name, point), disks in self.copies.items():
            for disk, copy in disks.items():
                self.backstitch("restore", "--force", "--no-sync", "--disk",
                                disk, f"{name}@{point}", target,
                                repository=repository)
                same = subprocess.run(["cmp", copy, target], check=False)
                equal(same.returncode, 0, f"{name}@{point} {disk}")
            self.backstitch("verify", f"{name}@{point}", repository=repository)

    # --- images ---

    def make(self, file, size, *options, form="qcow2"):
        path = self.dir / file
        run("qemu-img", "create", "-q", "-f", form, *options, path, size)
        return path

    def io(self, image, *commands, form="qcow2"):
        arguments = []
        for command in commands:
            arguments += ["-c", command]
        out = run("qemu-io", "-f", form, "-d", "unmap", *arguments, image)
        check("failed" not in out and "error" not in out, out)

    def change(self, image, size, count=30, form="qcow2"):
        """Writes, writes of zeroes and discards at random places."""
        commands = []
        for _ in range(count):
            length = self.random.choice([512, 4096, 65536, 200 << 10, 3 << 20])
            length = min(length, size)
            offset = self.random.randrange(0, size - length + 1, 512)
            kind = self.random.choice(["data", "data", "zero", "discard"])
            commands.append({
                "data": f"write -P {self.random.randrange(1, 256)} "
                        f"{offset} {length}",
                "zero": f"write -z -u {offset} {length}",
                "discard": f"discard {offset} {length}",
            }[kind])
        self.io(image, *commands, form=form)

    def flat_copy(self, image):
        copy = self.dir / f"copy{len(os.listdir(self.dir))}.raw"
        form = image_info(image)["format"]
        run("qemu-img", "convert", "-f", form, "-O", "raw", image, copy)
        return copy

    def start(self, *command):
        child = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.children.append(child)
        return child

    def start_machine(self, image, name="guest", form="qcow2"):
        """A paused QEMU on the image, talking QMP on its stdin."""
        child = self.start(
            "qemu-system-x86_64", "-accel", "tcg", "-S", "-nodefaults",
            "-display", "none", "-name", f"guest={name},debug-threads=on",
            "-qmp", "stdio", "-blockdev",
            f"driver=file,filename={image},node-name=f", "-blockdev",
            f"driver={form},file=f,node-name=disk", "-device",
            "virtio-blk,drive=disk,share-rw=on")
        check("QMP" in child.stdout.readline(), "QEMU did not start")
        qmp(child, "qmp_capabilities")
        return child


def qmp(machine, command, **arguments):
    request = {"execute": command, "arguments": arguments}
    machine.stdin.write(json.dumps(request) + "\n")
    machine.stdin.flush()
    while True:
        line = machine.stdout.readline()
        check(line, "QEMU is gone")
        if not line.startswith("{"):
            continue  # what qemu-io prints
        answer = json.loads(line)
        check("error" not in answer, answer)
        if "return" in answer:
            return answer["return"]


def machine_io(machine, command):
    """A write as the guest would do it: marks dirty bitmaps."""
    answer = qmp(machine, "human-monitor-command",
                 **{"command-line": f'qemu-io disk "{command}"'})
    check("failed" not in answer and "conflict" not in answer, answer)


def image_info(image):
    # A block device or a file; qemu-img reads what is on disk now.
    return json.loads(run("qemu-img", "info", "-U", "--output=json", image))


def bitmaps(image):
    specific = image_info(image).get("format-specific", {}).get("data", {})
    return {entry["name"]: set(entry["flags"])
            for entry in specific.get("bitmaps", [])}


def our_bitmaps(image):
    return sorted(name for name in bitmaps(image)
                  if name.startswith("backstitch-"))


def disk(result, name="vda"):
    return next(one for one in result["disks"] if one["name"] == name)
