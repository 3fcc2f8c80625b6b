"""A machine that `backstitch boot` started: its guest's shell is on a terminal
that libvirt made, for the test's socket is not there any more."""

import os
import re
import select
import subprocess
import time
import tty
from xml.etree import ElementTree

from checks import check, check_equal, wait_until

SHELL_PORT = "1"


class Recovered:
    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self._terminal = None
        lab.undo(self.remove)

    def remove(self):
        self.close()
        self.lab.backstitch("discard", self.name, ok=False)
        self.lab.virsh("destroy", self.name, ok=False)
        self.lab.virsh("undefine", "--checkpoints-metadata", self.name,
                       ok=False)

    def close(self):
        if self._terminal is not None:
            os.close(self._terminal)
            self._terminal = None

    def xml(self):
        return ElementTree.fromstring(
            self.lab.virsh("dumpxml", self.name).stdout)

    def sources(self):
        """Target to the file that the disk is now."""
        return {disk.find("target").get("dev"): disk.find("source").get("file")
                for disk in self.xml().iterfind("devices/disk")}

    def pid(self):
        found = subprocess.run(["pgrep", "-f", f"guest={self.name},"],
                               capture_output=True, text=True, check=False)
        return int(found.stdout.split()[0])

    def _open(self):
        path = next(port.find("source").get("path")
                    for port in self.xml().iterfind("devices/serial")
                    if port.find("target").get("port") == SHELL_PORT)
        self._terminal = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._terminal)

    def _wait_for_shell(self, seconds=90):
        self._open()

        def answers():
            os.write(self._terminal, b"echo READY''NOW\n")
            return b"READYNOW" in self._read(0.5)
        wait_until(answers, f"the guest of {self.name} answers", seconds)
        self._read(0.3)

    def _read(self, seconds):
        got = b""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ready, _, _ = select.select([self._terminal], [], [], 0.05)
            if ready:
                got += os.read(self._terminal, 65536)
        return got

    def guest(self, command, seconds=60):
        """Runs a shell command in the guest; what it printed."""
        if self._terminal is None:
            self._wait_for_shell()
        tag = f"E{time.monotonic_ns()}"
        line = f"{{ {command} ; }} </dev/null 2>&1; echo '{tag}''Z'$?\n"
        os.write(self._terminal, line.encode())
        output = b""
        end = time.monotonic() + seconds
        while not re.search(tag.encode() + rb"Z\d", output):
            check(time.monotonic() < end, f"in the guest: {command}: {output}")
            output += self._read(0.05)
        text = output.decode(errors="replace").replace("\r", "")
        text, _, status = text.rpartition(f"{tag}Z")
        check_equal(status.strip(), "0", f"in the guest: {command}: {text}")
        return text.strip()
