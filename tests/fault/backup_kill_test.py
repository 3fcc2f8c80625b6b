#!/usr/bin/python3
"""Kills, errors and interrupts in backups of images, with their children.

    backup_kill_test.py [SERIES...]

`backstitch backup --image` of two qcow2 disks, struck under strace:
  kill       SIGKILL at system calls of its main thread, the one that writes
  threads    SIGKILL and EIO where its threads talk to qemu-nbd
  children   SIGKILL at system calls of each qemu-img and qemu-nbd it starts
  anybody    SIGKILL at system calls of whichever of its threads and children
             comes to that call first
  errors     ENOSPC and EIO at every call of the main thread that writes
  interrupt  SIGINT and SIGTERM at system calls of the main thread
  large      SIGINT and SIGTERM in the middle of copying
A committed point must be whole, another absent; nothing may be left running;
the next incremental must lose nothing. Every Nth call is struck, from
BACKSTITCH_SEED on; N is BACKSTITCH_STRIDE where that is set (1: every call).
Exit status: 0, 77 (skipped), else.
"""

import collections
import concurrent.futures
import itertools
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import image_bench
import injection

SEED = int(os.environ.get("BACKSTITCH_SEED", "7"))
STRIDE = int(os.environ.get("BACKSTITCH_STRIDE", "0"))

WRITING = {"write", "pwrite64", "fsync", "sync_file_range", "rename",
           "renameat2", "mkdir", "ftruncate", "fallocate"}

# The children by their arguments, as patterns of the shell.
CHILDREN = ["*qemu-img?info*vda.qcow2*", "*qemu-img?bitmap?--add*vda.qcow2*",
            "*qemu-img?bitmap?--add*vdb.qcow2*", "*qemu-nbd*vda.qcow2*",
            "*qemu-nbd*vdb.qcow2*", "*qemu-img?--version*",
            "*qemu-img?bitmap?--remove*vda.qcow2*",
            "*qemu-img?bitmap?--remove*vdb.qcow2*"]

# Stands on PATH for qemu-img and qemu-nbd. -D: the program keeps the process
# that backstitch started, which is whom LISTEN_PID means and whose death it
# must see.
WRAPPER = """#!/bin/sh
case "$0 $*" in
  $STRUCK_CHILD) exec strace -D -f -qqq $STRACE_OPTIONS {program} "$@" ;;
esac
exec {program} "$@"
"""

# `command` makes what is run of a backup's command; `variables` go into its
# environment; `code` is the exit code when it fails and is not killed.
Strike = collections.namedtuple("Strike", "where command variables code")


def inject(call, fault, *options):
    """strace's arguments for a fault at (name, index)."""
    name, index = call
    return ["-o", "/dev/null", "-e", f"trace={name}", "-e",
            f"inject={name}:{fault}:when={index}", *options]


def under_strace(where, options, code=1):
    return Strike(where, lambda command: ["strace", "-qqq", *options, *command],
                  {}, code)


def in_child(where, options, pattern):
    return Strike(
        where, lambda command: command,
        {"STRUCK_CHILD": pattern, "STRACE_OPTIONS": " ".join(options)}, 1)


class Bench:
    """A machine in the state before a scenario's run, to be copied and struck
    again and again."""

    def __init__(self, scenario, directory):
        self.scenario = scenario
        self.directory = pathlib.Path(directory)
        self.machine = image_bench.prepare(
            scenario, self.directory / scenario.name)
        self.before = self.machine.points()
        self.bitmaps = self.machine.bitmaps()
        self.wrappers = self.make_wrappers()
        self.serial = itertools.count()

    def make_wrappers(self):
        folder = self.directory / "wrappers"
        folder.mkdir(exist_ok=True)
        for name in ("qemu-img", "qemu-nbd"):
            wrapper = folder / name
            wrapper.write_text(WRAPPER.format(program=shutil.which(name)),
                               encoding="utf-8")
            wrapper.chmod(0o755)
        return folder

    def run(self, strike):
        """A copy of the machine, and how the struck run ended there."""
        machine = self.machine.clone(
            self.directory / f"{self.scenario.name}-{next(self.serial)}")
        environment = {**machine.environment, **strike.variables}
        if strike.variables:
            environment["PATH"] = f"{self.wrappers}:{environment['PATH']}"
        command = strike.command(machine.backup_command(self.scenario.level))
        return machine, injection.run(command, environment)

    def traced(self, strike_with, trace):
        """The calls of a run that `strike_with(options)` traces."""
        machine, result = self.run(strike_with(["-o", str(trace)]))
        if result.returncode != 0:
            injection.fail(f"a traced run failed: {result.stderr}")
        return machine

    def main_calls(self):
        """The main thread's calls once it knows the repository."""
        trace = self.directory / f"{self.scenario.name}.trace"
        machine = self.traced(lambda o: under_strace("", o), trace)
        return injection.read_calls(trace, str(machine.repository))

    def thread_calls(self):
        """Where backstitch's threads use sockets: QEMU has other calls."""
        trace = self.directory / f"{self.scenario.name}.threads"
        self.traced(lambda o: under_strace("", [*o, "-f"]), trace)
        return [call for call in injection.read_calls(trace, "")
                if call[0] in ("sendto", "recvfrom")]

    def all_calls(self):
        """Those of all threads and children; each counts for itself."""
        trace = self.directory / f"{self.scenario.name}.all"
        machine = self.traced(lambda o: under_strace("", [*o, "-f"]), trace)
        return injection.read_calls(trace, str(machine.repository))

    def child_calls(self, pattern):
        """A child's calls once it knows the image; none: it is not run."""
        trace = self.directory / f"{self.scenario.name}.child"
        trace.unlink(missing_ok=True)
        self.traced(lambda o: in_child("", o, pattern), trace)
        if not trace.exists():
            return []
        return (injection.read_calls(trace, ".qcow2")
                or injection.read_calls(trace, ""))

    def label(self, series, call, what=""):
        return (f"{series}, {self.scenario.name}, {what} at {call[0]} number "
                f"{call[1]}")


def chosen(calls, wanted):
    """About `wanted` of the calls, evenly spread, and the stride."""
    stride = STRIDE or max(1, len(calls) // wanted)
    return calls[SEED % stride::stride], stride


def judge_ending(machine, bench, result, strike):
    """A run that was not killed: it says what failed and cleans up."""
    where = strike.where
    points = machine.points()
    if result.returncode == 0:
        if points == bench.before:
            injection.fail(f"{where}: success, but there is no point")
        return
    if result.returncode != strike.code:
        injection.fail(f"{where}: exit {result.returncode}: {result.stderr}")
    lines = [line for line in result.stderr.splitlines()
             if line.startswith("backstitch: ")]
    if len(lines) != 1:
        injection.fail(f"{where}: not one line: {result.stderr!r}")
    # The point is complete when its report cannot be written.
    if points != bench.before and "standard output" not in lines[0]:
        injection.fail(f"{where}: failed, but the point is there: {lines[0]}")
    image_bench.check_nothing_left(machine, where)


def carry_out(bench, strike, struck_child):
    """One round. Whether the run did not succeed."""
    where = strike.where
    machine, result = bench.run(strike)
    image_bench.check_nothing_runs(machine, where)
    image_bench.check_no_lock(machine, where)
    if result.returncode != -signal.SIGKILL:
        judge_ending(machine, bench, result, strike)
    committed = image_bench.check_points(machine, bench.before, where)
    cleaned_up = result.returncode > 0 and not committed and not struck_child
    if cleaned_up and machine.bitmaps() != bench.bitmaps:
        injection.fail(f"{where}: the new bitmaps stay")
    image_bench.check_goes_on(machine, where, unbroken=not struck_child)
    shutil.rmtree(machine.folder)
    return result.returncode != 0


def carry_out_all(bench, series, strikes, stride):
    begun = time.monotonic()
    if not strikes:
        injection.fail(f"{series}, {bench.scenario.name}: nothing to strike")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        rounds = pool.map(
            lambda strike: carry_out(bench, strike,
                                     series in ("children", "anybody")),
            strikes)
        failed = sum(rounds)
    if failed < len(strikes) / 3:
        injection.fail(f"{series}, {bench.scenario.name}: only {failed} of"
                       f" {len(strikes)} runs were struck")
    print(f"{series}, {bench.scenario.name}: {len(strikes)} runs (seed {SEED},"
          f" stride {stride}), {failed} did not succeed,"
          f" {time.monotonic() - begun:.0f} s", flush=True)


def kill(bench):
    calls, stride = chosen(bench.main_calls(), 16)
    strikes = [under_strace(bench.label("kill", call, "SIGKILL"),
                            inject(call, "signal=KILL")) for call in calls]
    carry_out_all(bench, "kill", strikes, stride)


def threads(bench):
    calls, stride = chosen(bench.thread_calls(), 5)
    strikes = [under_strace(bench.label("threads", call, fault),
                            inject(call, fault, "-f"))
               for call in calls for fault in ("signal=KILL", "error=EIO")]
    carry_out_all(bench, "threads", strikes, stride)


def children(bench):
    strikes = []
    strides = []
    for pattern in CHILDREN:
        calls, stride = chosen(bench.child_calls(pattern), 3)
        strides.append(stride)
        for call in calls:
            where = bench.label(f"children {pattern}", call, "SIGKILL")
            options = inject(call, "signal=KILL")
            strikes.append(in_child(where, options, pattern))
    carry_out_all(bench, "children", strikes, max(strides))


def anybody(bench):
    calls, stride = chosen(bench.all_calls(), 6)
    strikes = [under_strace(bench.label("anybody", call, "SIGKILL"),
                            inject(call, "signal=KILL", "-f"))
               for call in calls]
    carry_out_all(bench, "anybody", strikes, stride)


def errors(bench):
    calls = [call for call in bench.main_calls() if call[0] in WRITING]
    strikes = [under_strace(bench.label("errors", call, error),
                            inject(call, f"error={error}"))
               for call in calls for error in ("ENOSPC", "EIO")]
    carry_out_all(bench, "errors", strikes, 1)


def interrupt(bench):
    calls, stride = chosen(bench.main_calls(), 4)
    strikes = [under_strace(bench.label("interrupt", call, name),
                            inject(call, f"signal={name}"), code)
               for call in calls
               for name, code in (("INT", 130), ("TERM", 143))]
    carry_out_all(bench, "interrupt", strikes, stride)


def start_large(machine):
    """A backup in the middle of its first disk: text, compressed slowly."""
    text = machine.folder / "text"
    text.write_bytes(b"".join(b"%d lines of a log %x\n" % (i, i * i * 7919)
                              for i in range(400000)))
    injection.must(["qemu-img", "create", "-q", "-f", "qcow2",
                    str(machine.image("vda")), "256M"])
    injection.must(["qemu-io", "-f", "qcow2", "-c", f"write -s {text} 0 200M",
                    str(machine.image("vda"))])
    process = subprocess.Popen(
        [*machine.backup_command("full"), "--compression", "zstd:15"],
        env=machine.environment, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True)
    domain = machine.repository / image_bench.NAME
    end = time.monotonic() + 60
    while not any(file.stat().st_size for file in domain.glob(".*/vda.data")):
        if process.poll() is not None or time.monotonic() > end:
            injection.fail(f"the large backup: {process.communicate()}")
        time.sleep(0.01)
    return process


def large(directory):
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        where = f"large, {number.name}"
        folder = pathlib.Path(directory) / f"large-{code}"
        machine = image_bench.Machine(folder).create()
        process = start_large(machine)
        process.send_signal(number)
        _, words = process.communicate(timeout=60)
        if process.returncode != code or words.count("\n") != 1:
            injection.fail(f"{where}: exit {process.returncode}: {words!r}")
        image_bench.check_nothing_runs(machine, where)
        image_bench.check_no_lock(machine, where)
        image_bench.check_nothing_left(machine, where)
        if machine.points() or any(machine.bitmaps().values()):
            injection.fail(f"{where}: points {machine.points()}, bitmaps "
                           f"{machine.bitmaps()}")
        shutil.rmtree(folder)
        print(f"{where}: exit {code}, nothing left", flush=True)


SERIES = {"kill": kill, "threads": threads, "children": children,
          "anybody": anybody, "errors": errors, "interrupt": interrupt}


def need_programs():
    injection.require_strace()
    for program in ("backstitch", "qemu-img", "qemu-nbd", "qemu-io"):
        if shutil.which(program) is None:
            injection.skip(f"{program} is not installed")


def main():
    # A test that is stopped (a time limit) cleans up as one that failed.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    need_programs()
    names = sys.argv[1:] or [*SERIES, "large"]
    parent = injection.scratch_directory()
    for scenario in image_bench.SCENARIOS:
        if names == ["large"]:
            break
        with tempfile.TemporaryDirectory(dir=parent) as directory:
            bench = Bench(scenario, directory)
            for series, strike_all in SERIES.items():
                if series in names:
                    strike_all(bench)
    if "large" in names:
        with tempfile.TemporaryDirectory(dir=parent) as directory:
            large(directory)


if __name__ == "__main__":
    main()
