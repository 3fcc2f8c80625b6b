#!/usr/bin/python3
"""Machines booted from a point, moved to their storage while they run, killed
and brought back: what the guest has flushed is on its disks, always."""

import hashlib
import os
import signal
import subprocess
import time

from checks import wait_until
from domainlab import MIB, Disk, check, check_equal, run, say
from recovered import Recovered

SIZE = 32 * MIB


def machine_with_points(lab):
    """Two disks, one raw; three points; what the guest read at each."""
    disks = [Disk("vda", lab.image("a.qcow2", SIZE)),
             Disk("vdb", lab.image("b.raw", SIZE, "raw"), form="raw")]
    machine = lab.machine(disks, guest=True).start()
    sums = []
    for number in range(3):
        for disk in ("vda", "vdb"):
            machine.guest(f"dd if=/dev/urandom of=/dev/{disk} bs=64k "
                          f"seek={number * 90} count=70 conv=fsync")
        sums.append(sums_of(machine))
        lab.backstitch("backup", machine.name)
    machine.power_off()
    return machine, sums


def sums_of(machine):
    return [machine.guest(f"sha256sum </dev/{disk}").split()[0]
            for disk in ("vda", "vdb")]


def boot(lab, machine, *words):
    os.environ["BACKSTITCH_STATE"] = str(lab.directory("state"))
    storage = lab.directory("storage")
    recovered = Recovered(lab, machine.name + "-recovered")
    done = lab.backstitch("boot", *words, "--storage", storage)
    say(done.stdout.splitlines()[0])
    return recovered


def file_sum(lab, path, form):
    flat = lab.path / "flat.raw"
    lab.run("qemu-img", "convert", "-U", "-f", form, "-O", "raw", path, flat)
    digest = hashlib.sha256(flat.read_bytes()).hexdigest()
    flat.unlink()
    return digest


def write(recovered, first, count=20):
    for disk in ("vda", "vdb"):
        recovered.guest(f"dd if=/dev/urandom of=/dev/{disk} bs=64k "
                        f"seek={first} count={count} conv=fsync")


def keep_writing(recovered):
    recovered.guest(
        "rm -f /tmp/stop; (i=0; while [ ! -e /tmp/stop ]; do for d in vda vdb;"
        " do dd if=/dev/urandom of=/dev/$d bs=64k seek=$((380 + i % 120)) "
        "count=1 conv=fsync,notrunc; done; i=$((i + 1)); done; "
        "touch /tmp/stopped) >/dev/null 2>&1 & true")


def stop_writing(recovered):
    recovered.guest("touch /tmp/stop; while [ ! -e /tmp/stopped ]; do "
                    "sleep 0.1; done; rm /tmp/stopped; sync")


def drivers(recovered):
    found = subprocess.run(
        ["pgrep", "-f", f"backstitchfs.*/{recovered.name}/tree"],
        capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def check_finalized(lab, recovered):
    wanted = sums_of(recovered)
    files = recovered.sources()
    for target, form, digest in zip(("vda", "vdb"), ("qcow2", "raw"), wanted):
        check_equal(file_sum(lab, files[target], form), digest,
                    f"{target} on its storage and in the guest")
    check_equal(drivers(recovered), [], "drivers that are left")
    left = sorted(path.name for path in lab.directory("storage").iterdir())
    check_equal(left, [f"{recovered.name}-vda.qcow2",
                       f"{recovered.name}-vdb.raw"], "files in the storage")
    check("no machine" in lab.backstitch("sessions").stdout, "a session is left")
    check("yes" in lab.virsh("dominfo", recovered.name).stdout.split(
        "Persistent:")[1].splitlines()[0], "it is not persistent")


def test_boot_and_finalize(lab):
    machine, sums = machine_with_points(lab)
    lab.virsh("undefine", machine.uuid, "--checkpoints-metadata")
    for disk in machine.disks:
        os.unlink(disk.path)
    recovered = boot(lab, machine, machine.name)
    check_equal(sums_of(recovered), sums[2], "what the guest finds")
    write(recovered, 40)
    keep_writing(recovered)
    say(lab.backstitch("finalize", recovered.name, "--protect")
        .stdout.splitlines()[0])
    stop_writing(recovered)
    check_finalized(lab, recovered)
    point = lab.backstitch("list", machine.name, "--names").stdout.split()[-1]
    check(point.endswith("@4"), f"--protect made no point 4: {point}")


def test_a_middle_point(lab):
    machine, sums = machine_with_points(lab)
    recovered = boot(lab, machine, f"{machine.name}@2", "--network", "none")
    check_equal(sums_of(recovered), sums[1], "what the guest finds at point 2")
    write(recovered, 10)
    say("what is taken is refused, and harms nothing")
    done = lab.backstitch("boot", machine.name, "--storage",
                          lab.directory("storage"), ok=False)
    check_equal(done.returncode, 2, done.stderr)
    recovered.close()
    lab.backstitch("discard", recovered.name)
    check_equal(list(lab.directory("storage").iterdir()), [], "files left")
    check_equal(drivers(recovered), [], "drivers left")
    check_equal(lab.backstitch("finalize", recovered.name, ok=False).returncode,
                3, "exit code of finalize without a session")


def test_killed_and_resumed(lab):
    machine, _ = machine_with_points(lab)
    recovered = boot(lab, machine, machine.name)
    write(recovered, 30)
    for what in ("the machine", "the driver", "both"):
        wanted = sums_of(recovered)
        recovered.close()
        if what != "the driver":
            os.kill(recovered.pid(), signal.SIGKILL)
        if what != "the machine":
            for pid in drivers(recovered):
                os.kill(pid, signal.SIGKILL)
        if what != "the driver":
            wait_until(lambda: lab.virsh("domstate", recovered.name,
                                         ok=False).returncode != 0,
                       "libvirt has seen it")
        lab.backstitch("boot", "--resume", recovered.name)
        check_equal(sums_of(recovered), wanted, f"after SIGKILL of {what}")
        say(f"{what} was killed, and is back")
        write(recovered, 60)
    done = lab.backstitch("boot", "--resume", recovered.name, ok=False)
    check_equal(done.returncode, 5, "exit code for one that runs")


def test_finalize_killed_at_any_time(lab):
    machine, _ = machine_with_points(lab)
    recovered = boot(lab, machine, machine.name)
    keep_writing(recovered)
    begin = time.monotonic()
    kills = 0
    while True:
        child = lab.start("backstitch", "-r", lab.repository, "finalize",
                          recovered.name)
        try:
            # A little longer each time, until it comes to its end.
            child.wait(0.05 + 0.15 * lab.random.random() * (kills + 1))
            break
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            kills += 1
        check(time.monotonic() - begin < 120, "it comes to no end")
    check_equal(child.returncode, 0, f"exit code; {child.stderr.read()}")
    say(f"finalized after {kills} kills")
    check(kills > 0, "it was never killed")
    wait_until(lambda: "running" in lab.virsh("domstate",
                                              recovered.name).stdout,
               "the guest runs")
    stop_writing(recovered)
    check_finalized(lab, recovered)


if __name__ == "__main__":
    run(globals())
