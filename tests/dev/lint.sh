#!/bin/bash
# What a reviewer should not have to say: layout, shell mistakes, clang-tidy,
# which also gives the warnings of the second compiler.
#   lint.sh                all of it
#   lint.sh --changed      clang-tidy only for what differs from main
#   lint.sh --quick        layout and shell only
#   lint.sh --no-analyzer  clang-tidy without clang-analyzer-*, as CI has it
set -euo pipefail
# shellcheck source=tests/dev/common.sh
. tests/dev/common.sh

how=${1:-}
need_packages "${build_packages[@]}" "${lint_packages[@]}"

say "clang-format"
git ls-files -z '*.cc' '*.h' | xargs -0r clang-format --dry-run -Werror

say "shellcheck"
git grep -lzE '^(#!.*(bash|/sh)|# shellcheck shell=)' -- ':!*.md' |
  xargs -0r shellcheck -x
[ "$how" != --quick ] || exit 0

CXX=clang++ configure build-clang
# Only its list of what is compiled, and how, is wanted.
ninja -C build-clang --quiet build.ninja

say "clang-tidy"
options=()
case $how in
  --no-analyzer) options=(--checks=-clang-analyzer-*) ;;
  --changed)
    base=$(git merge-base main HEAD)
    mapfile -t options < <(git diff --name-only --diff-filter=d "$base" -- \
      '*.cc')
    [ ${#options[@]} -gt 0 ] || exit 0
    ;;
esac
/usr/bin/python3 -B tests/dev/tidy.py build-clang "${options[@]}"
