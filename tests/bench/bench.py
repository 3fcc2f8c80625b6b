#!/usr/bin/python3
"""Measures backstitch beside other programs, in one run on one machine.

Everything is run in turn, a warm-up first; figures are medians. Files are in
the page cache, so that programs are measured and not the disk below them; what
is there to be written is written before a program starts, and memory is there.
"""

import argparse
import importlib
import os
import platform
import shutil
import sys
import tempfile

import report
from context import Context

MEASURES = ["full", "incremental", "domain", "reading", "chain", "restore",
            "recovery", "scale"]


def arguments():
    parser = argparse.ArgumentParser(prog="dev bench", description=__doc__)
    parser.add_argument("measures", nargs="*", metavar="MEASURE",
                        help=f"of {', '.join(MEASURES)} (default: all)")
    parser.add_argument("--rounds", type=int, default=5,
                        help="how often each is measured (default: 5)")
    parser.add_argument("--json", action="store_true",
                        help="one JSON document instead of the table")
    parser.add_argument("--build", default="build",
                        help="the build directory")
    chosen = parser.parse_args()
    unknown = set(chosen.measures) - set(MEASURES)
    if unknown:
        parser.error(f"unknown measures: {', '.join(sorted(unknown))}")
    return chosen


def facts(context):
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "work directory": f"{context.work.parent} ({context.device_kind()})",
        "rounds": context.rounds,
        "load before": round(os.getloadavg()[0], 2),
    }


def _processor():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        for line in info:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def main():
    chosen = arguments()
    parent = os.environ.get("BACKSTITCH_BENCH_DIR", "/var/tmp")
    work = tempfile.mkdtemp(prefix="backstitch-bench.", dir=parent)
    rows = []
    try:
        context = Context(work, os.path.abspath(chosen.build), chosen.rounds)
        known = facts(context)
        for name in chosen.measures or MEASURES:
            print(f"measuring {name} …", file=sys.stderr)
            module = importlib.import_module(f"measure_{name}")
            rows += module.measure(context)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if chosen.json:
        print(report.as_json(rows, known))
    else:
        for fact, value in known.items():
            print(f"{fact}: {value}")
        if "tmpfs" in known["work directory"]:
            print("on tmpfs: what fsync takes on a disk is not in these "
                  "figures")
        print()
        print(report.table(rows))


main()
