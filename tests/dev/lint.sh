#!/bin/bash
# What a reviewer should not have to say: layout, shell mistakes, warnings of
# the second compiler, clang-tidy.
#   lint.sh             all of it
#   lint.sh --changed   clang-tidy only for what differs from main
#   lint.sh --quick     layout and shell only
#   lint.sh --no-tidy   all but clang-tidy
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

CXX=$(cached clang++) build_in build-clang

[ "$how" != --no-tidy ] || exit 0

say "clang-tidy"
sources=('*.cc')
if [ "$how" = --changed ]; then
  base=$(git merge-base main HEAD)
  mapfile -t sources < <(git diff --name-only --diff-filter=d "$base" -- '*.cc')
  [ ${#sources[@]} -gt 0 ] || exit 0
fi
# Files that are not built in this configuration have no compile command.
git ls-files -- "${sources[@]}" |
  /usr/bin/python3 tests/dev/compiled.py build-clang/compile_commands.json |
  xargs -r -P "$(nproc)" -n 1 clang-tidy --quiet -p build-clang 2>/dev/null
