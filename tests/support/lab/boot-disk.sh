#!/bin/bash
# Boots a machine, by emulation, from a raw disk that it may only read (or with
# READONLY=off write), and prints its console until it powers off.
#   boot-disk.sh DISK.raw CACHE_MODE [SECONDS=120]
set -euo pipefail

timeout "${3:-120}" qemu-system-x86_64 \
  -accel tcg -m 256 -nodefaults -no-reboot -nic none -display none \
  -drive "file=$1,format=raw,if=virtio,readonly=${READONLY:-on},cache=$2" \
  -serial stdio </dev/null |
  tr -d '\r' | sed -E 's/\x1b(c|\[[0-9;?]*[A-Za-z])//g'
