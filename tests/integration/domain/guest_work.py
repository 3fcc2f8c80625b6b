"""What the guest does to its disks between two points, all from a seed.

The first disk has a file system on its first partition, the second partition is
written without one. Every step wipes ranges that were not zero at the point
before, each in another way; `wiped` and `filled` say where a point must hold
zeroes and where a byte.
"""

import subprocess

MIB = 1 << 20
SECTOR = 512

FS_START, FS_BYTES = 1 * MIB, 40 * MIB
RAW_START, RAW_BYTES = 41 * MIB, 24 * MIB
TICK_START, TICK_BYTES = 65 * MIB, 8 * MIB
DISK_BYTES = 74 * MIB

# The upper part of the raw partition is for the ranges that are wiped.
SLOT_BYTES = MIB
FIRST_SLOT = 12
SLOTS = 12

FILES = 6
FILE_BYTES = 2 * MIB


def make_disk(lab, name):
    """A GPT with an ext4 partition and two empty ones, as qcow2."""
    raw = lab.path / f"{name}.raw"
    with open(raw, "wb") as file:
        file.truncate(DISK_BYTES)
    table = "label: gpt\n" + "".join(
        f"start={start // SECTOR}, size={size // SECTOR}, type=L\n"
        for start, size in ((FS_START, FS_BYTES), (RAW_START, RAW_BYTES),
                            (TICK_START, TICK_BYTES)))
    lab.run("sfdisk", "--quiet", raw, input=table)
    lab.run("mkfs.ext4", "-q", "-F", "-E", f"offset={FS_START},"
            "lazy_itable_init=0,lazy_journal_init=0", raw,
            f"{FS_BYTES // MIB}M")
    path = lab.path / f"{name}.qcow2"
    lab.run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, path)
    raw.unlink()
    return path


class GuestWork:
    def __init__(self, machine, random, second_disk_bytes):
        self.machine = machine
        self.random = random
        self.second_bytes = second_disk_bytes
        self.step = 0
        self.filled = {}  # slot -> byte, as the disk is now
        self.wiped = set()

    def begin(self):
        self.machine.guest("mount -t ext4 /dev/vda1 /mnt")
        for number in range(FILES):
            path = f"/mnt/f{number}"
            self.machine.guest_all([
                f"truncate -s {FILE_BYTES} {path}",
                self._scatter(path, FILE_BYTES, 100)])
        self.change()

    def change(self):
        """One step of work, synced."""
        self.step += 1
        script = [*self._on_files(), *self._on_raw("/dev/vda2",
                                                   FIRST_SLOT * SLOT_BYTES),
                  *self._on_raw("/dev/vdb", self.second_bytes),
                  *self._on_slots(), "sync"]
        self.machine.guest_all(script)

    def disturb(self):
        """Overwrites what sums() reads, files and slots not."""
        self.machine.guest_all([
            *self._on_raw("/dev/vda2", FIRST_SLOT * SLOT_BYTES),
            *self._on_raw("/dev/vdb", self.second_bytes)])

    def _scatter(self, path, size, count, piece=4096):
        return (f"vmio scatter {path} {self.random.randrange(1 << 30)} {count} "
                f"{piece} 0 {size}")

    def _range(self, size, unit):
        length = self.random.choice([unit, 16 * unit, 60 * unit, 300 * unit])
        length = min(length, size // 2)
        return f"{self.random.randrange(0, size - length + 1, unit)} {length}"

    def _on_files(self):
        number = self.random.randrange(FILES)
        other = self.random.randrange(FILES)
        path = f"/mnt/f{number}"
        lines = [self._scatter(path, FILE_BYTES, 20),
                 f"vmio punch /mnt/f{other} {self._range(FILE_BYTES, 4096)}",
                 f"vmio fzero {path} {self._range(FILE_BYTES, 4096)}",
                 f"vmio write0 /mnt/f{other} {self._range(FILE_BYTES, 512)}",
                 f"cp {path} /mnt/copy{self.step % 3}",
                 f"mkdir -p /mnt/d{self.step}; echo {self.step} "
                 f">/mnt/d{self.step}/name"]
        if self.step % 3 == 0:
            lines.append(f"rm -f /mnt/copy{self.step // 3 % 3}; sync; "
                         "fstrim /mnt")
        return lines

    def _on_raw(self, device, size):
        lines = [self._scatter(device, size, 12),
                 self._scatter(device, size, 2, 65536)]
        for verb in self.random.sample(["zero", "discard", "write0"], 2):
            lines.append(f"vmio {verb} {device} {self._range(size, 4096)}")
        return lines

    def _on_slots(self):
        """Wipes what the step before filled, and fills other slots."""
        lines = []
        old = sorted(self.filled)
        self.wiped = set(old)
        for verb, slot in zip(["zero", "discard", "write0"], old):
            start = (FIRST_SLOT + slot) * SLOT_BYTES
            lines.append(f"vmio {verb} /dev/vda2 {start} {SLOT_BYTES}")
        free = [slot for slot in range(SLOTS) if slot not in old]
        self.filled = {slot: self.random.randrange(1, 256)
                       for slot in self.random.sample(free, 3)}
        for slot, byte in self.filled.items():
            start = (FIRST_SLOT + slot) * SLOT_BYTES
            lines.append(f"vmio fill /dev/vda2 {start} {SLOT_BYTES} {byte}")
        return lines

    def truth(self):
        """What the slots hold now: {offset on vda: (length, byte)}."""
        known = {slot: 0 for slot in self.wiped} | self.filled
        return {RAW_START + (FIRST_SLOT + slot) * SLOT_BYTES:
                (SLOT_BYTES, byte) for slot, byte in known.items()}

    def freeze(self):
        # Freezing leaves the super block changed in the cache of the device.
        self.machine.guest("sync; fsfreeze --freeze /mnt; sync")

    def thaw(self):
        self.machine.guest("fsfreeze --unfreeze /mnt")

    def sums(self):
        """{(disk, offset, length): sha256} as the guest reads its disks."""
        ranges = [("vda", FS_START, FS_BYTES, "/dev/vda1"),
                  ("vda", RAW_START, RAW_BYTES, "/dev/vda2"),
                  ("vdb", 0, self.second_bytes, "/dev/vdb")]
        return {(disk, start, length): self.machine.guest(
                    f"dd if={device} bs=1M count={length // MIB} iflag=direct "
                    "2>/dev/null | sha256sum").split()[0]
                for disk, start, length, device in ranges}

    def file_sums(self):
        """{name: sha256} of the files, for a look through the file system."""
        lines = self.machine.guest("cd /mnt; sha256sum f* copy*; cd /")
        return {name: digest for digest, name in
                (line.split() for line in lines.splitlines())}


def file_sums_of(lab, partition):
    """The same, from a point's partition."""
    where = lab.directory("inside")
    lab.run("mount", "-o", "ro,noload,loop", partition, where)
    try:
        out = lab.run("sh", "-c", "sha256sum f* copy*", cwd=where).stdout
    finally:
        subprocess.run(["umount", where], check=True)
    return {name: digest for digest, name in
            (line.split() for line in out.splitlines())}
