# shellcheck shell=bash disable=SC2154
# The node's own file system: all packages by their lists, the package debvisor, ZFS's module for its kernel.

make_package() {
    cd "$top"
    node --import tsx scripts/deb.ts
}

# names FILE…: of package lists, by commas
names() { sed 's/#.*//' "$@" | awk 'NF { print $1 }' | sort -u | paste -sd,; }

node_lists() {
    local list lists=()
    for list in base virtualization storage containers web dns monitoring security tools; do
        lists+=("$top/iso/packages/$list.list")
    done
    [ "$firmware" = none ] || lists+=("$top/iso/packages/firmware.list")
    printf '%s\n' "${lists[@]}"
}

make_node() {
    local deb
    deb=$(ls "$top"/dist/debvisor_*_all.deb)
    mapfile -t lists < <(node_lists)
    [ "$fast" = 1 ] || rm -rf "$work/debs"
    mkdir -p "$work/debs"
    again node_once "$deb"
}

node_once() {
    local root=$work/node
    rm -rf --one-file-system "$root" "$root.half"
    printf '%s\n' 'sign_file="/nonexistent"' >"$work/dkms.conf"
    printf 'DEBVISOR_VERSION=%s\n' "$version" >"$work/debvisor-release"
    printf 'MODULES=most\nCOMPRESS=zstd\n' >"$work/initramfs.conf"
    # Kept packages are taken from the folder, and new ones come to it.
    mmdebstrap --mode=root --variant=minbase --components=main,contrib,non-free-firmware \
        --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Retries "5"' \
        --dpkgopt=force-unsafe-io --dpkgopt=force-confold \
        --skip=download/empty --skip=essential/unlink --skip=cleanup/apt/cache \
        --setup-hook='mkdir -p "$1/var/cache/apt/archives"' \
        --setup-hook="sync-in $work/debs /var/cache/apt/archives" \
        --include="$(names "${lists[@]}")" \
        --essential-hook="copy-in $top/iso/node/etc /" \
        --essential-hook='mkdir -p "$1/etc/dkms/framework.conf.d" "$1/etc/initramfs-tools/conf.d"' \
        --essential-hook="upload $work/dkms.conf /etc/dkms/framework.conf.d/debvisor-build.conf" \
        --essential-hook="upload $work/initramfs.conf /etc/initramfs-tools/conf.d/debvisor" \
        --customize-hook="upload $1 /root/debvisor.deb" \
        --customize-hook='chroot "$1" apt-get --yes --no-install-recommends install /root/debvisor.deb' \
        --customize-hook='rm "$1/root/debvisor.deb"' \
        --customize-hook="sync-out /var/cache/apt/archives $work/debs" \
        --customize-hook="upload $work/debvisor-release /etc/debvisor-release" \
        --customize-hook="sh -eu $top/scripts/iso/clean-node.sh $public_mirror $public_security \"\$1\"" \
        "$dist" "$root.half" "deb $mirror $dist main contrib non-free-firmware" \
        "deb $mirror $dist-updates main contrib non-free-firmware" \
        "deb $(security_mirror) $dist-security main contrib non-free-firmware"
    refuse_leaks "$root.half"
    mv "$root.half" "$root"
}

# Nothing of the machine that built it, and no key, may be in what is handed out.
refuse_leaks() {
    local host found
    host=$(sed -E 's,^[a-z]+://([^/:]+).*,\1,' <<<"$mirror")
    if [[ "$public_mirror $public_security" != *"//$host/"* ]]; then
        found=$(grep -rIl --exclude-dir=proc --exclude-dir=sys -F "$host" "$1/etc" "$1/var" "$1/root" "$1/usr/lib/debvisor" 2>/dev/null || :)
        [ -z "$found" ] || { echo "The mirror is named in: $found"; return 1; }
    fi
    found=$(find "$1/etc" "$1/var/lib" -name 'ssh_host_*' -o -path '*/dkms/mok.*' -o -path '*/debvisor/etcd/*' -o -path '*/debvisor/pki/*')
    [ -z "$found" ] || { echo "Keys are in the image: $found"; return 1; }
}

squash_node() {
    # A build to try something is made in a third of the time, and is a tenth larger.
    local level=15
    [ "$fast" != 1 ] || level=6
    rm -f "$work/node.squashfs"
    mksquashfs "$work/node" "$work/node.squashfs" -comp zstd -Xcompression-level "$level" \
        -noappend -no-progress -xattrs
}
