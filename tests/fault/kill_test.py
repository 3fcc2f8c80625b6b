#!/usr/bin/python3
"""SIGKILL at every system call of a full, an incremental, a delete and a prune.

    kill_test.py FAULT_DRIVER [SCENARIO...]

What was committed must be whole, what was not absent, `verify` clean, and the
next run must succeed and lose no change. Exit status: 0, 77 (skipped), 1.
"""

import scenarios


def judge(bench, result, points, where):
    """All that must hold is what holds for every fault."""


if __name__ == "__main__":
    scenarios.strike_all(lambda call: ["signal=KILL"], judge)
