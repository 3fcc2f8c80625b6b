#!/usr/bin/env python3
"""run: what the configuration says happens, in order, and is remembered."""

import json
import os
import pathlib
import re
import subprocess

import support
from support import environment, run, workplace


class Host:
    """A configuration, a state directory and a repository of their own."""

    def __init__(self, place, text):
        self.place = place
        self.repository = place / "r"
        self.env = environment(
            BACKSTITCH_CONFIG=str(place / "backstitch.toml"),
            BACKSTITCH_STATE=str(place / "state"))
        self.configure(text)

    def configure(self, text):
        text = text.replace("@", str(self.place))
        (self.place / "backstitch.toml").write_text(text, encoding="utf-8")

    def image(self, name):
        path = self.place / name
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "8M"],
                       check=True)
        return path

    def write(self, path, what):
        subprocess.run(["qemu-io", "-f", "qcow2", "-c", what, path],
                       check=True, stdout=subprocess.DEVNULL)

    def run(self, *arguments, status=0):
        return run(*arguments, status=status, env=self.env)

    def json(self, *arguments, status=0):
        return json.loads(self.run("--json", *arguments, status=status).stdout)

    def points(self, name):
        return self.json("list", name)["points"]


CONFIG = """
repository = "@/r"
metrics = "@/backstitch.prom"

[backup]
verify = "quick"
before = "echo before $BACKSTITCH_DOMAIN >>@/hooks"
after = "echo after $BACKSTITCH_DOMAIN $BACKSTITCH_STATUS >>@/hooks"
[backup.keep]
last = 2

[machine."vm 1"]
images = { vda = "@/one.qcow2" }

[machine.vm2]
images = { vda = "@/two.qcow2" }
verify = "full"
after = ""
keep = { last = 3 }
"""


def test_every_night():
    with workplace() as place:
        host = Host(place, CONFIG)
        host.run("init")
        one, two = host.image("one.qcow2"), host.image("two.qcow2")
        for night in range(4):
            host.write(one, f"write -P {night + 1} 0 1M")
            host.write(two, f"write -P {night + 9} 1M 1M")
            done = host.json("run")["machines"]
            assert [m["domain"] for m in done] == ["vm 1", "vm2"], done
            assert all(m["exit_code"] == 0 for m in done), done
            steps = [s["step"] for s in done[0]["steps"]]
            assert steps == ["before", "backup", "verify", "prune", "after"]
            steps = [s["step"] for s in done[1]["steps"]]
            assert steps == ["before", "backup", "verify", "prune"]
        assert [p["point"] for p in host.points("vm 1")] == [3, 4]
        assert [p["point"] for p in host.points("vm2")] == [2, 3, 4]
        assert host.points("vm2")[-1]["level"] == "incremental"
        hooks = (place / "hooks").read_text(encoding="utf-8").splitlines()
        assert hooks == ["before vm 1", "after vm 1 0", "before vm2"] * 4, hooks
        lines = host.run("run", "vm2").stdout.splitlines()
        assert len(lines) == 1 and lines[0].startswith(
            "vm2: made point 5 (incremental, "), lines
        assert lines[0].endswith("; verified; 1 point deleted"), lines


def test_a_failure_is_one_machines_own():
    with workplace() as place:
        host = Host(place, CONFIG)
        host.run("init")
        host.image("two.qcow2")  # the other one is missing
        done = host.run("run", status=3)
        assert done.stdout.splitlines()[0].startswith("vm 1: failed: backup: ")
        assert done.stdout.splitlines()[1].startswith("vm2: made point 1")
        hooks = (place / "hooks").read_text(encoding="utf-8").splitlines()
        assert hooks == ["before vm 1", "after vm 1 3", "before vm2"], hooks
        metrics = (place / "backstitch.prom").read_text(encoding="utf-8")
        assert 'backstitch_run_exit_code{domain="vm2"} 0\n' in metrics
        # A machine that has never had a point is none of the repository's.
        host.configure(CONFIG.replace("echo before $BACKSTITCH_DOMAIN",
                                      "exit 7; echo"))
        done = host.json("run", "vm2", status=7)
        (machine,) = done["machines"]
        assert machine["message"] == "before: exit status 7", machine
        assert [s["step"] for s in machine["steps"]] == ["before"]
        assert len(host.points("vm2")) == 1
        metrics = (place / "backstitch.prom").read_text(encoding="utf-8")
        assert 'backstitch_run_exit_code{domain="vm2"} 7\n' in metrics


def test_a_full_when_it_is_due():
    with workplace() as place:
        old = support.make_repository(place / "r", ["vm1"])  # months ago
        text = CONFIG.replace('"vm 1"', "vm1").replace(
            'verify = "quick"', 'full_every = "4w"')
        text = text.replace("last = 2", "last = 100")
        host = Host(place, text)
        assert old == host.repository
        host.image("one.qcow2")
        (step,) = [s for s in host.json("run", "-n", "vm1")["steps"]
                   if s["step"] == "backup"]
        assert step["command"][-2:] == ["--level", "full"], step
        host.run("run", "vm1")
        (step,) = [s for s in host.json("run", "-n", "vm1")["steps"]
                   if s["step"] == "backup"]
        assert step["command"][-2:] == ["--level", "auto"], step
        shown = host.run("run", "-n").stdout
        assert "vm2: env BACKSTITCH_DOMAIN=vm2" in shown, shown
        assert f"--image vda={place}/two.qcow2" in shown, shown


def test_wrong_configurations():
    with workplace() as place:
        host = Host(place, CONFIG)
        host.run("init")
        for text, says in {
                "repository = 3": "line 1: 'repository' is no string",
                "\nrepositroy = ''": "line 2: unknown key 'repositroy'",
                "[backup.keep]\nlsat = 3": "line 2: unknown key 'lsat'",
                "[backup.keep]\nlast = -1": "'last' is no number",
                "[backup]\nlevel = 'fulll'": "'level' is one of: auto, full,",
                "[backup]\nfull_every = '3'": "no time like",
                "[machine.a]\noptions = [1]": "no list of strings",
                "machine = 3": "'machine' is no table",
                "a = b = c": "line 1: ",
        }.items():
            host.configure(text)
            done = host.run("-r", host.repository, "run", status=2)
            assert says in done.stderr, (text, done.stderr)
            assert done.stderr.count("\n") == 1, done.stderr
            # What needs nothing of it goes on.
            host.run("-r", host.repository, "list")
            host.run("list", status=2)
        host.configure(f"repository = '{host.repository}'")
        assert "names no machine" in host.run("run", status=2).stderr
        (place / "backstitch.toml").unlink()
        assert "backstitch.toml" in host.run(
            "-r", host.repository, "run", status=3).stderr


SAMPLE = re.compile(r'backstitch_[a-z_]+\{domain="(?:[^"\\]|\\.)*"'
                    r'(?:,kind="[a-z]+")?\} -?[0-9.e+]+')


def test_metrics():
    with workplace() as place:
        name = 'a "b" \\c'
        host = Host(place, CONFIG)
        host.repository = support.make_repository(place / "r", ["vm1", name])
        host.run("verify", "vm1")
        host.run("verify", "--quick", "vm1@3")
        (host.repository / name / "000002" / "point.json").write_text("{}")
        text = host.run("metrics").stdout
        samples = [l for l in text.splitlines() if not l.startswith("#")]
        assert samples and all(SAMPLE.fullmatch(s) for s in samples), text
        for sample in ['points{domain="vm1"} 5',
                       'points{domain="a \\"b\\" \\\\c"} 4',
                       'points_unreadable{domain="a \\"b\\" \\\\c"} 1',
                       'verified_good{domain="vm1",kind="full"} 1',
                       'verified_point{domain="vm1",kind="quick"} 3',
                       'last_point_timestamp_seconds{domain="vm1"} 1770804000']:
            assert f"backstitch_{sample}\n" in text, (sample, text)
        host.run("metrics", "-o", place / "x.prom")
        assert (place / "x.prom").read_text(encoding="utf-8") == text
        assert sorted(p.name for p in place.iterdir() if "x.prom" in p.name
                      ) == ["x.prom"]
        host.run("metrics", "-o", place / "nowhere" / "x.prom", status=3)


def test_log_file():
    with workplace() as place:
        host = Host(place, CONFIG)
        log = place / "log"
        host.run("init")
        host.run("--log-file", log, "-v", "list", "vm9", status=3)
        host.run("--log-file", log, "list", "vm8", status=3)
        lines = log.read_text(encoding="utf-8").splitlines()
        errors = [l for l in lines if " error: " in l]
        assert len(errors) == 2 and "vm9" in errors[0], lines
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+", lines[0])
        assert log.stat().st_mode & 0o077 == 0
        host.run("--log-file", place / "no" / "log", "list", status=3)


def test_journal():
    with workplace() as place:
        host = Host(place, CONFIG)
        host.run("init")
        host.image("two.qcow2")
        log = place / "stderr"
        with open(log, "wb") as stream:
            known = os.fstat(stream.fileno())
            host.env["JOURNAL_STREAM"] = f"{known.st_dev}:{known.st_ino}"
            subprocess.run(["backstitch", "-v", "run", "vm2"], env=host.env,
                           stderr=stream, stdout=subprocess.DEVNULL, check=True)
        lines = log.read_text(encoding="utf-8").splitlines()
        assert any(l.startswith("<7>") for l in lines), lines



support.main(dict(globals()))
