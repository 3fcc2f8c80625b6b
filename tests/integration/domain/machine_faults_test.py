#!/usr/bin/python3
"""The machine ends, in order or not, while it is backed up or after it: there is
no point of what was not read, nothing is left, and the next one has all that was
written. Bitmaps of a QEMU that was killed are worth nothing: the disk is read
whole then, and stored as what differs."""

import os
import signal
import time

from domainlab import MIB, check, check_equal, disk_of, say
from faults import EXIT_FAILED, Struck
from own_host import run_on_own_host


def kill_qemu(machine):
    os.kill(machine.pid(), signal.SIGKILL)
    machine.wait_off()


def with_old_data(lab, *targets):
    """A machine with data that no later point stores again."""
    struck = Struck(lab, targets)
    for target in targets:
        struck.machine.io(target, "write -P 99 20M 4M")
    struck.next_is_exact()
    return struck


def whole_but_little_stored(struck, word):
    """The next point: read whole, with a word why, and only what differs is in
    it; and the one after it goes by bitmap again."""
    result = struck.next_is_exact(f"whole: {word}", checkpoints=None)
    for target in struck.targets:
        disk = disk_of(result, target)
        check(disk["changed_bytes"] < disk["read_bytes"] - MIB,
              f"not only what differs is stored: {disk}")
        say(f"{target}: {disk['reason']}")
    struck.next_is_exact(checkpoints=None)
    return result


def test_qemu_is_killed_during(lab):
    struck = with_old_data(lab, "vda", "vdb")
    points = struck.oracle.points()
    child = struck.start_slow()
    kill_qemu(struck.machine)
    struck.wait(child, EXIT_FAILED, "while it was backed up")
    check_equal(struck.oracle.points(), points, "points")
    struck.machine.start()
    result = whole_but_little_stored(struck, "bitmap of point")
    check(result["warnings"], "nobody is warned")
    child = struck.start_slow()
    kill_qemu(struck.machine)
    struck.wait(child, EXIT_FAILED)
    say("and while it is off")
    whole_but_little_stored(struck, "bitmap of point")
    struck.machine.start()
    struck.next_is_exact(checkpoints=None)
    struck.oracle.check_all()


def test_qemu_is_killed_after(lab):
    struck = with_old_data(lab, "vda", "vdb")
    kill_qemu(struck.machine)
    struck.machine.start()
    whole_but_little_stored(struck, "bitmap of point")
    kill_qemu(struck.machine)
    whole_but_little_stored(struck, "bitmap of point")
    struck.machine.start()
    struck.next_is_exact(checkpoints=None)
    struck.oracle.check_all()


def test_both_are_killed(lab):
    struck = with_old_data(lab, "vda")
    child = struck.start_slow()
    child.kill()
    child.wait()
    kill_qemu(struck.machine)
    struck.machine.start()
    whole_but_little_stored(struck, "bitmap of point")
    struck.oracle.check_all()


def test_destroyed_during(lab):
    struck = Struck(lab)
    for goes_on_off in (True, False):
        points = struck.oracle.points()
        child = struck.start_slow()
        struck.machine.power_off()
        struck.wait(child, EXIT_FAILED, "while it was backed up")
        check_equal(struck.oracle.points(), points, "points")
        check_equal((struck.partial(), struck.scratch()), ([], []), "left")
        if goes_on_off:
            check_equal(struck.next_is_exact()["consistency"], "offline",
                        "of one that is off")
        struck.machine.start()
        struck.next_is_exact()
    # When all was read, it is a point.
    for where, code in ((("virDomainBackupBegin", "before", 1), EXIT_FAILED),
                        (("virDomainBackupBegin", "after", 1), EXIT_FAILED),
                        (("virDomainAbortJob", "before", 1), 0)):
        struck.change()
        copies = struck.oracle.copy(struck.targets)
        points = struck.oracle.points()
        child = struck.start_held(where)
        struck.machine.power_off()
        child.send_signal(signal.SIGCONT)
        words = struck.wait(child, code)
        say(f"destroyed {where[1]} {where[0]}: {words or 'a point'}")
        new = set(struck.oracle.points()) - set(points)
        check_equal(len(new), 0 if code else 1, "points made")
        struck.oracle.copies.update({one: copies for one in new})
        struck.machine.start()
        struck.next_is_exact()
    struck.oracle.check_all()


def test_the_guest_shuts_down_during(lab):
    struck = Struck(lab, ("vda",), guest=True)
    child = struck.start_slow()
    struck.machine.shut_down()
    struck.wait(child, EXIT_FAILED, "while it was backed up")
    check_equal((struck.partial(), struck.scratch()), ([], []), "left")
    check_equal(struck.next_is_exact()["consistency"], "offline",
                "of one that is off")
    struck.machine.start()
    struck.next_is_exact()
    struck.oracle.check_all()


def test_suspended_and_resumed_during(lab):
    struck = Struck(lab, ("vda",))
    struck.change()
    copies = struck.oracle.copy(struck.targets)
    child = struck.start_held(("virDomainBackupBegin", "after", 1))
    struck.machine.suspend()
    child.send_signal(signal.SIGCONT)
    time.sleep(0.1)
    struck.machine.resume()
    struck.wait(child, 0)
    number = struck.oracle.points()[-1]
    struck.oracle.copies[number] = copies
    struck.oracle.compare(number)
    struck.next_is_exact()
    struck.oracle.check_all()


run_on_own_host(globals())
