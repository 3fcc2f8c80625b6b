#!/usr/bin/python3
"""ENOSPC and EIO at every call that writes, in every operation that writes.

    error_test.py FAULT_DRIVER [SCENARIO...]

No false success: a run either fails, with one line that says why, and leaves
the points as they were (a deletion: each whole or gone), or it succeeds with
the right result. Afterwards the next run must succeed and lose no change.
Exit status: 0, 77 (skipped), 1.
"""

import concurrent.futures
import os
import sys
import tempfile
import time

import injection
import scenarios

# Creations are openat; those that only read must not lead to a false success
# either, so all of them are struck.
WRITING = {
    "write", "pwrite64", "fsync", "fdatasync", "rename", "renameat",
    "renameat2", "fallocate", "ftruncate", "mkdir", "mkdirat", "open",
    "openat", "unlink", "unlinkat", "rmdir", "sync_file_range",
}
ERRORS = ("ENOSPC", "EIO")


def strike(bench, call, error, directory):
    name = f"{bench.scenario.name}-{call[0]}-{call[1]}-{error}"
    where = f"{bench.scenario.name}, {error} at {call[0]} number {call[1]}"
    repository = bench.copy(os.path.join(directory, name))
    result = injection.injected(
        bench.operation(repository), call, f"error={error}"
    )
    points = bench.check_stopped(repository, where)
    if result.returncode == 0 and points != bench.after:
        injection.fail(f"{where}: success, but the points are {points}")
    if result.returncode not in (0, 1):
        injection.fail(f"{where}: exit {result.returncode}: {result.stderr}")
    if result.returncode == 1:
        if result.stderr.count("\n") != 1:
            injection.fail(f"{where}: not one line: {result.stderr!r}")
        if bench.scenario.is_backup() and points != bench.before:
            injection.fail(f"{where}: failed, but the point is there")
    bench.check_goes_on(repository, where)
    injection.shutil.rmtree(repository)
    return result.returncode != 0


def fail_everywhere(driver, scenario, directory):
    begun = time.monotonic()
    bench = scenarios.Bench(driver, scenario, directory)
    repository = bench.copy(os.path.join(directory, "traced"))
    calls = injection.calls(
        bench.operation(repository), repository,
        os.path.join(directory, "trace"),
    )
    strikes = [(call, error) for call in calls if call[0] in WRITING
               for error in ERRORS]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        failed = sum(pool.map(lambda s: strike(bench, *s, directory), strikes))
    seconds = time.monotonic() - begun
    print(f"{scenario.name}: {len(strikes)} errors, {failed} runs failed,"
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
            fail_everywhere(os.path.abspath(driver), scenario, directory)


if __name__ == "__main__":
    main()
