"""A machine under libvirt: its life, its guest's shell, its monitor."""

import json
import pathlib
import subprocess
import uuid
from xml.etree import ElementTree

from checks import check, check_equal, wait_until
from machine_xml import machine_xml

SUPPORT = pathlib.Path(__file__).resolve().parents[2] / "support" / "lab"


class Machine:
    """Made by Lab.machine(), removed when the test ends. Its name is one that
    no other run uses; `disks` are machine_xml.Disk, and may be changed while
    the machine is off: call define() then."""

    def __init__(self, lab, name, disks, **definition):
        self.lab = lab
        self.name = name
        self.uuid = str(uuid.uuid4())
        self.disks = list(disks)
        self.definition = definition
        self._devices = {}
        self.run = lab.directory(f"run-{self.uuid[:8]}")
        self.run.chmod(0o777)

    def disk(self, target):
        return next(one for one in self.disks if one.target == target)

    def virsh(self, verb, *words, **keywords):
        return self.lab.virsh(verb, self.uuid, *words, **keywords)

    # --- its life ---

    def xml(self):
        guest = self.definition.get("guest")
        if guest is True:
            guest = self.lab.guest()
        return machine_xml(self.name, self.uuid, self.disks, self.run,
                           **{**self.definition, "guest": guest})

    def _xml_file(self):
        path = self.run / "domain.xml"
        path.write_text(self.xml(), encoding="utf-8")
        return path

    def define(self):
        self.lab.virsh("define", self._xml_file())
        return self

    def start(self, paused=False, transient=False):
        self._devices.clear()
        console = self.run / "console.log"
        console.write_bytes(b"")
        console.chmod(0o666)
        words = ["--paused"] if paused else []
        if transient:
            self.lab.virsh("create", self._xml_file(), *words)
        else:
            self.virsh("start", *words)
        if self.definition.get("guest") and not paused:
            self.wait_for_guest()
        return self

    def wait_for_guest(self, seconds=90):
        wait_until(lambda: b"GUEST-READY" in
                   (self.run / "console.log").read_bytes(),
                   f"the guest of {self.name} is ready", seconds)

    def state(self):
        """"running", "paused", "shut off", … or "" when there is none."""
        done = self.virsh("domstate", ok=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    def wait_off(self, seconds=30):
        wait_until(lambda: self.state() in ("shut off", ""),
                   f"{self.name} is off", seconds)

    def shut_down(self):
        """The guest powers the machine off."""
        self.tell("sync; poweroff -f")
        self.wait_off()

    def power_off(self):
        """QEMU is ended, in order: bitmaps reach the images."""
        self.virsh("destroy")
        self.wait_off()

    def suspend(self):
        self.virsh("suspend")

    def resume(self):
        self.virsh("resume")

    def pid(self):
        """QEMU's."""
        return int((pathlib.Path("/run/libvirt/qemu") /
                    f"{self.name}.pid").read_text())

    def remove(self):
        self.virsh("destroy", ok=False)
        for words in (["--checkpoints-metadata", "--snapshots-metadata",
                       "--nvram"], ["--nvram"], []):
            if self.virsh("undefine", *words, ok=False).returncode == 0:
                break

    # --- its guest ---

    def guest(self, command, seconds=60):
        """Runs a shell command in the guest; what it printed."""
        done = subprocess.run(
            [SUPPORT / "guestctl.py", self.run / "ctl.sock", command,
             str(seconds)], capture_output=True, text=True, check=False,
            timeout=seconds + 10)
        check_equal(done.returncode, 0,
                    f"in the guest: {command}\n{done.stdout}{done.stderr}")
        return done.stdout.strip().replace("\r", "")

    def guest_all(self, commands):
        """Runs commands one after the other; each must succeed."""
        # Few at a time: the terminal's buffer is small.
        for first in range(0, len(commands), 8):
            self.guest(" && ".join(commands[first:first + 8]))

    def tell(self, command):
        """Starts a command in the guest and does not wait for it."""
        self.guest(f"( sleep 0.2; {command} ) >/dev/null 2>&1 & true")

    # --- its monitor ---

    def qmp(self, command, **arguments):
        request = {"execute": command}
        if arguments:
            request["arguments"] = arguments
        answer = json.loads(self.virsh("qemu-monitor-command",
                                       json.dumps(request)).stdout)
        check("error" not in answer, f"{self.name}: {request}: {answer}")
        return answer["return"]

    def _block_device(self, target):
        xml = ElementTree.fromstring(self.virsh("dumpxml").stdout)
        alias = next(disk.find("alias").get("name")
                     for disk in xml.iterfind("devices/disk")
                     if disk.find("target").get("dev") == target)
        return next(device for device in self.qmp("query-block")
                    if alias in device.get("qdev", "").split("/"))

    def _write_through_monitor(self, target, commands):
        # libvirt names a device for its target: it is the same the next time.
        if target not in self._devices:
            self._devices[target] = self._block_device(target)["qdev"]
        device = self._devices[target]
        # One virsh for all of them: it takes several commands, quoted.
        lines = "; ".join(
            f"qemu-monitor-command {self.uuid} --hmp "
            f"'qemu-io -d {device} \"{command}\"'" for command in commands)
        done = self.lab.virsh(lines)
        check("rror" not in done.stdout, f"{lines}: {done.stdout}")

    def io(self, target, *commands):
        """qemu-io's commands, as writes of the machine where it is on (a
        failed one is silent then: the oracle must see the change)."""
        if self.state() in ("running", "paused"):
            self._write_through_monitor(target, [*commands, "flush"])
            return
        disk = self.disk(target)
        words = []
        for command in commands:
            words += ["-c", command]
        out = self.lab.run("qemu-io", "-f", disk.form, "-d", "unmap", *words,
                           disk.path).stdout
        check("failed" not in out and "error" not in out, out)

    # --- what backups leave ---

    def job(self):
        """What job runs on it, "" when none does."""
        for line in self.virsh("domjobinfo", ok=False).stdout.splitlines():
            key, _, value = line.partition(":")
            if key == "Operation":
                return value.strip()
        return ""

    def checkpoints(self):
        out = self.virsh("checkpoint-list", "--name", "--topological").stdout
        return out.split()

    def bitmaps(self, target):
        """Names of the dirty bitmaps that an image, or QEMU, keeps."""
        if self.state() in ("running", "paused"):
            inserted = self._block_device(target)["inserted"]
            return sorted(one["name"]
                          for one in inserted.get("dirty-bitmaps", []))
        info = self.lab.image_info(self.disk(target).path)
        data = info.get("format-specific", {}).get("data", {})
        return sorted(one["name"] for one in data.get("bitmaps", []))
