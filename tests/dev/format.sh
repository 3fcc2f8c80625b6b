#!/bin/bash
# Lays all C++ sources out as .clang-format says.
set -euo pipefail
# shellcheck source=tests/dev/common.sh
. tests/dev/common.sh

need_packages clang-format git
git ls-files -z '*.cc' '*.h' | xargs -0r clang-format -i
