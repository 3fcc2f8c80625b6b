"""A guest with QEMU's own agent: what a machine of agent_test.py needs beyond
the lab's guest, and what is asked of it."""

import pathlib
import shutil
import subprocess
import time

from domainlab import (MIB, Disk, Oracle, check, check_equal, need_programs,
                       wait_until)

AGENT = "/usr/sbin/qemu-ga"
PORT = "org.qemu.guest_agent.0"
CHANNEL = f"""\
    <controller type='virtio-serial' index='0'/>
    <channel type='unix'>
      <source mode='bind'/>
      <target type='virtio' name='{PORT}'/>
    </channel>"""

# The agent calls it before it freezes and after it has thawed.
HOOK = """#!/bin/sh
[ "$1" = freeze ] && [ -s /tmp/delay ] && sleep $(cat /tmp/delay)
read -r now idle </proc/uptime
echo "$1 $now" >>/tmp/hook
"""

START = """#!/bin/sh
for port in /sys/class/virtio-ports/*; do
  [ "$(cat $port/name)" = {port} ] && device=/dev/${{port##*/}}
done
rm -f /tmp/hook
touch /tmp/hook
{agent} -m virtio-serial -p $device -t /tmp -F/etc/hook >/tmp/agent.log 2>&1 &
echo $! >/tmp/agent.pid
"""

# Writes to a file system all the time, and notes when it could.
WRITER = """#!/bin/sh
while :; do
  echo $(cut -d' ' -f1 /proc/uptime) >/mnt/now && sync
  cp /mnt/now /tmp/last
  sleep 0.1
done
"""

SIZE = 24 * MIB


def _libraries(program):
    out = subprocess.run(["ldd", program], check=True, capture_output=True,
                         text=True).stdout
    words = [word for line in out.splitlines() for word in line.split()]
    return [word for word in words if word.startswith("/")]


def _module(root, version):
    out = subprocess.run(["modprobe", "-S", version, "--show-depends",
                          "virtio_console"], check=True, capture_output=True,
                         text=True).stdout
    shutil.copy(out.split()[-1], root / "lib" / "console.ko")


def _script(root, path, text):
    (root / path).write_text(text, encoding="utf-8")
    (root / path).chmod(0o755)


def add_agent(lab):
    """Appends the agent to the guest's initial RAM disk, once a session."""
    guest = lab.guest()
    if (guest / "agent").exists():
        return
    need_programs("qemu-ga")
    root = lab.directory("agent")
    for path in [AGENT, *_libraries(AGENT)]:
        target = root / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    for path in ("etc", "bin", "lib"):
        (root / path).mkdir(exist_ok=True)
    kernel = max(pathlib.Path("/boot").glob("vmlinuz-*-cloud-*"))
    _module(root, kernel.name.removeprefix("vmlinuz-"))
    _script(root, "etc/hook", HOOK)
    _script(root, "bin/start-agent", START.format(port=PORT, agent=AGENT))
    _script(root, "bin/writer", WRITER)
    lab.run("sh", "-c", "find . | cpio -o -H newc --quiet | gzip -1 >>"
            f"{guest}/initrd.gz", cwd=root)
    (guest / "agent").touch()


def disk_with_files(lab, name):
    raw = lab.image(f"{name}.raw", SIZE, "raw")
    lab.run("mkfs.ext4", "-q", "-F", raw)
    path = lab.path / f"{name}.qcow2"
    lab.run("qemu-img", "convert", "-O", "qcow2", raw, path)
    return path


class AgentMachine:
    """It runs, with its file systems at /mnt and /data, and its agent
    answers unless `agent` is False."""

    def __init__(self, lab, agent=True):
        add_agent(lab)
        self.lab = lab
        self.machine = lab.machine(
            [Disk(one, disk_with_files(lab, f"{one}{lab.session.machines}"))
             for one in ("vda", "vdb")], guest=True, extra=CHANNEL).start()
        self.oracle = Oracle(lab, self.machine)
        self.guest("mkdir /data; mount /dev/vda /mnt; mount /dev/vdb /data; "
                   "insmod /lib/console.ko")
        self.guest("setsid writer >/dev/null 2>&1 & echo")
        if agent:
            self.guest("start-agent")
            wait_until(self.answers, "the agent answers", 30)

    def guest(self, command):
        return self.machine.guest(command)

    def answers(self):
        return self.machine.virsh(
            "qemu-agent-command", '{"execute":"guest-ping"}',
            ok=False).returncode == 0

    def signal(self, name):
        self.guest(f"kill -{name} $(cat /tmp/agent.pid)")

    def hook(self, keep=False):
        """[("freeze" or "thaw", seconds of the guest's clock)] since it was
        asked last."""
        forget = "" if keep else "; : >/tmp/hook"
        lines = self.guest(f"cat /tmp/hook{forget}").splitlines()
        return [(word, float(when)) for word, when in map(str.split, lines)]

    def hook_words(self):
        return [word for word, _ in self.hook()]

    def clock(self):
        return float(self.guest("cut -d' ' -f1 /proc/uptime"))

    def last_write(self):
        return float(self.guest("cat /tmp/last"))

    def check_writes(self, seconds):
        """The guest writes to its file system, within so many seconds; gives
        how many it took."""
        begin = time.monotonic()
        now = self.clock()
        wait_until(lambda: self.last_write() > now,
                   "the guest can write to its file system (its agent did "
                   f"{self.hook(keep=True)} before {now})", seconds)
        return time.monotonic() - begin

    def check_frozen(self):
        before = self.last_write()
        time.sleep(1)
        check_equal(self.last_write(), before, "the guest's last write")

    def consistency(self):
        """Of the last point."""
        last = self.oracle.points()[-1]
        return self.oracle.show(last)["manifest"]["consistency"]

    def exact_point(self):
        """A point while nothing writes, compared with the disks."""
        self.guest("killall -STOP writer; sync")
        self.oracle.point("--quiesce", "no")
        self.guest("killall -CONT writer")

    def check_clean(self, point, **disks):
        """Whether the file systems of a point need their journals: those that
        were frozen do not."""
        for disk, clean in disks.items():
            done = subprocess.run(
                ["dumpe2fs", "-h", self.oracle.image(point, disk)], check=True,
                capture_output=True, text=True)
            check_equal("needs_recovery" not in done.stdout, clean,
                        f"{disk} of point {point} is clean")

    def backup(self, *words, ok=True):
        return self.oracle.backup(*words, ok=ok)
