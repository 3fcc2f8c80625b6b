#!/bin/bash
# Builds and runs the tests; the last line counts them.
set -euo pipefail
# shellcheck source=tests/dev/common.sh
. tests/dev/common.sh

need_root "tests mount file systems and start machines"
need_packages "${build_packages[@]}" "${test_packages[@]}"
build_in build

log=build/meson-logs/testlog.json
rm -f "$log"
status=0
meson test -C build --no-rebuild --print-errorlogs "$@" || status=$?
[ -f "$log" ] || die "no test was run"
/usr/bin/python3 tests/dev/summary.py "$log"
exit "$status"
