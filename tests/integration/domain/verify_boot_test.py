#!/usr/bin/python3
"""verify --boot: what comes up is told from what does not, the report says how,
and nothing is left of it, however it ended."""

import base64
import html.parser
import json
import os
import re
import signal
import struct
import zlib

from agent_guest import CHANNEL, add_agent
from checks import wait_until
from domainlab import MIB, Disk, check, check_equal, say
from own_host import run_on_own_host
from recovered import Recovered

NOT_UP, USAGE, INTERRUPTED = 9, 2, 130
# What the guest prints of its disk: a page must not take it for its own.
CONTENT = "<script>alert(1)</script> & \x1b[31mred\x1b[0m"
SHOWN = "<script>alert(1)</script> & red"
SCREEN = "<video><model type='vga'/></video>"


def file_disk(lab):
    """ext4 with one file."""
    folder = lab.directory("content")
    (folder / "note").write_text(CONTENT + "\n", encoding="utf-8")
    raw = lab.image("content.raw", 16 * MIB, "raw")
    lab.run("mkfs.ext4", "-q", "-F", "-d", folder, raw)
    path = lab.path / f"content{lab.session.machines}.qcow2"
    lab.run("qemu-img", "convert", "-O", "qcow2", raw, path)
    return path


class Trials:
    def __init__(self, lab, words="show=vda:note", extra=SCREEN, prepare=None):
        os.environ["BACKSTITCH_STATE"] = str(lab.directory("state"))
        self.lab = lab
        self.machine = lab.machine([Disk("vda", file_disk(lab))], guest=True,
                                   words=words, extra=extra)
        if prepare:
            self.machine.start()
            prepare(self.machine)
        lab.backstitch("backup", self.machine.name)
        if prepare:
            self.machine.power_off()
        self.storage = lab.directory("storage")

    def words(self, *words):
        return ("--json", "verify", "--boot", self.machine.name, "--storage",
                self.storage, *words)

    def verify(self, *words, code=0):
        done = self.lab.backstitch(*self.words(*words), ok=False)
        check_equal(done.returncode, code, f"exit code; {done.stderr}")
        document = json.loads(done.stdout)
        say(f"{words}: {document.get('reason', document)}")
        if code in (0, NOT_UP):
            self.check_nothing_left()
        return document

    def start(self, *words):
        child = self.lab.start("backstitch", "-r", self.lab.repository, "-c",
                               self.lab.uri, *self.words(*words))
        return child, wait_until(lambda: self.running("--state-running"),
                                 "the copy runs", 30)

    def running(self, *words):
        names = self.lab.virsh("list", "--name", *words).stdout.split()
        return next((name for name in names if "-verify-" in name), "")

    def sessions(self):
        done = self.lab.backstitch("--json", "sessions")
        return json.loads(done.stdout)["sessions"]

    def check_nothing_left(self):
        check_equal(self.sessions(), [], "sessions")
        check_equal(self.running(), "", "machines")
        check_equal(list(self.storage.iterdir()), [], "files in the storage")
        left = [path.name for path in
                (self.lab.path / "state" / "sessions").iterdir()
                if "-verify-" in path.name]
        check_equal(left, [], "files of the session")
        with open("/proc/self/mounts", encoding="utf-8") as mounts:
            check("-verify-" not in mounts.read(), "a tree is mounted")


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.images = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "img":
            self.images.append(dict(attrs)["src"])

    def handle_data(self, data):
        self.text += data


def check_png(content):
    """Its pixels can be unpacked; not all of them are alike."""
    check_equal(content[:8], b"\x89PNG\r\n\x1a\n", "the beginning of a PNG")
    width, height = struct.unpack(">II", content[16:24])
    at, packed = 8, b""
    while at < len(content):
        length, kind = struct.unpack(">I4s", content[at:at + 8])
        if kind == b"IDAT":
            packed += content[at + 8:at + 8 + length]
        at += 12 + length
    pixels = zlib.decompress(packed)
    check(len(pixels) >= 3 * width * height, "it lacks pixels")
    check(len(set(pixels)) > 2, "there is nothing on the screen")


def check_report(folder, document):
    check_equal(json.loads((folder / "report.json").read_text()), document,
                "the document in the report")
    check_png((folder / "screenshot.png").read_bytes())
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    check("script" not in page.tags, "the guest's text became part of the page")
    check(SHOWN in page.text, "the console's text is not on the page")
    check(page.images[0].startswith("data:image/png;base64,"), page.images)
    check(not re.search(r"(src|href)=.(?!data:)", (folder / "report.html")
                        .read_text(encoding="utf-8")), "it needs another file")


def check_page_of_all(lab, name, kept):
    """`report` shows the trial, with its screenshot."""
    page = Page(lab.backstitch("report").stdout)
    check("script" not in page.tags, "the guest's text became part of the page")
    check("point 1 came up" in page.text and SHOWN in page.text, page.text)
    screen = base64.b64encode((kept / "screenshot.png").read_bytes()).decode()
    check_equal(page.images, ["data:image/png;base64," + screen], "images")
    told = json.loads(lab.backstitch("--json", "report").stdout)
    machine, = (m for m in told["machines"] if m["name"] == name)
    check_equal((machine["boot"]["good"], machine["boot"]["point"]), (True, 1),
                "the trial in the document")


def test_what_it_says_is_expected(lab):
    trials = Trials(lab)
    folder = lab.path / "report"
    found = trials.verify("--expect", "GUEST-FILE note: .* & red$", "--report",
                          folder)
    check_equal((found["up"], found["evidence"]), (True, "console"), "result")
    check(SHOWN in found["consoles"][0]["tail"], found["consoles"])
    check_report(folder, found)
    identity = json.loads((lab.repository / "repository.json").read_text())
    kept = (lab.path / "state" / "verified" / found["repository_id"] /
            trials.machine.name / "000001")
    check(found["repository_id"] in json.dumps(identity), "the repository's id")
    check_report(kept, found)
    check_page_of_all(lab, trials.machine.name, kept)
    check_equal(trials.verify("--timeout", "4")["evidence"], "running",
                "what speaks for it when nothing is asked")
    found = trials.verify("--expect", "never said", "--timeout", "6",
                          code=NOT_UP)
    check_equal(found["up"], False, "up")
    check_equal(json.loads((kept / "report.json").read_text()), found,
                "the last result")
    for words in (["--boot", "--expect", "("], ["--expect", "x"],
                  ["--boot", "--quick"], ["--boot", "--timeout", "soon"]):
        done = lab.backstitch("verify", *words, ok=False)
        check_equal(done.returncode, USAGE, f"{words}: {done.stderr}")


def test_machines_that_do_not_come_up(lab):
    for words, why in (("rdinit=/nothing init=/nothing", "panicked"),
                       ("oneshot", "switched off")):
        found = Trials(lab, words=words).verify("--expect", "never said",
                                                "--timeout", "60", code=NOT_UP)
        check(why in found["reason"], found["reason"])
        check(found["wait_ms"] < 40000, "it was waited for")
    trials = Trials(lab)
    child, name = trials.start("--expect", "never said")
    os.kill(Recovered(lab, name).pid(), signal.SIGKILL)
    out, _ = child.communicate(timeout=30)
    check_equal(child.returncode, NOT_UP, "exit code when QEMU was killed")
    check("QEMU failed" in json.loads(out)["reason"], out)
    trials.check_nothing_left()


def test_interrupted_and_killed(lab):
    trials = Trials(lab)
    child, _ = trials.start("--expect", "never said")
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=30)
    check_equal(child.returncode, INTERRUPTED, "exit code")
    trials.check_nothing_left()
    for _ in range(2):
        child, name = trials.start("--expect", "never said")
        child.kill()
        child.communicate()
        check_equal([one["name"] for one in trials.sessions()], [name],
                    "sessions after SIGKILL")
        for words in (["finalize", name], ["boot", "--resume", name]):
            check_equal(lab.backstitch(*words, ok=False).returncode, USAGE,
                        f"exit code of {words}")
    # The second one has removed what was left of the first.
    lab.backstitch("discard", name)
    check_equal((trials.sessions(), trials.running()), ([], ""), "what is left")


def test_the_guests_agent(lab):
    add_agent(lab)
    trials = Trials(lab, extra=CHANNEL, prepare=lambda machine: machine.guest(
        "insmod /lib/console.ko; mount /dev/vda /mnt; start-agent; sleep 2"))
    shown = json.loads(lab.backstitch("--json", "show",
                                      trials.machine.name).stdout)
    check_equal(shown["manifest"]["consistency"], "agent-frozen", "the point")
    found = trials.verify("--timeout", "6", code=NOT_UP)
    check("agent" in found["reason"], found["reason"])
    check(found["no_screenshot"], "no word of why there is no screenshot")
    child, name = trials.start("--timeout", "60")
    Recovered(lab, name).guest("insmod /lib/console.ko; start-agent")
    out, _ = child.communicate(timeout=60)
    check_equal(json.loads(out)["evidence"], "agent", "what speaks for it")
    trials.check_nothing_left()


run_on_own_host(globals())
