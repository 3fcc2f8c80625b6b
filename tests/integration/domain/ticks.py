"""One instant, over all disks: what `vmio ticks` of the guest leaves.

The guest writes 1, 2, 3 … one after the other to slots on several disks. In a
point of one instant there is a last number, every slot holds the newest number
that was written to it up to that one, and nothing newer is anywhere.
"""

import struct

from checks import check, check_equal

BLOCK = 4096


class Ticks:
    """`places`: the disks in the order in which the guest writes to them, as
    (disk, device in the guest, offset of that device on the disk, where on the
    device the slots begin)."""

    def __init__(self, machine, places, slots=96, stride=64 << 10):
        self.machine = machine
        self.places = places
        self.slots = slots
        self.stride = stride

    def begin(self):
        devices = " ".join(f"{device} {start}"
                           for _, device, _, start in self.places)
        self.machine.guest(
            f"( vmio ticks {self.slots} {self.stride} {devices} "
            ">/tmp/ticks 2>&1 & echo $! >/tmp/ticks.pid )")

    def pause(self):
        self.machine.guest("kill -STOP $(cat /tmp/ticks.pid); sync")

    def go_on(self):
        self.machine.guest("kill -CONT $(cat /tmp/ticks.pid)")

    def end(self):
        self.machine.guest("kill -KILL $(cat /tmp/ticks.pid)")

    def _read(self, image, start):
        numbers = []
        with open(image, "rb") as file:
            for slot in range(self.slots):
                file.seek(start + slot * self.stride)
                block = file.read(BLOCK)
                words = set(struct.unpack(f"<{BLOCK // 8}Q", block))
                check_equal(len(words), 1, f"{image}: numbers in slot {slot}")
                numbers.append(words.pop())
        return numbers

    def check(self, image_of):
        """`image_of(disk)`: its image at a point. Returns the last number."""
        found = [self._read(image_of(disk), base + start)
                 for disk, _, base, start in self.places]
        last = max(max(numbers) for numbers in found)
        check(last > 0, "the guest wrote no number")
        wanted = [[0] * self.slots for _ in self.places]
        for tick in range(max(1, last - 2 * self.slots * len(self.places)),
                          last + 1):
            device = tick % len(self.places)
            wanted[device][tick // len(self.places) % self.slots] = tick
        for index, (disk, _, _, _) in enumerate(self.places):
            check_equal(found[index], wanted[index],
                        f"{disk} is of another instant than number {last}")
        return last
