# shellcheck shell=bash disable=SC2154
# The chroot that live-build runs in: the same on Debian 12 and 13, so that the image does not depend on where it was built.

builder_packages='live-build,mount,debootstrap,xorriso,squashfs-tools,mtools,dosfstools,isolinux,librsvg2-bin,zstd,cpio'
builder_packages+=',grub-pc-bin,grub-efi-amd64-bin,grub-efi-amd64-signed,shim-signed,ca-certificates,debian-archive-keyring'

make_builder() {
    builder=$work/builder
    if [ "$fast" = 1 ] && [ "$(cat "$builder/packages" 2>/dev/null)" = "$builder_packages" ]; then return 0; fi
    again builder_once
}

builder_once() {
    rm -rf --one-file-system "$builder" "$builder.half"
    mmdebstrap --mode=root --variant=apt --include="$builder_packages" \
        --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Retries "5"' --dpkgopt=force-unsafe-io \
        "$dist" "$builder.half" "$mirror"
    echo "$builder_packages" >"$builder.half/packages"
    mv "$builder.half" "$builder"
}

# in_builder FOLDER COMMAND…: with the folder of the live image at /build
in_builder() {
    local folder=$1
    shift
    builder=$work/builder
    mount_builder "$folder"
    chroot "$builder" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" ${http_proxy:+http_proxy="$http_proxy"} \
        sh -c 'cd /build && exec "$@"' sh "$@"
}

mount_builder() {
    mkdir -p "$builder/build" "$1"
    mountpoint -q "$builder/proc" || mount -t proc proc "$builder/proc"
    mountpoint -q "$builder/sys" || mount -t sysfs -o ro sysfs "$builder/sys"
    mountpoint -q "$builder/dev" || { mount --rbind /dev "$builder/dev" && mount --make-rslave "$builder/dev"; }
    # Another folder than the last time, maybe.
    ! mountpoint -q "$builder/build" || umount "$builder/build"
    mount --bind "$1" "$builder/build"
    cp /etc/resolv.conf "$builder/etc/resolv.conf" 2>/dev/null || :
}
