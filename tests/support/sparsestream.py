"""Writes archives as virtnbdbackup does, in all the variants of its format, and
says what they hold."""

import json
import pathlib
import zlib

import lz4.frame

MAX_REQUEST = 32 << 20
FRAME = 40


def frame(kind, start, length):
    return b"%s %016x %016x\r\n" % (kind, start, length)


class Variant:
    """How a writer spells things."""

    def __init__(self, version=2, compress=False, old_keys=False,
                 max_request=MAX_REQUEST, block_size=None, linked=True,
                 checksums=True):
        self.version = version
        self.compress = compress
        self.old_keys = old_keys
        self.max_request = max_request
        self.linked = linked
        self.checksums = checksums
        self.block_size = block_size or lz4.frame.BLOCKSIZE_DEFAULT

    def squeeze(self, data):
        return lz4.frame.compress(
            data, compression_level=2, block_size=self.block_size,
            block_linked=self.linked, content_checksum=self.checksums,
            block_checksum=self.checksums)

    def meta(self, **values):
        if self.old_keys:
            names = {"virtualSize": "virtual-size", "dataSize": "data-size",
                     "streamVersion": "stream-version"}
            values = {names.get(name, name): value
                      for name, value in values.items()}
        return json.dumps(values, indent=4).encode()


def write_stream(path, size, extents, variant, *, disk="vda", level="full",
                 checkpoint="virtnbdbackup.0", parent="",
                 date="2026-01-02T03:04:05.123456", chksum=False):
    """`extents` are (offset, bytes or a length of zeroes), ascending. Zeroes are
    written by fulls and copies only, as the peer does. Returns the offsets at
    which frames begin."""
    data = [part for _, part in extents if not isinstance(part, int)]
    meta = {"virtualSize": size, "dataSize": sum(map(len, data)), "date": date,
            "diskName": disk, "diskFormat": "qcow2",
            "checkpointName": checkpoint, "parentCheckpoint": parent,
            "incremental": level in ("inc", "diff"),
            "streamVersion": variant.version}
    if variant.version > 1:
        meta["compressed"] = 2 if variant.compress else False
        meta["compressionMethod"] = "lz4"
    meta = variant.meta(**meta)
    out = bytearray(frame(b"meta", 0, len(meta)) + meta + b"\r\n")
    frames = [0]
    sizes = []
    for offset, part in extents:
        if isinstance(part, int):
            if level in ("full", "copy"):
                frames.append(len(out))
                out += frame(b"zero", offset, part)
            continue
        frames.append(len(out))
        out += frame(b"data", offset, len(part))
        if variant.compress:
            pieces = [variant.squeeze(part[at:at + variant.max_request])
                      for at in range(0, len(part), variant.max_request)]
            stored = b"".join(pieces)
            sizes.append({len(stored): [len(piece) for piece in pieces]}
                         if len(part) >= variant.max_request else len(stored))
            out += stored
        else:
            out += part
        out += b"\r\n"
    frames.append(len(out))
    out += frame(b"stop", 0, 0)
    if variant.compress:
        trailer = json.dumps(sizes).encode()
        frames.append(len(out))
        out += trailer + b"\r\n"
        frames.append(len(out))
        out += frame(b"comp", 0, len(trailer))
    pathlib.Path(path).write_bytes(out)
    if chksum:
        pathlib.Path(f"{path}.chksum").write_text(str(zlib.adler32(out)))
    return frames


class Disk:
    """A disk that is written to by a seeded random, and its archive."""

    CLUSTER = 64 << 10

    def __init__(self, random, size, name="vda"):
        self.random = random
        self.name = name
        self.content = bytearray(size)
        self.dirty = set()

    def resize(self, size):
        self.content += bytes(size - len(self.content))

    def write(self, count, largest=8):
        """Text-like and random runs of clusters."""
        clusters = len(self.content) // self.CLUSTER
        for _ in range(count):
            first = self.random.randrange(clusters)
            length = min(self.random.randint(1, largest), clusters - first)
            if self.random.random() < 0.5:
                part = self.random.randbytes(length * self.CLUSTER)
            else:
                line = self.random.randbytes(30).hex().encode() + b"\n"
                part = line * (length * self.CLUSTER // len(line) + 1)
            begin = first * self.CLUSTER
            self.content[begin:begin + length * self.CLUSTER] = \
                part[:length * self.CLUSTER]
            self.dirty.update(range(first, first + length))

    def zero(self):
        """A cluster that was written becomes zero."""
        clusters = [at for at in range(len(self.content) // self.CLUSTER)
                    if any(self.cluster(at))]
        if not clusters:
            return
        at = self.random.choice(clusters) * self.CLUSTER
        self.content[at:at + self.CLUSTER] = bytes(self.CLUSTER)
        self.dirty.add(at // self.CLUSTER)

    def cluster(self, number):
        begin = number * self.CLUSTER
        return self.content[begin:begin + self.CLUSTER]

    def _runs(self, kind_of):
        clusters = -(-len(self.content) // self.CLUSTER)
        runs = []
        for number in range(clusters):
            kind = kind_of(number)
            if runs and runs[-1][2] == kind:
                runs[-1][1] = number + 1
            else:
                runs.append([number, number + 1, kind])
        return runs

    def _part(self, first, end):
        return bytes(self.content[first * self.CLUSTER:end * self.CLUSTER])

    def full(self):
        extents = []
        for first, end, is_data in self._runs(lambda n: any(self.cluster(n))):
            part = self._part(first, end)
            extents.append((first * self.CLUSTER,
                            part if is_data else len(part)))
        self.dirty.clear()
        return extents

    def changes(self, drop_zeroes=False, keep=False):
        extents = []
        for first, end, is_dirty in self._runs(
                lambda n: n in self.dirty and
                (not drop_zeroes or any(self.cluster(n)))):
            if is_dirty:
                extents.append((first * self.CLUSTER, self._part(first, end)))
        if not keep:
            self.dirty.clear()
        return extents


def apply(content, size, extents):
    """What an archive says: the extents over what was there."""
    content = bytearray(content[:size]) + bytes(max(0, size - len(content)))
    for offset, part in extents:
        part = bytes(part) if isinstance(part, int) else part
        content[offset:offset + len(part)] = part
    return content
