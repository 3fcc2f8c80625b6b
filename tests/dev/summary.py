"""Counts the results of a meson test run and names what was not run.

    summary.py TESTLOG.json
"""

import json
import sys

PASSED = {"OK", "EXPECTEDFAIL"}


def last_line(result):
    lines = (result.get("stdout") or "").strip().splitlines()
    return lines[-1].strip() if lines else "no reason given"


def main():
    with open(sys.argv[1], encoding="utf-8") as log:
        results = [json.loads(line) for line in log if line.strip()]
    passed = [r for r in results if r["result"] in PASSED]
    skipped = [r for r in results if r["result"] == "SKIP"]
    failed = [r for r in results if r not in passed and r not in skipped]
    for result in failed:
        print(f"failed: {result['name']} ({result['result'].lower()})")
    for result in skipped:
        print(f"skipped: {result['name']}: {last_line(result)}")
    print(f"{len(passed)} passed, {len(failed)} failed, "
          f"{len(skipped)} skipped")


main()
