// Looks at the machine that is installed: which it is, how it was booted, where the image of a node is, what holds the target.
import { Fault } from '../../base/fault.ts'
import { LOOK_MS } from '../../base/look.ts'
import type { Probe } from '../../ports/ports.ts'
import { type Before, type Image, type Names, namesOf, type ReleaseSeen, type TargetSeen } from './plan.ts'
import type { SystemSeen } from './plan-system.ts'
import { NOTE } from './plan-system.ts'
import type { InstallSpec } from './spec-answers.ts'

export interface MachineSeen {
    serial: string
    macs: string[]
    /** It was booted by UEFI. */
    efi: boolean
    /** Its firmware lets only signed programs boot. */
    secureBoot: boolean
    /** Whether there is a serial port, and the kernel speaks on it before all others. */
    serialPort: 'none' | 'beside' | 'first'
    /** Words of the kernel's command line. */
    arguments: string[]
}

const EFI = '/sys/firmware/efi'
const SECURE = `${EFI}/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c`

export async function seeMachine(machine: Probe): Promise<MachineSeen> {
    const text = async (path: string) => ((await machine.readText(path).catch(() => '')) ?? '').trim()
    const names = (await machine.list('/sys/class/net')).filter(name => name !== 'lo')
    const macs = await Promise.all(names.map(name => text(`/sys/class/net/${name}/address`)))
    const words = (await text('/proc/cmdline')).split(/\s+/)
    const consoles = words.filter(word => word.startsWith('console='))
    // `0: uart:16550A port:000003F8 irq:4`, or `uart:unknown` where there is none.
    const hasPort = /^0: uart:(?!unknown)/m.test(await text('/proc/tty/driver/serial'))
    // Four bytes of attributes, then the value (efivarfs).
    const secure = await machine.readRange(SECURE, 4, 1).catch(() => undefined)
    return {
        serial: await text('/sys/class/dmi/id/product_serial'),
        macs: macs.filter(mac => /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) && mac !== '00:00:00:00:00:00'),
        efi: (await machine.look(EFI)) !== undefined,
        secureBoot: secure?.[0] === 1,
        serialPort: hasPort ? (/^console=ttyS/.test(consoles.at(-1) ?? '') ? 'first' : 'beside') : 'none',
        arguments: words,
    }
}

/** @throws Fault `precondition` when the answers are for another machine */
export function checkMachine(meant: InstallSpec['machine'], seen: MachineSeen): void {
    if (meant === 'any') return
    const fits = 'serial' in meant ? meant.serial === seen.serial : seen.macs.includes(meant.mac.toLowerCase())
    if (fits) return
    throw new Fault('precondition', {
        summary: 'The answers are for another machine',
        detail:
            'serial' in meant
                ? `serial number ${meant.serial}; this one has ${seen.serial || 'none that it tells'}`
                : `network card ${meant.mac}; this one has ${seen.macs.join(', ') || 'none'}`,
        fix: 'Boot the machine that is meant, or change install.machine in the answers. Nothing was touched.',
        at: 'install.machine',
    })
}

/** Where the medium has the image of a node, in order. */
export const IMAGES = ['/run/live/medium/node/node.squashfs', '/usr/lib/debvisor/node.squashfs']

/**
 * `words` are those of the kernel's command line: a machine that was booted over the network has no medium.
 * @throws Fault `not-found`; `invalid` for an address without a checksum
 */
export async function findImage(machine: Probe, words: readonly string[], named?: string): Promise<Image> {
    const word = (key: string) => words.findLast(one => one.startsWith(`${key}=`))?.slice(key.length + 1)
    const url = word('debvisor.image')
    if (url && !named) {
        const sha256 = word('debvisor.image.sha256')?.toLowerCase() ?? ''
        if (/^https?:\/\/[^\s@]+$/.test(url) && /^[0-9a-f]{64}$/.test(sha256)) return { url, sha256 }
        throw new Fault('invalid', {
            summary: 'The address of the image cannot be used',
            detail: `debvisor.image=${url}${sha256 ? '' : ', without debvisor.image.sha256='}`,
            fix: 'It begins with http:// or https:// and has its SHA-256 beside it, as debvisor iso netboot writes them.',
        })
    }
    for (const path of named ? [named] : IMAGES) if ((await machine.look(path))?.kind === 'file') return path
    throw new Fault('not-found', {
        summary: 'The image of a node is not on this medium',
        detail: named ?? IMAGES.join(', '),
        fix: 'Boot from the ISO of DebVisor, or name the image with --image.',
    })
}

export const seeTarget = async (machine: Probe, note: string): Promise<TargetSeen> => ({
    note: await machine.readText(note),
})

/** The unpacked system. */
export async function seeSystem(root: Probe): Promise<SystemSeen> {
    const is = async (path: string) => (await root.look(path)) !== undefined
    return {
        note: await root.readText(NOTE),
        has: {
            biosGrub: (await is('/usr/sbin/grub-install')) && (await is('/usr/lib/grub/i386-pc')),
            efiGrub: (await is('/usr/sbin/grub-install')) && (await is('/usr/lib/grub/x86_64-efi')),
            sshd: await is('/usr/bin/ssh-keygen'),
            initrd: (await root.list('/boot')).some(name => name.startsWith('initrd.img-')),
            daemon: /^debvisor-rpc:/m.test((await root.readText('/etc/passwd')) ?? ''),
        },
    }
}

/** What an installation holds, of the names that it has. */
export async function seeHeld(machine: Probe, want: { mountAt: string; names: Names }): Promise<ReleaseSeen> {
    const { group, boot, system } = want.names
    const mounts = ((await machine.readText('/proc/self/mountinfo')) ?? '').split('\n')
    const { stdout } = await machine.query({
        argv: ['lvs', '--noheadings', '--options', 'vg_name,lv_active'],
        deadlineMs: LOOK_MS,
    })
    const mirrors = await Promise.all([boot, system].map(async path => ((await machine.look(path)) ? [path] : [])))
    return {
        mounted: mounts.some(line => line.split(' ')[4] === want.mountAt),
        active: stdout.split('\n').some(line => line.trim().split(/\s+/).join(' ') === `${group} active`),
        mirrors: mirrors.flat(),
    }
}

/** Names that nothing else of the machine has: an older system may stay on a disk beside, and has the plain ones. */
export async function freeNames(machine: Probe, suffix: string): Promise<Names> {
    const plain = namesOf()
    const { stdout } = await machine.query({
        argv: ['vgs', '--noheadings', '--options', 'vg_name'],
        deadlineMs: LOOK_MS,
    })
    const isTaken =
        stdout.split('\n').some(line => line.trim() === plain.group) ||
        (await machine.look(plain.boot)) !== undefined ||
        (await machine.look(plain.system)) !== undefined
    return isTaken ? namesOf(suffix) : plain
}

interface Node {
    path: string
    type: string
    children?: Node[]
}

/** A tree only where the column NAME is asked for (lsblk(8)). */
const lsblk: [string, ...string[]] = ['lsblk', '--json', '--output', 'NAME,PATH,TYPE']

/**
 * What stands on the disks, and has to be let go of.
 * @throws Fault `precondition` when it stands on other disks as well, whose data would be lost with it
 */
export async function seeBefore(machine: Probe, disks: readonly { id: string; path: string }[]): Promise<Before> {
    const { stdout } = await machine.query({ argv: lsblk, deadlineMs: LOOK_MS })
    const { blockdevices } = JSON.parse(stdout) as { blockdevices: Node[] }
    /** Each behind what stands on it. */
    const above = ({ children = [] }: Node): Node[] => children.flatMap(child => [...above(child), child])
    const isOurs = ({ path }: Node) => disks.some(disk => disk.path === path)
    const found = blockdevices.filter(isOurs).flatMap(above)
    const elsewhere = blockdevices.filter(node => !isOurs(node)).flatMap(above)
    const shared = found.find(({ path, type }) => !isMirror(type) && elsewhere.some(other => other.path === path))
    if (shared) {
        throw new Fault('precondition', {
            summary: 'What is on a disk of the system stands on other disks as well',
            detail: `${shared.path}, of which a part is on another disk`,
            fix: 'Choose all of those disks, another one, or clear it by hand first. Nothing was touched.',
        })
    }
    const paths = [...new Set(found.filter(({ type }) => type !== 'part').map(({ path }) => path))]
    const typeOf = (path: string) => found.find(node => node.path === path)!.type
    const parts = disks.map(({ id, path }) => {
        const disk = blockdevices.find(node => node.path === path)
        return [id, disk ? above(disk).flatMap(node => (node.type === 'part' ? [node.path] : [])) : []] as const
    })
    return {
        holders: paths.map(path => ({ path, by: isMirror(typeOf(path)) ? 'mdadm' : 'dmsetup' })),
        parts: Object.fromEntries(parts),
    }
}

/** One disk of it may go, and the rest is whole. */
const isMirror = (type: string) => type.startsWith('raid')
