#!/usr/bin/python3
"""ENOSPC and EIO at every call that writes, in every operation that writes.

    error_test.py FAULT_DRIVER [SCENARIO...]

No false success: a run either fails, with one line that says why, and leaves
the points as they were (a deletion: each whole or gone), or it succeeds with
the right result. Afterwards the next run must succeed and lose no change.
Exit status: 0, 77 (skipped), 1.
"""

import injection
import scenarios

# Creations are openat; those that only read must not lead to a false success
# either, so all of them are struck.
WRITING = {
    "write", "pwrite64", "fsync", "fdatasync", "rename", "renameat",
    "renameat2", "fallocate", "ftruncate", "mkdir", "mkdirat", "open",
    "openat", "unlink", "unlinkat", "rmdir", "sync_file_range",
}
FAULTS = ("error=ENOSPC", "error=EIO")


def faults_at(call):
    return FAULTS if call[0] in WRITING else ()


def judge(bench, result, points, where):
    if result.returncode not in (0, 1):
        injection.fail(f"{where}: exit {result.returncode}: {result.stderr}")
    if result.returncode == 0:
        return
    if result.stderr.count("\n") != 1:
        injection.fail(f"{where}: not one line: {result.stderr!r}")
    if bench.scenario.is_backup() and points != bench.before:
        injection.fail(f"{where}: failed, but the point is there")


if __name__ == "__main__":
    scenarios.strike_all(faults_at, judge)
