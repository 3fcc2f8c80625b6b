#!/bin/bash
# Makes a guest that boots in seconds without hardware help: Debian's cloud
# kernel and a busybox initramfs, with guest-init as its init and vmio.
#   guest-build.sh DIRECTORY      makes vmlinuz and initrd.gz there
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
out=$1
kernel=$(find /boot -name 'vmlinuz-*-cloud-*' | sort -V | tail -n 1)
[ -n "$kernel" ] || {
  echo "no cloud kernel in /boot" >&2
  exit 1
}
version=${kernel#/boot/vmlinuz-}

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$out" "$root"/{bin,dev,proc,sys,mnt,lib/modules,tmp}
cp /bin/busybox "$root/bin/busybox"
ln -s busybox "$root/bin/sh"
cc -O2 -static -o "$root/bin/vmio" "$here/vmio.c"

for module in virtio_pci virtio_blk virtio_scsi sd_mod xfs; do
  modprobe -S "$version" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ {print $2}' |
  while read -r file; do
    cp "$file" "$root/lib/modules/"
    basename "$file"
  done >"$root/lib/modules/order"

install -m 755 "$here/guest-init" "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$out/initrd.gz"
cp "$kernel" "$out/vmlinuz"
