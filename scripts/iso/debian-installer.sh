# shellcheck shell=bash disable=SC2154
# Debian's own installer as an entry of the menu, with answers, the questions of storage (a udeb) and the package.

make_debian_installer() {
    local to=$work/debian-installer
    rm -rf "$to"
    mkdir -p "$to/d-i"
    if ! (again fetch_installer "$to"); then
        rm -rf "$to/d-i"
        echo "Debian's installer cannot be had from $mirror: the ISO comes without that entry of its menu."
        return 0
    fi
    make_udeb "$to"
    mkdir -p "$to/initrd/debvisor"
    cp "$top/iso/debian-installer/preseed.cfg" "$to/initrd/"
    cp "$to/debvisor-profile.udeb" "$to/initrd/debvisor/"
    cp "$top"/dist/debvisor_*_all.deb "$to/initrd/debvisor/debvisor.deb"
    find "$to/initrd" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
    in_builder "$to" sh -c 'cd initrd && find . | LC_ALL=C sort | cpio --quiet --reproducible --owner=0:0 -o -H newc >../d-i/debvisor.cpio'
}

fetch_installer() {
    local package=debian-installer-13-netboot-$arch images=./usr/lib/debian-installer/images/13/$arch/text/debian-installer/$arch
    rm -f "$1"/*.deb
    in_builder "$1" sh -c "apt-get update -qq && apt-get download -qq $package"
    dpkg-deb --fsys-tarfile "$1/$package"_*.deb | tar -x -C "$1/d-i" --transform='s,.*/,,' "$images/linux" "$images/initrd.gz"
    rm -f "$1/$package"_*.deb
    [ -s "$1/d-i/linux" ] && [ -s "$1/d-i/initrd.gz" ]
}

# make_udeb FOLDER: debvisor-profile.udeb in it
make_udeb() {
    local from=$top/iso/debian-installer/udeb tree=$1/udeb
    rm -rf "$tree"
    mkdir -p "$tree/DEBIAN" "$tree/usr/lib/finish-install.d"
    sed "s/@VERSION@/$version/" "$from/control" >"$tree/DEBIAN/control"
    install -m 644 "$from/templates" "$tree/DEBIAN/templates"
    install -m 755 "$from/postinst" "$tree/DEBIAN/postinst"
    install -m 755 "$from/finish-install" "$tree/usr/lib/finish-install.d/15debvisor"
    dpkg-deb --root-owner-group -Zxz --build "$tree" "$1/debvisor-profile.udeb"
}
