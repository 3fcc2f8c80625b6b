#!/bin/bash
# A machine boots from the mounted raw file, with the host's page cache between
# and without, says on its console that it is up, and reads a file of its disk.
# shellcheck source=tests/support/functions.sh
. "$(dirname "$0")/../../support/functions.sh"

need_root
need_fuse
need_loop
need qemu-system-x86_64 qemu-img extlinux sfdisk mkfs.xfs

mkdir "$work/content"
head -c 20M /dev/urandom >"$work/content/random.bin"
sum=$(sha256sum "$work/content/random.bin" | cut -d' ' -f1)
"$lab/guest-build.sh" "$work/guest"
EXT4_CONTENT=$work/content "$lab/system-disk.sh" "$work/disk.raw" \
  "$work/guest" sum=vda1:random.bin oneshot
qemu-img convert -f raw -O qcow2 "$work/disk.raw" "$work/disk.qcow2"

backstitch -q -r "$work/repository" init
backstitch -q -r "$work/repository" backup \
  --image "vda=$work/disk.qcow2" --name vm1
# An incremental on top, so that the machine reads a chain.
qemu-io -c 'write -P 0x5a 600M 1M' "$work/disk.qcow2" >/dev/null
backstitch -q -r "$work/repository" backup \
  --image "vda=$work/disk.qcow2" --name vm1
mount_repository "$work/repository" "$work/mnt"

for cache in writeback none; do
  "$lab/boot-disk.sh" "$work/mnt/vm1/latest/vda.raw" "$cache" \
    >"$work/console" || fail "cache=$cache: the machine did not power off"
  grep -q "^GUEST-READY" "$work/console" ||
    fail "cache=$cache: no marker on the console: $(cat "$work/console")"
  grep -q "^GUEST-SUM random.bin: $sum\$" "$work/console" ||
    fail "cache=$cache: the file differs: $(cat "$work/console")"
done
