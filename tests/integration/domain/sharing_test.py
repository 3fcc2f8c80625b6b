#!/usr/bin/python3
"""Checkpoints: exactly those that later points need are kept, and those of other
repositories and other tools are left alone and do not disturb."""

import subprocess

from domainlab import MIB, Disk, Oracle, check, check_equal, say, wait_until
from own_host import run_on_own_host
from writes import expect, scribble

SIZE = 24 * MIB
EXIT_NO_BASE = 7


def machine_with(lab, *targets):
    return lab.machine([Disk(one, lab.image(f"{one}.qcow2", SIZE))
                        for one in targets])


def change(machine):
    for disk in machine.disks:
        scribble(machine, disk.target, SIZE)


def ours(names):
    return {one for one in names if one.startswith("backstitch-")}


def check_kept(oracle, points, others=()):
    """libvirt knows the checkpoints of these points and no other of ours; and
    there are as many bitmaps."""
    machine = oracle.machine
    wanted = {oracle.checkpoint(point) for point in points} | set(others)
    check("" not in wanted, f"a point of {points} has no checkpoint")
    check_equal(ours(machine.checkpoints()), wanted, "checkpoints kept")
    for disk in machine.disks:
        check_equal(len(ours(machine.bitmaps(disk.target))), len(wanted),
                    f"bitmaps of {disk.target} for {wanted}")
    return wanted


def test_useful_checkpoints_are_kept(lab):
    machine = machine_with(lab, "vda", "vdb").start()
    oracle = Oracle(lab, machine)

    def point(level, *kept):
        """`kept` counts points, or is "this"."""
        change(machine)
        result = oracle.point("--level", level)
        number = result["point"]
        how = "bitmap" if level in ("incremental", "differential") else "whole"
        expect(result, level, vda=how, vdb=how)
        check_kept(oracle, [number if one == "this" else one for one in kept])
        return number

    done = oracle.backup("--level", "incremental", ok=False)
    check_equal(done.returncode, EXIT_NO_BASE, "an incremental of nothing")
    check_equal(machine.checkpoints(), [], "checkpoints of a refusal")
    check_equal(point("copy"), 1, "a copy, which leaves no checkpoint")
    full = point("full", "this")
    one = point("incremental", full, "this")
    two = point("incremental", full, "this")
    check(one < two, "numbers rise")
    check_equal(oracle.checkpoint(point("copy", full, two)), "",
                "the checkpoint of a copy")
    diff = point("differential", full, "this")
    point("incremental", full, "this")
    point("differential", full, "this")
    check(diff > two, "numbers rise")
    second = point("full", "this")
    last = point("incremental", second, "this")
    machine.power_off()
    check_equal(len(ours(machine.bitmaps("vda"))), 2, "bitmaps of one off")
    change(machine)
    result = oracle.point()
    expect(result, "incremental", "offline", vda="bitmap", vdb="bitmap")
    for target in ("vda", "vdb"):
        check_equal(len(ours(machine.bitmaps(target))), 2,
                    "bitmaps after a backup of one off")
    machine.start()
    change(machine)
    result = oracle.point()
    expect(result, "incremental", "crash", vda="bitmap", vdb="bitmap")
    check(last < result["point"], "numbers rise")
    check_kept(oracle, [second, result["point"]])
    oracle.check_all()


def test_two_repositories_take_turns(lab):
    machine = machine_with(lab, "vda").start()
    oracles = [Oracle(lab, machine),
               Oracle(lab, machine, lab.new_repository("second"))]
    last = [[], []]

    def turn(which):
        change(machine)
        result = oracles[which].point()
        if last[which]:
            expect(result, "incremental", vda="bitmap")
            last[which] = [last[which][0], result["point"]]
        else:
            expect(result, "full", vda="whole")
            last[which] = [result["point"]]

    for which in (0, 1, 0, 1, 1, 0, 0, 1):
        turn(which)
        theirs = {oracles[1 - which].checkpoint(point)
                  for point in last[1 - which]}
        check_kept(oracles[which], last[which], theirs)
    say("the same while it is off, and on again")
    machine.power_off()
    for which in (0, 1, 1, 0):
        turn(which)
        check_equal(len(ours(machine.bitmaps("vda"))), 4, "bitmaps")
    machine.start()
    for which in (1, 0):
        turn(which)
    for oracle in oracles:
        oracle.check_all()


def changes_since(lab, machine, checkpoint, before):
    """The disk, as another tool sees it that has a flat copy of the time of its
    checkpoint: libvirt's own push backup over that copy."""
    changes = lab.path / "changes.qcow2"
    changes.unlink(missing_ok=True)
    lab.run("qemu-img", "create", "-q", "-f", "qcow2", "-b", before, "-F", "raw",
            changes)
    changes.chmod(0o666)
    request = lab.path / "push.xml"
    request.write_text(
        f"<domainbackup mode='push'><incremental>{checkpoint}</incremental>"
        f"<disks><disk name='vda' type='file'><target file='{changes}'/>"
        "<driver type='qcow2'/></disk></disks></domainbackup>",
        encoding="utf-8")
    machine.virsh("backup-begin", request, "--reuse-external")

    wait_until(lambda: not machine.job(), "the other tool's backup ends", 30)
    flat = lab.path / "theirs.raw"
    lab.run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", changes, flat)
    return flat


def test_another_tools_checkpoint_survives(lab):
    machine = machine_with(lab, "vda").start()
    oracle = Oracle(lab, machine)
    change(machine)
    full = oracle.point()["point"]
    change(machine)
    before = oracle.copy(["vda"])["vda"]
    machine.virsh("checkpoint-create-as", "theirs", "--diskspec", "vda")
    for _ in range(3):
        change(machine)
        result = oracle.point()
        expect(result, "incremental", vda="bitmap")
        check("theirs" in machine.checkpoints(), "their checkpoint is gone")
        check_kept(oracle, [full, result["point"]])
    change(machine)
    now = oracle.copy(["vda"])["vda"]
    flat = changes_since(lab, machine, "theirs", before)
    done = subprocess.run(["cmp", now, flat], capture_output=True, text=True,
                          check=False)
    check(done.returncode == 0, f"their changes are not all: {done.stdout}")
    say("their checkpoint knows all changes since it was made")
    change(machine)
    second = oracle.point("--level", "full")["point"]
    check_kept(oracle, [second])
    check("theirs" in machine.checkpoints() and
          "theirs" in machine.bitmaps("vda"), "their checkpoint is gone")
    machine.power_off()
    change(machine)
    expect(oracle.point(), "incremental", "offline", vda="bitmap")
    check("theirs" in machine.bitmaps("vda"), "their bitmap is gone")
    machine.virsh("checkpoint-delete", "theirs", "--metadata")
    machine.start()
    change(machine)
    expect(oracle.point(), "incremental", "crash", vda="bitmap")
    oracle.check_all()


run_on_own_host(globals())
