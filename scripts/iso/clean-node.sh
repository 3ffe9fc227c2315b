#!/bin/sh
# clean-node.sh MIRROR SECURITY ROOT: makes one node's file system fit for many machines, which take updates from there.
# Run by mmdebstrap as its last hook.
set -eu
mirror=$1 security=$2 root=$3

# The module of ZFS has to be there for the kernel of the image, or a node without a network has no ZFS.
kernel=$(ls "$root/lib/modules")
find "$root/lib/modules/$kernel" -name 'zfs.ko*' | grep -q . || {
    echo "ZFS's module was not built for $kernel" >&2
    cat "$root"/var/lib/dkms/zfs/*/build/make.log 2>/dev/null | tail -n 30 >&2
    exit 1
}
# Later kernels are signed as dkms does by itself: with a key that the machine makes for itself.
rm -f "$root/etc/dkms/framework.conf.d/debvisor-build.conf" "$root"/var/lib/dkms/mok.*
rm -rf "$root"/var/lib/dkms/zfs/*/*/*/log

# What an installed node shows at its first terminal; a login is at the others.
chroot "$root" systemctl --quiet disable getty@tty1.service
chroot "$root" systemctl --quiet enable debvisor-console.service

# Each machine makes its own.
rm -f "$root"/etc/ssh/ssh_host_* "$root/var/lib/dbus/machine-id" "$root/var/lib/systemd/random-seed"
rm -f "$root/etc/ssl/private/ssl-cert-snakeoil.key" "$root/etc/bind/rndc.key" "$root"/etc/cockpit/ws-certs.d/0-self-signed*
: >"$root/etc/machine-id"
rm -rf "$root/etc/debvisor/etcd" "$root"/etc/debvisor/pki/* "$root/var/lib/debvisor/etcd"

cat >"$root/etc/apt/sources.list.d/debian.sources" <<END
Types: deb
URIs: $mirror
Suites: trixie trixie-updates
Components: main contrib non-free-firmware
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: $security
Suites: trixie-security
Components: main contrib non-free-firmware
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
rm -f "$root/etc/apt/sources.list" "$root"/etc/apt/sources.list.d/*.list "$root/etc/resolv.conf" "$root/etc/hostname"
rm -f "$root"/etc/apt/apt.conf.d/99mmdebstrap "$root"/etc/dpkg/dpkg.cfg.d/99mmdebstrap
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb
rm -rf "$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old "$root"/var/cache/man "$root"/var/cache/ldconfig/aux-cache
find "$root/var/log" -type f -delete
rm -rf "$root"/tmp/* "$root"/root/.[!.]* "$root"/run/*
: >"$root/etc/resolv.conf"
echo debvisor >"$root/etc/hostname"
