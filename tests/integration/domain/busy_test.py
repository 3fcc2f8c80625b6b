#!/usr/bin/python3
"""Several who want one machine, and a guest that writes while it is read: each
gets what it asked for, or is told that it cannot have it now."""

import signal
import subprocess

from domainlab import check, check_equal, say
from faults import EXIT_BUSY, Struck
from own_host import run_on_own_host


def refused(struck, word):
    points = struck.oracle.points()
    before = struck.ours()
    done = struck.oracle.backup(ok=False)
    check_equal(done.returncode, EXIT_BUSY, f"exit code; {done.stderr}")
    check(word in done.stderr and '"busy"' in done.stdout,
          f"{done.stderr} {done.stdout}")
    check_equal((struck.oracle.points(), struck.ours()), (points, before),
                "points and checkpoints after a refusal")
    say(f"refused: {done.stderr.splitlines()[-1]}")


def keep(struck, child, copies):
    """The child makes a point of what was copied."""
    points = struck.oracle.points()
    struck.wait(child, 0)
    number, = set(struck.oracle.points()) - set(points)
    struck.oracle.copies[number] = copies
    struck.oracle.compare(number)
    struck.check_nothing_left()


def test_two_backups_at_once(lab):
    struck = Struck(lab)
    child = struck.start_slow()
    copies = struck.oracle.copy(struck.targets)
    refused(struck, "")
    keep(struck, child, copies)
    say("another repository is another owner")
    other = lab.new_repository("other")
    child = struck.start_slow()
    copies = struck.oracle.copy(struck.targets)
    done = lab.backstitch("backup", struck.machine.name, repository=other,
                          ok=False)
    check_equal(done.returncode, EXIT_BUSY, f"exit code; {done.stderr}")
    keep(struck, child, copies)
    struck.next_is_exact()
    struck.oracle.check_all()


def test_another_tools_job(lab):
    struck = Struck(lab, ("vda",))
    directory = lab.directory("theirs")
    directory.chmod(0o777)
    request = directory / "pull.xml"
    request.write_text(
        "<domainbackup mode='pull'>"
        f"<server transport='unix' socket='{directory}/nbd'/><disks>"
        f"<disk name='vda' backup='yes' type='file' exportname='vda'>"
        f"<scratch file='{directory}/vda.tmp'/></disk></disks></domainbackup>",
        encoding="utf-8")
    before = struck.oracle.copy(["vda"])["vda"]
    struck.machine.virsh("backup-begin", request)
    theirs = struck.machine.virsh("backup-dumpxml").stdout
    struck.change()
    for _ in range(2):
        refused(struck, "virsh domjobabort")
    check_equal(struck.machine.virsh("backup-dumpxml").stdout, theirs,
                "their job")
    flat = directory / "theirs.raw"
    lab.run("qemu-img", "convert", "-O", "raw",
            f"nbd+unix:///vda?socket={directory}/nbd", flat)
    done = subprocess.run(["cmp", before, flat], capture_output=True,
                          text=True, check=False)
    check_equal(done.returncode, 0, f"what they read; {done.stdout}")
    say("their job went on, and read what was there when it began")
    struck.machine.virsh("domjobabort")
    struck.next_is_exact()
    struck.oracle.check_all()


def test_what_is_written_meanwhile_is_in_the_next(lab):
    struck = Struck(lab)
    for where in (("virDomainBackupBegin", "before", 1),
                  ("virDomainBackupBegin", "after", 1),
                  ("nbd_aio_pread", "before", 2),
                  ("virDomainAbortJob", "before", 1),
                  ("renameat2", "before", 1)):
        struck.change()
        copies = struck.oracle.copy(struck.targets)
        child = struck.start_held(where)
        struck.change()
        if where[:2] == ("virDomainBackupBegin", "before"):
            copies = struck.oracle.copy(struck.targets)
        child.send_signal(signal.SIGCONT)
        keep(struck, child, copies)
        struck.next_is_exact()
        say(f"written {where[1]} {where[0]}: in the right point")
    struck.oracle.check_all()


run_on_own_host(globals())
