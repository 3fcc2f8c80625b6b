#!/usr/bin/python3
"""Too little room for what the guest overwrites during a backup: it is not
begun, or ended before the guest notices."""

from domainlab import MIB, Disk, check, check_equal, say
from faults import EXIT_FAILED, SIZE, Struck
from own_host import run_on_own_host

DISK_MIB = 352


def small_file_system(lab, name, mib):
    path = lab.directory(name)
    lab.run("mount", "-t", "tmpfs", "-o", f"size={mib}M,mode=0777", "none",
            path)
    lab.undo(lambda: lab.run("umount", "-l", path, ok=False))
    return path


def test_too_little_at_the_start(lab):
    struck = Struck(lab, ("vda",))
    points = struck.oracle.points()
    struck.change()
    for mib in (16, 500):
        scratch = small_file_system(lab, f"small{mib}", mib)
        done = struck.oracle.backup("--scratch", scratch, ok=False)
        check_equal(done.returncode, EXIT_FAILED, f"exit code; {done.stderr}")
        check("are free in" in done.stderr and "--scratch" in done.stderr,
              done.stderr)
        check_equal(struck.oracle.points(), points, "points")
        struck.check_nothing_left()
        check_equal(list(scratch.iterdir()), [], "scratch files")
    say(done.stderr.splitlines()[-1])
    enough = small_file_system(lab, "enough", 600)
    struck.oracle.point("--scratch", enough)
    check_equal(list(enough.iterdir()), [], "scratch files")
    struck.check_nothing_left()
    struck.oracle.check_all()


def failed_writes(machine):
    return [one["stats"]["failed_wr_operations"]
            for one in machine.qmp("query-blockstats")]


def test_the_guest_fills_it_meanwhile(lab):
    """A guest that overwrites its disk as fast as it can."""
    machine = lab.machine(
        [Disk("vda", lab.image("vda.qcow2", SIZE)),
         Disk("vdb", lab.image("vdb.raw", DISK_MIB * MIB, "raw"), "raw")],
        guest=True).start()
    struck = Struck(lab, ("vda",), machine=machine,
                    words=("--include", "vda"))
    machine.io("vdb", f"write -P 1 0 {DISK_MIB}M")
    scratch = small_file_system(lab, "scratch", 540)
    points = struck.oracle.points()
    struck.words = ()
    child = struck.start("--level", "copy", "--bandwidth", "2M", "--scratch",
                         scratch)
    machine.guest("sleep 1; i=0; while [ $i -lt 3 ]; do i=$((i + 1)); "
                  f"dd if=/dev/zero of=/dev/vdb bs=1M count={DISK_MIB} "
                  "oflag=direct 2>/tmp/dd || exit 1; done", 120)
    words = struck.wait(child, EXIT_FAILED,
                        "ended before the guest gets write errors")
    say(words.splitlines()[-1])
    check_equal(set(failed_writes(machine)), {0}, "writes that failed")
    check_equal(machine.guest("dmesg | grep -ci 'i/o error' || true"), "0",
                "errors that the guest saw")
    check_equal(machine.state(), "running", "the machine")
    check_equal(struck.oracle.points(), points, "points")
    check_equal(list(scratch.iterdir()), [], "scratch files")
    struck.check_nothing_left()
    struck.words = ("--include", "vda")
    struck.next_is_exact()
    struck.oracle.check_all()


run_on_own_host(globals())
