#!/usr/bin/python3
"""The page of `report`: what is on it, that it asks for nothing, that it can be
read everywhere, and that names from elsewhere stay names."""

import contextlib
import datetime
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "cli"),
                str(HERE.parents[1] / "support")]

import browser  # noqa: E402
import sparsestream  # noqa: E402
import support  # noqa: E402

MIB = 1 << 20
HOSTILE = "<img src=x onerror=alert(1)> & \"'</b>".replace("/", "")
ARABIC = "\u202egnihton <script>alert(2)<"
OLD = "kept & forgotten"
NEVER = "never <i>seen"
LEVELS = ["full", "incremental", "incremental", "differential", "copy",
          "incremental", "full", "incremental"]
REASON = "said \"</pre><script>alert(3)</script>\" & nothing else"


class Host:
    """A repository, and what this host knows of it."""

    def __init__(self, place):
        self.place = place
        self.repository = place / "r <b>&"
        self.page = place / "page.html"
        self.env = support.environment(
            BACKSTITCH_CONFIG=str(place / "backstitch.toml"),
            BACKSTITCH_STATE=str(place / "state"),
            XDG_CACHE_HOME=str(place / "cache"))

    def configure(self, text, repository=None):
        path = repository or self.repository
        (self.place / "backstitch.toml").write_text(
            f"repository = '{path}'\n{text}", encoding="utf-8")

    def run(self, *words, status=0):
        return support.run(*words, status=status, env=self.env)

    def facts(self, *words):
        report = json.loads(self.run("--json", "report", *words).stdout)
        return report, {m["name"]: m for m in report["machines"]}

    def make(self, name, *ages):
        """Points of so many days ago."""
        now = datetime.datetime.now(datetime.timezone.utc)
        support.make_repository(self.repository, [name], [
            (now - datetime.timedelta(days=age)).strftime(
                "%Y-%m-%dT%H:%M:%S.000Z") for age in ages])

    def state(self, *parts):
        identity = json.loads(
            (self.repository / "repository.json").read_text())["id"]
        path = self.place / "state" / parts[0] / identity / pathlib.Path(
            *parts[1:])
        path.mkdir(parents=True, exist_ok=True)
        return path


@contextlib.contextmanager
def host():
    with support.workplace() as place:
        yield Host(place)


def chunk(kind, data):
    return (struct.pack(">I", len(data)) + kind + data +
            struct.pack(">I", zlib.crc32(kind + data)))


def png(width, height, grain=16):
    """Squares of colours by chance: never small."""
    rows = b""
    for _ in range(0, height, grain):
        row = b"".join(os.urandom(3) * grain for _ in range(0, width, grain))
        rows += (b"\0" + row) * grain
    return (b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
        chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def add_trial(target, name, point, good):
    """As `verify --boot` leaves it (its own test looks at that)."""
    kept = target.state("verified", name, f"{point:06}")
    (kept / "screenshot.png").write_bytes(png(800, 600))
    (kept / "report.json").write_text(json.dumps({
        "up": good, "reason": REASON, "screenshot": "screenshot.png",
        "no_screenshot": None}), encoding="utf-8")
    when = datetime.datetime.now(datetime.timezone.utc).strftime(
        "%Y-%m-%dT%H:%M:%S.000Z")
    (target.state("records", name) / f"{point:06}-boot.json").write_text(
        json.dumps({"point": point, "kind": "boot", "time": when,
                    "good": good, "report": "/moved/away"}), encoding="utf-8")


def back_up(target):
    """A machine with points of all levels, made as people make them."""
    image = target.place / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "64M"],
                   check=True)
    for number, level in enumerate(LEVELS, 1):
        subprocess.run(
            ["qemu-io", "-f", "qcow2", "-c",
             f"write -P {number} {number}M {1 + number % 3}M", image],
            check=True, stdout=subprocess.DEVNULL)
        target.run("-q", "backup", "--image", f"vda={image}", "--name", HOSTILE,
                   "--level", level)


def make_all(target):
    target.configure(f"""
report = '{target.place}/after-run.html'
[machine.'{NEVER}']
before = "exit 7"
images = {{ vda = "/nowhere" }}
[machine.{json.dumps(HOSTILE)}]
""")
    target.run("init")
    back_up(target)
    target.make(ARABIC, *range(9, 0, -1))
    target.make(OLD, *range(40, 7, -1))
    target.run("verify")
    (target.repository / HOSTILE / "000003" / "point.json").write_text("{}")
    support.flip(target.repository / OLD / "000004" / "vda.data", 5000)
    target.run("verify", f"{OLD}@4", status=4)
    add_trial(target, ARABIC, 9, True)
    add_trial(target, HOSTILE, 8, False)
    target.run("run", NEVER, status=7)


def check_content(view, target, machines):
    points = {name: len(m["points"]) for name, m in machines.items()}
    names = view.texts("section h2 bdi")
    assert sorted(names) == sorted(points), names
    assert sorted(view.texts(".over .name")) == sorted(points)
    assert view.texts("h1") == [f"Backups in {target.repository}"]
    for part in range(1, len(points) + 1):
        (name,) = view.texts(f"#m{part} h2 bdi")
        assert view.count(f"#m{part} .points tbody tr") == points[name], name
        marks = view.ask(
            "[...document.querySelectorAll(arguments[0])]"
            ".map(e => e.getAttribute('d').split('M').length - 1)"
            ".reduce((a, b) => a + b, 0)", f"#m{part} .time path")
        readable = [p for p in machines[name]["points"] if "time" in p]
        # Those made in one moment are one mark; theirs are days apart.
        assert marks == len(readable) or name == HOSTILE, (name, marks)
        (state,) = view.texts(f"#m{part} h2 .chip")
        assert state == machines[name]["state"], (name, state)
    verdict = {line.split(": ")[0]: line for line in view.texts(".verdict p")}
    assert verdict == {
        "Overdue": f"Overdue: {OLD}, {NEVER}",
        "Damaged": f"Damaged: {HOSTILE}, {OLD}",
        "Did not come up": f"Did not come up: {HOSTILE}",
        "The last run failed": f"The last run failed: {NEVER}"}, verdict
    overdue = view.texts(".verdict p:first-child a")
    assert sorted(overdue) == sorted([OLD, NEVER]), overdue
    assert REASON in "".join(view.texts(".screen figcaption"))
    problems = " ".join(view.texts(".problems li"))
    for said in ["point 3 cannot be used", "point 4 found damaged",
                 "it has no point", "before: exit status 7", REASON]:
        assert said in problems, (said, problems)


def check_safe(view, what):
    assert view.requests() == [], what
    assert view.complaints() == [], what
    assert view.count("script, iframe, object, link, b b, section i") == 0
    assert view.count("img") == 2, what
    images = view.ask("[...document.images].map("
                      "e => [e.complete, e.naturalWidth, e.src.slice(0, 22)])")
    assert all(whole and width >= 80 and source == "data:image/png;base64,"
               for whole, width, source in images), images
    # Nor could it, if a name had become a part of it.
    assert "default-src 'none'" in view.ask(
        "document.querySelector('meta[http-equiv]').content")


def check_legible(view, width, what):
    view.ask("document.querySelectorAll('details')"
             ".forEach(e => { e.open = true; })")
    wide = view.ask("document.documentElement.scrollWidth")
    assert wide <= width, (what, wide)
    beyond = view.ask(
        "[...document.querySelectorAll('body *')].filter(e => "
        "e.getBoundingClientRect().right > innerWidth + 1)"
        ".map(e => e.outerHTML.slice(0, 80))")
    assert not beyond, (what, beyond)
    faint = view.ask(browser.FAINT)
    assert not faint, (what, faint)


def test_the_page():
    with host() as target, browser.Browser() as view:
        make_all(target)
        report, machines = target.facts("-o", target.page)
        assert sorted(report["overdue"]) == sorted([OLD, NEVER])
        behind = []
        for width in (browser.PHONE, browser.DESK):
            for scheme in ("light", "dark"):
                what = f"{width} {scheme}"
                view.open(target.page, width, scheme)
                check_safe(view, what)
                check_content(view, target, machines)
                check_legible(view, width, what)
                behind.append(view.ask("getComputedStyle(document.body)"
                                       ".backgroundColor"))
        assert len(set(behind)) == 2, behind
        # What `run` wrote is such a page as well.
        view.open(target.place / "after-run.html", browser.PHONE)
        assert view.count("section") == len(machines)


def state_of(target, *words):
    return {name: (m["state"], m["expected_by"], m["expected_s"])
            for name, m in target.facts(*words)[1].items()}


def test_what_is_overdue():
    hour = 3600
    with host() as target:
        target.run("-r", target.repository, "init")
        target.make("daily", 5, 4, 3, 2.5, 1.5)
        target.make("weekly", 30, 23, 16, 9)
        target.make("weekly late", 44, 37, 30, 23, 16)
        target.make("once", 300)
        words = ("-r", target.repository)
        target.configure("", repository=target.place)  # of another one
        assert state_of(target, *words) == {
            "daily": ("in time", "points", 48 * hour),
            "once": ("no schedule", "unknown", None),
            "weekly": ("in time", "points", 14 * 24 * hour),
            "weekly late": ("overdue", "points", 14 * 24 * hour)}
        assert {n: s[0] for n, s in state_of(
            target, *words, "--overdue", "24h").items()} == dict.fromkeys(
                ["daily", "once", "weekly", "weekly late"], "overdue")
        target.configure("[machine.daily]\n[machine.weekly]\noverdue = '10d'\n"
                         "[machine.once]\noverdue = 'never'\n[machine.gone]\n")
        assert state_of(target) == {
            "daily": ("overdue", "default", 26 * hour),
            "gone": ("overdue", "default", 26 * hour),
            "once": ("no schedule", "never", None),
            "weekly": ("in time", "configuration", 240 * hour),
            "weekly late": ("overdue", "points", 14 * 24 * hour)}
        assert state_of(target, "--overdue", "never")["weekly late"] == (
            "no schedule", "never", None)
        target.configure("all_domains = true\n[backup]\noverdue = '2d'\n")
        assert state_of(target)["daily"] == (
            "in time", "configuration", 48 * hour)
        for word in ("26", "h", "-1h", "0h", "26 h", "9999w"):
            target.run("report", f"--overdue={word}", status=2)
        target.configure("[backup]\noverdue = '2'\n")
        assert "line 3: 'overdue' is no time" in target.run(
            "-r", target.repository, "report", status=2).stderr


def test_where_it_goes():
    with host() as target:
        target.run("-r", target.repository, "init")
        target.configure("")
        page = target.run("report").stdout
        assert "There are no backups yet." in page
        assert target.run("report", "-o", "-").stdout[:15] == page[:15]
        target.make("vm", 2, 1)
        link = target.place / "link.html"
        target.page.write_text("old", encoding="utf-8")
        link.symlink_to(target.page)
        before = target.page.stat().st_ino
        assert target.run("report", "-o", link).stdout == ""
        assert link.is_symlink() and target.page.stat().st_ino != before
        whole = target.page.read_text(encoding="utf-8")
        assert whole.endswith("</html>\n")
        for output, status in ((target.place / "no" / "x.html", 3),
                               (target.place, 2), ("/dev/null", 2)):
            done = target.run("report", "-o", output, status=status)
            assert done.stderr.count("\n") == 1, done.stderr
        assert pathlib.Path("/dev/null").is_char_device()
        # Where nothing can be written, what was there stays.
        done = subprocess.run(
            ["bash", "-c", "ulimit -f 1; trap '' XFSZ; exec backstitch report "
             "-o page.html"], cwd=target.place, env=target.env,
            capture_output=True, check=False)
        assert done.returncode == 1, done
        assert target.page.read_text(encoding="utf-8") == whole
        assert [p.name for p in target.place.iterdir()
                if p.name.endswith(".new")] == []


def test_an_archive():
    with host() as target, browser.Browser() as view:
        archive = target.place / "archive"
        archive.mkdir()
        (archive / "vmconfig.virtnbdbackup.0.xml").write_text(
            f"<domain type='kvm'><name>{'a &lt;b>&amp;'}</name></domain>")
        disk = sparsestream.Disk(__import__("random").Random(1), MIB, "vda")
        for number, level in enumerate(("full", "inc")):
            disk.write(3, largest=60)
            extents = disk.full() if level == "full" else disk.changes(False)
            name = "full" if level == "full" else "inc.virtnbdbackup.1"
            sparsestream.write_stream(
                archive / f"vda.{name}.data", MIB, extents,
                sparsestream.Variant(), disk="vda", level=level,
                checkpoint=f"virtnbdbackup.{number}",
                parent="virtnbdbackup.0" if number else "",
                date=f"2026-01-0{number + 1}T03:04:05.5")
        target.run("-r", archive, "report", "-o", target.page)
        view.open(target.page, browser.PHONE)
        assert view.texts("section h2 bdi") == ["a <b>&"]
        assert view.count(".points tbody tr") == 2
        assert "possibly stale" in view.texts(".points tbody tr")[0]


def test_many_machines():
    with host() as target, browser.Browser() as view:
        target.configure("")
        with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
            target.repository = pathlib.Path(memory, "r")
            target.make("vm00", *range(400, 0, -1))
            points = sorted((target.repository / "vm00").glob("0*"))
            for number in range(1, 50):
                copy = target.repository / f"vm{number:02}"
                copy.mkdir()
                (copy / "lock").touch()
                for point in points:
                    (copy / point.name).mkdir()
                    os.link(point / "point.json",
                            copy / point.name / "point.json")
                add_trial(target, copy.name, 400, True)
            # Of the processor, for others may be busy here: on two cores it
            # takes half of that.
            took = []
            for _ in range(3):
                begun = os.times()
                target.run("-r", target.repository, "report", "-o", target.page)
                ended = os.times()
                took.append(ended.children_user + ended.children_system -
                            begun.children_user - begun.children_system)
            size = target.page.stat().st_size
            print(f"50 machines, 20000 points: {size} bytes, "
                  f"{min(took):.2f} s of the processor")
            assert size < 2_000_000, size
            assert min(took) < 2, took
        view.open(target.page, browser.PHONE)
        assert view.count("section") == 50
        assert view.count(".points tbody tr") == 50 * 50
        assert view.count("img") == 49
        assert view.ask("document.documentElement.scrollWidth") <= browser.PHONE


if shutil.which("qemu-io") is None:
    print("skipped: qemu-io is missing; apt install qemu-utils")
    sys.exit(77)
support.main(dict(globals()))
