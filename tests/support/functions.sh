# For the integration tests in shell: source this first. A test is an
# executable that exits with 0 (passed), 77 (cannot run here; the last line that
# it printed says why) or anything else (failed). `backstitch` and `backstitchfs`
# are on its PATH.
#
# Gives the test an empty directory, $work, that is removed when it ends.
# shellcheck shell=bash
set -euo pipefail

support=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck disable=SC2034
lab=$support/lab

skip() {
  printf '%s\n' "$*"
  exit 77
}

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

# need PROGRAM…: skips the test where one of them is missing.
need() {
  local program
  for program; do
    command -v "$program" >/dev/null || skip "$program is not installed"
  done
}

need_root() {
  [ "$(id -u)" = 0 ] || skip "needs root"
}

need_fuse() {
  [ -c /dev/fuse ] || skip "no /dev/fuse"
}

need_loop() {
  losetup -f >/dev/null 2>&1 || skip "no free loop device"
}

# on_exit COMMAND…: is run when the test ends, however it ends; the last one
# first. Not from a subshell: that would not tell the test.
clean_up=()
on_exit() {
  clean_up+=("$(printf '%q ' "$@")")
}

run_clean_up() {
  local status=$? i
  set +e
  for ((i = ${#clean_up[@]} - 1; i >= 0; --i)); do
    eval "${clean_up[i]}" >/dev/null 2>&1
  done
  exit "$status"
}
trap run_clean_up EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# wait_until SECONDS COMMAND…: until it succeeds, or fails after that time.
wait_until() {
  local tries=$(($1 * 20))
  shift
  until "$@" >/dev/null 2>&1; do
    ((tries-- > 0)) || return 1
    sleep 0.05
  done
}

# stop PID: ends a child with SIGTERM and waits for it.
stop() {
  kill "$1" 2>/dev/null || return 0
  wait "$1" 2>/dev/null || true
}

# attach_loop FILE [LOSETUP OPTION…]: sets $loop to the device; detached at exit.
attach_loop() {
  local file=$1
  shift
  loop=$(losetup --find --show "$@" "$file")
  on_exit losetup --detach "$loop"
}

# mount_at DEVICE DIRECTORY [OPTIONS]: unmounted at exit.
mount_at() {
  mkdir -p "$2"
  mount -o "${3:-defaults}" "$1" "$2"
  on_exit umount "$2"
}

# mount_repository REPOSITORY DIRECTORY [ARGUMENT…]: unmounted at exit.
mount_repository() {
  local repository=$1 directory=$2
  shift 2
  mkdir -p "$directory"
  backstitch -q -r "$repository" mount "$directory" "$@"
  on_exit umount --lazy "$directory"
}

work=$(mktemp -d "${BACKSTITCH_TEST_DIR:-/var/tmp}/backstitch-test.XXXXXX")
on_exit rm -rf --one-file-system "$work"
