#!/usr/bin/env python3
"""list and show."""

import json
import os
import resource
import time

import support
from support import fails, make_repository, run, run_json, workplace


def test_domains():
    with workplace() as place:
        r = make_repository(place / "r", ["vm1", "db server"])
        text = run("-r", r, "list").stdout
        lines = text.splitlines()
        assert lines[0].split() == ["DOMAIN", "POINTS", "LATEST", "STORED"], text
        assert lines[1].startswith("db server       5  2026-02-11 10:00:00"), text
        assert lines[2].startswith("vm1             5"), text
        document = run_json("-r", r, "list")
        assert [d["name"] for d in document["domains"]] == ["db server", "vm1"]
        latest = document["domains"][1]["latest"]
        assert latest == {"point": 5, "time": support.TIMES[-1]}, latest
        assert document["domains"][1]["stored_bytes"] > 0


def test_points():
    with workplace() as place:
        r = make_repository(place / "r")
        text = run("-r", r, "list", "vm1").stdout
        lines = text.splitlines()
        assert lines[0].split() == (
            "POINT TIME LEVEL STATE DISKS VIRTUAL CHANGED STORED".split()
        )
        assert len(lines) == 6
        assert "2026-01-01 10:00  full   offline" in lines[1], text
        assert " incr " in lines[2], text
        assert all(len(line) <= 80 for line in lines), text
        points = run_json("-r", r, "list", "vm1")["points"]
        assert [p["point"] for p in points] == [1, 2, 3, 4, 5]
        assert points[1]["level"] == "incremental"
        assert points[1]["parent"] == 1
        assert points[1]["disks"] == ["vda", "vdb"]
        # One chunk new, one zeroed.
        assert points[1]["changed_bytes"] == 2 * 65536, points[1]


def test_names():
    with workplace() as place:
        r = make_repository(place / "r", ["vm1", "vm2"])
        assert run("-r", r, "list", "--names").stdout == "vm1\nvm2\n"
        names = run("-r", r, "list", "--names", "vm1").stdout.splitlines()
        assert names == [f"vm1@{n}" for n in range(1, 6)]


def test_local_time():
    with workplace() as place:
        r = make_repository(place / "r", times=support.TIMES[:1])
        env = support.environment(TZ="Asia/Tokyo")
        assert "2026-01-01 19:00" in run("-r", r, "list", "vm1", env=env).stdout


def test_absent():
    with workplace() as place:
        r = make_repository(place / "r")
        assert fails("-r", r, "list", "vm2", status=3, says="vm2") == "not-found"
        fails("-r", r, "show", "vm1@9", status=3, says="9")
        fails("-r", r, "list", "../r", status=2, says="../r")


def test_damaged_manifest_does_not_hide_the_rest():
    with workplace() as place:
        r = make_repository(place / "r")
        support.flip(r / "vm1" / "000003" / "point.json", 40)
        result = run("-r", r, "list", "vm1", status=4)
        lines = result.stdout.splitlines()
        assert len(lines) == 6 and "damaged" in lines[3], result.stdout
        assert "vm1/000003/point.json" in result.stderr, result.stderr
        points = run_json("-r", r, "list", "vm1", status=4)["points"]
        assert points[2]["error"]["kind"] == "damaged", points[2]
        assert points[3]["level"] == "incremental"
        assert fails("-r", r, "show", "vm1@3", status=4, says="000003") == "damaged"
        # It is not the latest one: the overview has no use for it.
        run("-r", r, "list")
        support.flip(r / "vm1" / "000005" / "point.json", 40)
        assert "damaged" in run("-r", r, "list", status=4).stdout


def test_show():
    with workplace() as place:
        r = make_repository(place / "r")
        text = run("-r", r, "show", "vm1@2").stdout
        for words in (
            "vm1@2",
            "2026-01-01 20:00:00",
            "incremental on vm1@1",
            "offline",
            "disk vda",
            "by dirty bitmap, 64.0 KiB",
            "whole, 0 B (a raw file has no dirty bitmap)",
            "/images/vdb.raw",
            "domain.xml",
        ):
            assert words in text, (words, text)
        assert run("-r", r, "show", "vm1").stdout == run(
            "-r", r, "show", "vm1@latest"
        ).stdout
        document = run_json("-r", r, "show", "vm1@2")
        assert document["path"] == str(r / "vm1" / "000002")
        assert json.dumps(document["manifest"]).count("vda") > 0


def test_deleted_points_are_hidden():
    with workplace() as place:
        r = make_repository(place / "r")
        run("-r", r, "delete", "vm1@1")
        assert len(run_json("-r", r, "list", "vm1")["points"]) == 4
        assert "deleted" not in run("-r", r, "list", "vm1").stdout
        assert "deleted" in run("-r", r, "list", "--all", "vm1").stdout
        remains = run_json("-r", r, "list", "-a", "vm1")["deleted"]
        assert [each["point"] for each in remains] == [1], remains


def test_a_thousand_points():
    with workplace() as place:
        times = [
            time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(1767225600 + n * 3600))
            for n in range(1000)
        ]
        r = make_repository(place / "r", times=times)
        begin = time.monotonic()
        # No more files may be open at once than a plain user has.
        lines = run(
            "-r", r, "list", "vm1", preexec_fn=lambda: limit_files(64)
        ).stdout.splitlines()
        assert len(lines) == 1001
        assert time.monotonic() - begin < 10
        run("-r", r, "list")


def limit_files(count):
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


def test_names_are_safe_to_print():
    with workplace() as place:
        r = make_repository(place / "r", ["b\u00fcro"])
        assert "b\u00fcro" in run("-r", r, "list").stdout
        # Not one that backstitch would make; what is there all the same must
        # neither be hidden silently as a success nor reach the terminal raw.
        os.mkdir(r / "evil\033[2J")
        result = run("-r", r, "list")
        assert "\033" not in result.stdout + result.stderr


support.main(dict(globals()))
