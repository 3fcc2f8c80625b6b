#!/usr/bin/env python3
"""verify finds damage, says where, and what it spoils."""

import os
import subprocess

import support
from support import fails, make_repository, run, run_json, workplace


def test_whole():
    with workplace() as place:
        r = make_repository(place / "r", ["vm1", "vm2"])
        assert run("-r", r, "verify").stdout.endswith("no damage found\n")
        assert "checked: 10 points" in run("-r", r, "verify").stdout
        assert "checked: 5 points" in run("-r", r, "verify", "vm1").stdout
        assert "checked: 1 point," in run("-r", r, "verify", "vm1@2").stdout
        quick = run("-r", r, "verify", "--quick").stdout
        assert quick.startswith("structure checked: 10 points"), quick
        document = run_json("-r", r, "verify")
        assert document["findings"] == [] and document["points"] == 10, document
        assert document["bytes"] > 0


def test_damage():
    with workplace() as place:
        r = make_repository(place / "r")
        # The data of point 2: its header takes 4 KiB.
        support.flip(r / "vm1" / "000002" / "vda.data", 5000)
        result = run("-r", r, "verify", status=4)
        lines = result.stdout.splitlines()
        assert "vm1/000002/vda.data" in lines[0], result.stdout
        assert "in vm1@2" in lines[0], result.stdout
        assert "damage found in 1 place" in lines[-1], result.stdout
        finding = run_json("-r", r, "verify", status=4)["findings"][0]
        assert finding["domain"] == "vm1" and finding["disk"] == "vda", finding
        assert finding["end_bytes"] > finding["begin_bytes"], finding
        run("-r", r, "verify", "vm1@2", status=4)
        # Others do not need it, and the structure is whole.
        run("-r", r, "verify", "vm1@1")
        run("-r", r, "verify", "--quick")


def test_absent():
    with workplace() as place:
        r = make_repository(place / "r")
        assert fails("-r", r, "verify", "vm2", status=3, says="vm2") == "not-found"
        fails("-r", r, "verify", "vm1@77", status=3, says="77")


def test_progress_is_silent_when_short_and_quiet():
    with workplace() as place:
        r = make_repository(place / "r")
        assert run("-r", r, "verify").stderr == ""
        assert run("-q", "-r", r, "verify").stderr == ""


def test_closed_descriptors():
    """No file of a repository gets the number of stdout or stderr."""
    with workplace() as place:
        image = place / "a.img"
        image.write_bytes(os.urandom(1 << 20))
        r = place / "r"
        run("init", r)
        script = 'exec backstitch -v -r "$1" backup --name vm --image vda="$2"'
        subprocess.run(
            ["sh", "-c", script + " >&- 2>&-", "sh", r, image], check=False
        )
        assert (r / "vm" / "lock").stat().st_size == 0
        run("-r", r, "verify")


support.main(dict(globals()))
