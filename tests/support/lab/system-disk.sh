#!/bin/bash
# Makes a disk that a BIOS machine boots from by itself: GPT, an ext4 partition
# with a boot loader and the guest of guest-build.sh, and an XFS partition.
#   system-disk.sh OUT.raw GUEST_DIRECTORY [KERNEL WORD…]
# What lies in $EXT4_CONTENT and $XFS_CONTENT (directories) is copied onto them.
set -euo pipefail
out=$1
guest=$2
shift 2

readonly ext4_mib=300 xfs_mib=320
mnt=$(mktemp -d)
loops=()
clean_up() {
  umount "$mnt" 2>/dev/null || true
  for loop in "${loops[@]}"; do losetup --detach "$loop"; done
  rmdir "$mnt"
}
trap clean_up EXIT

truncate -s $((ext4_mib + xfs_mib + 2))M "$out"
sfdisk --quiet "$out" <<TABLE
label: gpt
start=1MiB, size=${ext4_mib}MiB, type=L, name=system, attrs=LegacyBIOSBootable
start=$((ext4_mib + 1))MiB, size=${xfs_mib}MiB, type=L, name=data
TABLE
dd if=/usr/lib/syslinux/mbr/gptmbr.bin of="$out" bs=440 count=1 conv=notrunc \
  status=none

# partition START_MIB SIZE_MIB: its loop device, in $loop.
partition() {
  loop=$(losetup --find --show --offset $(($1 << 20)) \
    --sizelimit $(($2 << 20)) "$out")
  loops+=("$loop")
}

partition 1 $ext4_mib
# The boot loader reads ext4 without 64-bit block numbers only.
mkfs.ext4 -q -L system -O ^64bit,^metadata_csum \
  -E lazy_itable_init=0,lazy_journal_init=0 "$loop"
mount "$loop" "$mnt"
mkdir "$mnt/boot"
cp "$guest/vmlinuz" "$guest/initrd.gz" "$mnt/boot/"
cat >"$mnt/boot/extlinux.conf" <<CONFIG
DEFAULT guest
LABEL guest
  KERNEL vmlinuz
  INITRD initrd.gz
  APPEND console=ttyS0 quiet panic=-1 $*
CONFIG
extlinux --install "$mnt/boot" >/dev/null 2>&1
[ -z "${EXT4_CONTENT:-}" ] || cp -a "$EXT4_CONTENT/." "$mnt/"
umount "$mnt"

partition $((ext4_mib + 1)) $xfs_mib
mkfs.xfs -q -L data "$loop"
mount "$loop" "$mnt"
[ -z "${XFS_CONTENT:-}" ] || cp -a "$XFS_CONTENT/." "$mnt/"
umount "$mnt"
