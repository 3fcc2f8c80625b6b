#!/bin/bash
# The libvirt domain of the lab, made from domain.xml.in.
#   vm.sh up NAME DISK.qcow2 [KERNEL WORD…]   starts it, waits until it is ready
#   vm.sh ctl NAME 'guest command' [SECONDS]
#   vm.sh down NAME
# LAB is a directory that QEMU's user can reach: guest/ (guest-build.sh) and
# run-NAME/ lie in it. DZ=off|on|unmap sets detect_zeroes.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
lab=${LAB:?}
verb=$1
name=$2
run=$lab/run-$name

virsh() {
  command virsh -q -c "${LIBVIRT_DEFAULT_URI:-qemu:///system}" "$@"
}

up() {
  local disk=$1
  shift
  mkdir -p "$run"
  chmod 777 "$run"
  : >"$run/console.log"
  chmod 666 "$run/console.log"
  sed -e "s|@NAME@|$name|; s|@GUEST@|$lab/guest|; s|@DISK@|$disk|" \
    -e "s|@RUN@|$run|; s|@CMDLINE@|$*|; s|@DZ@|${DZ:-off}|" \
    "$here/domain.xml.in" >"$run/domain.xml"
  virsh dominfo "$name" >/dev/null 2>&1 || virsh define "$run/domain.xml"
  virsh start "$name"
  for ((i = 0; i < 600; ++i)); do
    ! grep -q GUEST-READY "$run/console.log" || return 0
    sleep 0.1
  done
  echo "the guest is not ready; its console ends with" >&2
  tail -n 5 "$run/console.log" >&2
  return 1
}

down() {
  virsh destroy "$name" 2>/dev/null || true
  virsh undefine "$name" --checkpoints-metadata --snapshots-metadata ||
    virsh undefine "$name" || true
}

case $verb in
  up) up "${@:3}" ;;
  ctl) exec "$here/guestctl.py" "$run/ctl.sock" "$3" "${4:-120}" ;;
  down) down ;;
esac
