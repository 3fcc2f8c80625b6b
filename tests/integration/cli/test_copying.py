#!/usr/bin/env python3
"""copy-to and repair as they are asked for: what they choose, say and refuse."""

import json
import subprocess
import time

import support
from support import environment, fails, make_repository, run, run_json, workplace


def numbers(repository, domain="vm1"):
    names = run("-r", repository, "list", "--names", domain).stdout.splitlines()
    return [int(name.split("@")[1]) for name in names]


def restored(place, repository, point):
    target = place / f"{repository.name}-{point}.raw"
    run("-r", repository, "restore", point, target, "--disk", "vda")
    return target.read_bytes()


def test_all_and_again():
    with workplace() as place:
        r = make_repository(place / "r", ["vm1", "vm2"])
        t = place / "t"
        fails("-r", r, "copy-to", t, status=3, says="no repository")
        dry = run("-r", r, "copy-to", "--init", "--dry-run", t).stdout
        assert "would copy 10 points" in dry and not t.exists(), dry
        assert "copied 10 points" in run("-r", r, "copy-to", "--init", t).stdout
        assert "no damage found" in run("-r", t, "verify").stdout
        assert numbers(t) == numbers(r) == [1, 2, 3, 4, 5]
        assert restored(place, t, "vm1@3") == restored(place, r, "vm1@3")
        again = run_json("-r", r, "copy-to", t)
        assert again["points"] == [] and again["present"] == 10, again
        assert again["written_bytes"] == 0, again


def test_single_points_bring_what_they_need():
    with workplace() as place:
        r = make_repository(place / "r")
        t = place / "t"
        out = run("-r", r, "copy-to", "--init", t, "vm1@3").stdout.splitlines()
        assert out[0].startswith("copied vm1@1 (") and "needed by vm1@3" in out[0]
        assert out[2].startswith("copied vm1@3 (") and "needed" not in out[2], out
        assert numbers(t) == [1, 2, 3]
        # Of deleted points goes only what is needed.
        run("-r", r, "delete", "vm1@1", "vm1@2", "vm1@4")
        u = place / "u"
        points = run_json("-r", r, "copy-to", "--init", u, "vm1@5")["points"]
        assert [p["point"] for p in points] == [3, 5], points
        assert points[0]["needed_by"] == 5 and points[1]["needed_by"] is None
        run("-r", u, "verify")
        assert restored(place, u, "vm1@5") == restored(place, r, "vm1@5")
        # And what t deleted is copied again when it is asked for.
        run("-r", t, "delete", "vm1@3")
        run("-r", r, "copy-to", t)
        assert numbers(t) == [1, 2, 3, 5]
        run("-r", t, "verify")


def test_another_history_is_refused():
    with workplace() as place:
        r = make_repository(place / "r")
        t = make_repository(place / "t")
        for name in ((), ("vm1@2",)):
            kind = fails("-r", r, "copy-to", t, *name, status=2,
                         says="point 1 is another one there")
            assert kind == "usage"
        assert numbers(t) == [1, 2, 3, 4, 5]
        run("-r", r, "copy-to", t, "vm1", "--as", "copy of vm1")
        run("-r", t, "verify")
        assert numbers(t, "copy of vm1") == [1, 2, 3, 4, 5]
        assert (restored(place, t, "copy of vm1@4") ==
                restored(place, r, "vm1@4"))
        fails("-r", r, "copy-to", t, "vm1", "--as", "../x", status=2, says="../x")
        fails("-r", r, "copy-to", r, status=2, says="to copy from")


def test_damage_does_not_travel():
    with workplace() as place:
        r = make_repository(place / "r")
        support.flip(r / "vm1/000003/vda.data", 5000)
        t = place / "t"
        run("init", t)
        result = run("-r", r, "copy-to", t, status=4)
        assert "000003/vda.data" in result.stderr, result.stderr
        assert numbers(t) == [1, 2]
        run("-r", t, "verify")


def test_locks_and_bandwidth():
    with workplace() as place:
        r = make_repository(place / "r")
        t = place / "t"
        run("init", t)
        slow = subprocess.Popen(
            ["backstitch", "-q", "-r", r, "copy-to", t, "--bandwidth", "100K"],
            env=environment(), stdout=subprocess.PIPE,
        )
        begun = time.monotonic()
        try:
            while not (t / "vm1/.copy-000001").exists():
                assert slow.poll() is None and time.monotonic() < begun + 30
                time.sleep(0.01)
            assert "copy-to" in run("-r", r, "delete", "vm1@1",
                                    status=5).stderr
            fails("-r", r, "copy-to", t, status=5, says="copy-to")
        finally:
            slow.wait(timeout=60)
        assert slow.returncode == 0
        # Seven chunks that do not shrink, at 100 KiB a second.
        assert time.monotonic() - begun > 3


def test_repair_says_what_it_did():
    with workplace() as place:
        r = make_repository(place / "r")
        t = place / "t"
        run("-r", r, "copy-to", "--init", t)
        data = r / "vm1/000002/vda.data"
        support.flip(data, 5000)
        support.flip(r / "vm1/000004/point.json", 300)
        dry = run_json("-r", r, "repair", "--from", t, "-n", status=4)
        assert {m["what"] for m in dry["repaired"]} == {"chunk", "manifest"}, dry
        alone = run_json("-r", r, "repair", status=4)
        assert alone["repaired"] == [] and len(alone["findings"]) == 2, alone
        done = run_json("-r", r, "repair", "--from", t)
        chunk = [m for m in done["repaired"] if m["what"] == "chunk"][0]
        assert chunk["file"] == "vm1/000002/vda.data", chunk
        assert chunk["from"] == str(t / "vm1"), chunk
        assert chunk["end_bytes"] - chunk["begin_bytes"] == 65536, chunk
        assert run("-r", r, "repair").stdout == "no damage found\n"
        support.flip(data, 5000)
        out = run("-r", r, "repair", "vm1@1").stdout
        assert out == "no damage found\n", out
        assert "repaired 1 place" in run(
            "-r", r, "repair", "vm1@2", "--from", t).stdout
        run("-r", r, "verify")
        fails("-r", r, "repair", "--from-image", "vda", status=2, says="DISK=")
        fails("-r", r, "repair", "--from", place / "x", status=3, says="x")


def bitmaps(image):
    info = json.loads(subprocess.check_output(
        ["qemu-img", "info", "--output=json", image]))
    data = info["format-specific"]["data"]
    return {bitmap["name"] for bitmap in data.get("bitmaps", [])}


def write(image, pattern, offset):
    subprocess.run(["qemu-io", "-c", f"write -P {pattern} {offset} 64k", image],
                   check=True, stdout=subprocess.DEVNULL)


def test_copies_claim_no_bitmap():
    """A backup to the copies reads by the source's bitmap and leaves it."""
    with workplace() as place:
        image = place / "vda.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "4M"],
                       check=True)
        write(image, 1, 0)
        r, t = place / "r", place / "t"
        run("init", r)
        backup = ["backup", "--image", f"vda={image}", "--name", "vm"]
        run("-r", r, *backup)
        run("-r", r, "copy-to", "--init", t)
        ours = bitmaps(image)
        write(image, 2, "1M")
        disk = run_json("-r", t, *backup)["disks"][0]
        assert disk["read"] == "bitmap", disk
        assert ours < bitmaps(image), (ours, bitmaps(image))
        write(image, 3, "2M")
        disk = run_json("-r", r, *backup)["disks"][0]
        assert disk["read"] == "bitmap", disk
        content = restored(place, r, "vm@2")
        assert (content[0], content[1 << 20], content[2 << 20]) == (1, 2, 3)
        content = restored(place, t, "vm@2")
        assert (content[0], content[1 << 20], content[2 << 20]) == (1, 2, 0)
        fails("-r", r, "copy-to", t, status=2, says="point 2 is another one")


support.main(dict(globals()))
