// A small, honest Debian cloud image of the running suite: cloud-init (NoCloud), guest agent, serial console, BIOS boot.
import { chmod, mkdir, open, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { debianMirror } from '../../scripts/mirror.ts'
import { cached, suiteName, tool } from './world-cache.ts'

const mebibyte = 1024 * 1024
const diskBytes = 2048 * mebibyte
const partitionOffsetBytes = mebibyte

const packages = ['linux-image-cloud-amd64', 'initramfs-tools', 'systemd-sysv', 'systemd-timesyncd', 'udev', 'dbus']
    .concat([
        'cloud-init',
        'cloud-guest-utils',
        'openssh-server',
        'qemu-guest-agent',
        'grub-pc-bin',
        'grub2-common',
        'zstd',
    ])
    .concat(['netplan.io', 'iproute2', 'iputils-ping', 'login', 'passwd', 'sudo', 'bash', 'vim-tiny', 'less'])

// What a Debian cloud image sets as well, plus what keeps an emulated boot short; each is an ordinary setting.
const settings: Record<string, string> = {
    'etc/fstab': '/dev/vda1 / ext4 errors=remount-ro,discard 0 1\n',
    'etc/hostname': 'debian\n',
    'etc/cloud/cloud.cfg.d/90_datasource.cfg': 'datasource_list: [NoCloud, None]\n',
    'etc/cloud/cloud.cfg.d/91_no_packages.cfg':
        'package_update: false\nssh_deletekeys: true\nssh_genkeytypes: [ed25519, ecdsa]\nlocale: C.UTF-8\nmanage_etc_hosts: true\n',
    'etc/initramfs-tools/conf.d/small': 'MODULES=list\nCOMPRESS=zstd\n',
    'etc/initramfs-tools/modules': ['virtio_pci', 'virtio_blk', 'virtio_scsi', 'sd_mod', 'ahci', 'ext4', ''].join('\n'),
    'etc/default/grub': 'GRUB_TIMEOUT=0\nGRUB_CMDLINE_LINUX="console=tty0 console=ttyS0,115200"\n',
    // Here only after the kernel, whose scripts would run update-grub, which wants a real disk below it.
    'boot/grub/grub.cfg': [
        'serial --unit=0 --speed=115200',
        'set timeout=0',
        'linux /vmlinuz root=/dev/vda1 ro console=tty0 console=ttyS0,115200 quiet tsc=unstable',
        'initrd /initrd.img',
        'boot',
        '',
    ].join('\n'),
}

const hooks = [
    'chroot "$1" systemctl mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer ' +
        'e2scrub_reap.service dpkg-db-backup.timer systemd-networkd-wait-online.service',
    'chroot "$1" systemctl enable systemd-networkd serial-getty@ttyS0',
    'chroot "$1" update-initramfs -u',
    'chroot "$1" passwd -l root',
    'chroot "$1" grub-mkimage -O i386-pc -o /boot/grub/core.img -p "(hd0,msdos1)/boot/grub" ' +
        'biosdisk part_msdos ext2 linux normal serial echo configfile',
    'cp "$1/boot/grub/core.img" "$1/usr/lib/grub/i386-pc/boot.img" "$OUT/"',
    // A kept image must not name the mirror it was made from; cloud-init writes the public one at first boot.
    'rm -f "$1/etc/apt/sources.list" "$1"/etc/apt/sources.list.d/*',
    'rm -f "$1"/var/lib/apt/lists/*_* "$1"/var/cache/apt/*.bin "$1"/var/log/apt/* "$1"/var/log/dpkg.log',
    ': >"$1/etc/machine-id"; rm -f "$1/var/lib/dbus/machine-id" "$1/etc/resolv.conf"; : >"$1/etc/resolv.conf"',
]

const recipe = JSON.stringify([packages, settings, hooks, diskBytes])

/** Path of the qcow2 image (2 GiB, one ext4 partition, grows at first boot), made once by mmdebstrap; needs root. */
export async function debianImage(): Promise<string> {
    return join(await cached('debian-image', recipe, make), 'debian.qcow2')
}

async function make(folder: string) {
    const suite = await suiteName()
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
            ...['env', `OUT=${scratch}`, 'mmdebstrap', '--mode=root', '--variant=minbase'],
            ...[
                '--aptopt=APT::Install-Recommends "false"',
                '--dpkgopt=force-unsafe-io',
                '--dpkgopt=force-confold',
                '--dpkgopt=path-exclude=/usr/share/man/*',
            ],
            ...['--dpkgopt=path-exclude=/usr/share/locale/*', '--dpkgopt=path-exclude=/usr/share/doc/*'],
            `--include=${packages.join(',')}`,
            // Before the kernel's own scripts run, so that its initrd is made once in the small form.
            `--essential-hook=copy-in ${extra}/etc /`,
            `--customize-hook=copy-in ${extra}/boot /`,
            ...hooks.map(hook => `--customize-hook=${hook}`),
            ...[suite, root, mirror()],
        ],
        { deadlineMs: 600_000 },
    )
    const raw = join(scratch, 'disk.raw')
    const filesystem = join(scratch, 'root.ext4')
    const filesystemBytes = diskBytes - partitionOffsetBytes
    await tool(['mke2fs', '-q', '-t', 'ext4', '-L', 'root', '-d', root, filesystem, `${filesystemBytes / 1024}k`], {
        deadlineMs: 120_000,
    })
    await assemble({ raw, filesystem, scratch })
    await tool(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', raw, join(folder, 'debian.qcow2')], {
        deadlineMs: 120_000,
    })
    await tool(['rm', '-rf', scratch], { deadlineMs: 60_000 })
}

/** Boot sector, GRUB's core behind it (both find each other at the places they are built for), one partition. */
async function assemble(at: { raw: string; filesystem: string; scratch: string }) {
    const sectorBytes = 512
    const head = Buffer.alloc(partitionOffsetBytes)
    const boot = await readFile(join(at.scratch, 'boot.img'))
    const core = await readFile(join(at.scratch, 'core.img'))
    if (sectorBytes + core.length > partitionOffsetBytes) throw new Error(`GRUB's core has ${core.length} bytes`)
    boot.copy(head, 0, 0, 440)
    core.copy(head, sectorBytes)
    const { size } = await stat(at.filesystem)
    head.writeUInt32LE(0x64656269, 440)
    head.set([0x80, 0, 2, 0, 0x83, 0xff, 0xff, 0xff], 446)
    head.writeUInt32LE(partitionOffsetBytes / sectorBytes, 454)
    head.writeUInt32LE(size / sectorBytes, 458)
    head.set([0x55, 0xaa], 510)
    await tool(['dd', `if=${at.filesystem}`, `of=${at.raw}`, 'bs=1M', 'seek=1', 'conv=sparse', 'status=none'], {
        deadlineMs: 120_000,
    })
    const disk = await open(at.raw, 'r+')
    await disk.write(head, 0, head.length, 0)
    await disk.close()
}

/** The machine's own Debian mirror. */
export function mirror(): string {
    const found = debianMirror()
    if (!found) throw new Error('no Debian mirror stands in /etc/apt: add the sources and run again')
    return found
}
