// A Debian 13 as a disk image, with the package debvisor: what the ISO holds of packages, ZFS's module built for its
// kernel, nothing set up.
import { createHash } from 'node:crypto'
import { chmod, copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { buildDeb } from '../../scripts/deb.ts'
import { cached, tool } from '../real/world-cache.ts'
import { mirror } from '../real/world-image.ts'

const packages = ['linux-image-amd64', 'systemd-sysv', 'dbus', 'udev', 'kmod', 'procps', 'hostname', 'nodejs', 'zstd']
    .concat(['qemu-guest-agent', 'locales', 'tzdata', 'keyboard-configuration', 'console-setup', 'chrony'])
    .concat(['unattended-upgrades', 'network-manager', 'openssh-server', 'sudo', 'iproute2', 'iputils-ping'])
    .concat(['smartmontools', 'gdisk', 'lvm2', 'mdadm', 'e2fsprogs', 'nftables', 'polkitd', 'ca-certificates'])
    .concat(['libvirt-daemon-system', 'libvirt-daemon-driver-qemu', 'libvirt-clients', 'qemu-system-x86', 'qemu-utils'])
    .concat(['ovmf', 'swtpm', 'swtpm-tools'])
    .concat(['docker.io', 'docker-cli', 'docker-compose', 'cockpit-ws', 'cockpit-bridge', 'cockpit-system'])
    .concat(['fail2ban', 'python3-systemd', 'prometheus-node-exporter'])
    .concat(['linux-headers-amd64', 'zfs-dkms', 'zfsutils-linux', 'zfs-zed'])

const settings: Record<string, string> = {
    'etc/fstab': '/dev/vda / ext4 rw,noatime 0 1\nLABEL=BESIDE /opt/beside iso9660 ro,nofail 0 0\n',
    'etc/initramfs-tools/conf.d/small': 'MODULES=list\nCOMPRESS=zstd\n',
    'etc/initramfs-tools/modules': ['virtio_pci', 'virtio_blk', 'ext4', ''].join('\n'),
}

const hooks = [
    'mkdir "$1/opt/beside"',
    // What looks for updates or checks disks would only be in the way of an emulated boot.
    'chroot "$1" systemctl mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer ' +
        'dpkg-db-backup.timer man-db.timer e2scrub_reap.service mdmonitor.service',
    'chroot "$1" systemctl enable serial-getty@ttyS0 NetworkManager',
    'chroot "$1" update-initramfs -u',
    'mkdir -p "$OUT/boot"; cp "$1"/boot/vmlinuz-* "$OUT/boot/vmlinuz"; cp "$1"/boot/initrd.img-* "$OUT/boot/initrd"',
    // The key that dkms signs with must never leave the machine that made it; nor may the mirror be named.
    'rm -f "$1"/var/lib/dkms/mok.* "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*',
    'rm -f "$1"/var/lib/apt/lists/*_* "$1"/var/cache/apt/*.bin "$1"/var/log/apt/* "$1"/var/log/dpkg.log',
    ': >"$1/etc/machine-id"; rm -f "$1/var/lib/dbus/machine-id" "$1/etc/resolv.conf"; : >"$1/etc/resolv.conf"',
]

const diskSize = '8G'
const recipe = JSON.stringify([packages, settings, hooks, diskSize])

export interface NodeImage {
    disk: string
    kernel: string
    initrd: string
}

const imageIn = (folder: string): NodeImage => ({
    ...{ disk: join(folder, 'node.qcow2'), kernel: join(folder, 'vmlinuz'), initrd: join(folder, 'initrd') },
})

/** Needs root and a Debian mirror. What is in it but the package is made once, in some eight minutes. */
export const nodeImage = async () => installed('node', await bareImage())

/** The same node with Ceph's packages. */
export const cephNodeImage = async () => installed('node-ceph', await cephImage())

const bareImage = async () => imageIn(await cached('node-image', recipe, make))

async function make(folder: string) {
    const scratch = join(folder, 'scratch')
    const root = join(scratch, 'root')
    const extra = join(scratch, 'extra')
    await mkdir(scratch)
    await chmod(scratch, 0o755)
    for (const [path, text] of Object.entries(settings)) {
        await mkdir(join(extra, path, '..'), { recursive: true })
        await writeFile(join(extra, path), text)
    }
    await tool(
        [
            ...['env', `OUT=${scratch}`, 'mmdebstrap', '--mode=root', '--variant=minbase', '--components=main,contrib'],
            ...['--aptopt=APT::Install-Recommends "false"', '--dpkgopt=force-unsafe-io', '--dpkgopt=force-confold'],
            ...['--dpkgopt=path-exclude=/usr/share/man/*', '--dpkgopt=path-exclude=/usr/share/doc/*'],
            `--include=${packages.join(',')}`,
            `--essential-hook=copy-in ${extra}/etc /`,
            ...hooks.map(hook => `--customize-hook=${hook}`),
            ...['trixie', root, mirror()],
        ],
        { deadlineMs: 1_800_000 },
    )
    if ((await readdir(join(scratch, 'boot'))).length !== 2) throw new Error('the image has no kernel')
    for (const name of ['vmlinuz', 'initrd']) await copyFile(join(scratch, 'boot', name), join(folder, name))
    const raw = join(scratch, 'disk.raw')
    const quick = 'lazy_itable_init=1,lazy_journal_init=1,nodiscard'
    await tool(['mke2fs', '-q', '-t', 'ext4', '-E', quick, '-d', root, raw, diskSize], { deadlineMs: 300_000 })
    const out = join(folder, 'node.qcow2')
    await tool(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', raw, out], { deadlineMs: 300_000 })
    await tool(['rm', '-rf', scratch], { deadlineMs: 120_000 })
}

const cephPackages = ['ceph-mon', 'ceph-mgr', 'ceph-osd', 'ceph-mds', 'ceph-volume', 'ceph-common'].concat([
    'libvirt-daemon-driver-storage-rbd',
    'qemu-block-extra',
    'thin-provisioning-tools',
])
const cephDiskSize = '12G'

/** In mounts of its own, so that nothing is left mounted when it fails: the disk gets the packages by its own apt. */
const layerScript = `
set -e
mkdir root && mount -o loop disk.raw root
for one in proc sys dev; do mount --rbind --make-rslave /$one root/$one; done
mount --bind . root/mnt
printf '#!/bin/sh\nexit 101\n' >root/usr/sbin/policy-rc.d; chmod 755 root/usr/sbin/policy-rc.d
cp /etc/resolv.conf root/etc/resolv.conf
echo "deb $MIRROR trixie main contrib" >root/etc/apt/sources.list
export DEBIAN_FRONTEND=noninteractive
chroot root apt-get update -qq
chroot root apt-get install -qq --yes --no-install-recommends -o Dpkg::Options::=--force-unsafe-io $PACKAGES
chroot root apt-get clean
rm -f root/usr/sbin/policy-rc.d root/etc/apt/sources.list root/var/lib/apt/lists/*_* root/var/cache/apt/*.bin
rm -f root/var/log/apt/* root/var/log/dpkg.log
: >root/etc/resolv.conf
: >root/etc/machine-id
umount --recursive root
`

interface Layer {
    name: string
    base: NodeImage
    packages: readonly string[]
    /** Makes the disk larger. */
    diskSize?: string
    /** Files of packages, beside those of Debian. */
    debs?: readonly string[]
}

/** The same disk with more packages. */
async function layer({ name, base, packages, diskSize, debs = [] }: Layer): Promise<NodeImage> {
    const contents = await Promise.all(debs.map(async deb => createHash('sha256').update(await readFile(deb))))
    const key = [dirname(base.disk), packages, diskSize, layerScript, contents.map(hash => hash.digest('hex'))]
    const folder = await cached(name, JSON.stringify(key), async half => {
        const raw = join(half, 'disk.raw')
        await tool(['qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', base.disk, raw], { deadlineMs: 300_000 })
        if (diskSize) {
            await tool(['truncate', '--size', diskSize, raw])
            await tool(['resize2fs', '-f', raw], { deadlineMs: 300_000 })
        }
        for (const deb of debs) await copyFile(deb, join(half, basename(deb)))
        const names = [...packages, ...debs.map(deb => `/mnt/${basename(deb)}`)]
        const env = [`MIRROR=${mirror()}`, `PACKAGES=${names.join(' ')}`]
        const argv = ['env', ...env, 'unshare', '--mount', 'sh', '-c', layerScript]
        await tool(argv, { cwd: half, deadlineMs: 1_800_000 })
        const out = join(half, 'node.qcow2')
        await tool(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', raw, out], { deadlineMs: 300_000 })
        await tool(['rm', '-rf', raw, join(half, 'root'), ...debs.map(deb => join(half, basename(deb)))])
        for (const file of ['kernel', 'initrd'] as const) await copyFile(base[file], join(half, basename(base[file])))
    })
    return imageIn(folder)
}

/** Made in a few minutes from the other one. */
const cephImage = async () =>
    layer({ name: 'node-image-ceph', base: await bareImage(), packages: cephPackages, diskSize: cephDiskSize })

/** With the package as it is now, in a minute; those of earlier states of the package are removed. */
async function installed(name: string, base: NodeImage): Promise<NodeImage> {
    const image = await layer({ name: `${name}-installed`, base, packages: [], debs: [await buildDeb()] })
    const [cache, kept] = [dirname(dirname(image.disk)), basename(dirname(image.disk))]
    for (const other of await readdir(cache))
        if (other.startsWith(`${name}-installed-`) && other !== kept)
            await rm(join(cache, other), { recursive: true, force: true })
    return image
}
