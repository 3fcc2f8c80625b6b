#!/bin/bash
# Measures beside other programs; see tests/bench/bench.py --help. Works below
# BACKSTITCH_BENCH_DIR, /var/tmp by default: 12 GB are needed there.
set -euo pipefail
# shellcheck source=tests/dev/common.sh
. tests/dev/common.sh

need_root "the measures mount file systems and start machines"
need_packages "${build_packages[@]}" "${bench_packages[@]}"
# Results only on stdout, for --json.
build_in build >&2
PATH=$PWD/build/src:$PWD/build/fuse:$PATH
export PATH
exec /usr/bin/python3 -B tests/bench/bench.py --build build "$@"
