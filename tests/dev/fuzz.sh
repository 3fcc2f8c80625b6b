#!/bin/bash
# Runs the libFuzzer targets, each for FUZZ_SECONDS, from its corpus. What is
# found new stays in build-fuzz/; a crash is an error and leaves its input.
#   fuzz.sh [TARGET…]
set -euo pipefail
# shellcheck source=tests/dev/common.sh
. tests/dev/common.sh

seconds=${FUZZ_SECONDS:-60}
need_packages "${fuzz_packages[@]}"
CXX=$(cached clang++) build_in build-fuzz -Dfuzzers=true -Db_lundef=false

fuzz_one() {
  local target=$1 name
  name=$(basename "$target")
  local found=build-fuzz/corpus/$name corpus=tests/fuzz/corpus/${name#fuzz_}
  mkdir -p "$found"
  local inputs=("$found")
  [ -d "$corpus" ] && inputs+=("$corpus")
  say "$name, $seconds seconds"
  "$target" -max_total_time="$seconds" -print_final_stats=1 \
    -artifact_prefix="build-fuzz/$name-" "${inputs[@]}" \
    >"build-fuzz/$name.log" 2>&1 || {
    tail -n 40 "build-fuzz/$name.log" >&2
    die "$name failed; its input is in build-fuzz/"
  }
  grep -E 'number_of_executed_units|new_units_added' "build-fuzz/$name.log"
}

if [ $# -gt 0 ]; then
  targets=("${@/#/build-fuzz/tests/fuzz/fuzz_}")
else
  mapfile -t targets < <(find build-fuzz/tests/fuzz -maxdepth 1 -type f \
    -executable -name 'fuzz_*' | sort)
fi
[ ${#targets[@]} -gt 0 ] || die "no fuzz targets were built"
for target in "${targets[@]}"; do fuzz_one "$target"; done
