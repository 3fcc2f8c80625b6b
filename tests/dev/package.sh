#!/bin/bash
# Makes the Debian package of what is built: build/package/backstitch_*.deb.
set -euo pipefail
# shellcheck source=tests/dev/common.sh
. tests/dev/common.sh

need_packages "${build_packages[@]}" "${package_packages[@]}"
build_in build
meson introspect build --buildoptions | grep -q '"prefix"[^}]*"/usr"' || {
  meson configure build --prefix=/usr --sysconfdir=/etc
  ninja -C build --quiet
}

out=build/package
root=$PWD/$out/root
rm -rf "$out"
mkdir -p "$root/DEBIAN" "$out/debian"
DESTDIR=$root meson install -C build --no-rebuild --quiet --strip \
  --tags runtime,man,i18n

say "the package"
doc=$root/usr/share/doc/backstitch
mkdir -p "$doc"
cp README.md CHANGELOG.md "$doc"
cp LICENSE "$doc/copyright"
find "$root/usr/share/man" -type f -exec gzip -9n {} +
echo "Source: backstitch" >"$out/debian/control"
shlibs=$(cd "$out" && dpkg-shlibdeps -O root/usr/bin/* 2>/dev/null)
sed -e "s|@VERSION@|$(meson introspect build --projectinfo |
  /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["version"])')|" \
  -e "s|@ARCHITECTURE@|$(dpkg --print-architecture)|" \
  -e "s|@INSTALLED_SIZE@|$(du -sk "$root/usr" | cut -f1)|" \
  -e "s|@SHLIBS@|${shlibs#shlibs:Depends=}|" \
  src/system/debian/control.in >"$root/DEBIAN/control"
install -m 644 src/system/debian/conffiles "$root/DEBIAN"
install -m 755 src/system/debian/post{inst,rm} "$root/DEBIAN"
dpkg-deb --build --root-owner-group "$root" "$out" | tail -n 1
