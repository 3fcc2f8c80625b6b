#!/usr/bin/python3
"""Disks that come, go, grow and are replaced between points: the chain goes on,
and every point is what the disks were."""

from domainlab import MIB, Disk, Oracle, check, check_equal, disk_of, say
from own_host import run_on_own_host
from writes import expect, scribble

SIZE = 24 * MIB
SMALL = 8 * MIB


def machine_with(lab, *targets):
    machine = lab.machine([Disk(one, lab.image(f"{one}.qcow2", SIZE))
                           for one in targets])
    return machine, Oracle(lab, machine)


def change(machine):
    for disk in machine.disks:
        scribble(machine, disk.target, SMALL)


def plug(machine, verb, disk):
    file = machine.run / "device.xml"
    file.write_text(disk.xml(), encoding="utf-8")
    machine.virsh(verb, file, "--live", "--config")


def test_a_disk_comes_and_goes_while_it_runs(lab):
    machine, oracle = machine_with(lab, "vda")
    machine.start()
    change(machine)
    expect(oracle.point(), "full", vda="whole")

    second = Disk("sdb", lab.image("sdb.qcow2", SIZE), bus="scsi")
    plug(machine, "attach-device", second)
    machine.disks.append(second)
    change(machine)
    expect(oracle.point(), "incremental", vda="bitmap", sdb="whole: new")
    change(machine)
    expect(oracle.point(), "incremental", vda="bitmap", sdb="bitmap")

    plug(machine, "detach-device", second)
    machine.disks.remove(second)
    for _ in range(2):
        change(machine)
        expect(oracle.point(), "incremental", vda="bitmap")
    oracle.check_all()


def test_a_disk_comes_and_goes_while_it_is_off(lab):
    machine, oracle = machine_with(lab, "vda")
    change(machine)
    expect(oracle.point(), "full", vda="whole")
    machine.disks.append(Disk("vdb", lab.image("vdb.raw", SIZE, "raw"),
                              form="raw"))
    machine.disks.append(Disk("vdc", lab.image("vdc.qcow2", SIZE)))
    machine.define()
    change(machine)
    expect(oracle.point(), "incremental", "offline", vda="bitmap", vdb="whole",
           vdc="whole: new")
    machine.start()
    change(machine)
    expect(oracle.point(), "incremental", "crash", vda="bitmap", vdb="whole",
           vdc="bitmap")
    machine.power_off()
    gone = machine.disks.pop(0)
    machine.define()
    change(machine)
    machine.start()
    expect(oracle.point(), "incremental", vdb="whole", vdc="bitmap")
    machine.power_off()
    machine.disks.append(gone)
    machine.define()
    change(machine)
    # Its bitmap may or may not reach back far enough: only the bytes count.
    result = oracle.point()
    say(f"vda is back: {disk_of(result, 'vda')}")
    machine.start()
    change(machine)
    expect(oracle.point(), "incremental", vda="bitmap", vdb="whole",
           vdc="bitmap")
    oracle.check_all()


def test_a_disk_grows_while_it_runs(lab):
    machine, oracle = machine_with(lab, "vda", "vdb")
    machine.start()
    change(machine)
    expect(oracle.point(), "full", vda="whole", vdb="whole")
    for size in (SIZE + 10 * MIB + 512, SIZE * 9):
        machine.virsh("blockresize", "vda", f"{size}B")
        change(machine)
        machine.io("vda", f"write -P 7 {size - 70000 // 512 * 512} 64k")
        result = oracle.point()
        expect(result, "incremental", vda="whole: resized", vdb="bitmap")
        check_equal(disk_of(result, "vda")["size_bytes"], size, "size")
        check(disk_of(result, "vda")["changed_bytes"] < 24 * MIB,
              f"stored more than what differs: {result}")
        change(machine)
        expect(oracle.point(), "incremental", vda="bitmap", vdb="bitmap")
    machine.power_off()
    change(machine)
    expect(oracle.point(), "incremental", vda="bitmap", vdb="bitmap")
    oracle.check_all()


def test_a_disk_grows_while_it_is_off(lab):
    machine, oracle = machine_with(lab, "vda")
    machine.start()
    change(machine)
    expect(oracle.point(), "full", vda="whole")
    machine.power_off()
    lab.run("qemu-img", "resize", "-q", "-f", "qcow2", machine.disk("vda").path,
            SIZE + 5 * MIB)
    change(machine)
    machine.start()
    expect(oracle.point(), "incremental", vda="whole: resized")
    change(machine)
    expect(oracle.point(), "incremental", vda="bitmap")
    oracle.check_all()


def test_a_disk_is_replaced(lab):
    machine, oracle = machine_with(lab, "vda", "vdb")
    machine.start()
    change(machine)
    expect(oracle.point(), "full", vda="whole", vdb="whole")
    machine.power_off()
    say("another image under the same path")
    machine.disk("vda").path.unlink()
    lab.image("vda.qcow2", SIZE)
    machine.start()
    change(machine)
    expect(oracle.point(), "incremental", vda="whole", vdb="bitmap")
    change(machine)
    expect(oracle.point(), "incremental", vda="bitmap", vdb="bitmap")
    machine.power_off()
    say("another path for the same disk, while it is off")
    machine.disk("vdb").path = lab.image("other.qcow2", SIZE)
    machine.define()
    change(machine)
    expect(oracle.point(), "incremental", "offline", vda="bitmap", vdb="whole")
    change(machine)
    expect(oracle.point(), "incremental", "offline", vda="bitmap", vdb="bitmap")
    say("each other's images")
    one, two = machine.disks
    one.path, two.path = two.path, one.path
    machine.define()
    machine.start()
    change(machine)
    oracle.point()
    change(machine)
    expect(oracle.point(), "incremental", vda="bitmap", vdb="bitmap")
    oracle.check_all()


run_on_own_host(globals())
