#!/bin/bash
# A machine runs on a writable mount, with the host's page cache between and
# without: its file system is mounted read-write there, and what it wrote is there
# when the machine boots again, although the driver was killed in between.
# shellcheck source=tests/support/functions.sh
. "$(dirname "$0")/../../support/functions.sh"

need_root
need_fuse
need_loop
need qemu-system-x86_64 extlinux sfdisk mkfs.xfs e2fsck flock

"$lab/guest-build.sh" "$work/guest"
"$lab/system-disk.sh" "$work/disk.raw" "$work/guest" add=vda1:lines oneshot
backstitch -q -r "$work/repository" init
backstitch -q -r "$work/repository" backup --image "vda=$work/disk.raw" \
  --name vm1
mkdir "$work/mnt"
on_exit umount -l "$work/mnt"
image=$work/mnt/vm1/latest/vda.raw

driver() {
  pgrep -f "backstitchfs.*$work/mnt" || true
}

lines=0
for cache in writeback none writeback none; do
  backstitch -q -r "$work/repository" mount "$work/mnt" --writable \
    --overlay "$work/overlay"
  READONLY=off "$lab/boot-disk.sh" "$image" "$cache" >"$work/console" ||
    fail "cache=$cache: the machine did not power off"
  lines=$((lines + 1))
  grep -q "^GUEST-LINES lines: $lines\$" "$work/console" ||
    fail "cache=$cache, boot $lines: $(cat "$work/console")"
  kill -KILL "$(driver)"
  umount -l "$work/mnt"
done

backstitch -q -r "$work/repository" mount "$work/mnt" --writable \
  --overlay "$work/overlay"
e2fsck -f -n "$work/mnt/vm1/latest/vda.p1.raw" >"$work/fsck" 2>&1 ||
  fail "the file system is damaged: $(cat "$work/fsck")"
backstitch -q unmount "$work/mnt"
backstitch -q -r "$work/repository" mount "$work/mnt"
cmp "$image" "$work/disk.raw" || fail "the point has changed"
