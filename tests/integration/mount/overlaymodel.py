"""A flat model of a writable image: its content, and what a crash may leave."""

from mountlab import check, check_equal

BLOCK = 4096


class Model:
    """The content now, and what each block was since the last sync."""

    def __init__(self, content):
        self.content = bytearray(content)
        self.since = {}

    def block(self, number):
        return bytes(self.content[number * BLOCK:(number + 1) * BLOCK])

    def change(self, offset, data):
        blocks = range(offset // BLOCK, (offset + len(data) - 1) // BLOCK + 1)
        for number in blocks:
            self.since.setdefault(number, {self.block(number)})
        self.content[offset:offset + len(data)] = data
        for number in blocks:
            self.since[number].add(self.block(number))

    def synced(self):
        self.since.clear()

    def check_possible(self, found):
        """Each block is what it was at the last sync or at some time since."""
        check_equal(len(found), len(self.content), "size")
        for number in range((len(found) + BLOCK - 1) // BLOCK):
            block = found[number * BLOCK:(number + 1) * BLOCK]
            allowed = self.since.get(number, {self.block(number)})
            check(block in allowed, f"block {number} is neither old nor new "
                  f"({len(allowed)} were possible)")

    def check_crashed(self, found):
        """The same, and takes over what there is."""
        self.check_possible(found)
        self.content = bytearray(found)
        self.since.clear()

    def adopt(self, found):
        """What there is after an operation that failed half way."""
        self.check_possible(found)
        self.content = bytearray(found)
