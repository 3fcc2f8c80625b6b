#!/usr/bin/python3
"""Images of every make: cluster sizes, backing chains, disks that may only be
read, disks behind a server, and names that nobody expects."""

import os

from domainlab import (MIB, Disk, Oracle, check, check_equal, need_programs,
                       say, wait_until)
from own_host import run_on_own_host
from writes import expect, scribble

SIZE = 24 * MIB
SMALL = 8 * MIB
EXIT_UNSUPPORTED = 6


def change(machine, *targets):
    for target in targets or [disk.target for disk in machine.disks]:
        scribble(machine, target, SMALL)


def test_clusters_of_other_sizes(lab):
    makes = {"vda": "cluster_size=4k", "vdb": "cluster_size=2M",
             "vdc": "extended_l2=on", "vdd": "preallocation=metadata",
             "vde": "cluster_size=512,lazy_refcounts=on"}
    machine = lab.machine([
        Disk(target, lab.image(f"{target}.qcow2", SIZE, "qcow2", "-o", options))
        for target, options in makes.items()])
    oracle = Oracle(lab, machine)
    how = {target: "bitmap" for target in makes}
    change(machine)
    machine.start()
    change(machine)
    expect(oracle.point(), "full", "crash", **{one: "whole" for one in how})
    change(machine)
    expect(oracle.point(), "incremental", "crash", **how)
    machine.power_off()
    change(machine)
    expect(oracle.point(), "incremental", "offline", **how)
    machine.start()
    change(machine)
    expect(oracle.point(), "incremental", "crash", **how)
    oracle.check_all()


def full_image(lab, name, form):
    """An image without holes, which overlays hide in part."""
    image = lab.image(name, SIZE, form)
    lab.run("qemu-io", "-f", form, "-c", f"write -P 170 0 {SIZE}", image)
    image.chmod(0o644)
    return image


def test_backing_chains(lab):
    """What the overlay zeroes or discards must not show the base again."""
    disks = []
    for target, form in (("vda", "qcow2"), ("vdb", "raw")):
        base = full_image(lab, f"{target}.base", form)
        overlay = lab.path / f"{target}.qcow2"
        lab.run("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F",
                form, overlay, SIZE + 3 * MIB)
        disks.append(Disk(target, overlay))
    machine = lab.machine(disks)
    oracle = Oracle(lab, machine)
    machine.start()
    for level, how in (("full", "whole"), ("incremental", "bitmap"),
                       ("incremental", "bitmap")):
        change(machine)
        for target in ("vda", "vdb"):
            machine.io(target, "discard 10M 1M", "write -z -u 12M 1M",
                       "write -z 14M 64k", "discard 15M 4k")
        expect(oracle.point(), level, "crash", vda=how, vdb=how)
    machine.power_off()
    change(machine)
    expect(oracle.point(), "incremental", "offline", vda="bitmap", vdb="bitmap")
    oracle.check_all()


def test_a_disk_is_emptied(lab):
    """All of it is discarded, and at last written again."""
    machine = lab.machine([Disk("vda", lab.image("vda.qcow2", SIZE)),
                           Disk("vdb", lab.image("vdb.raw", SIZE, "raw"),
                                form="raw")]).start()
    oracle = Oracle(lab, machine)
    for target in ("vda", "vdb"):
        machine.io(target, f"write -P 9 0 {SIZE}")
    oracle.point()
    for command in (f"discard 0 {SIZE}", "write -P 3 1M 512",
                    f"write -z -u 0 {SIZE}", f"write -P 9 0 {SIZE - MIB}"):
        for target in ("vda", "vdb"):
            machine.io(target, command)
        expect(oracle.point(), "incremental", vda="bitmap", vdb="whole: raw")
        say(f"after {command}")
    oracle.check_all()


def test_a_disk_that_may_only_be_read(lab):
    base = full_image(lab, "vdb.qcow2", "qcow2")
    machine = lab.machine([Disk("vda", lab.image("vda.qcow2", SIZE)),
                           Disk("vdb", base, extra="<readonly/>")]).start()
    oracle = Oracle(lab, machine)
    for level, how in (("full", "whole"), ("incremental", "bitmap"),
                       ("incremental", "bitmap")):
        change(machine, "vda")
        result = oracle.point()
        expect(result, level, vda=how, vdb="whole")
        say(f"vdb: {result['disks'][1]['reason']}")
    machine.power_off()
    change(machine, "vda")
    expect(oracle.point(), "incremental", "offline", vda="bitmap", vdb="whole")
    oracle.check_all()


def serve(lab, name, image):
    """qemu-nbd on an image's bytes, where QEMU may connect."""
    need_programs("qemu-nbd")
    folder = lab.directory("served")
    folder.chmod(0o777)
    socket = folder / name
    lab.start("qemu-nbd", "--persistent", "--shared=4", "--cache=writeback",
              "--discard=unmap", "-f", "raw", "-k", socket, image)
    wait_until(socket.exists, f"{name} is served")
    os.chmod(socket, 0o666)
    return socket


def test_disks_behind_a_server(lab):
    disks = []
    for target, form in (("vda", "raw"), ("vdb", "qcow2")):
        image = lab.image(f"{target}.{form}", SIZE, form)
        if form == "qcow2":  # a server's disk does not grow by itself
            os.truncate(image, 2 * SIZE)
        disks.append(Disk(target, image, form=form, kind="network",
                          socket=serve(lab, target, image)))
    machine = lab.machine(disks).start()
    oracle = Oracle(lab, machine)
    for level, how in (("full", "whole"), ("incremental", "bitmap"),
                       ("incremental", "bitmap")):
        change(machine)
        expect(oracle.point(), level, "crash", vda="whole", vdb=how)
    machine.power_off()
    done = oracle.backup(ok=False)
    check_equal(done.returncode, EXIT_UNSUPPORTED, "of one that is off")
    check("--start-paused" in done.stderr, done.stderr)
    expect(oracle.point("--start-paused"), "incremental", "paused", vda="whole",
           vdb="bitmap")
    oracle.check_all()


def test_names_that_nobody_expects(lab):
    odd = "it's <a> & \"näme\"; $(false) %s "
    machine = lab.machine([Disk("vda", lab.image("a b,c=d;'e.qcow2", SIZE))],
                          name=odd + 100 * "x").start()
    oracle = Oracle(lab, machine)
    for level, how in (("full", "whole"), ("incremental", "bitmap")):
        change(machine)
        expect(oracle.point(), level, "crash", vda=how)
    machine.power_off()
    change(machine)
    expect(oracle.point(), "incremental", "offline", vda="bitmap")
    oracle.check_all()


def test_another_name_in_the_repository(lab):
    machine = lab.machine([Disk("vda", lab.image("vda.qcow2", SIZE))]).start()
    oracle = Oracle(lab, machine, name="a name of its own")
    for level, how in (("full", "whole"), ("incremental", "bitmap")):
        change(machine)
        expect(oracle.point(), level, "crash", vda=how)
    machine.power_off()
    change(machine)
    expect(oracle.point(), "incremental", "offline", vda="bitmap")
    check_equal(Oracle(lab, machine).points(), [], "points under its own name")
    oracle.check_all()


run_on_own_host(globals())
