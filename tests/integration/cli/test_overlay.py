#!/usr/bin/env python3
"""Writable mounts from the command line, and overlays that become points."""

import os

import support
from support import fails, make_repository, run, run_json, workplace
from test_mounting import mount, need_fuse


def write(path, offset, data):
    with open(path, "r+b") as image:
        image.seek(offset)
        image.write(data)


def image(point, number, domain="vm1"):
    return point / domain / f"{number:06}" / "vda.raw"


def written_overlay(place, number=5, data=b"written" * 1000):
    """An overlay of vm1@NUMBER, not mounted; what the disk is with it."""
    point, _ = mount(place, f"vm1@{number}", "--writable", "--overlay",
                     place / "o")
    write(image(point, number), 5000, data)
    content = image(point, number).read_bytes()
    run("unmount", point)
    return content


def commit(place, *arguments):
    return ("-r", place / "r", "overlay", "commit", place / "o", *arguments)


def test_an_overlay_is_kept_and_dropped():
    need_fuse()
    with workplace() as place:
        make_repository(place / "r")
        content = written_overlay(place)
        point, _ = mount(place, "vm1", "--writable", "--overlay", place / "o")
        assert image(point, 5).read_bytes() == content
        run("unmount", point)
        point, _ = mount(place, "--writable")
        assert image(point, 5).read_bytes() != content
        write(image(point, 5), 0, b"dropped")
        run("unmount", point)
        point, _ = mount(place)
        assert not image(point, 5).read_bytes().startswith(b"dropped")


def test_wrong_usage():
    need_fuse()
    with workplace() as place:
        make_repository(place / "r")
        (place / "m").mkdir()
        fails("-r", place / "r", "mount", place / "m", "--overlay", place / "o",
              status=2, says="--overlay needs --writable")
        fails(*commit(place), status=3, says="not a directory of overlays")
        fails("-r", place / "r", "overlay", "burn", place / "o", status=2,
              says="unknown command 'overlay burn'")


def test_an_overlay_becomes_a_point():
    need_fuse()
    with workplace() as place:
        make_repository(place / "r")
        content = written_overlay(place)
        made = run_json(*commit(place))
        assert (made["point"], made["base"]) == (6, 5), made
        assert made["stored_bytes"] < 4 << 16, made
        shown = run_json("-r", place / "r", "show", "vm1@6")["manifest"]
        assert shown["level"] == "incremental", shown
        assert shown["parent"] == 5, shown
        run("-r", place / "r", "verify")
        point, _ = mount(place)
        assert image(point, 6).read_bytes() == content
        assert image(point, 5).read_bytes() != content
        assert os.listdir(place / "o") == [".lock"], "the overlay is gone"


def test_two_mounts_and_a_commit_of_one_overlay():
    need_fuse()
    with workplace() as place:
        make_repository(place / "r")
        mount(place, "--writable", "--overlay", place / "o")
        (place / "m2").mkdir()
        fails("-r", place / "r", "mount", place / "m2", "--writable",
              "--overlay", place / "o", status=5, says="in use")
        fails(*commit(place), status=5, says="in use")


def test_a_point_that_others_followed():
    need_fuse()
    with workplace() as place:
        make_repository(place / "r")
        written_overlay(place, 3)
        fails(*commit(place), status=7, says="vm1@5 came after it")
        assert len(run_json("-r", place / "r", "list", "vm1")["points"]) == 5


def test_which_of_several_points():
    need_fuse()
    with workplace() as place:
        make_repository(place / "r")
        point, _ = mount(place, "--writable", "--overlay", place / "o")
        for number in (4, 5):
            write(image(point, number), 0, b"x" * 5000)
        run("unmount", point)
        fails(*commit(place), status=2, says="vm1@4, vm1@5")
        fails(*commit(place, "vm1@3"), status=3, says="no overlay of vm1@3")
        run(*commit(place, "vm1@5", "--keep"))
        assert sorted(os.listdir(place / "o" / "vm1")) == ["000004", "000005"]


support.main(globals())
