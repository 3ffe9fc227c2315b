// What the installer works with, small: a live system that is booted by its kernel, and the file system of a node as a squashfs.
import { chmod, copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cached, tool } from '../real/world-cache.ts'
import { mirror } from '../real/world-image.ts'
import type { NodeImage } from './node-image.ts'

// The live system and the node are made of the same tree here; on the ISO they are two.
const packages = ['linux-image-amd64', 'systemd-sysv', 'dbus', 'udev', 'kmod', 'procps', 'hostname', 'nodejs', 'zstd']
    .concat(['qemu-guest-agent', 'locales', 'tzdata', 'keyboard-configuration', 'console-setup', 'chrony'])
    .concat(['unattended-upgrades', 'network-manager', 'openssh-server', 'sudo', 'iproute2', 'ca-certificates'])
    .concat(['fdisk', 'gdisk', 'dosfstools', 'e2fsprogs', 'lvm2', 'mdadm', 'squashfs-tools', 'rsync'])
    // A terminal that tests can press keys in.
    .concat(['tmux'])
    .concat(['grub2-common', 'grub-pc-bin', 'grub-efi-amd64-bin', 'grub-efi-amd64-signed', 'shim-signed', 'efibootmgr'])

const settings: Record<string, string> = {
    'etc/fstab': '/dev/vda / ext4 rw,noatime 0 1\nLABEL=DEBVISOR /usr/lib/debvisor iso9660 ro,nofail 0 0\n',
    'etc/initramfs-tools/conf.d/debvisor': 'MODULES=most\nCOMPRESS=zstd\n',
}

const FIRSTBOOT = 'deploy/systemd/debvisor-firstboot.service'

const hooks = [
    'mkdir -p "$1/usr/lib/debvisor"',
    `upload ${FIRSTBOOT} /usr/lib/systemd/system/debvisor-firstboot.service`,
    'chroot "$1" systemctl mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer ' +
        'dpkg-db-backup.timer man-db.timer e2scrub_reap.service',
    'mkdir -p "$OUT/boot"; cp "$1"/boot/vmlinuz-* "$OUT/boot/vmlinuz"; cp "$1"/boot/initrd.img-* "$OUT/boot/initrd"',
    'rm -f "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/* "$1"/etc/ssh/ssh_host_*',
    'rm -f "$1"/var/lib/apt/lists/*_* "$1"/var/cache/apt/*.bin "$1"/var/log/apt/* "$1"/var/log/dpkg.log',
    ': >"$1/etc/machine-id"; rm -f "$1/var/lib/dbus/machine-id" "$1/etc/resolv.conf"; : >"$1/etc/resolv.conf"',
]

/** Of the live system alone: without keys its SSH server is begun again and again, and the boot takes minutes longer. */
const onlyLive = ['ssh-keygen', '-A']

const diskSize = '6G'

export interface InstallImage {
    /** What the installer runs in. */
    live: NodeImage
    /** What it installs. */
    squashfs: string
}

/** Made once, in some three minutes. Needs root and a Debian mirror. */
export async function installImage(): Promise<InstallImage> {
    const unit = await readFile(FIRSTBOOT, 'utf8')
    const folder = await cached(
        'install-image',
        JSON.stringify([packages, settings, hooks, onlyLive, diskSize, unit]),
        make,
    )
    const at = (name: string) => join(folder, name)
    return {
        live: { disk: at('live.qcow2'), kernel: at('vmlinuz'), initrd: at('initrd') },
        squashfs: at('node.squashfs'),
    }
}

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
            ...['env', `OUT=${scratch}`, 'mmdebstrap', '--mode=root', '--variant=minbase', '--components=main'],
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
    const pack = ['-comp', 'zstd', '-Xcompression-level', '3', '-noappend', '-no-progress', '-quiet']
    await tool(['mksquashfs', root, join(folder, 'node.squashfs'), ...pack], { deadlineMs: 600_000 })
    await tool(['chroot', root, ...onlyLive])
    const raw = join(scratch, 'disk.raw')
    const quick = 'lazy_itable_init=1,lazy_journal_init=1,nodiscard'
    await tool(['mke2fs', '-q', '-t', 'ext4', '-E', quick, '-d', root, raw, diskSize], { deadlineMs: 300_000 })
    const out = join(folder, 'live.qcow2')
    await tool(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', raw, out], { deadlineMs: 300_000 })
    await tool(['rm', '-rf', scratch], { deadlineMs: 120_000 })
}
