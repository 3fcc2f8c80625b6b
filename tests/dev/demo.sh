#!/bin/bash
# The main job, shown: a machine's disk is backed up twice, its points are
# mounted, files are read from them and a machine is booted from one. Makes its
# own disk in a temporary directory and leaves nothing behind.
set -euo pipefail
# shellcheck source=tests/dev/common.sh
. tests/dev/common.sh

need_root "the demo mounts file systems"
need_packages "${build_packages[@]}" "${demo_packages[@]}"
build_in build
PATH=$PWD/build/src:$PWD/build/fuse:$PATH

# shellcheck source=tests/support/functions.sh
. tests/support/functions.sh
cd "$work"

step=0
tell() {
  step=$((step + 1))
  printf '\n\e[1m%d. %s\e[0m\n' "$step" "$*"
}

# Shows a command and runs it.
show() {
  printf '   $ %s\n' "$*"
  "$@" 2>&1 | sed 's/^/   /'
}

make_machine() {
  mkdir content
  echo "first draft" >content/letter.txt
  cp -r /usr/share/doc content/ 2>/dev/null || true
  "$lab/guest-build.sh" guest
  EXT4_CONTENT=content "$lab/system-disk.sh" disk.raw guest \
    show=vda1:letter.txt oneshot
  qemu-img convert -f raw -O qcow2 disk.raw vm1.qcow2
  rm -r disk.raw content
}

# The machine's files change, through QEMU, which keeps the dirty bitmap.
change_files() {
  : >live.raw
  mkdir -p mnt
  qemu-storage-daemon --daemonize --pidfile daemon.pid \
    --blockdev driver=file,node-name=file,filename=vm1.qcow2,discard=unmap \
    --blockdev driver=qcow2,node-name=disk,file=file,discard=unmap \
    --export type=fuse,id=live,node-name=disk,mountpoint=live.raw,writable=on
  daemon=$(cat daemon.pid)
  on_exit kill "$daemon"
  on_exit umount --lazy "$work/live.raw"
  attach_loop live.raw --offset 1M --sizelimit 300M
  mount_at "$loop" "$work/mnt"
  echo "second draft, much better" >mnt/letter.txt
  rm -r mnt/doc
  sync -f mnt
  fstrim mnt
  umount mnt
  losetup --detach "$loop"
  kill "$daemon"
  wait_until 30 eval "! kill -0 $daemon" || fail "QEMU did not end"
}

# read_letter POINT: from its first partition, mounted as any disk is.
read_letter() {
  local file=backups/vm1/$1/vda.p1.raw
  show mount -o ro,loop "$file" mnt
  show cat mnt/letter.txt
  umount mnt
}

SECONDS=0
tell "A machine's disk: GPT, a boot loader, ext4 and XFS, as a qcow2 image."
make_machine
show ls -sh vm1.qcow2

tell "A repository, and a full backup of the disk."
show backstitch -q -r repo init
show backstitch -q -r repo backup --image vda=vm1.qcow2 --name vm1

tell "The machine goes on: a file is changed, a thousand are deleted."
change_files
echo "   letter.txt now says: second draft, much better"

tell "An incremental backup reads only what QEMU's dirty bitmap names."
show backstitch -q -r repo backup --image vda=vm1.qcow2 --name vm1
show backstitch -r repo list vm1

tell "Every byte of both points is checked."
show backstitch -q -r repo verify

tell "All points as live raw disks. Nothing is restored."
mkdir backups
on_exit umount --lazy "$work/backups"
show backstitch -q -r repo mount backups
show ls -sh backups/vm1/000001/ backups/vm1/latest/

tell "One file, as it was at the first point, and at the second."
read_letter 000001
read_letter latest

tell "A machine boots from the second point (QEMU, by emulation)."
printf '   $ %s\n     %s\n' "qemu-system-x86_64 -m 256 -drive \\" \
  "file=backups/vm1/latest/vda.raw,format=raw,if=virtio,readonly=on …"
"$lab/boot-disk.sh" backups/vm1/latest/vda.raw none >console
sed -n '/^GUEST/s/^/   console: /p' console
grep -q '^GUEST-READY' console || fail "the machine did not start"
grep -q '^GUEST-FILE letter.txt: second draft' console ||
  fail "the machine does not find its file"

tell "The tree is taken away."
show backstitch -q unmount backups
printf '\nDone in %d seconds; nothing is left behind.\n' "$SECONDS"
