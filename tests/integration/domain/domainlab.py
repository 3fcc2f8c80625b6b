"""What the tests of `backstitch backup DOMAIN` share: a work directory, libvirt,
machines, a repository and an oracle.

A test script defines functions test_*(lab) and calls run(globals()). It exits
with 0 when all pass, 77 when some could not run here (each says why), and 1 when
one failed. Whatever happens, machines and mounts are taken away, and daemons
that were started here are stopped. BACKSTITCH_SEED repeats a run.
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
import traceback

from checks import (Skipped, check, check_equal, need, need_programs, say,
                    wait_until)
from daemons import URI, Daemons
from machine import SUPPORT, Machine
from machine_xml import Disk
from oracle import Oracle

__all__ = ["Disk", "MIB", "Machine", "Oracle", "check", "check_equal",
           "disk_of", "need", "need_programs", "run", "say", "wait_until"]

MIB = 1 << 20
COMMAND_SECONDS = 300


def disk_of(result, name):
    """What the result of a backup says of one disk."""
    return next(one for one in result["disks"] if one["name"] == name)


class Session:
    """What all tests of a script share: daemons and the guest's kernel."""

    def __init__(self):
        # libvirt's QEMU is a user of its own and must get there.
        self.path = pathlib.Path(tempfile.mkdtemp(
            prefix="backstitch-test.",
            dir=os.environ.get("BACKSTITCH_TEST_DIR", "/var/tmp")))
        self.path.chmod(0o755)
        self.name = self.path.name.rpartition(".")[2]
        self.guard = subprocess.Popen(
            [sys.executable, "-B", pathlib.Path(__file__).parent / "guard.py",
             self.path, self.name], stdin=subprocess.PIPE, text=True,
            start_new_session=True)
        self.daemons = Daemons(self.tell_guard)
        self.seed = int(os.environ.get("BACKSTITCH_SEED") or
                        random.SystemRandom().randrange(1 << 32))
        self.machines = 0
        self._guest = None

    def guest(self):
        """The directory with the guest's kernel and initial RAM disk."""
        if not self._guest:
            need_programs("cc", "cpio", "busybox", "modprobe")
            self._guest = self.path / "guest"
            subprocess.run([SUPPORT / "guest-build.sh", self._guest],
                           check=True, timeout=120)
        return self._guest

    def tell_guard(self, line):
        self.guard.stdin.write(line + "\n")
        self.guard.stdin.flush()

    def close(self):
        self.daemons.stop()
        shutil.rmtree(self.path, ignore_errors=True)
        self.tell_guard("done")
        self.guard.communicate()


class Lab:
    """One test's directory, repository and machines."""

    def __init__(self, session, name):
        self.session = session
        self.daemons = session.daemons
        self.uri = URI  # backstitch's way to libvirt
        # Short: the path of a socket below it must fit into 107 bytes.
        self.path = pathlib.Path(tempfile.mkdtemp(dir=session.path))
        self.path.chmod(0o755)
        self.random = random.Random(f"{session.seed} {name}")
        self.log = []
        self._undo = []
        self.repository = self.new_repository("repository")

    def guest(self):
        return self.session.guest()

    def undo(self, action):
        """Registers what must be done at the end, last first."""
        self._undo.append(action)

    def directory(self, name):
        path = self.path / name
        path.mkdir(exist_ok=True)
        return path

    # --- programs ---

    def run(self, *command, ok=True, **options):
        """Runs a program to its end; a failure fails the test unless told."""
        options.setdefault("timeout", COMMAND_SECONDS)
        done = subprocess.run(
            [str(word) for word in command], capture_output=True, text=True,
            errors="replace", check=False, **options)
        self.log.append(f"{command}: {done.returncode}\n{done.stderr}")
        check(not ok or done.returncode == 0,
              f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def virsh(self, *words, ok=True):
        return self.run("virsh", "-q", "-c", URI, *words, ok=ok)

    def backstitch(self, *words, repository=None, ok=True, **options):
        return self.run("backstitch", "-r", repository or self.repository,
                        "-c", self.uri, *words, ok=ok, **options)

    def start(self, *command, **options):
        """Starts a program beside the test; killed when it ends."""
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        child = subprocess.Popen([str(word) for word in command], text=True,
                                 **options)

        def end():
            child.kill()
            child.communicate()
        self.undo(end)
        return child

    # --- what tests make ---

    def new_repository(self, name):
        path = self.path / name
        self.run("backstitch", "init", path)
        return path

    def image(self, name, size, form="qcow2", *options):
        """An empty image; its path."""
        path = self.path / name
        self.run("qemu-img", "create", "-q", "-f", form, *options, path, size)
        return path

    def image_info(self, path):
        return json.loads(self.run("qemu-img", "info", "-U", "--output=json",
                                   path).stdout)

    def machine(self, disks, name="", **definition):
        """A machine that is defined and off; see machine_xml() for more. `name`
        is put before what makes it unique."""
        self.session.machines += 1
        name += f"backstitch-test-{self.session.name}-{self.session.machines}"
        machine = Machine(self, name, disks, **definition)
        self.undo(machine.remove)
        return machine.define()

    def close(self):
        for action in reversed(self._undo):
            try:
                action()
            except Exception:  # the rest must be undone nevertheless
                traceback.print_exc(file=sys.stdout)
        shutil.rmtree(self.path, ignore_errors=True)


def run_one(session, name, test):
    """'passed', 'skipped' or 'failed', and says so."""
    begin = time.monotonic()
    lab = None
    try:
        lab = Lab(session, name)
        test(lab)
        print(f"ok: {name} ({time.monotonic() - begin:.1f} s)", flush=True)
        return "passed"
    except Skipped as reason:
        print(f"SKIPPED: {name}: {reason}", flush=True)
        return "skipped"
    except Exception:
        print(f"FAILED: {name}", flush=True)
        traceback.print_exc(file=sys.stdout)
        print("the last commands were")
        print("\n".join(lab.log[-6:] if lab else []), flush=True)
        return "failed"
    finally:
        if lab:
            lab.close()


def run_all(session, names):
    need(os.geteuid() == 0, "these tests start machines and mount: root")
    need(os.path.exists("/dev/fuse"), "there is no /dev/fuse")
    need_programs("backstitch", "backstitchfs", "virsh", "qemu-img", "qemu-io")
    chosen = sys.argv[1:]
    tests = [(name, test) for name, test in names.items()
             if name.startswith("test_") and (not chosen or name in chosen)]
    check(tests, "no test has that name")
    session.daemons.ensure()
    return [run_one(session, name, test) for name, test in tests]


def stop(number, frame):
    """A test that is stopped (a time limit) cleans up as one that failed; where
    it has no time for that, guard.py does."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


def run(names):
    signal.signal(signal.SIGTERM, stop)
    session = Session()
    print(f"BACKSTITCH_SEED={session.seed}", flush=True)
    try:
        results = run_all(session, dict(names))
    except Skipped as reason:
        print(f"SKIPPED: {reason}")
        sys.exit(77)
    finally:
        session.close()
    if "failed" in results:
        sys.exit(1)
    sys.exit(77 if "skipped" in results else 0)
