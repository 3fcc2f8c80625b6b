"""A machine to which anything may happen between backups, at random.

Each act is a method do_*; it returns False where it makes no sense now. After
whatever has happened, a backup must succeed and be what the disks hold.
"""

import json
import os
import signal

from checks import check, check_equal, say
from machine_xml import Disk
from oracle import Oracle
from writes import scribble

MIB = 1 << 20
SIZE = 16 * MIB
WRITTEN = 8 * MIB  # scribbles go below, so that little must be compared
NO_BASE = 7


class Walk:
    def __init__(self, lab):
        self.lab = lab
        self.random = lab.random
        self.machine = lab.machine([
            Disk("vda", lab.image("vda.qcow2", SIZE)),
            Disk("vdb", lab.image("vdb.raw", SIZE, "raw"), form="raw"),
            Disk("sdc", lab.image("sdc.qcow2", SIZE), bus="scsi")])
        self.oracles = [Oracle(lab, self.machine),
                        Oracle(lab, self.machine, lab.new_repository("second"))]
        self.spare = []       # disks that are not plugged in
        self.bases = []       # of vda's snapshots, the oldest first
        self.images = 0
        self.others = 0

    def running(self):
        return self.machine.state() in ("running", "paused")

    def scribble(self):
        for disk in self.machine.disks:
            if self.random.random() < 0.7:
                scribble(self.machine, disk.target, WRITTEN, 4)

    # --- backups ---

    def do_backup(self):
        oracle = self.random.choice(self.oracles)
        words = ["--level", self.random.choice(
            ["auto"] * 6 + ["incremental"] * 4 + ["differential"] * 3 +
            ["full", "copy"])]
        if self.random.random() < 0.2:
            words += [self.random.choice(["--include", "--exclude"]), "vda"]
        if self.random.random() < 0.2:
            words.append("--start-paused")
        done = oracle.backup(*words, ok=False)
        if done.returncode == NO_BASE:
            check(words[1] in ("incremental", "differential"), done.stderr)
            say(f"{words}: no base")
            return True
        check_equal(done.returncode, 0, f"{words}: {done.stderr}")
        say(" ".join(words))
        oracle.take(json.loads(done.stdout))
        return True

    def do_delete(self):
        oracle = self.random.choice(self.oracles)
        if len(oracle.copies) < 2:
            return False
        point = self.random.choice(sorted(oracle.copies))
        oracle.delete(point)
        return True

    # --- power ---

    def do_power(self):
        if not self.running():
            self.machine.start(paused=self.random.random() < 0.2)
        else:
            self.machine.power_off()
        return True

    def do_pause(self):
        state = self.machine.state()
        if state == "running":
            self.machine.suspend()
        elif state == "paused":
            self.machine.resume()
        return state in ("running", "paused")

    def do_kill_qemu(self):
        if not self.running():
            return False
        os.kill(self.machine.pid(), signal.SIGKILL)
        self.machine.wait_off()
        return True

    # --- disks ---

    def do_plug(self):
        """A disk goes, or comes back, or another comes under its name."""
        machine = self.machine
        file = machine.run / "device.xml"
        words = ["--live", "--config"] if self.running() else ["--config"]
        if len(machine.disks) == 3:
            disk = machine.disk("sdc")
            machine.disks.remove(disk)
            self.spare.append(disk)
            verb = "detach-device"
        else:
            if self.random.random() < 0.4 or not self.spare:
                self.images += 1
                self.spare.append(Disk("sdc", self.lab.image(
                    f"new{self.images}.qcow2", SIZE), bus="scsi"))
            disk = self.spare.pop(self.random.randrange(len(self.spare)))
            machine.disks.append(disk)
            verb = "attach-device"
        file.write_text(disk.xml(), encoding="utf-8")
        machine.virsh(verb, file, *words)
        return True

    def do_resize(self):
        size = SIZE + self.random.randrange(1, 40) * 512 * 37
        target = self.random.choice(["vda", "vdb"])
        disk = self.machine.disk(target)
        if self.size(disk) >= size:
            return False
        if self.running():
            # QEMU refuses while there are bitmaps of a QEMU that was killed.
            self.machine.virsh("blockresize", target, f"{size}B", ok=False)
        else:
            self.lab.run("qemu-img", "resize", "-q", "-f", disk.form, disk.path,
                         size)
        return True

    def size(self, disk):
        return self.lab.image_info(disk.path)["virtual-size"]

    # --- snapshots ---

    def do_snapshot(self):
        if self.machine.state() != "running" or len(self.bases) > 2:
            return False
        self.images += 1
        disk = self.machine.disk("vda")
        overlay = self.lab.path / f"overlay{self.images}.qcow2"
        words = []
        for one in self.machine.disks:
            how = f"file={overlay}" if one is disk else "snapshot=no"
            words += ["--diskspec", f"{one.target},{how}"]
        self.machine.virsh("snapshot-create-as", "--disk-only", "--no-metadata",
                           "--atomic", *words)
        self.bases.append(disk.path)
        disk.path = overlay
        return True

    def do_commit(self):
        if self.machine.state() != "running" or not self.bases:
            return False
        base = self.bases.pop()
        self.machine.virsh("blockcommit", "vda", "--active", "--pivot",
                           "--wait", "--base", base)
        self.machine.disk("vda").path = base
        return True

    def do_throw_away(self):
        if self.running() or not self.bases:
            return False
        self.machine.disk("vda").path = self.bases.pop()
        self.machine.define()
        return True

    # --- what others do to images ---

    def do_roll_back(self):
        """An image is what a copy of it was, bitmaps and all."""
        if self.running() or self.bases:
            return False
        path = self.machine.disk("vda").path
        saved = self.lab.path / "saved.qcow2"
        if saved.exists() and self.random.random() < 0.7:
            self.lab.run("cp", saved, path)
        else:
            self.lab.run("cp", path, saved)
        return True

    def do_restore(self):
        oracle = self.random.choice(self.oracles)
        points = [point for point, copies in oracle.copies.items()
                  if "vda" in copies]
        if self.running() or not points:
            return False
        self.lab.backstitch("restore", "--force", "--no-sync", "--disk", "vda",
                            "--format", "qcow2",
                            f"{oracle.name}@{self.random.choice(points)}",
                            self.machine.disk("vda").path,
                            repository=oracle.repository)
        if self.bases:
            # libvirt would put the snapshot's base below it again.
            self.bases = []
            self.machine.define()
        return True

    # --- what others do to checkpoints ---

    def do_other_checkpoint(self):
        if self.machine.state() != "running":
            return False
        self.others += 1
        self.machine.virsh("checkpoint-create-as", f"other{self.others}",
                           "--diskspec", "vda", ok=False)
        return True

    def do_delete_other(self):
        names = [one for one in self.machine.checkpoints()
                 if one.startswith("other")]
        if not names or not self.running():
            return False
        self.machine.virsh("checkpoint-delete", self.random.choice(names),
                           ok=False)
        return True

    def do_forget(self):
        names = self.machine.checkpoints()
        if not names:
            return False
        self.machine.virsh("checkpoint-delete", self.random.choice(names),
                           "--metadata")
        return True

    def do_remove_bitmap(self):
        names = self.machine.bitmaps("vda")
        if self.running() or not names:
            return False
        self.lab.run("qemu-img", "bitmap", "--remove", "-f", "qcow2",
                     self.machine.disk("vda").path, self.random.choice(names))
        return True
