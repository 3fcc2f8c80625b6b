#!/bin/bash
# Runs the tests that need no kernel help under sanitizers.
#   sanitize.sh [address|thread] [meson test arguments]
set -euo pipefail
# shellcheck source=tests/dev/common.sh
. tests/dev/common.sh

kinds=(address thread)
case ${1:-} in
  address | thread)
    kinds=("$1")
    shift
    ;;
esac

need_packages "${build_packages[@]}" "${test_packages[@]}"
for kind in "${kinds[@]}"; do
  if [ "$kind" = address ]; then
    build_in build-asan -Db_sanitize=address,undefined -Db_lundef=false
    directory=build-asan
  else
    build_in build-tsan -Db_sanitize=thread -Db_lundef=false
    directory=build-tsan
  fi
  say "tests under the $kind sanitizer"
  UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
    meson test -C "$directory" --no-rebuild --print-errorlogs \
    --no-suite integration --timeout-multiplier 8 "$@"
done
