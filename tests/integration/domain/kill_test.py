#!/usr/bin/python3
"""backstitch is killed or interrupted at every stage of a backup: what it had
not committed is no point, what it left behind is gone after the next run, and
that one has all that was written, also while nothing looked."""

import signal
import time

from checks import wait_until
from domainlab import check_equal, say
from faults import Struck, strike, took
from own_host import run_on_own_host

# Where SIGKILL strikes an incremental, and what is there then: a job, a partial
# point, a committed point.
STAGES = [
    (("flock", "after", 1), ""),
    (("virDomainListAllCheckpoints", "before", 1), ""),
    (("virDomainBackupBegin", "before", 1), "partial"),
    (("virDomainBackupBegin", "after", 1), "job partial"),
    (("virDomainCheckpointGetXMLDesc", "after", 1), "job partial"),
    (("nbd_connect_unix", "after", 1), "job partial"),
    (("nbd_aio_pread", "before", 2), "job partial"),
    (("virDomainAbortJob", "before", 1), "job partial"),
    (("virDomainAbortJob", "after", 1), "partial"),
    (("renameat2", "before", 1), "partial"),
    (("renameat2", "after", 1), "committed"),
    (("virDomainCheckpointDelete", "before", 1), "committed"),
    (("virDomainCheckpointDelete", "after", 1), "committed"),
]


def state(struck, points):
    found = []
    # The end of a job that was asked to end takes a moment.
    if struck.job():
        time.sleep(0.3)
    if struck.job():
        found.append("job")
    if struck.partial():
        found.append("partial")
    if struck.oracle.points() != points:
        found.append("committed")
    return " ".join(found)


def kill_at(struck, where, wanted, *words):
    points = struck.oracle.points()
    struck.change()
    copies = struck.oracle.copy(struck.targets) if "committed" in wanted else {}
    child = struck.start(*words, env=strike(struck.lab, where, signal.SIGKILL))
    struck.wait(child, -signal.SIGKILL)
    call, side, number = where
    label = f"killed {side} {call} number {number}"
    check_equal(state(struck, points), wanted, label)
    for number in set(struck.oracle.points()) - set(points):
        struck.oracle.copies[number] = copies
        struck.oracle.compare(number)
    say(f"{label}: {wanted or 'nothing'} left")


def test_killed_at_every_stage(lab):
    struck = Struck(lab)
    for where, wanted in STAGES:
        kill_at(struck, where, wanted)
        struck.next_is_exact()
    say("twice in a row, and then for a full")
    kill_at(struck, ("virDomainBackupBegin", "after", 1), "job partial")
    kill_at(struck, ("nbd_aio_pread", "before", 2), "job partial")
    struck.next_is_exact()
    kill_at(struck, ("virDomainBackupBegin", "after", 1), "job partial",
            "--level", "full")
    struck.next_is_exact()
    kill_at(struck, ("renameat2", "after", 1), "committed", "--level", "full")
    struck.next_is_exact()
    struck.oracle.check_all()


def test_killed_and_then_another_life(lab):
    """What a killed backup left is gone with the QEMU that had it, or met by a
    backup of a machine that is off."""
    struck = Struck(lab, ("vda",))
    for where in (("virDomainBackupBegin", "after", 1),
                  ("virDomainAbortJob", "after", 1)):
        struck.change()
        child = struck.start(env=strike(lab, where, signal.SIGKILL))
        struck.wait(child, -signal.SIGKILL)
        struck.change()
        struck.machine.power_off()
        check_equal(struck.next_is_exact()["consistency"], "offline",
                    "how it was backed up")
        struck.machine.start()
        struck.next_is_exact()
        struck.change()
        child = struck.start(env=strike(lab, where, signal.SIGKILL))
        struck.wait(child, -signal.SIGKILL)
        struck.machine.power_off()
        struck.machine.start()
        struck.next_is_exact()
    struck.oracle.check_all()


def test_interrupted(lab):
    struck = Struck(lab)
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        points = struck.oracle.points()
        child = struck.start_slow()
        begin = time.monotonic()
        child.send_signal(number)
        words = struck.wait(child, code, "interrupted")
        took(begin, 2, f"{number.name} in the middle")
        check_equal(words.count("backstitch: "), 1, words)
        check_equal(struck.oracle.points(), points, "points")
        struck.check_nothing_left()
        struck.next_is_exact()
    for where in (("virDomainBackupBegin", "before", 1),
                  ("virDomainBackupBegin", "after", 1)):
        child = struck.start(env=strike(lab, where, signal.SIGINT))
        struck.wait(child, 130)
        struck.check_nothing_left()
    struck.next_is_exact()
    struck.oracle.check_all()


def test_killed_while_it_had_started_the_machine(lab):
    """--start-paused: the machine is off again, and nothing is lost."""
    struck = Struck(lab, ("vda",))
    struck.machine.power_off()
    struck.change()
    child = struck.start("--start-paused", env=strike(
        lab, ("virDomainBackupBegin", "after", 1), signal.SIGKILL))
    struck.wait(child, -signal.SIGKILL)
    wait_until(lambda: struck.machine.state() == "shut off", "it is off", 30)
    struck.next_is_exact()
    struck.oracle.check_all()


run_on_own_host(globals())
