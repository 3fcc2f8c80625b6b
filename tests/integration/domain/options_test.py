#!/usr/bin/python3
"""What can be asked of a backup: estimates, thresholds, bandwidth, a place for
scratch files, strictness; and what it says of mistakes."""

import json
import shutil
import time

from domainlab import MIB, Disk, Oracle, check, check_equal, disk_of, say
from own_host import run_on_own_host
from writes import scribble

SIZE = 24 * MIB
USAGE, NOT_FOUND, WARNED = 2, 3, 8


def machine_with_a_full(lab):
    machine = lab.machine([Disk("vda", lab.image("vda.qcow2", SIZE))]).start()
    oracle = Oracle(lab, machine)
    scribble(machine, "vda", SIZE)
    oracle.point()
    return machine, oracle


def check_no_trace(oracle, before, what):
    """No point, no checkpoint, no job came of it."""
    check_equal((oracle.points(), oracle.machine.checkpoints()), before, what)
    check_equal(oracle.machine.job(), "", f"{what}: job")


def test_an_estimate(lab):
    machine, oracle = machine_with_a_full(lab)
    machine.io("vda", "write -P 1 0 1M", "write -P 2 8M 64k")
    for state in ("running", "shut off"):
        if machine.state() != state:
            machine.power_off()
        before = (oracle.points(), machine.checkpoints())
        estimate = oracle.backup("--estimate")
        say(f"{state}: {estimate}")
        check(str(MIB + (64 << 10)) in str(estimate), f"{state}: {estimate}")
        check_no_trace(oracle, before, "an estimate")
    machine.start()
    check_equal(disk_of(oracle.point(), "vda")["read_bytes"], MIB + (64 << 10),
                "what was estimated is read")


def test_a_threshold(lab):
    machine, oracle = machine_with_a_full(lab)
    machine.io("vda", "write -P 1 0 1M")
    for state in ("running", "shut off"):
        if machine.state() != state:
            machine.power_off()
        before = (oracle.points(), machine.checkpoints())
        done = oracle.backup("--threshold", "2M", ok=False)
        check_equal(done.returncode, 0, f"below the threshold: {done.stderr}")
        check_no_trace(oracle, before, f"{state}, below the threshold")
    machine.start()
    oracle.take(oracle.backup("--threshold", "1M"))
    check_equal(len(oracle.points()), 2, "points above the threshold")
    machine.io("vda", "write -P 2 4M 512k")
    oracle.point()
    oracle.check_all()


def test_bandwidth_and_scratch(lab):
    machine, oracle = machine_with_a_full(lab)
    scratch = lab.directory("scratch")
    scratch.chmod(0o777)
    machine.io("vda", "write -P 1 0 8M")
    begin = time.monotonic()
    backup = oracle.start("--bandwidth", "2M", "--scratch", str(scratch))
    while not machine.job():
        check(backup.poll() is None, "it was over at once")
    check(list(scratch.iterdir()), "nothing in the scratch directory")
    backup.communicate(timeout=60)
    check_equal(backup.returncode, 0, "exit status")
    check(time.monotonic() - begin > 3, "8 MiB at 2 MiB a second")
    check_equal(list(scratch.iterdir()), [], "left in the scratch directory")
    machine.io("vda", "write -P 2 1M 1M")
    oracle.point()
    oracle.check_all()


def test_strictness(lab):
    """The machine's kernel is gone: a warning, and a point nevertheless."""
    guest = lab.path / "guest"
    shutil.copytree(lab.guest(), guest)
    machine = lab.machine([Disk("vda", lab.image("vda.qcow2", SIZE))],
                          guest=guest).start(paused=True)
    oracle = Oracle(lab, machine)
    folder = oracle.directory(oracle.point("--strict")["point"])
    names = [one.name for one in folder.iterdir()]
    check("kernel" in names and "initrd" in names, f"saved: {names}")
    (guest / "vmlinuz").unlink()
    for words, wanted in (([], 0), (["--strict"], WARNED)):
        machine.io("vda", f"write -P {wanted + 1} 0 1M")
        done = oracle.backup(*words, ok=False)
        check_equal(done.returncode, wanted, f"{words}: {done.stderr}")
        result = oracle.take(json.loads(done.stdout))
        check("vmlinuz" in str(result["warnings"]), f"no warning: {result}")
    oracle.check_all()


def test_mistakes(lab):
    machine, oracle = machine_with_a_full(lab)
    before = (oracle.points(), machine.checkpoints())
    for words, wanted in (
            (["--level", "huge"], USAGE), (["--quiesce", "maybe"], USAGE),
            (["--compression", "zip"], USAGE), (["--bandwidth", "x"], USAGE),
            (["--all"], USAGE)):
        done = oracle.backup(*words, ok=False)
        check_equal(done.returncode, wanted, f"{words}: {done.stderr}")
        check(done.stderr.strip(), f"{words}: no word of it")
        check_no_trace(oracle, before, f"{words}")
    done = lab.backstitch("--json", "backup", "no such machine", ok=False)
    check_equal(done.returncode, NOT_FOUND, done.stderr)
    check('"not-found"' in done.stdout, done.stdout)
    done = lab.backstitch("backup", machine.name, "-c", "qemu+unix:///nowhere",
                          ok=False)
    check(done.returncode not in (0, 139), done.stderr)


run_on_own_host(globals())
