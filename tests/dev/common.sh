# Shared by the scripts behind ./dev: what to install, and how to build.
# shellcheck shell=bash disable=SC2034

say() {
  printf '\e[1m== %s\e[0m\n' "$*"
}

die() {
  printf '%s\n' "$*" >&2
  exit 1
}

build_packages=(
  ca-certificates g++ meson ninja-build pkg-config scdoc
  libarchive-dev libboost-program-options-dev libfuse3-dev libgmock-dev
  libgtest-dev libguestfs-dev liblz4-dev libnbd-dev libpng-dev libpugixml-dev
  libspdlog-dev libtomlplusplus-dev libvirt-dev libxxhash-dev libzstd-dev
  nlohmann-json3-dev zlib1g-dev
)
demo_packages=(
  busybox-static cpio e2fsprogs extlinux fdisk fuse3 kmod
  linux-image-cloud-amd64 mount python3 qemu-system-x86 qemu-utils
  syslinux-common xfsprogs
)
test_packages=(
  "${demo_packages[@]}"
  binutils btrfs-progs chromium chromium-driver debootstrap dpkg-dev file
  libnbd-bin libvirt-clients libvirt-daemon-system lvm2 man-db nbdkit ntfs-3g
  openssh-server openssl ovmf python3-lz4 python3-selenium python3-xxhash
  python3-zstandard qemu-guest-agent strace swtpm swtpm-tools virtnbdbackup
)
package_packages=(binutils dpkg-dev)
lint_packages=(clang clang-format clang-tidy git shellcheck)
fuzz_packages=(clang libclang-rt-14-dev llvm)
bench_packages=(
  "${demo_packages[@]}"
  fio libnbd-bin libvirt-clients libvirt-daemon-system virtnbdbackup
)

# Installs those of the packages named that are not there; says nothing and
# asks nobody when all are.
need_packages() {
  local missing
  mapfile -t missing < <(comm -23 \
    <(printf '%s\n' "$@" | sort -u) \
    <(dpkg-query -W -f='${db:Status-Status} ${Package}\n' |
      sed -n 's/^installed //p' | sort -u))
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] ||
    die "these packages are missing: ${missing[*]}" \
      $'\n'"install them, or run this once with sudo"
  say "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}

# The compiler's command line, through ccache where that is installed.
cached() {
  if command -v ccache >/dev/null; then echo "ccache $1"; else echo "$1"; fi
}

need_root() {
  [ "$(id -u)" = 0 ] || die "this needs root: $1"
}

# Configures a build directory once, with what is said of it.
#   configure DIRECTORY [MESON OPTION…]
configure() {
  local directory=$1
  shift
  need_packages "${build_packages[@]}"
  if [ ! -f "$directory/build.ninja" ]; then
    say "configuring $directory"
    local wanted
    read -ra wanted <<<"${BACKSTITCH_SETUP:-}"
    meson setup "$directory" --prefix=/usr --sysconfdir=/etc -Dwerror=true \
      "${wanted[@]}" "$@" >"$directory.log" 2>&1 || {
      cat "$directory.log" >&2
      die "meson could not configure $directory"
    }
    mv "$directory.log" "$directory/setup.log"
  fi
}

# The same, and builds.
build_in() {
  configure "$@"
  say "building $1"
  ninja -C "$1" --quiet
}
