"""The operations that the fault tests strike, and what must hold afterwards.

All go through fault_driver, which makes the same machine in every run and can
tell by itself whether a point holds exactly the state that it was made of.
"""

import concurrent.futures
import os
import shutil
import sys
import tempfile
import time

import injection
from injection import fail, must, run


class Scenario:
    def __init__(self, name, base, operation):
        self.name = name
        self.base = base  # driver commands that make the repository
        self.operation = operation  # the one that is struck

    def is_backup(self):
        return self.operation[0] == "backup"


SCENARIOS = [
    Scenario("full", [["backup", "1", "full"], ["backup", "2", "incremental"]],
             ["backup", "3", "full"]),
    Scenario("incremental",
             [["backup", "1", "full"], ["backup", "2", "incremental"]],
             ["backup", "3", "incremental"]),
    Scenario("delete",
             [["backup", "1", "full"], ["backup", "2", "incremental"],
              ["backup", "3", "incremental"], ["backup", "4", "incremental"]],
             ["delete", "1", "3"]),
    Scenario("prune",
             [["backup", "1", "full"], ["backup", "2", "incremental"],
              ["backup", "3", "full"], ["backup", "4", "incremental"],
              ["backup", "5", "differential"]],
             ["prune", "2"]),
]


class Bench:
    """A repository in the state before a scenario's operation, to be copied
    and struck again and again."""

    def __init__(self, driver, scenario, directory):
        self.driver = driver
        self.scenario = scenario
        self.original = os.path.join(directory, scenario.name)
        must([driver, "init", self.original])
        for words in scenario.base:
            must(self.command(self.original, words))
        self.before = self.points(self.original)
        done = self.copy(os.path.join(directory, scenario.name + "-done"))
        must(self.command(done, scenario.operation))
        self.after = self.points(done)

    def calls(self, directory):
        """The operation's system calls; see injection.calls."""
        repository = self.copy(os.path.join(directory, "traced"))
        return injection.calls(self.operation(repository), repository,
                               os.path.join(directory, "trace"))

    def strike(self, call, fault, directory, judge):
        """The operation with a fault at `call`; `judge(result, points, where)`
        looks at how it ended. Whether it did not succeed."""
        where = f"{self.scenario.name}, {fault} at {call[0]} number {call[1]}"
        name = f"{self.scenario.name}-{call[0]}-{call[1]}-{fault}"
        repository = self.copy(os.path.join(directory, name))
        result = injection.injected(self.operation(repository), call, fault)
        points = self.check_stopped(repository, where)
        if result.returncode == 0 and points != self.after:
            fail(f"{where}: success, but the points are {points}")
        judge(result, points, where)
        self.check_goes_on(repository, where)
        shutil.rmtree(repository)
        return result.returncode != 0

    def command(self, repository, words):
        return [self.driver, words[0], repository, *words[1:]]

    def operation(self, repository):
        return self.command(repository, self.scenario.operation)

    def copy(self, to):
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self.original, to)
        return to

    def points(self, repository):
        """{"NUMBER STEP"} of a repository that verifies clean and whose disks
        all are what they were made of."""
        return set(must([self.driver, "check", repository]).splitlines())

    def points_or_fail(self, repository, where):
        result = run([self.driver, "check", repository])
        if result.returncode != 0:
            fail(f"{where}: {result.stderr}")
        return set(result.stdout.splitlines())

    def check_stopped(self, repository, where):
        """After a run that was cut off: each point is whole or absent."""
        points = self.points_or_fail(repository, where)
        if self.scenario.is_backup():
            if points not in (self.before, self.after):
                fail(f"{where}: points are {points}")
        elif not self.after <= points <= self.before:
            fail(f"{where}: points are {points}")
        return points

    def check_goes_on(self, repository, where):
        """The next run succeeds, finishes what is left, and loses nothing."""
        if not self.scenario.is_backup():
            must(self.operation(repository))
            if self.points_or_fail(repository, where) != self.after:
                fail(f"{where}: the next run did not end it")
        must(self.command(repository, ["backup", "9", "incremental"]))
        points = self.points_or_fail(repository, where)
        if not any(point.endswith(" 9") for point in points):
            fail(f"{where}: the next backup is not there: {points}")
        self.check_tidy(repository, where)

    def check_tidy(self, repository, where):
        for folder, folders, files in os.walk(repository):
            left = [n for n in folders + files
                    if n.startswith(".") or n == "deleted.json"]
            if left:
                fail(f"{where}: {left} left in {folder}")


def strike_all(faults_at, judge):
    """The body of a test: strikes the scenarios that the command line names
    (FAULT_DRIVER [SCENARIO...]), or all, with each of `faults_at(call)` at
    each of their calls. `judge(bench, result, points, where)`."""
    injection.require_strace()
    driver, *names = sys.argv[1:]
    for scenario in SCENARIOS:
        if names and scenario.name not in names:
            continue
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(
            dir=injection.scratch_directory()
        ) as directory:
            bench = Bench(os.path.abspath(driver), scenario, directory)
            strikes = [(call, fault) for call in bench.calls(directory)
                       for fault in faults_at(call)]
            with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
                struck = sum(pool.map(
                    lambda strike: bench.strike(
                        *strike, directory,
                        lambda *ending: judge(bench, *ending)), strikes))
        if struck < len(strikes) / 2:
            fail(f"{scenario.name}: only {struck} of {len(strikes)} runs were"
                 " struck")
        print(f"{scenario.name}: {len(strikes)} faults, {struck} runs did not"
              f" succeed, {time.monotonic() - begun:.0f} s", flush=True)
