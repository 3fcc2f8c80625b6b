#!/usr/bin/python3
"""An independent reader of backstitch repositories.

Written from man/backstitch-format.5 alone and sharing nothing with the C++
sources, it shows that the page is enough to read a repository. It checks all
that it reads and changes nothing.

    reader.py list REPOSITORY
    reader.py extract REPOSITORY DOMAIN NUMBER DISK FILE
    reader.py hash REPOSITORY            (XXH3-128 of every disk of every point)

Exit status: 0, 1 (cannot read), 3 (not found), 4 (damaged), 6 (unsupported).
"""

import fcntl
import json
import os
import re
import struct
import sys

import xxhash
import zstandard

CHUNK = 65536
PAGE = 4096
HEADER = 4096
ZERO_REF = bytes(32)
KIND_PAGE, KIND_CHUNK = 1, 2
STORED, ZSTD = 0, 1
MAP, DATA = 1, 2


class Failure(Exception):
    exit_code = 1


class NotFound(Failure):
    exit_code = 3


class Damaged(Failure):
    exit_code = 4


class Unsupported(Failure):
    exit_code = 6


def require(condition, message):
    if not condition:
        raise Damaged(message)


def hash_halves(data):
    """The hash as it stands in binary structures: low half first."""
    number = xxhash.xxh3_128_intdigest(data)
    return struct.pack("<QQ", number & (2**64 - 1), number >> 64)


# --- JSON FILES ---


def load_json(path):
    with open(path, "rb") as file:
        return parse_json(file.read(), path)


def parse_json(text, path):
    require(len(text) <= 16 << 20, f"{path}: too long")
    require(
        re.fullmatch(rb'\{"hash":"[0-9a-f]{32}"', text[:42]),
        f"{path}: does not begin with its hash",
    )
    digest = xxhash.xxh3_128_hexdigest(text[41:])
    require(digest.encode() == text[9:41], f"{path}: hash differs")
    require(text.endswith(b"}\n"), f"{path}: does not end with its document")
    document = json.loads(text)
    if document["format"] > 1:
        raise Unsupported(f"{path}: version {document['format']} is newer")
    if document["incompatible"]:
        raise Unsupported(f"{path}: needs {document['incompatible']}")
    return document


# --- DIRECTORIES ---

DISK_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")
POINT_NAME = re.compile(r"[0-9]{6,10}")


def point_name(number):
    return f"{number:06d}"


def is_point_name(name):
    return bool(POINT_NAME.fullmatch(name)) and point_name(int(name)) == name


class Repository:
    def __init__(self, path):
        self.path = path
        try:
            self.identity = load_json(os.path.join(path, "repository.json"))
        except FileNotFoundError as error:
            raise NotFound(f"{path}: no repository") from error

    def domains(self):
        return sorted(
            entry.name
            for entry in os.scandir(self.path)
            if entry.is_dir() and not entry.name.startswith(".")
            and os.path.exists(os.path.join(entry.path, "lock"))
        )

    def points(self, domain):
        """Numbers of the committed points: those that have a manifest."""
        folder = os.path.join(self.path, domain)
        return sorted(
            int(name)
            for name in os.listdir(folder)
            if is_point_name(name)
            and os.path.exists(os.path.join(folder, name, "point.json"))
        )

    def open_point(self, domain, number):
        return Point(self, domain, number)


class Point:
    """A committed point, locked against deletion as long as this lives."""

    def __init__(self, repository, domain, number):
        self.folder = os.path.join(repository.path, domain)
        path = os.path.join(self.folder, point_name(number), "point.json")
        try:
            self.file = open(path, "rb")
            fcntl.flock(self.file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(self.file.fileno()),
                                    os.stat(path)):
                raise NotFound(f"{path}: was deleted")
        except (FileNotFoundError, BlockingIOError) as error:
            raise NotFound(f"{path}: no such point") from error
        self.manifest = parse_json(self.file.read(), path)
        require(self.manifest["point"] == number, f"{path}: another point's")
        for disk in self.manifest["disks"]:
            require(DISK_NAME.fullmatch(disk["name"]), f"{path}: bad disk name")

    def disk(self, name):
        for disk in self.manifest["disks"]:
            if disk["name"] == name:
                return Disk(self, disk)
        raise NotFound(f"no disk {name} in point {self.manifest['point']}")

    def side_file(self, entry):
        path = os.path.join(
            self.folder, point_name(self.manifest["point"]), entry["name"]
        )
        with open(path, "rb") as file:
            content = file.read()
        require(
            len(content) == entry["size"]
            and xxhash.xxh3_128_hexdigest(content) == entry["hash"],
            f"{path}: is not what was written",
        )
        return content


# --- FILE HEADER ---


class StoredFile:
    """A .map or .data file with its header checked."""

    def __init__(self, path, kind, point_id, number, disk, length):
        self.path = path
        self.length = length
        self.file = open(path, "rb", buffering=0)
        header = self.file.read(HEADER)
        require(len(header) == HEADER, f"{path}: has no whole header")
        require(header[:8] == b"BSTITCH\0", f"{path}: wrong magic")
        require(
            hash_halves(header[:4080]) == header[4080:],
            f"{path}: header is damaged",
        )
        version, size, incompatible = struct.unpack_from("<IIQ", header, 8)
        if version > 1 or incompatible:
            raise Unsupported(f"{path}: version {version}, {incompatible:#x}")
        require(size == HEADER, f"{path}: header of {size} bytes")
        require(
            struct.unpack_from("<II", header, 32) == (kind, number)
            and header[40:56] == point_id
            and header[56:120] == disk.encode().ljust(64, b"\0"),
            f"{path}: header is another file's",
        )

    def read(self, offset, length):
        require(
            offset >= HEADER and offset + length <= self.length,
            f"{self.path}: {length} bytes at {offset} are not inside",
        )
        data = os.pread(self.file.fileno(), length, offset)
        require(len(data) == length, f"{self.path}: ends too early")
        return data


# --- MAPS and CHUNKS ---


class Ref:
    def __init__(self, raw):
        head, self.point, self.offset = struct.unpack_from("<IIQ", raw)
        self.kind = head & 15
        self.codec = head >> 4 & 15
        self.length = head >> 8
        self.hash = raw[16:32]

    def check(self, level, lowest, highest):
        require(
            self.kind == (KIND_PAGE if level else KIND_CHUNK),
            "ref of the wrong kind",
        )
        require(lowest <= self.point <= highest, "ref outside of its chain")
        require(HEADER <= self.offset < 2**62, "ref's offset out of range")
        if level or self.codec == STORED:
            whole = PAGE if level else CHUNK
            require(self.codec == STORED, "ref to a coded page")
            require(self.length == whole, "ref's length is wrong")
            require(self.offset % PAGE == 0, "ref is not aligned")
        else:
            require(self.codec == ZSTD, "ref of unknown codec")
            require(0 < self.length < CHUNK, "ref's length is wrong")


class Disk:
    def __init__(self, point, entry):
        self.folder = point.folder
        self.number = point.manifest["point"]
        self.chain = point.manifest["chain"]
        self.name = entry["name"]
        self.size = entry["size"]
        self.chunks = -(-self.size // CHUNK)
        self.root = bytes.fromhex(entry["root"])
        require(len(self.root) == 32, "root is no ref")
        self.data_chunks = entry["data_chunks"]
        self.files = {}
        self.decoder = zstandard.ZstdDecompressor()

    def height(self):
        height = 0
        while 128**height < self.chunks:
            height += 1
        return height

    def stored_file(self, number, kind):
        if (number, kind) not in self.files:
            self.files[number, kind] = self.open_file(number, kind)
        return self.files[number, kind]

    def open_file(self, number, kind):
        folder = os.path.join(self.folder, point_name(number))
        manifest = None
        for name in ("point.json", "deleted.json", "remains.json"):
            path = os.path.join(folder, name)
            if os.path.exists(path):
                manifest = load_json(path)
                break
        require(manifest is not None, f"{folder}: has no manifest")
        require(manifest["point"] == number, f"{folder}: another point's")
        entries = [d for d in manifest["disks"] if d["name"] == self.name]
        require(entries, f"{folder}: does not know {self.name}")
        suffix, member = {MAP: (".map", "map_length"),
                          DATA: (".data", "data_length")}[kind]
        return StoredFile(
            os.path.join(folder, self.name + suffix), kind,
            bytes.fromhex(manifest["id"]), number, self.name,
            entries[0][member],
        )

    def read_page(self, ref):
        page = self.stored_file(ref.point, MAP).read(ref.offset, PAGE)
        require(
            hash_halves(page) == ref.hash,
            f"{self.name}: page at {ref.offset} of {ref.point}: hash differs",
        )
        require(page != bytes(PAGE), f"{self.name}: a page of zeroes")
        return page

    def read_chunk(self, ref):
        where = f"{self.name}: chunk at {ref.offset} of {ref.point}"
        data = self.stored_file(ref.point, DATA).read(ref.offset, ref.length)
        if ref.codec == ZSTD:
            data = self.decode(data, where)
        require(hash_halves(data) == ref.hash, f"{where}: hash differs")
        require(data != bytes(CHUNK), f"{where}: stored zeroes")
        return data

    def decode(self, data, where):
        """One frame that gives exactly a chunk, and the check of the frame."""
        require(len(data) > 8, f"{where}: too short")
        data, check = data[:-8], data[-8:]
        digest = xxhash.xxh3_64_intdigest(data)
        require(digest.to_bytes(8, "little") == check, f"{where}: check differs")
        decoder = self.decoder.decompressobj()
        try:
            content = decoder.decompress(data)
        except zstandard.ZstdError as error:
            raise Damaged(f"{where}: {error}") from error
        require(
            decoder.eof and not decoder.unused_data and len(content) == CHUNK,
            f"{where}: frame is not one chunk",
        )
        return content

    def walk(self, raw, level, first, highest):
        """(chunk number, ref) of all that is not zero, in guest order."""
        if raw == ZERO_REF:
            return
        require(first < self.chunks, f"{self.name}: data beyond the end")
        ref = Ref(raw)
        ref.check(level, self.chain, highest)
        if level == 0:
            yield first, ref
            return
        page = self.read_page(ref)
        for slot in range(128):
            yield from self.walk(
                page[32 * slot:32 * slot + 32], level - 1,
                first + slot * 128 ** (level - 1), ref.point,
            )

    def extents(self):
        """(offset, bytes) of all that is not zero."""
        count = 0
        for chunk, ref in self.walk(self.root, self.height(), 0, self.number):
            offset = chunk * CHUNK
            yield offset, self.read_chunk(ref)[: self.size - offset]
            count += 1
        require(count == self.data_chunks, f"{self.name}: {count} data chunks")

    def extract(self, path):
        with open(path, "wb") as out:
            out.truncate(self.size)
            for offset, data in self.extents():
                os.pwrite(out.fileno(), data, offset)

    def content_hash(self):
        digest = xxhash.xxh3_128()
        position = 0
        for offset, data in self.extents():
            hash_zeroes(digest, offset - position)
            digest.update(data)
            position = offset + len(data)
        hash_zeroes(digest, self.size - position)
        return digest.hexdigest()


def hash_zeroes(digest, count):
    for begin in range(0, count, CHUNK):
        digest.update(bytes(min(CHUNK, count - begin)))


# --- Commands ---


def list_points(path):
    repository = Repository(path)
    for domain in repository.domains():
        for number in repository.points(domain):
            manifest = repository.open_point(domain, number).manifest
            disks = ", ".join(
                f"{disk['name']} {disk['size']}" for disk in manifest["disks"]
            )
            print(domain, number, manifest["time"], manifest["level"], disks)


def hash_all(path):
    repository = Repository(path)
    for domain in repository.domains():
        for number in repository.points(domain):
            point = repository.open_point(domain, number)
            for disk in point.manifest["disks"]:
                digest = point.disk(disk["name"]).content_hash()
                print(f"{digest}  {domain}/{point_name(number)}/{disk['name']}")
            for entry in point.manifest["files"]:
                point.side_file(entry)


def extract(path, domain, number, disk, target):
    point = Repository(path).open_point(domain, int(number))
    point.disk(disk).extract(target)


def main(arguments):
    commands = {"list": (list_points, 1), "hash": (hash_all, 1),
                "extract": (extract, 5)}
    name = arguments[0] if arguments else None
    if name not in commands or len(arguments) != commands[name][1] + 1:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        commands[name][0](*arguments[1:])
    except Failure as failure:
        print(f"reader: {failure}", file=sys.stderr)
        return failure.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
