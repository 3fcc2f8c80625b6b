#!/usr/bin/python3
"""Archives in all variants of virtnbdbackup's format, made by a writer of our
own: what is mounted, restored and imported is what the archive says; what is
damaged, cut off or missing is an error that names it."""

import shutil
import subprocess
import zipfile

from archivelab import check, check_equal, check_image, run
from sparsestream import Disk, Variant, apply, write_stream

MIB = 1 << 20

VARIANTS = {
    "plain": Variant(),
    "v1": Variant(version=1, old_keys=True),
    "lz4": Variant(compress=True),
    "lz4-split": Variant(compress=True, max_request=2 * MIB),
    "lz4-large": Variant(compress=True, block_size=7, old_keys=True),
    "lz4-bare": Variant(compress=True, linked=False, checksums=False),
}


def name_of(level, number):
    return {"full": "full", "copy": "copy", "inc": f"inc.virtnbdbackup.{number}",
            "diff": f"diff.{1700000000 + number}"}[level]


class Archive:
    """A machine's disks through a chain of runs, and what each point holds."""

    def __init__(self, lab, name, variant, sizes=(6 * MIB + 512, 2 * MIB)):
        self.path = lab.directory(name)
        self.variant = variant
        self.disks = [Disk(lab.random, size, f"vd{'ab'[i]}")
                      for i, size in enumerate(sizes)]
        self.checkpoint = -1
        self.runs = 0
        self.truth = []   # of each point: disk to content
        self.frames = {}  # of each file: where frames begin
        (self.path / "vmconfig.virtnbdbackup.0.xml").write_text(
            "<domain type='kvm'>\n  <name>vm1</name>\n</domain>\n")

    def run(self, level, drop_zeroes=False, chksum=False):
        """One run of the program; the disks are written to before."""
        self.runs += 1
        number = self.checkpoint + 1
        contents = {}
        for disk in self.disks:
            disk.write(6, largest=60)
            disk.zero()
            before = self.truth[-1][disk.name] if self.truth else b""
            if level in ("full", "copy"):
                extents, before = disk.full(), b""
            else:
                extents = disk.changes(drop_zeroes, keep=level == "diff")
            file = f"{disk.name}.{name_of(level, number)}.data"
            self.frames[file] = write_stream(
                self.path / file, len(disk.content), extents, self.variant,
                disk=disk.name, level=level,
                checkpoint=f"virtnbdbackup.{number}",
                parent=f"virtnbdbackup.{number - 1}"
                if level in ("inc", "diff") else "",
                date=f"2026-01-02T03:04:{self.runs:02}.5", chksum=chksum)
            contents[disk.name] = bytes(
                apply(before, len(disk.content), extents))
        if level in ("full", "inc"):
            self.checkpoint += 1
        self.truth.append(contents)
        return contents


def check_mounted(lab, archive, truth, domain="vm1"):
    mount = lab.mount(archive)
    for number, contents in enumerate(truth, 1):
        for disk, content in contents.items():
            path = mount / domain / f"{number:06}" / f"{disk}.raw"
            check_random(lab, path, content)
            check_image(path, content, f"{archive.name} {number} {disk}")
    lab.unmount(mount)


def check_random(lab, path, content):
    """Pieces from all over the disk, before anything was read in order."""
    with open(path, "rb", buffering=0) as file:
        for _ in range(40):
            at = lab.random.randrange(len(content))
            length = lab.random.choice([1, 512, 4096, 70000])
            file.seek(at)
            got = b""
            wanted = content[at:at + length]
            while len(got) < len(wanted):
                got += file.read(len(wanted) - len(got))
            check(got == wanted, f"{path}: differs at {at}+{length}")


def chain(lab, name, variant, **options):
    archive = Archive(lab, name, variant)
    archive.run("full", **options)
    archive.run("inc", **options)
    archive.disks[0].resize(9 * MIB)
    archive.run("inc", **options)
    archive.run("diff", **options)
    return archive


def test_every_variant_is_what_it_says(lab):
    for name, variant in VARIANTS.items():
        archive = chain(lab, name, variant)
        # Twice: without an index, and with one that was kept.
        for _ in range(2):
            check_mounted(lab, archive.path, archive.truth)
        points = lab.points(archive.path)
        check_equal([point["level"] for point in points],
                    ["full", "incremental", "incremental", "differential"],
                    f"levels of {name}")
        check_equal([point["parent"] for point in points], [0, 1, 2, 3],
                    f"parents of {name}")
        check_equal([point["time"] for point in points],
                    [f"2026-01-02T03:04:{n:02}.500Z" for n in range(1, 5)],
                    f"times of {name}")
        lab.run("-r", archive.path, "verify")


def test_commands_take_an_archive_for_a_repository(lab):
    archive = chain(lab, "archive", VARIANTS["lz4"])
    for selector, number in [("", 4), ("@2", 2), ("@2026-01-02T03:04:03", 3)]:
        out = lab.directory(f"out{number}")
        lab.run("-r", archive.path, "restore", f"vm1{selector}", f"{out}/")
        for disk, content in archive.truth[number - 1].items():
            check_image(out / f"{disk}.raw", content, f"restored {number}")
        check("<name>vm1</name>" in (out / "domain.xml").read_text(),
              "the description of the machine")
    domains = lab.json("-r", archive.path, "list")["domains"]
    check_equal([(one["name"], one["points"]) for one in domains],
                [("vm1", 4)], "domains")
    shown = lab.json("-r", archive.path, "show", "vm1@2")["manifest"]
    check_equal(shown["compression"], "lz4", "compression")
    check_equal([disk["name"] for disk in shown["disks"]], ["vda", "vdb"],
                "disks")
    for words in (["delete", "vm1@1"], ["prune", "vm1", "--keep-last", "1"],
                  ["backup", "--image", "vda=/none", "--name", "vm1"]):
        lab.fails("-r", archive.path, *words, status=6, says="only read")
    check(not (archive.path / "lock").exists(), "something was written")


def test_new_points_appear_in_a_mount(lab):
    archive = Archive(lab, "archive", VARIANTS["lz4"])
    archive.run("full")
    mount = lab.mount(archive.path)
    check_equal(sorted(file.name for file in (mount / "vm1").iterdir()),
                ["000001", "latest"], "points")
    archive.run("inc")
    for disk, content in archive.truth[1].items():
        check_image(mount / "vm1/latest" / f"{disk}.raw", content,
                    f"the new point's {disk}")
    check_image(mount / "vm1/000001/vda.raw", archive.truth[0]["vda"],
                "the first point")


def test_diff(lab):
    archive = chain(lab, "archive", VARIANTS["lz4"])
    for one, other in [(1, 2), (3, 2), (1, 4), (2, 2)]:
        for disk in lab.json("-r", archive.path, "diff", f"vm1@{one}",
                             f"vm1@{other}")["disks"]:
            a, b = (archive.truth[n - 1][disk["disk"]] for n in (one, other))
            length = max(len(a), len(b))
            a, b = (x + bytes(length - len(x)) for x in (a, b))
            wanted = {at for at in range(0, length, 65536)
                      if a[at:at + 65536] != b[at:at + 65536]}
            got = {at for part in disk["ranges"]
                   for at in range(part["offset"],
                                   part["offset"] + part["length"], 65536)}
            check_equal(got, wanted, f"diff {one} {other} {disk['disk']}")


def test_order_comes_from_checkpoints(lab):
    """Not from names or times of files: the twelfth comes after the second, and
    a directory of several machines is as good as one."""
    archive = Archive(lab, "several/first", VARIANTS["plain"],
                      sizes=(MIB, MIB // 2))
    archive.run("full")
    for _ in range(11):
        archive.run("inc")
    other = Archive(lab, "several/second", VARIANTS["v1"], sizes=(MIB,))
    other.run("copy")
    (other.path / "vmconfig.virtnbdbackup.0.xml").unlink()
    (other.path / "vmconfig.copy.xml").write_text(
        "<domain><name>other &amp; co</name></domain>")
    for file in sorted(archive.path.glob("*.data"), reverse=True):
        file.touch()
    check_mounted(lab, archive.path.parent, archive.truth)
    check_mounted(lab, archive.path.parent, other.truth, "other & co")
    points = lab.points(archive.path.parent)
    check_equal([point["parent"] for point in points], list(range(12)),
                "parents")


def test_stale_points_are_flagged(lab):
    archive = Archive(lab, "stale", VARIANTS["plain"])
    archive.run("full")
    archive.run("inc", drop_zeroes=True)
    archive.run("inc", drop_zeroes=True)

    def flags():
        return [point["possibly_stale"] for point in lab.points(archive.path)]

    def log(run, text):
        file = f"vda.inc.virtnbdbackup.{run}.data"
        other = f"vdb.inc.virtnbdbackup.{run}.data"
        (archive.path / f"backup.inc.0102202603040{run}.log").write_text(
            f"[2026-01-02] INFO lib common - printVersion [main]: {text}\n"
            f"[2026-01-02] INFO root disk - get [vda]: Write data to target "
            f"file: [/backup/{file}.partial].\n"
            f"[2026-01-02] INFO root disk - get [vdb]: Write data to target "
            f"file: [/backup/{other}.partial].\n")

    check_equal(flags(), [False, True, True], "without logs")
    check("possibly stale" in lab.run("-r", archive.path, "list", "vm1").stdout,
          "the list does not say so")
    check("possibly stale" in
          lab.run("-r", archive.path, "show", "vm1@2").stdout, "nor does show")
    log(1, "Version: 1.9.15 Arguments: virtnbdbackup -d vm1 -l inc")
    log(2, "Version: 2.28 Arguments: virtnbdbackup -d vm1 -l inc")
    check_equal(flags(), [False, False, True], "an old version, a new one")
    log(2, "Version: 2.28 Arguments: virtnbdbackup --no-sparse-detection")
    check_equal(flags(), [False, False, False], "told to keep zeroes")
    check_mounted(lab, archive.path, archive.truth)


def test_raw_images_and_zip_files(lab):
    archive = Archive(lab, "plain", VARIANTS["lz4"])
    archive.run("full")
    raw = lab.random.randbytes(MIB) + bytes(2 * MIB) + lab.random.randbytes(512)
    (archive.path / "vdc.copy.data").write_bytes(raw)
    archive.truth[0]["vdc"] = raw
    archive.run("inc")
    check_mounted(lab, archive.path, archive.truth)
    lab.run("-r", archive.path, "verify")

    zipped = lab.path / "stored.zip"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_STORED) as out:
        for file in sorted(archive.path.iterdir()):
            if file.name == "vdc.copy.data":
                continue
            out.write(file, f"./{file.name}")
    del archive.truth[0]["vdc"]
    check_mounted(lab, zipped, archive.truth)
    # A zip file for each run, as the program makes them.
    apart = lab.directory("apart")
    for part in ("full", "inc"):
        with zipfile.ZipFile(apart / f"{part}.zip", "w") as out:
            for file in archive.path.glob(f"vd[ab].{part}.*"):
                out.write(file, file.name)
            out.write(archive.path / "vmconfig.virtnbdbackup.0.xml", "a.xml")
    check_mounted(lab, apart, archive.truth, "apart")
    squeezed = lab.path / "squeezed.zip"
    with zipfile.ZipFile(squeezed, "w", zipfile.ZIP_DEFLATED) as out:
        out.write(archive.path / "vda.full.data", "vda.full.data")
    lab.fails("-r", squeezed, "list", status=6,
              says=["squeezed.zip", "vda.full.data", "compressed"])
    zipped.write_bytes(zipped.read_bytes()[:-100])
    lab.fails("-r", zipped, "list", status=4, says="stored.zip")


def test_missing_and_unfinished_files(lab):
    archive = Archive(lab, "holes", VARIANTS["lz4"])
    archive.run("full")
    for _ in range(4):
        archive.run("inc")
    (archive.path / "vda.inc.virtnbdbackup.2.data").unlink()
    (archive.path / "vdb.inc.virtnbdbackup.2.data").unlink()
    points = lab.points(archive.path, status=4)
    check_equal([("error" in point) for point in points],
                [False, False, True, True], "the middle is missing")
    lab.fails("-r", archive.path, "restore", "vm1@4", f"{lab.path}/x/",
              status=4, says=["vda.inc.virtnbdbackup.3.data",
                              "virtnbdbackup.2"])
    check_mounted(lab, archive.path, archive.truth[:2])

    for disk in ("vda", "vdb"):
        file = archive.path / f"{disk}.inc.virtnbdbackup.1.data"
        file.rename(f"{file}.partial")
    points = lab.points(archive.path, status=4)
    check_equal([point["point"] for point in points if "error" not in point],
                [1], "points after an unfinished run")
    lab.fails("-r", archive.path, "verify", status=4,
              says=["vda.inc.virtnbdbackup.1.data.partial", "unfinished"])
    (archive.path / "vda.full.data").rename(
        archive.path / "vda.full.data.partial")
    lab.fails("-r", archive.path, "restore", "vm1@1", f"{lab.path}/y/",
              status=4, says=["vda.full.data.partial", "unfinished"])
    only = lab.directory("all/only")
    (only / "vda.full.data.partial").write_bytes(b"meta")
    lab.fails("-r", only, "list", status=4, says="vda.full.data.partial")
    # One machine without a finished point does not hide the others.
    Archive(lab, "all/other", VARIANTS["plain"], sizes=(MIB,)).run("full")
    domains = lab.json("-r", only.parent, "list")["domains"]
    check_equal([(one["name"], one["points"]) for one in domains],
                [("only", 0), ("vm1", 1)], "domains")
    lab.fails("-r", only.parent, "verify", status=4,
              says="vda.full.data.partial")


def test_cut_off_at_every_frame(lab):
    for name in ("plain", "lz4"):
        archive = Archive(lab, name, VARIANTS[name], sizes=(MIB,))
        archive.run("full")
        file = archive.path / "vda.full.data"
        whole = file.read_bytes()
        places = {place + more for place in archive.frames[file.name]
                  for more in (0, 1, 39, 40, 41)} - {len(whole)}
        for place in sorted(at for at in places if at < len(whole)):
            file.write_bytes(whole[:place])
            for command in (["restore", "vm1", lab.path / "out.raw"],
                            ["verify"], ["verify", "--quick"]):
                lab.fails("-r", archive.path, *command, status=4,
                          says="vda.full.data")
        file.write_bytes(whole)
        lab.run("-r", archive.path, "verify")


def test_flipped_bits(lab):
    """In the frames of a compressed stream every bit counts; plain data has no
    checksum but that of the whole file."""
    archive = Archive(lab, "flips", VARIANTS["lz4"], sizes=(4 * MIB,))
    content = archive.run("full", chksum=True)["vda"]
    file = archive.path / "vda.full.data"
    whole = file.read_bytes()
    out = lab.path / "out.raw"
    for flip in range(24):
        at = lab.random.randrange(len(whole)) if flip % 2 else \
            lab.random.choice(archive.frames[file.name]) + \
            lab.random.randrange(40)
        bits = bytearray(whole)
        bits[min(at, len(bits) - 1)] ^= 1 << lab.random.randrange(8)
        file.write_bytes(bits)
        lab.fails("-r", archive.path, "verify", status=4, says="vda.full.data")
        out.unlink(missing_ok=True)
        done = lab.json("-r", archive.path, "restore", "vm1", out,
                        status=0 if restores(lab, archive, out) else 4)
        if "error" in done:
            check("vda.full.data" in done["error"]["message"], str(done))
        else:
            check(out.read_bytes() == content, f"wrong bytes: bit at {at}")
    file.write_bytes(whole)
    plain = Archive(lab, "plain", VARIANTS["plain"], sizes=(MIB,))
    plain.run("full", chksum=True)
    file = plain.path / "vda.full.data"
    whole = bytearray(file.read_bytes())
    whole[-200] ^= 1
    file.write_bytes(whole)
    lab.fails("-r", plain.path, "verify", status=4,
              says=["vda.full.data", "Adler-32"])


def restores(lab, archive, out):
    done = subprocess.run(["backstitch", "-r", archive.path, "restore", "vm1",
                           "--force", out], env=lab.environment,
                          capture_output=True, check=False)
    out.unlink(missing_ok=True)
    return done.returncode == 0


def test_cache_can_be_damaged_old_or_forbidden(lab):
    archive = chain(lab, "archive", VARIANTS["lz4"])
    cache = lab.path / "cache" / "backstitch"
    check_mounted(lab, archive.path, archive.truth)
    kept = sorted(file for file in cache.iterdir() if file.stat().st_size)
    check(any(file.suffix == ".index" for file in kept), f"kept: {kept}")
    for file in kept:
        bits = bytearray(file.read_bytes())
        for _ in range(50):
            bits[lab.random.randrange(len(bits))] ^= 255
        file.write_bytes(bits)
    check_mounted(lab, archive.path, archive.truth)
    for file in kept:
        file.write_bytes(file.read_bytes()[:lab.random.randrange(100)])
    check_mounted(lab, archive.path, archive.truth)
    # The same names, other files.
    lab.random.seed("another machine")
    shutil.rmtree(archive.path)
    archive = chain(lab, "archive", VARIANTS["lz4"])
    check_mounted(lab, archive.path, archive.truth)
    shutil.rmtree(cache)
    cache.write_text("no directory")
    check_mounted(lab, archive.path, archive.truth)


def disks_of(lab, repository, point):
    return lab.json("-r", repository, "show", point)["manifest"]["disks"]


def test_import(lab):
    repository = lab.path / "repository"
    lab.run("init", repository)
    for name in ("lz4", "v1"):
        archive = chain(lab, name, VARIANTS[name])
        words = ["-r", repository, "import", archive.path, "--name", name]
        made = lab.json(*words)["points"]
        check_equal([point["point"] for point in made], [1, 2, 3, 4], "points")
        # Of an incremental only what its files speak of.
        for mine, its in zip(disks_of(lab, repository, f"{name}@2"),
                             disks_of(lab, archive.path, "vm1@2")):
            check_equal(mine["read"], "bitmap", "how it was read")
            check(0 < mine["read_bytes"] <= its["read_bytes"],
                  f"{mine} of {its}")
        again = lab.json(*words)["points"]
        check(all(point["was_there"] for point in again), f"again: {again}")
        points = lab.points(repository, name)
        check_equal([point["level"] for point in points],
                    ["full", "incremental", "incremental", "differential"],
                    "levels")
        check_equal(
            [(point["time"], point["possibly_stale"]) for point in points],
            [(point["time"], point["possibly_stale"])
             for point in lab.points(archive.path)], "times and flags")
        check_mounted(lab, repository, archive.truth, name)
        archive.run("inc")
        more = lab.json(*words)["points"]
        check_equal([point["was_there"] for point in more],
                    [True] * 4 + [False], "one more")
        check_mounted(lab, repository, archive.truth, name)
    lab.run("-r", repository, "verify")
    lab.fails("-r", repository, "import", repository, status=2,
              says="is a repository")
    lab.fails("-r", archive.path, "import", archive.path, status=6,
              says="only read")


def test_import_goes_on_past_damage(lab):
    repository = lab.path / "repository"
    lab.run("init", repository)
    archive = Archive(lab, "archive", VARIANTS["plain"])
    archive.run("full")
    archive.run("inc")
    archive.run("diff")
    file = archive.path / "vdb.inc.virtnbdbackup.1.data"
    whole = file.read_bytes()
    file.write_bytes(whole[:-50])
    made = lab.json("-r", repository, "import", archive.path, status=4)
    check_equal([("error" in point) for point in made["points"]],
                [False, True, True], "errors")
    file.write_bytes(whole)
    made = lab.json("-r", repository, "import", archive.path)["points"]
    check_equal([point["was_there"] for point in made], [True, False, False],
                "mended")
    check_mounted(lab, repository, archive.truth)


if __name__ == "__main__":
    run(globals())
