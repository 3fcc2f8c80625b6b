#!/bin/bash
# Real file systems over 21 points: a GPT disk with ext4 and XFS is changed
# through QEMU's block layer, so that its dirty bitmaps see every write and
# discard. Each point is mounted and compared with checksums taken when it was
# backed up.
# shellcheck source=tests/support/functions.sh
. "$(dirname "$0")/../../support/functions.sh"

here=$(dirname "$(readlink -f "$0")")
readonly rounds=20 mib=$((1 << 20))
# Partitions: start and size in MiB, and the file system.
readonly starts=(1 301) sizes=(300 320) kinds=(ext4 xfs)

need_root
need_fuse
need_loop
need qemu-storage-daemon qemu-img sfdisk mkfs.ext4 mkfs.xfs fstrim

image=$work/disk.qcow2
live=$work/live.raw
repository=$work/repository

# Makes the image's content a writable file, $live, until close_disk.
open_disk() {
  : >"$live"
  qemu-storage-daemon --daemonize --pidfile "$work/daemon.pid" \
    --blockdev "driver=file,node-name=file,filename=$image,discard=unmap" \
    --blockdev driver=qcow2,node-name=disk,file=file,discard=unmap \
    --export "type=fuse,id=live,node-name=disk,mountpoint=$live,writable=on"
  daemon=$(cat "$work/daemon.pid")
}

# QEMU writes its bitmaps when it closes the image in good order.
close_disk() {
  kill "$daemon"
  wait_until 30 eval "! kill -0 $daemon" || fail "the disk was not closed"
}
kill_daemon() {
  kill "$daemon"
}
on_exit kill_daemon

# mount_disk FILE OPTIONS: its file systems at $work/ext4 and $work/xfs.
loops=()
mount_disk() {
  local i loop
  for i in 0 1; do
    loop=$(losetup --find --show --offset $((starts[i] * mib)) \
      --sizelimit $((sizes[i] * mib)) "${@:3}" "$1")
    loops+=("$loop")
    mkdir -p "$work/${kinds[i]}"
    mount -o "$2" "$loop" "$work/${kinds[i]}"
  done
}

unmount_disk() {
  local kind loop
  for kind in "${kinds[@]}"; do umount "$work/$kind"; done
  for loop in "${loops[@]}"; do losetup --detach "$loop"; done
  loops=()
}
give_up_disk() {
  umount --lazy "$work/ext4" "$work/xfs"
  losetup --detach "${loops[@]}"
}
on_exit give_up_disk

checksums() {
  local kind
  for kind in "${kinds[@]}"; do
    echo "== $kind"
    "$here/checksums.py" "$work/$kind"
  done
}

make_disk() {
  local i
  qemu-img create -q -f qcow2 "$image" 622M
  open_disk
  sfdisk --quiet --no-reread "$live" <<TABLE
label: gpt
start=${starts[0]}MiB, size=${sizes[0]}MiB, type=L
start=${starts[1]}MiB, size=${sizes[1]}MiB, type=L
TABLE
  for i in 0 1; do
    attach_loop "$live" --offset $((starts[i] * mib)) \
      --sizelimit $((sizes[i] * mib))
    "mkfs.${kinds[i]}" -q "$loop"
    losetup --detach "$loop"
  done
  close_disk
}

# change_disk ROUND: life goes on, and what then is there is written down.
change_disk() {
  local kind
  open_disk
  mount_disk "$live" defaults
  for kind in "${kinds[@]}"; do
    "$here/churn.py" "$work/$kind" "$1"
    # What was freed is known to be so once the journal is written.
    (($1 % 3 != 0)) || { sync -f "$work/$kind" && fstrim "$work/$kind"; }
  done
  checksums >"$work/sums-$1"
  unmount_disk
  (($1 % 5 != 0)) || cksum <"$live" >"$work/whole-$1"
  close_disk
}

back_up() {
  backstitch -q -r "$repository" backup --image "vda=$image" --name fs
}

# check_point ROUND: what its mounted disk holds against what was written down.
check_point() {
  local directory
  directory=$work/mnt/fs/$(printf '%06d' $(($1 + 1)))
  [ ! -f "$work/whole-$1" ] ||
    cksum <"$directory/vda.raw" | cmp -s - "$work/whole-$1" ||
    fail "point $(($1 + 1)): the disk differs"
  mount_disk "$directory/vda.raw" ro --read-only
  checksums >"$work/seen"
  unmount_disk
  diff "$work/sums-$1" "$work/seen" >&2 ||
    fail "point $(($1 + 1)): the files differ"
}

# The driver's partition files are the same partitions.
check_partition_files() {
  local i device directory=$work/mnt/fs/latest
  for i in 0 1; do
    attach_loop "$directory/vda.p$((i + 1)).raw" --read-only
    device=$loop
    mount -o ro "$device" "$work/${kinds[i]}"
  done
  checksums | diff "$work/sums-$rounds" - >&2 ||
    fail "the files in the partition files differ"
  unmount_disk
}

make_disk
backstitch -q -r "$repository" init
for ((round = 0; round <= rounds; ++round)); do
  change_disk "$round"
  back_up
done
by_bitmap=$(grep -lE '"read": ?"bitmap"' "$repository"/fs/*/point.json | wc -l)
[ "$by_bitmap" = "$rounds" ] ||
  fail "only $by_bitmap incrementals were read by their bitmap"

mount_repository "$repository" "$work/mnt"
for ((round = rounds; round >= 0; --round)); do check_point "$round"; done
check_partition_files
