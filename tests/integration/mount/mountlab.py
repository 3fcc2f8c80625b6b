"""What the tests of mounting share: repositories, mounts, and cleaning up.

A test script defines functions test_*(lab) and calls run(globals()). It exits
with 0 when all pass, 77 when some could not run here (each says why), and 1
when one failed. Whatever happens, what was mounted is unmounted.
"""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

MIB = 1 << 20
CHUNK = 64 << 10


class Skipped(Exception):
    """The machine lacks what the test needs; the argument says what."""


def need(condition, reason):
    if not condition:
        raise Skipped(reason)


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def check_equal(got, wanted, what):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


def check_errno(code, action, what):
    """Runs an action that must fail with the errno `code`."""
    try:
        action()
    except OSError as error:
        check_equal(errno.errorcode.get(error.errno), errno.errorcode[code], what)
        return
    raise AssertionError(f"{what}: succeeded, {errno.errorcode[code]} expected")


def wait_until(condition, what, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, f"not within {seconds} s: {what}")
        time.sleep(0.02)


def tool(name):
    """A program of this build; meson names them in the environment."""
    return os.environ[name]


def read_file(path):
    with open(path, "rb") as file:
        return file.read()


def write_disk(path, size, seed, pieces=60):
    """A sparse disk: incompressible and text-like pieces between holes."""
    rng = random.Random(seed)
    with open(path, "wb") as file:
        file.truncate(size)
        for piece in range(pieces):
            length = min(size, rng.randrange(1, 3 * CHUNK))
            file.seek(rng.randrange(0, size - length + 1))
            text = (f"piece {piece} of disk {seed} " * (length // 12 + 1)).encode()
            file.write(rng.randbytes(length) if piece % 2 else text[:length])


def change_disk(path, seed, pieces=10):
    rng = random.Random(seed)
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        for _ in range(pieces):
            length = min(size, rng.randrange(1, 2 * CHUNK))
            file.seek(rng.randrange(0, size - length + 1))
            file.write(rng.randbytes(length))


class Lab:
    """A temporary directory, and what was mounted below it."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="backstitch-mount-")
        os.chmod(self.path, 0o755)
        self.repository = self.file("repository")
        self.environment = dict(os.environ)
        self._processes = []
        self._undo = []

    def file(self, name):
        return os.path.join(self.path, name)

    def directory(self, name):
        os.makedirs(self.file(name), exist_ok=True)
        return self.file(name)

    def undo(self, action):
        """Registers what must be done at the end, last first."""
        self._undo.append(action)

    def run(self, *command, **keywords):
        """Runs a command to its end; its output is for the log and the test."""
        keywords.setdefault("env", self.environment)
        return subprocess.run(command, text=True, errors="replace",
                              capture_output=True, timeout=60, **keywords)

    def must(self, *command, **keywords):
        done = self.run(*command, **keywords)
        check(done.returncode == 0, f"{command}: {done.returncode}\n{done.stderr}")
        return done.stdout.strip()

    def point(self, domain="vm1", *words, **disks):
        """Makes a point; returns its name ("000001")."""
        return self.must(tool("MAKE_REPOSITORY"), self.repository, domain, *words,
                         *(f"{name}={path}" for name, path in disks.items()))

    def delete(self, domain, *numbers):
        return self.run(tool("DELETE_POINTS"), self.repository, domain,
                        *(str(number) for number in numbers))

    def try_mount(self, *words, where="mount", repository=None):
        """Runs the driver in the background form; returns the finished parent."""
        mount_point = self.file(where)
        if where not in os.listdir(self.path) and where != ".":
            self.directory(where)
        self.undo(lambda: self.unmount(where))
        return self.run(tool("BACKSTITCHFS"), repository or self.repository,
                        mount_point, "--log", self.file("log"), *words)

    def mount(self, *words, where="mount"):
        """Mounts; returns the mount point. The tree can be read at once."""
        done = self.try_mount(*words, where=where)
        check_equal(done.returncode, 0, f"mount {words}: {done.stderr}")
        return self.file(where)

    def start(self, *words, where="mount"):
        """Starts the driver in front; returns the process once it serves."""
        mount_point = self.directory(where)
        self.undo(lambda: self.unmount(where))
        process = subprocess.Popen(
            [tool("BACKSTITCHFS"), self.repository, mount_point, "-f", *words],
            stderr=subprocess.PIPE, text=True, env=self.environment)
        self._processes.append(process)
        wait_until(lambda: os.path.ismount(mount_point), "mounted")
        return process

    def unmount(self, where="mount"):
        path = self.file(where)
        subprocess.run(["umount", "-l", path], capture_output=True)

    def log(self):
        try:
            return read_file(self.file("log")).decode(errors="replace")
        except FileNotFoundError:
            return ""

    def close(self):
        for action in reversed(self._undo):
            action()
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()
        shutil.rmtree(self.path, ignore_errors=True)


def run_one(name, test):
    """'passed', 'skipped' or 'failed', and says so."""
    lab = Lab()
    try:
        test(lab)
        print(f"ok: {name}", flush=True)
        return "passed"
    except Skipped as reason:
        print(f"SKIPPED: {name}: {reason}", flush=True)
        return "skipped"
    except Exception:
        print(f"FAILED: {name}", flush=True)
        traceback.print_exc(file=sys.stdout)
        print(lab.log(), flush=True)
        return "failed"
    finally:
        lab.close()


def run(names):
    chosen = sys.argv[1:]
    if not os.path.exists("/dev/fuse"):
        print("SKIPPED: there is no /dev/fuse here")
        sys.exit(77)
    if os.geteuid() != 0:
        print("SKIPPED: these tests mount, make devices and change users: root")
        sys.exit(77)
    results = [run_one(name, test) for name, test in list(names.items())
               if name.startswith("test_") and (not chosen or name in chosen)]
    check(results, "no test has that name")
    if "failed" in results:
        sys.exit(1)
    sys.exit(77 if "skipped" in results else 0)
