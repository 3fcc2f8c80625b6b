#!/usr/bin/python3
"""Disks of every kind: buses, formats, block devices, volumes; and those that are
left out."""

from domainlab import (MIB, Disk, Oracle, check, check_equal, disk_of, need, run,
                       say)
from writes import expect, scribble

SIZE = 24 * MIB
SMALL = 8 * MIB


def back_up_often(lab, machine, **how):
    """A full, incrementals on and off, all compared. `how`: what an incremental
    of each disk is."""
    oracle = Oracle(lab, machine)

    def change():
        for target in how:
            scribble(machine, target, SMALL)

    change()
    machine.start()
    change()
    expect(oracle.point(), "full", "crash", **{one: "whole" for one in how})
    for _ in range(2):
        change()
        result = oracle.point()
        expect(result, "incremental", "crash", **how)
    machine.power_off()
    change()
    expect(oracle.point(), "incremental", "offline", **how)
    machine.start()
    change()
    expect(oracle.point(), "incremental", "crash", **how)
    return oracle


def test_two_disks_one_of_them_raw(lab):
    machine = lab.machine([
        Disk("vda", lab.image("vda.qcow2", SIZE)),
        Disk("vdb", lab.image("vdb.raw", SIZE, "raw"), form="raw")])
    oracle = back_up_often(lab, machine, vda="bitmap", vdb="whole: raw")
    for state, byte in (("running", 77), ("shut off", 78)):
        if state != machine.state():
            machine.power_off()
        machine.io("vdb", f"write -P {byte} 4M 64k", "write -z 9M 64k")
        result = oracle.point()
        raw = disk_of(result, "vdb")
        check(64 << 10 <= raw["changed_bytes"] <= 128 << 10,
              f"{state}: {raw}")
        check(raw["stored_bytes"] <= 128 << 10, f"{state}: {raw}")
        say(f"{state}: of the raw disk {raw['changed_bytes']} bytes changed, "
            f"{raw['stored_bytes']} stored")
    oracle.check_all()


def test_buses(lab):
    targets = {"hda": "ide", "sda": "sata", "sdb": "scsi", "vda": "virtio"}
    machine = lab.machine([
        Disk(target, lab.image(f"{target}.qcow2", SIZE), bus=bus)
        for target, bus in targets.items()])
    back_up_often(lab, machine, **{one: "bitmap" for one in targets}).check_all()


def test_version_2_of_qcow2(lab):
    image = lab.image("vda.qcow2", SIZE, "qcow2", "-o", "compat=0.10")
    machine = lab.machine([Disk("vda", image),
                           Disk("vdb", lab.image("vdb.qcow2", SIZE))])
    back_up_often(lab, machine, vda="whole: version 2", vdb="bitmap").check_all()


def test_block_devices(lab):
    devices = []
    for name, form in (("vda", "raw"), ("vdb", "qcow2")):
        file = lab.image(f"{name}.file", SIZE, "raw")
        done = lab.run("losetup", "--find", "--show", file, ok=False)
        need(done.returncode == 0, f"no loop device: {done.stderr}")
        device = done.stdout.strip()
        lab.undo(lambda device=device: lab.run("losetup", "--detach", device))
        devices.append(Disk(name, device, form=form, kind="block"))
    lab.run("qemu-img", "create", "-q", "-f", "qcow2", devices[1].path, SMALL)
    machine = lab.machine(devices)
    back_up_often(lab, machine, vda="whole: raw", vdb="bitmap").check_all()


def test_a_volume_of_a_pool(lab):
    folder = lab.directory("pool")
    pool = f"backstitch-test-{lab.session.name}"
    # libvirt itself would make one of version 2.
    lab.image("pool/one.qcow2", SIZE)
    lab.virsh("pool-create-as", pool, "dir", "--target", folder)
    lab.undo(lambda: lab.virsh("pool-destroy", pool, ok=False))
    machine = lab.machine([Disk("vda", folder / "one.qcow2", kind="volume",
                                pool=pool, volume="one.qcow2")])
    back_up_often(lab, machine, vda="bitmap").check_all()


def test_drives_that_are_no_disks_are_left_out(lab):
    cdrom = lab.image("cd.iso", MIB, "raw")
    floppy = lab.image("floppy.img", 1440 << 10, "raw")
    machine = lab.machine([
        Disk("vda", lab.image("vda.qcow2", SIZE)),
        Disk("hda", cdrom, form="raw", bus="ide", device="cdrom"),
        Disk("hdb", "", form="raw", bus="ide", device="cdrom"),
        Disk("fda", floppy, form="raw", bus="fdc", device="floppy")])
    back_up_often(lab, machine, vda="bitmap").check_all()


def test_disks_are_chosen(lab):
    machine = lab.machine([
        Disk("vda", lab.image("vda.qcow2", SIZE)),
        Disk("vdb", lab.image("vdb.qcow2", SIZE)),
        Disk("vdc", lab.image("vdc.raw", SMALL, "raw"), form="raw")]).start()
    oracle = Oracle(lab, machine)

    def names(*words):
        for target in ("vda", "vdb", "vdc"):
            scribble(machine, target, SMALL)
        return [one["name"] for one in oracle.point(*words)["disks"]]

    check_equal(names("--include", "vda", "--include", "vdc"), ["vda", "vdc"],
                "--include")
    check_equal(names("--include", "vda", "--include", "vdc"), ["vda", "vdc"],
                "--include again")
    check_equal(names("--exclude", "vda"), ["vdb", "vdc"], "--exclude")
    for _ in range(2):
        check_equal(names(), ["vda", "vdb", "vdc"], "all")
    for word in ("--include", "--exclude"):
        done = oracle.backup(word, "vdx", ok=False)
        check(done.returncode in (2, 3), f"{word} of no disk: {done}")
        check("vdx" in done.stderr, done.stderr)
    machine.power_off()
    check_equal(names("--include", "vdb"), ["vdb"], "--include of one off")
    check_equal(names(), ["vda", "vdb", "vdc"], "all of one off")
    oracle.check_all()


run(globals())
