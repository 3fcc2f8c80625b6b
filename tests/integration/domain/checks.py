"""What a test of this folder says, checks and waits for."""

import shutil
import time


class Skipped(Exception):
    """The host lacks what the test needs; the argument says what."""


def say(text):
    print(f"  {text}", flush=True)


def need(condition, reason):
    if not condition:
        raise Skipped(reason)


def need_programs(*programs):
    for program in programs:
        need(shutil.which(program), f"{program} is not installed")


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def check_equal(got, wanted, what):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


def wait_until(condition, what, seconds=15):
    """Waits; returns what the condition gave."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        check(time.monotonic() < end, f"not within {seconds} s: {what}")
        time.sleep(0.05)
