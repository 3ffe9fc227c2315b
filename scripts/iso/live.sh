# shellcheck shell=bash disable=SC2154
# The live system around it, by live-build: what boots from the ISO, on BIOS and UEFI.

configure_live() {
    local live=$work/live areas='main contrib non-free-firmware'
    mkdir -p "$live"
    if [ "$fast" != 1 ] && [ -e "$live/config" ]; then in_builder "$live" lb clean --purge; fi
    rm -rf "$live/config"
    local bootloaders=grub-pc,grub-efi
    [ "$arch" = amd64 ] || bootloaders=grub-efi
    in_builder "$live" lb config noauto \
        --mode debian --distribution "$dist" --architecture "$arch" --archive-areas "$areas" \
        --binary-image iso-hybrid --bootloaders "$bootloaders" --uefi-secure-boot enable \
        --linux-packages linux-image --linux-flavours "$arch" \
        --chroot-squashfs-compression-type zstd --chroot-squashfs-compression-level 15 \
        --apt-recommends false --apt-indices false --firmware-chroot false --firmware-binary false \
        --memtest none --checksums sha256 --security true --updates true \
        --debootstrap-options '--variant=minbase --include=ca-certificates' \
        --bootappend-live 'boot=live' \
        --iso-application DebVisor --iso-publisher DebVisor --iso-volume "DebVisor $version" \
        --image-name debvisor \
        --mirror-bootstrap "$mirror" --parent-mirror-bootstrap "$mirror" \
        --mirror-chroot "$mirror" --parent-mirror-chroot "$mirror" \
        --mirror-chroot-security "$(security_mirror)" --parent-mirror-chroot-security "$(security_mirror)" \
        --mirror-binary "$public_mirror" --parent-mirror-binary "$public_mirror" \
        --mirror-binary-security "$public_security" --parent-mirror-binary-security "$public_security"
    mkdir -p "$live/config/package-lists" "$live/config/includes.binary/node"
    # live-config makes users with known passwords; nobody needs one here.
    rm -f "$live/config/package-lists/live.list.chroot"
    names "$top/iso/packages/live.list" | tr , '\n' >"$live/config/package-lists/debvisor.list.chroot"
    cp -a "$top/iso/live/." "$live/config/"
    printf 'DEBVISOR_VERSION=%s\n' "$version" >"$live/config/includes.chroot/etc/debvisor-release"
    sed -i "s/@VERSION@/$version/g" "$live/config/bootloaders/grub-pc/grub.cfg"
}

make_live() {
    local live=$work/live
    put_installer "$live/config/includes.chroot"
    ln -f "$work/node.squashfs" "$live/config/includes.binary/node/node.squashfs"
    echo "$(sha256sum <"$work/node.squashfs" | cut -d' ' -f1)  node/node.squashfs" >"$live/config/includes.binary/node/node.squashfs.sha256"
    rm -rf "$live/config/includes.binary/d-i"
    [ ! -d "$work/debian-installer/d-i" ] || cp -r "$work/debian-installer/d-i" "$live/config/includes.binary/d-i"
    # It keeps what it has fetched, but goes on with nothing half made.
    again live_once "$live"
}

# Not the package: the live system has none of what that needs.
put_installer() {
    local name
    mkdir -p "$1/usr/lib/debvisor" "$1/usr/bin"
    cp "$top"/dist/{debvisor,installer}.mjs "$1/usr/lib/debvisor/"
    for name in debvisor debvisor-installer; do install -m 755 "$top/deploy/$name" "$1/usr/bin/$name"; done
}

live_once() {
    # Only what a stage that failed has half made; what was fetched stays in its caches.
    in_builder "$1" lb clean --chroot --binary
    rm -f "$1"/.build/bootstrap* "$1/.build/.lock" "$1/.lock"
    in_builder "$1" lb build
    [ -s "$1/debvisor-$arch.hybrid.iso" ]
}
