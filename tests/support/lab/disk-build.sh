#!/bin/bash
# Makes the disk that speeds are measured on: ext4, half of its data random,
# half text-like (the host's /usr as a tar), as qcow2 version 3.
#   disk-build.sh OUT.qcow2 [SIZE=8G] [RANDOM_MIB=1024] [TEXT_MIB=1024]
set -euo pipefail
out=$1
size=${2:-8G}
random_mib=${3:-1024}
text_mib=${4:-1024}

scratch=$(mktemp -d --tmpdir="$(dirname "$out")" disk.XXXXXX)
trap 'umount "$scratch/mnt" 2>/dev/null || true; rm -rf "$scratch"' EXIT
raw=$scratch/disk.raw
mkdir "$scratch/mnt"
truncate -s "$size" "$raw"
mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 "$raw"
mount -o loop "$raw" "$scratch/mnt"
head -c "${random_mib}M" /dev/urandom >"$scratch/mnt/rand.bin"
# head ends tar's pipe: that is no failure.
{ tar cf - --ignore-failed-read -C / usr/lib usr/share usr/include || true; } \
  2>/dev/null | head -c "${text_mib}M" >"$scratch/mnt/usr.tar"
umount "$scratch/mnt"
qemu-img convert -q -f raw -O qcow2 -o compat=1.1 "$raw" "$out"
