"""From a point to a running machine, and to its storage while it runs."""

import json
import os
import pathlib
import subprocess
import sys
import threading
import time
from xml.etree import ElementTree

import ours
import peers
import run
from report import Row, limit

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] /
                       "integration" / "domain"))
from recovered import Recovered  # noqa: E402 (a guest's shell on a terminal)

NAME = "backstitch-bench"
TWIN = NAME + "-recovered"
# QEMU looks once a second whether somebody has opened a terminal of its.
TERMINAL_SECONDS = 1.5
READ_MIB = 256
TICKER = ("while [ ! -e /tmp/stop ]; do echo x | dd of=/dev/vda bs=4096 "
          "seek=2000000 count=1 conv=fsync,notrunc 2>/dev/null; echo TICK; done "
          ">/dev/ttyS0 2>&1 & true")


def _virsh(*words, ok=True):
    done = subprocess.run(["virsh", "-q", "-c", "qemu:///system",
                           *map(str, words)], capture_output=True, text=True,
                          check=False)
    if ok and done.returncode != 0:
        raise RuntimeError(f"virsh {words}: {done.stderr}")
    return done


class _Bench:
    """The machine's point, and what Recovered asks of a test."""

    def __init__(self, context, repository):
        self.context = context
        self.repository = repository
        os.environ["BACKSTITCH_STATE"] = str(context.fresh("state"))
        self.storage = context.fresh("storage")
        self.storage.mkdir()
        self.storage.chmod(0o755)

    def undo(self, action):
        pass

    virsh = staticmethod(_virsh)

    def backstitch(self, *words, ok=True):
        done = subprocess.run(["backstitch", "-q", "-r", self.repository,
                               *map(str, words)], capture_output=True,
                              text=True, check=False)
        if ok and done.returncode != 0:
            raise RuntimeError(f"backstitch {words}: {done.stderr}")
        return done

    def boot(self, *words):
        return run.measure("backstitch", "-q", "-r", self.repository, "boot",
                           NAME, "--storage", self.storage, *words)

    def clean(self):
        self.backstitch("discard", TWIN, ok=False)
        _virsh("destroy", TWIN, ok=False)
        _virsh("undefine", TWIN, ok=False)
        for path in self.storage.iterdir():
            path.unlink()


class _Console(threading.Thread):
    """Follows a machine's first terminal: when its marker came, and the longest
    time between two ticks. The host's clock: a guest's own stands still while
    it is paused."""

    def __init__(self):
        super().__init__(daemon=True)
        xml = ElementTree.fromstring(_virsh("dumpxml", TWIN).stdout)
        path = next(port.find("source").get("path")
                    for port in xml.iterfind("devices/serial")
                    if port.find("target").get("port") == "0")
        self.terminal = os.open(path, os.O_RDONLY | os.O_NOCTTY)
        self.ready = threading.Event()
        self.ready_at = 0.0
        self.longest = 0.0
        self.start()

    def run(self):
        text, last = b"", 0.0
        while True:
            try:
                got = os.read(self.terminal, 65536)
            except OSError:  # the machine has ended
                return
            now = time.monotonic()
            text = (text + got)[-4096:]
            if b"GUEST-READY" in text and not self.ready.is_set():
                self.ready_at = now
                self.ready.set()
            if b"TICK" in got:
                self.longest = max(self.longest, now - last if last else 0.0)
                last = now

    def wait(self):
        if not self.ready.wait(120):
            raise RuntimeError("the guest does not come up")
        return self.ready_at


def _watch_start():
    """A machine that is paused goes on: seconds to its marker, and for its
    reading of a part of the disk."""
    console = _Console()
    time.sleep(TERMINAL_SECONDS)
    begin = time.monotonic()
    _virsh("resume", TWIN)
    seconds = console.wait() - begin
    twin = Recovered(_Lab, TWIN)
    twin.guest("true")
    begin = time.monotonic()
    twin.guest(f"dd if=/dev/vda of=/dev/null bs=1M count={READ_MIB} skip=600 "
               "iflag=direct 2>/dev/null", 120)
    reading = time.monotonic() - begin
    twin.close()
    return seconds, reading


class _Lab:
    undo = staticmethod(lambda action: None)
    virsh = staticmethod(_virsh)


def _boot_from_mount(bench):
    def once():
        usage = bench.boot("--start-paused")
        times = _watch_start()
        bench.clean()
        return (usage.seconds, *times)
    return once


def _boot_from_raw(bench, raw):
    """The same machine, its overlay over a raw file."""
    def once():
        bench.boot("--start-paused")
        xml = ElementTree.fromstring(_virsh("dumpxml", TWIN).stdout)
        bench.clean()
        disk = xml.find("devices/disk")
        overlay = disk.find("source").get("file")
        run.run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b",
                raw, overlay)
        disk.find("backingStore/source").set("file", str(raw))
        # Another host's machine: nothing of the old one's life.
        for seclabel in xml.findall("seclabel"):
            xml.remove(seclabel)
        path = bench.context.work / "raw.xml"
        path.write_text(ElementTree.tostring(xml, encoding="unicode"))
        _virsh("create", path, "--paused")
        times = _watch_start()
        bench.clean()
        return (0.0, *times)
    return once


def _moved(bench, move):
    """Seconds that `move` takes for a machine whose guest writes and flushes,
    the longest time between two of its writes, and what `move` gives."""
    def once():
        bench.boot("--start-paused")
        console = _Console()
        time.sleep(TERMINAL_SECONDS)
        _virsh("resume", TWIN)
        console.wait()
        twin = Recovered(_Lab, TWIN)
        twin.guest(TICKER)
        time.sleep(1)
        begin = time.monotonic()
        result = move()
        seconds = time.monotonic() - begin
        time.sleep(0.5)
        longest = console.longest
        twin.close()
        bench.clean()
        return seconds, longest, result
    return once


def _finalize(bench):
    """Seconds that the guest was paused at most."""
    said = bench.backstitch("--json", "finalize", TWIN).stdout
    return json.loads(said)["longest_pause_ms"] / 1000


def measure(context):
    disk = context.private_copy(context.disk(), "recovery-vm.qcow2")
    repository = ours.Repository(context.fresh("recovery"))
    with peers.VirtualMachine(context.work / "lab", disk):
        repository.backup_domain(NAME)
    bench = _Bench(context, repository.path)
    raw = context.fresh("recovery.raw")
    bench.backstitch("restore", NAME, raw)
    raw.chmod(0o644)
    try:
        booted = run.interleave({
            "mount": _boot_from_mount(bench),
            "raw": _boot_from_raw(bench, raw)}, context.rounds)
        moved = run.interleave({
            "finalize": _moved(bench, lambda: _finalize(bench)),
            "pull": _moved(bench, lambda: _virsh("blockpull", TWIN, "vda",
                                                 "--wait")),
        }, context.rounds)
    finally:
        bench.clean()
        for name in ("recovery-vm.qcow2", "recovery", "recovery.raw", "state",
                     "storage"):
            context.fresh(name)

    def middle(results, index):
        return run.median([result[index] for result in results])
    return [
        limit("recovery", "boot, command", middle(booted["mount"], 0), "s", 3),
        Row("recovery", "boot, guest", middle(booted["mount"], 1), "a raw file",
            middle(booted["raw"], 1), "s", 1.1, at_most=True),
        Row("recovery", f"its reading of {READ_MIB} MiB",
            middle(booted["mount"], 2), "a raw file", middle(booted["raw"], 2),
            "s"),
        Row("recovery", "finalize, 2 GiB", middle(moved["finalize"], 0),
            "virDomainBlockPull", middle(moved["pull"], 0), "s", 5),
        limit("recovery", "finalize, guest paused",
              max(paused for _, _, paused in moved["finalize"]), "s", 1),
        # Also for a core, where it and the copying share too few.
        Row("recovery", "its longest wait", middle(moved["finalize"], 1),
            "virDomainBlockPull", middle(moved["pull"], 1), "s"),
    ]
