#!/usr/bin/env python3
"""diff names the ranges that differ, exactly."""

import support
from support import fails, make_repository, run, run_json, workplace

CHUNK = 65536


def test_ranges():
    with workplace() as place:
        r = make_repository(place / "r")
        document = run_json("-r", r, "diff", "vm1@1", "vm1@3")
        assert document["points"] == ["vm1@1", "vm1@3"], document
        vda, vdb = document["disks"]
        # Point 1 holds chunk 1; 2 zeroes it and holds 2; 3 zeroes that, holds 3.
        assert vda["ranges"] == [
            {"offset": 1 * CHUNK, "length": CHUNK},
            {"offset": 3 * CHUNK, "length": CHUNK},
        ], vda
        assert vda["changed_bytes"] == 2 * CHUNK
        assert vdb["ranges"] == [], vdb
        back = run_json("-r", r, "diff", "vm1@3", "vm1@1")
        assert back["disks"][0]["ranges"] == vda["ranges"]


def test_text():
    with workplace() as place:
        r = make_repository(place / "r")
        text = run("-r", r, "diff", "vm1@4", "vm1").stdout
        assert "vda   262144  131072" in text, text
        assert "vda: 128 KiB in 1 range of 4.00 MiB\n" in text, text
        assert "vdb: no difference\n" in text, text
        text = run("-r", r, "diff", "--disk", "vdb", "vm1@1", "vm1@5").stdout
        assert text == "vdb: no difference\n", text


def test_across_domains():
    with workplace() as place:
        r = make_repository(place / "r", ["vm1", "vm2"])
        disks = run_json("-r", r, "diff", "vm1@5", "vm2@5")["disks"]
        assert all(disk["changed_bytes"] == 0 for disk in disks), disks


def test_misuse():
    with workplace() as place:
        r = make_repository(place / "r")
        fails("-r", r, "diff", "vm1", status=2, says="two points")
        fails("-r", r, "diff", "vm1", "vm1", "vm1", status=2, says="too many")
        fails("-r", r, "diff", "vm1", "vm1", "--disk", "sda", status=3, says="sda")
        fails("-r", r, "diff", "vm1", "vm1@9", status=3, says="9")


support.main(dict(globals()))
