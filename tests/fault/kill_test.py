#!/usr/bin/python3
"""SIGKILL at every system call of a full, an incremental, a delete and a prune.

    kill_test.py FAULT_DRIVER [SCENARIO...]

What was committed must be whole, what was not absent, `verify` clean, and the
next run must succeed and lose no change. Exit status: 0, 77 (skipped), 1.
"""

import concurrent.futures
import os
import sys
import tempfile
import time

import injection
import scenarios


def strike(bench, call, directory):
    name = f"{bench.scenario.name}-{call[0]}-{call[1]}"
    where = f"{bench.scenario.name}, SIGKILL at {call[0]} number {call[1]}"
    repository = bench.copy(os.path.join(directory, name))
    result = injection.injected(
        bench.operation(repository), call, "signal=KILL"
    )
    points = bench.check_stopped(repository, where)
    if result.returncode == 0 and points != bench.after:
        injection.fail(f"{where}: success, but the points are {points}")
    bench.check_goes_on(repository, where)
    injection.shutil.rmtree(repository)
    return result.returncode != 0


def kill_everywhere(driver, scenario, directory):
    begun = time.monotonic()
    bench = scenarios.Bench(driver, scenario, directory)
    repository = bench.copy(os.path.join(directory, "traced"))
    calls = injection.calls(
        bench.operation(repository), repository,
        os.path.join(directory, "trace"),
    )
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        killed = sum(
            pool.map(lambda call: strike(bench, call, directory), calls)
        )
    if killed < len(calls) / 2:
        injection.fail(f"{scenario.name}: only {killed} runs were killed")
    seconds = time.monotonic() - begun
    print(f"{scenario.name}: {len(calls)} system calls, {killed} runs killed,"
          f" {seconds:.0f} s", flush=True)


def main():
    injection.require_strace()
    driver, *names = sys.argv[1:]
    for scenario in scenarios.SCENARIOS:
        if names and scenario.name not in names:
            continue
        with tempfile.TemporaryDirectory(
            dir=injection.scratch_directory()
        ) as directory:
            kill_everywhere(os.path.abspath(driver), scenario, directory)


if __name__ == "__main__":
    main()
