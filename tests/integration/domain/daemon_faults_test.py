#!/usr/bin/python3
"""libvirtd ends, starts again, loses what it knew of checkpoints, or ends the
job; bitmaps are taken away: no point is false, none is larger than it must be,
and the next one is exact."""

import pathlib
import shutil
import signal
import time

from domainlab import check, check_equal, say
from faults import EXIT_FAILED, Struck, ours, took
from own_host import run_on_own_host

METADATA = pathlib.Path("/var/lib/libvirt/qemu/checkpoint")


def check_outcome(struck, child, copies, label):
    """A point that is exact, or a clear error and no point."""
    points = struck.oracle.points()
    _, words = child.communicate(timeout=120)
    new = sorted(set(struck.oracle.points()) - set(points))
    if child.returncode == 0:
        number = new[0] if new else points[-1]
        struck.oracle.copies[number] = copies
        struck.oracle.compare(number)
        struck.check_nothing_left()
        say(f"{label}: point {number}, exact")
        return
    check_equal((child.returncode, new), (EXIT_FAILED, []), words)
    check_equal(words.count("backstitch: "), 1, words)
    check_equal(struck.partial(), [], "partial points")
    say(f"{label}: {words.splitlines()[-1]}")


def test_libvirtd_is_restarted_during(lab):
    struck = Struck(lab)
    for how in (signal.SIGTERM, signal.SIGKILL):
        child = struck.start_slow()
        copies = struck.oracle.copy(struck.targets)
        lab.daemons.restart_libvirtd(how)
        check_outcome(struck, child, copies, f"{how.name} while it reads")
        struck.next_is_exact()
    for where in (("virDomainBackupBegin", "before", 1),
                  ("virDomainBackupBegin", "after", 1),
                  ("virDomainAbortJob", "before", 1),
                  ("virDomainAbortJob", "after", 1),
                  ("renameat2", "after", 1)):
        struck.change()
        copies = struck.oracle.copy(struck.targets)
        child = struck.start_held(where)
        lab.daemons.restart_libvirtd()
        child.send_signal(signal.SIGCONT)
        check_outcome(struck, child, copies, f"{where[1]} {where[0]}")
        struck.next_is_exact()
    struck.oracle.check_all()


def test_libvirt_ends_the_job(lab):
    struck = Struck(lab)
    points = struck.oracle.points()
    child = struck.start_slow()
    begin = time.monotonic()
    struck.machine.virsh("domjobabort")
    struck.wait(child, EXIT_FAILED, "libvirt ended the backup job")
    took(begin, 5, "after its job had been ended, it ended")
    check_equal(struck.oracle.points(), points, "points")
    struck.check_nothing_left()
    struck.next_is_exact()
    child = struck.start_held(("virDomainAbortJob", "before", 1))
    struck.machine.virsh("domjobabort")
    child.send_signal(signal.SIGCONT)
    _, words = child.communicate(timeout=60)
    say(f"ended when all was read: exit {child.returncode} {words}")
    struck.next_is_exact()
    struck.oracle.check_all()


def test_libvirt_forgets_checkpoints(lab):
    struck = Struck(lab)
    for name in struck.ours():
        struck.machine.virsh("checkpoint-delete", name, "--metadata")
    struck.next_is_exact()
    say("all that it had on disk is gone too")
    lab.daemons.restart_libvirtd()
    shutil.rmtree(METADATA / struck.machine.name)
    lab.daemons.restart_libvirtd()
    check_equal(struck.ours(), [], "checkpoints")
    struck.next_is_exact()
    struck.next_is_exact()
    result = struck.oracle.backup("--level", "differential")
    check_equal({one["read"] for one in result["disks"]}, {"bitmap"},
                "how a differential was read")
    for name in struck.ours():
        struck.machine.virsh("checkpoint-delete", name, "--metadata")
    struck.oracle.point("--level", "full")
    struck.check_nothing_left(checkpoints=1)
    struck.oracle.check_all()


def remove_bitmaps(lab, machine, target):
    for name in machine.bitmaps(target):
        lab.run("qemu-img", "bitmap", "--remove", machine.disk(target).path,
                name)


def test_bitmaps_are_removed(lab):
    struck = Struck(lab)
    for on in (True, False):
        struck.machine.power_off()
        remove_bitmaps(lab, struck.machine, "vdb")
        if on:
            struck.machine.start()
        struck.next_is_exact(checkpoints=None, vdb="whole: bitmap")
        if not on:
            struck.machine.start()
        struck.next_is_exact(checkpoints=None)
        vda = ours(struck.machine.bitmaps("vda"))
        check_equal(len(vda), 2, f"bitmaps of the other disk: {vda}")
    struck.machine.power_off()
    for target in struck.targets:
        remove_bitmaps(lab, struck.machine, target)
    struck.machine.start()
    struck.next_is_exact("whole: bitmap", checkpoints=None)
    struck.next_is_exact(checkpoints=None)
    struck.oracle.point("--level", "full")
    struck.check_nothing_left(checkpoints=1)
    struck.oracle.check_all()


run_on_own_host(globals())
