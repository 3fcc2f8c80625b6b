#!/usr/bin/python3
"""Machines that run, are paused, are off, and change between it: the chain goes
on by bitmaps."""

from domainlab import MIB, Disk, Oracle, check, check_equal, say
from own_host import run_on_own_host
from writes import expect, scribble

SIZE = 24 * MIB
EXIT_NOT_FOUND = 3


def plain_machine(lab, **definition):
    return lab.machine([Disk("vda", lab.image("vda.qcow2", SIZE))], **definition)


def test_a_guest_is_switched_on_and_off(lab):
    machine = plain_machine(lab, guest=True)
    oracle = Oracle(lab, machine)

    def off(**how):
        scribble(machine, "vda", SIZE)
        expect(oracle.point(), consistency="offline", **how)
        check_equal(machine.state(), "shut off", "after a backup")

    def on():
        seed = lab.random.randrange(1 << 30)
        machine.guest_all([
            f"vmio scatter /dev/vda {seed} 40 4096 0 {SIZE}",
            f"vmio zero /dev/vda {seed % 200 * 65536} 131072",
            f"vmio discard /dev/vda {seed % 180 * 65536} 1048576"])
        expect(oracle.point(), "incremental", "crash", vda="bitmap")
        check_equal(machine.state(), "running", "after a backup")

    off(level="full", vda="whole")
    off(level="incremental", vda="bitmap")
    machine.start()
    on()
    on()
    machine.shut_down()
    off(level="incremental", vda="bitmap")
    off(level="incremental", vda="bitmap")
    machine.start()
    on()
    machine.power_off()
    off(level="incremental", vda="bitmap")
    machine.start()
    on()
    oracle.check_all()


def test_started_paused_for_its_backup(lab):
    machine = plain_machine(lab)
    oracle = Oracle(lab, machine)

    def once(level, **how):
        scribble(machine, "vda", SIZE)
        result = oracle.point("--start-paused")
        expect(result, level, **how)
        check(result["consistency"] in ("paused", "offline"), result)
        check_equal(machine.state(), "shut off", "after --start-paused")
        check_equal(machine.checkpoints()[-1],
                    oracle.checkpoint(result["point"]),
                    "the checkpoint of --start-paused")

    once("full", vda="whole")
    once("incremental", vda="bitmap")
    machine.start()
    scribble(machine, "vda", SIZE)
    expect(oracle.point("--start-paused"), "incremental", "crash", vda="bitmap")
    check_equal(machine.state(), "running", "--start-paused of a running one")
    machine.power_off()
    scribble(machine, "vda", SIZE)
    expect(oracle.point(), "incremental", "offline", vda="bitmap")
    once("incremental", vda="bitmap")
    oracle.check_all()


def test_a_paused_machine_stays_paused(lab):
    machine = plain_machine(lab).start()
    machine.suspend()
    oracle = Oracle(lab, machine)
    for level, how in (("full", "whole"), ("incremental", "bitmap")):
        scribble(machine, "vda", SIZE)
        expect(oracle.point(), level, "paused", vda=how)
        check_equal(machine.state(), "paused", "after a backup")
    machine.resume()
    scribble(machine, "vda", SIZE)
    expect(oracle.point(), "incremental", "crash", vda="bitmap")
    oracle.check_all()


def test_a_transient_machine(lab):
    machine = plain_machine(lab)
    machine.virsh("undefine")
    machine.start(transient=True)
    oracle = Oracle(lab, machine)
    for level, how in (("full", "whole"), ("incremental", "bitmap")):
        scribble(machine, "vda", SIZE)
        expect(oracle.point(), level, "crash", vda=how)
    say("it is gone, and with it what libvirt knew of its checkpoints")
    machine.power_off()
    check_equal(oracle.backup(ok=False).returncode, EXIT_NOT_FOUND,
                "a machine that is gone")
    machine.start(transient=True)
    check_equal(machine.checkpoints(), [], "checkpoints that libvirt knows")
    for _ in range(2):
        scribble(machine, "vda", SIZE)
        expect(oracle.point(), "incremental", "crash", vda="bitmap")
    oracle.check_all()


def test_a_change_that_is_missed_would_be_seen(lab):
    """The test of these tests: a bitmap that somebody emptied."""
    machine = plain_machine(lab)
    oracle = Oracle(lab, machine)
    result = oracle.point()
    scribble(machine, "vda", SIZE)
    image = machine.disk("vda").path
    bitmap, = machine.bitmaps("vda")
    check(bitmap.startswith(oracle.checkpoint(result["point"])), bitmap)
    lab.run("qemu-img", "bitmap", "--clear", "-f", "qcow2", image, bitmap)
    try:
        oracle.point()
    except AssertionError as error:
        check("is not what the disk held" in str(error), error)
        return
    raise AssertionError("a point without the changes was taken for good")


def test_the_machine_itself_is_in_the_point(lab):
    machine = plain_machine(lab)
    oracle = Oracle(lab, machine)
    off = oracle.directory(oracle.point()["point"])
    machine.start()
    on = oracle.directory(oracle.point()["point"])
    machine.power_off()
    wanted = machine.virsh("dumpxml", "--inactive", "--security-info").stdout
    for folder in (off, on):
        kept = (folder / "domain.xml").read_text(encoding="utf-8")
        check_equal(kept.split(), wanted.split(), f"{folder}/domain.xml")
    live = (on / "domain-live.xml").read_text(encoding="utf-8")
    check(f"<name>{machine.name}</name>" in live and "id='" in live,
          "domain-live.xml is not of a running machine")
    check(not (off / "domain-live.xml").exists(), "domain-live.xml of one off")


run_on_own_host(globals())
