// A tiny guest: Debian's cloud kernel and an initrd of busybox that is up in seconds and obeys the power button.
import { chmod, copyFile, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { cached, downloadPackages, tool } from './world-cache.ts'

/** What a domain's `<os>` needs for a direct boot. */
export interface TinyGuest {
    kernelPath: string
    initrdPath: string
    /** A fitting `<cmdline>`: quiet, console on the display and on the serial port. */
    commandLine: string
    /** The line that the guest prints on its serial port when its shell is ready. */
    marker: string
}

const marker = 'TINY-GUEST-READY'
const modules = ['virtio_pci', 'virtio_blk', 'virtio_net', 'virtio_scsi', 'sd_mod', 'sr_mod', 'virtio_console'].concat([
    'virtio_balloon',
    'virtio-rng',
    'button',
    'evdev',
    'isofs',
    'ahci',
    'vfat',
    'nls_ascii',
    'nls_cp437',
])

const init = `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /mnt /root /usr/bin /usr/sbin /sbin
/bin/busybox --install -s
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TERM=linux PS1='tiny# '
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
for module in $(cat /modules/order); do insmod /modules/$module 2>/dev/null; done
acpid -l /dev/null
ip link set lo up
[ -e /sys/class/net/eth0 ] && ip link set eth0 up
echo "${marker}" >/dev/ttyS0
echo "${marker}" >/dev/tty0 2>/dev/null
while :; do setsid -c sh -i </dev/ttyS0 >/dev/ttyS0 2>&1; done
`

const powerButton = `#!/bin/busybox sh
echo 'TINY-GUEST-POWEROFF' >/dev/ttyS0
sync
poweroff -f
`

/** The tiny guest, made once from Debian packages of the running suite and kept in the cache. */
export async function tinyGuest(): Promise<TinyGuest> {
    const folder = await tinyFolder()
    return {
        kernelPath: join(folder, 'vmlinuz'),
        initrdPath: join(folder, 'initrd.gz'),
        commandLine: 'console=tty0 console=ttyS0 quiet panic=1 tsc=unstable random.trust_cpu=on',
        marker,
    }
}

/** A program that stands alone in any container or guest: its path. */
export const staticBusybox = async () => join(await tinyFolder(), 'busybox')

const tinyFolder = () => cached('tiny-guest', JSON.stringify([init, powerButton, modules, 'busybox']), make)

async function make(folder: string) {
    const scratch = join(folder, 'scratch')
    await mkdir(scratch)
    const architecture = (await tool(['dpkg', '--print-architecture'])).trim()
    const depends = await tool(['apt-cache', 'depends', `linux-image-cloud-${architecture}`]).catch(() => '')
    if (!depends.includes('Depends:')) await tool(['apt-get', 'update', '--quiet'], { deadlineMs: 180_000 })
    const again = await tool(['apt-cache', 'depends', `linux-image-cloud-${architecture}`])
    const kernel = /Depends: (linux-image-\d\S*)/.exec(again)?.[1]
    if (!kernel) throw new Error(`no kernel package found behind linux-image-cloud-${architecture}`)
    await downloadPackages(scratch, [kernel, 'busybox-static'])
    const root = join(scratch, 'root')
    for (const name of await readdir(scratch))
        if (name.endsWith('.deb')) await tool(['dpkg-deb', '-x', name, 'root'], { cwd: scratch })
    // A suite with merged /usr has them below usr/.
    const first = async (...paths: string[]) => {
        for (const path of paths) {
            const found = await readdir(join(root, path)).catch(() => undefined)
            if (found) return join(root, path)
        }
        throw new Error(`none of ${paths.join(', ')} is in the packages`)
    }
    const busybox = join(await first('usr/bin', 'bin'), 'busybox')
    await copyFile(busybox, join(folder, 'busybox'))
    const files = [
        { path: 'bin', mode: 0o40755 },
        { path: 'dev', mode: 0o40755 },
        { path: 'dev/console', mode: 0o20600, device: [5, 1] as const },
        { path: 'etc', mode: 0o40755 },
        { path: 'etc/acpi', mode: 0o40755 },
        { path: 'etc/acpi/PWRF', mode: 0o40755 },
        { path: 'etc/acpi/PWRF/00000080', mode: 0o100755, content: Buffer.from(powerButton) },
        { path: 'init', mode: 0o100755, content: Buffer.from(init) },
        { path: 'bin/busybox', mode: 0o100755, content: await readFile(busybox) },
        { path: 'modules', mode: 0o40755 },
        ...(await moduleFiles(await first('usr/lib/modules', 'lib/modules'), busybox)),
    ]
    await writeFile(join(folder, 'initrd.gz'), gzipSync(archive(files), { level: 6 }))
    const boot = join(root, 'boot')
    const image = (await readdir(boot)).find(name => name.startsWith('vmlinuz'))!
    await rename(join(boot, image), join(folder, 'vmlinuz'))
    await chmod(join(folder, 'vmlinuz'), 0o644)
    await tool(['rm', '-rf', scratch])
}

/** The wanted modules with all they need, uncompressed, and the order in which they load. */
async function moduleFiles(modulesDir: string, busybox: string): Promise<ArchiveFile[]> {
    const all = (await readdir(modulesDir, { recursive: true })).filter(path => /\.ko(\.xz)?$/.test(path))
    const plain = (path: string) =>
        basename(path)
            .replace(/\.ko(\.xz)?$/, '')
            .replaceAll('-', '_')
    const byName = new Map(all.map(path => [plain(path), join(modulesDir, path)]))
    const order: string[] = []
    const files: ArchiveFile[] = []
    const add = async (name: string) => {
        // What is not there is built into this kernel.
        const path = byName.get(name)
        if (!path || order.includes(`${name}.ko`)) return
        if (path.endsWith('.xz')) await tool([busybox, 'unxz', '-f', path])
        const content = await readFile(path.replace(/\.xz$/, ''))
        const needs = /\0depends=([^\0]*)\0/.exec(content.toString('latin1'))?.[1] ?? ''
        for (const need of needs.split(',').filter(Boolean)) await add(need.replaceAll('-', '_'))
        order.push(`${name}.ko`)
        files.push({ path: `modules/${name}.ko`, mode: 0o100644, content })
    }
    for (const name of modules) await add(name.replaceAll('-', '_'))
    return [...files, { path: 'modules/order', mode: 0o100644, content: Buffer.from(`${order.join('\n')}\n`) }]
}

interface ArchiveFile {
    path: string
    mode: number
    content?: Buffer
    device?: readonly [major: number, minor: number]
}

/** A cpio archive in the `newc` format, as the kernel unpacks it (Documentation/driver-api/early-userspace/buffer-format). */
function archive(files: ArchiveFile[]): Buffer {
    const hex = (value: number) => value.toString(16).padStart(8, '0')
    const padded = (buffer: Buffer) => Buffer.concat([buffer, Buffer.alloc((4 - (buffer.length % 4)) % 4)])
    const entries = [...files, { path: 'TRAILER!!!', mode: 0 } as ArchiveFile]
    const parts = entries.flatMap((file, index) => {
        const content = file.content ?? Buffer.alloc(0)
        const [major, minor] = file.device ?? [0, 0]
        const numbers = [index + 1, file.mode, 0, 0, 1, 0, content.length, 0, 0, major, minor, file.path.length + 1, 0]
        return [padded(Buffer.from(`070701${numbers.map(hex).join('')}${file.path}\0`)), padded(content)]
    })
    return Buffer.concat(parts)
}
