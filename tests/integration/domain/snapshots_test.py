#!/usr/bin/python3
"""External snapshots between points: taken, built upon, committed, thrown away."""

from domainlab import MIB, Disk, Oracle, disk_of, say
from own_host import run_on_own_host
from writes import expect, scribble

SIZE = 24 * MIB
WRITTEN = 8 * MIB


def machine_with_a_disk(lab):
    machine = lab.machine([Disk("vda", lab.image("vda.qcow2", SIZE))])
    return machine, Oracle(lab, machine)


def change(machine):
    scribble(machine, "vda", WRITTEN)


def take_snapshot(lab, machine, name):
    overlay = lab.path / f"{name}.qcow2"
    machine.virsh("snapshot-create-as", name, "--disk-only", "--no-metadata",
                  "--atomic", "--diskspec", f"vda,file={overlay}")
    machine.disk("vda").path = overlay


def test_snapshots_while_it_runs(lab):
    machine, oracle = machine_with_a_disk(lab)
    base = machine.disk("vda").path
    machine.start()
    change(machine)
    expect(oracle.point(), "full", vda="whole")
    change(machine)
    take_snapshot(lab, machine, "one")
    change(machine)
    expect(oracle.point(), "incremental", vda="bitmap")
    change(machine)
    take_snapshot(lab, machine, "two")
    expect(oracle.point(), "incremental", vda="bitmap")
    change(machine)
    expect(oracle.point(), "incremental", vda="bitmap")
    change(machine)
    machine.virsh("blockcommit", "vda", "--active", "--pivot", "--wait",
                  "--base", base)
    machine.disk("vda").path = base
    change(machine)
    # By bitmap or whole: only the bytes count.
    say(f"committed: {disk_of(oracle.point(), 'vda')['read']}")
    change(machine)
    expect(oracle.point(), "incremental", vda="bitmap")
    change(machine)
    expect(oracle.point("--level", "differential"), "differential",
           vda="bitmap")
    oracle.check_all()


def test_a_snapshot_is_thrown_away(lab):
    """The machine goes back to what it was at the snapshot; no bitmap of the
    base knows of that."""
    machine, oracle = machine_with_a_disk(lab)
    base = machine.disk("vda").path
    machine.start()
    change(machine)
    expect(oracle.point(), "full", vda="whole")
    for name, off in (("one", False), ("two", True)):
        change(machine)
        take_snapshot(lab, machine, name)
        change(machine)
        expect(oracle.point(), "incremental", vda="bitmap")
        machine.power_off()
        machine.disk("vda").path = base
        machine.define()
        if off:
            change(machine)
            oracle.point()
        machine.start()
        if not off:
            change(machine)
            oracle.point()
        change(machine)
        expect(oracle.point(), "incremental", vda="bitmap")
    oracle.check_all()


def test_a_snapshot_and_then_off(lab):
    machine, oracle = machine_with_a_disk(lab)
    machine.start()
    change(machine)
    expect(oracle.point(), "full", vda="whole")
    change(machine)
    take_snapshot(lab, machine, "one")
    change(machine)
    machine.power_off()
    change(machine)
    # A part of the changes is in the bitmap of the backing image only.
    say(f"off: {disk_of(oracle.point(), 'vda')['read']}")
    change(machine)
    expect(oracle.point(), "incremental", "offline", vda="bitmap")
    machine.start()
    change(machine)
    expect(oracle.point(), "incremental", "crash", vda="bitmap")
    oracle.check_all()


run_on_own_host(globals())
