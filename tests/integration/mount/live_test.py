"""The tree follows the repository, and protects what is in use."""

import os
import time

from mountlab import (MIB, change_disk, check, check_equal, read_file, run,
                      wait_until, write_disk)

BUSY = 5


def make_points(lab, count=1):
    disk = lab.file("disk")
    if not os.path.exists(disk):
        write_disk(disk, 4 * MIB, seed=1)
    flat = []
    for _ in range(count):
        change_disk(disk, seed=time.monotonic_ns())
        lab.point(vda=disk)
        flat.append(read_file(disk))
    return flat


def test_a_new_point_appears_and_becomes_latest(lab):
    flat = make_points(lab)
    domain = f"{lab.mount()}/vm1"
    check_equal(sorted(os.listdir(domain)), ["000001", "latest"], "at first")
    check_equal(os.readlink(f"{domain}/latest"), "000001", "latest at first")
    check(read_file(f"{domain}/latest/vda.raw") == flat[0], "first content")
    flat += make_points(lab)
    wait_until(lambda: os.path.exists(f"{domain}/000002"), "new point", 3)
    wait_until(lambda: os.readlink(f"{domain}/latest") == "000002", "latest", 3)
    check_equal(sorted(os.listdir(domain)), ["000001", "000002", "latest"],
                "listing")
    check(read_file(f"{domain}/latest/vda.raw") == flat[1], "new content")
    check(read_file(f"{domain}/000001/vda.raw") == flat[0], "old content")


def test_a_new_domain_appears(lab):
    make_points(lab)
    mount = lab.mount()
    check_equal(os.listdir(mount), ["vm1"], "at first")
    lab.point("a second machine", vda=lab.file("disk"))
    wait_until(lambda: "a second machine" in os.listdir(mount), "domain", 3)
    check_equal(os.listdir(f"{mount}/a second machine/latest"), ["vda.raw"],
                "its files")


def test_an_unfinished_point_is_not_shown(lab):
    make_points(lab)
    os.mkdir(f"{lab.repository}/vm1/000002")
    os.mkdir(f"{lab.repository}/vm1/.partial")
    domain = f"{lab.mount()}/vm1"
    check_equal(sorted(os.listdir(domain)), ["000001", "latest"], "listing")
    check(not os.path.exists(f"{domain}/000002"), "half a point is shown")


def test_deletion_is_refused_while_a_file_is_open(lab):
    flat = make_points(lab, count=3)
    domain = f"{lab.mount()}/vm1"
    with open(f"{domain}/000002/vda.raw", "rb") as image:
        refused = lab.delete("vm1", 2)
        check_equal(refused.returncode, BUSY, f"deletion: {refused.stderr}")
        check("backstitchfs" in refused.stderr,
              f"the holder is not named: {refused.stderr}")
        check(image.read() == flat[1], "the open image")
    # The kernel tells the driver of the last close a moment later.
    wait_until(lambda: lab.delete("vm1", 2).returncode == 0, "deletion", 3)
    wait_until(lambda: not os.path.exists(f"{domain}/000002"), "gone", 3)
    check(read_file(f"{domain}/000003/vda.raw") == flat[2], "a later point")


def test_looking_around_holds_nothing(lab):
    make_points(lab, count=2)
    domain = f"{lab.mount()}/vm1"
    os.listdir(f"{domain}/000001")
    os.stat(f"{domain}/000001/vda.raw")
    check_equal(lab.delete("vm1", 1).returncode, 0, "deletion")


def test_a_number_used_again_is_another_image(lab):
    flat = make_points(lab, count=2)
    domain = f"{lab.mount()}/vm1"
    keeper = open(f"{domain}/000001/vda.raw", "rb")
    with keeper:
        check(read_file(f"{domain}/000002/vda.raw") == flat[1], "first")
        wait_until(lambda: lab.delete("vm1", 2).returncode == 0, "deletion", 3)
        flat += make_points(lab)
        numbers = sorted(os.listdir(f"{lab.repository}/vm1"))
        number = [name for name in numbers if name.isdigit()][-1]
        wait_until(lambda: os.path.exists(f"{domain}/{number}"), "again", 3)
        time.sleep(1.1)
        check(read_file(f"{domain}/{number}/vda.raw") == flat[2],
              "content under the number")


def test_only_the_points_named_are_shown_and_held(lab):
    flat = make_points(lab, count=3)
    lab.point("vm2", vda=lab.file("disk"))
    mount = lab.mount("vm1@1", "-o", "point=vm1@2")
    check_equal(os.listdir(mount), ["vm1"], "domains")
    check_equal(sorted(os.listdir(f"{mount}/vm1")),
                ["000001", "000002", "latest"], "points")
    check_equal(os.readlink(f"{mount}/vm1/latest"), "000002", "latest")
    check(not os.path.exists(f"{mount}/vm1/000003"), "a point not named")
    check(not os.path.exists(f"{mount}/vm2"), "a domain not named")
    check(read_file(f"{mount}/vm1/000001/vda.raw") == flat[0], "content")
    check_equal(lab.delete("vm1", 1).returncode, BUSY, "deletion of a named one")
    check_equal(lab.delete("vm1", 3).returncode, 0, "deletion of another")
    lab.must("umount", mount)
    wait_until(lambda: lab.delete("vm1", 1).returncode == 0, "let go", 3)


def test_points_that_are_not_there_are_not_found(lab):
    make_points(lab)
    for point in ("vm9", "vm1@7", "vm1@2001-01-01", "../vm1"):
        done = lab.try_mount(point)
        check(done.returncode in (2, 3), f"{point}: {done.returncode}")
        check_equal(done.stderr.count("\n"), 1, f"lines of {done.stderr!r}")


run(globals())
