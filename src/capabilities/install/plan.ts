// The disk of the system, laid out: partitions, mirrors, file systems, and the image of a node unpacked onto them.
// And, at the very end, let go of again.
import type { Agreed } from '../../engine/plan.ts'
import type { OwnPlan } from '../../engine/resource.ts'
import type { Step } from '../../engine/step.ts'
import type { Disk } from './spec.ts'

/** A file of the live system, or one that is fetched onto the target and has to have this checksum (hexadecimal). */
export type Image = string | { url: string; sha256: string }

export interface TargetWant {
    /** One, or two that have the same on them. */
    disks: readonly Disk[]
    /** The file system of a node. */
    image: Image
    /** Where it is put together. */
    mountAt: string
    rootFs: 'ext4' | 'xfs'
    /** Chosen before anything is made, so that the plan says all. */
    ids: { root: string; boot: string; esp: readonly string[] }
    names: Names
    /** What an earlier system left: it has to go before the disks can be partitioned anew. */
    before: Before
}

/** What the kernel has of the disks of an earlier system. */
export interface Before {
    /** Volumes and mirrors that stand on them, each before what it stands on itself. */
    holders: readonly { path: string; by: 'dmsetup' | 'mdadm' }[]
    /** Partitions, by the id of the disk. */
    parts: Readonly<Record<string, readonly string[]>>
}

/** What other disks of the machine must not have as well. */
export interface Names {
    /** Volume group. */
    group: string
    /** Mirrors, where there are two disks. */
    boot: string
    system: string
}

/** `suffix` where the plain names are taken, such as by another system on a disk that stays. */
export const namesOf = (suffix = ''): Names => ({
    ...{ group: `debvisor${suffix}`, boot: `/dev/md/boot${suffix}`, system: `/dev/md/system${suffix}` },
})

export interface TargetSeen {
    /** The note of an installation that came to its end, below `mountAt`. */
    note?: string
}

const rootOf = ({ names }: TargetWant) => `/dev/${names.group}/root`
/** What is left is for the checkpoints of upgrades. */
const ROOT_SHARE = '75%VG'
const TOOL_MS = 120_000
/** KiB in a second, of this boot (md(4)). */
const RESYNC_SPEED = '/proc/sys/dev/raid/speed_limit_max'
const COPY_MS = 3_600_000

/** Below `mountAt`. */
export const noteFile = (mountAt: string): string => `${mountAt}/var/lib/debvisor/installed.json`

const target = (disk: Disk) => `disk:${disk.id}`

/** By udev's names where the disk has one of them, else by the kernel's. */
export function partition({ id }: Pick<Disk, 'id'>, number: number): string {
    if (id.startsWith('/dev/disk/')) return `${id}-part${number}`
    return /\d$/.test(id) ? `${id}p${number}` : `${id}${number}`
}

/**
 * All of it anew: what an installation left that was cut off is worth nothing, and its intents let it be made again.
 * The disks are those that were selected, and hold what was seen when the plan was agreed to.
 */
export function planTarget(want: TargetWant, seen: TargetSeen, agreed: Agreed): OwnPlan {
    const { disks, ids } = want
    const note = `${JSON.stringify({ root: ids.root })}\n`
    if (seen.note === note) return { steps: [] }
    const held = disks.filter(disk => !disk.blank)
    const fingerprints = Object.fromEntries(held.map(disk => [target(disk), disk.fingerprint]))
    const moved = held.some(
        disk => agreed.get(target(disk)) !== undefined && agreed.get(target(disk)) !== disk.fingerprint,
    )
    const steps = [
        ...want.before.holders.map(letGo),
        ...disks.flatMap((disk, _, all) => partitionSteps(disk, all, want.before.parts[disk.id] ?? [])),
        ...mirrorSteps(want),
        ...fileSystemSteps(want),
        ...fillSteps(want),
        ...bindSteps(want),
        write('Note that the system is unpacked', noteFile(want.mountAt), note),
    ]
    if (!moved) return { steps, fingerprints }
    return {
        ...{ steps: [], fingerprints },
        findings: [
            {
                ...{
                    severity: 'error',
                    code: 'disk-changed',
                    at: 'disks',
                    detail: disks.map(disk => disk.id).join(', '),
                },
                summary: 'What is on the disk has changed since it was agreed to',
                fix: 'Look at the plan again.',
            },
        ],
    }
}

const run = (say: string, tool: string, args: readonly string[], more: object = {}): Step => ({
    ...{ do: 'run', say, tool, args, deadlineMs: TOOL_MS, ...more },
})
const write = (say: string, path: string, content: string): Step => ({ do: 'write', say, path, content, mode: 0o644 })

const letGo = ({ path, by }: Before['holders'][number]): Step =>
    by === 'dmsetup'
        ? run(`Let go of ${path}`, 'dmsetup', ['remove', '--retry', path])
        : run(`Let go of ${path}`, 'mdadm', ['--stop', path])

/** sgdisk(8): EF02 BIOS boot, EF00 EFI system, FD00 Linux RAID, 8E00 Linux LVM. */
function partitionSteps(disk: Disk, all: readonly Disk[], old: readonly string[]): Step[] {
    const [boot, rest] = all.length > 1 ? ['FD00', 'FD00'] : ['8300', '8E00']
    const marks = disk.blank ? { claims: [target(disk)] } : { destroys: [target(disk)] }
    const table = [
        ...['--zap-all', '--clear', '--new=1:2048:+1M', '--typecode=1:EF02', '--change-name=1:bios'],
        ...['--new=2:0:+512M', '--typecode=2:EF00', '--change-name=2:esp'],
        ...['--new=3:0:+1G', `--typecode=3:${boot}`, '--change-name=3:boot'],
        ...['--new=4:0:0', `--typecode=4:${rest}`, '--change-name=4:system', disk.id],
    ]
    const parts = [2, 3, 4].map(number => partition(disk, number))
    return [
        // Those of the partitions first: as soon as udev saw them again, it would start what they were part of.
        run(`Clear ${disk.id} (${disk.words})`, 'wipefs', ['--all', '--force', ...old, disk.id], marks),
        run(`Partition ${disk.id}: BIOS boot, EFI, /boot, and the rest for the system`, 'sgdisk', table, marks),
        run('Wait for the partitions', 'udevadm', ['settle', '--timeout=60']),
        // What an older table had at the same places would be found, and started, again.
        run(`Clear the partitions of ${disk.id}`, 'wipefs', ['--all', '--force', ...parts], marks),
    ]
}

/** Where the EFI file system of each disk is mounted, in the new system. */
export const espPath = (index: number): string => `/boot/efi${index === 0 ? '' : index + 1}`

const devices = ({ disks, names }: TargetWant) =>
    disks.length > 1
        ? { boot: names.boot, system: names.system }
        : { boot: partition(disks[0]!, 3), system: partition(disks[0]!, 4) }

function mirrorSteps({ disks, names }: TargetWant): Step[] {
    if (disks.length < 2) return []
    const mirror = (name: 'boot' | 'system', number: number) =>
        run(`Mirror ${name} over both disks`, 'mdadm', [
            ...['--create', names[name], '--run', '--level=1', `--raid-devices=${disks.length}`],
            ...['--metadata=1.2', '--homehost=any', '--bitmap=internal'],
            ...disks.map(disk => partition(disk, number)),
        ])
    return [
        // With the first mirror the kernel has the setting. Both disks are written to from here on; what is on neither
        // yet is copied by the node, which goes on where it was.
        mirror('boot', 3),
        run('Let the mirrors be filled after the installation', 'tee', [RESYNC_SPEED], { stdin: '1000\n' }),
        mirror('system', 4),
        run('Wait for the mirrors', 'udevadm', ['settle', '--timeout=60']),
    ]
}

function fileSystemSteps(want: TargetWant): Step[] {
    const { disks, ids, names } = want
    const { boot, system } = devices(want)
    const esp = disks.map((disk, i) =>
        run(`Make the EFI file system on ${disk.id}`, 'mkfs.vfat', [
            ...['-F', '32', '-n', i === 0 ? 'ESP' : `ESP${i + 1}`, '-i', ids.esp[i]!.replace('-', '')],
            partition(disk, 2),
        ]),
    )
    const ext4 = (say: string, label: string, id: string, device: string) =>
        run(say, 'mkfs.ext4', ['-q', '-F', '-L', label, '-U', id, device])
    return [
        ...esp,
        ext4('Make the file system of /boot', 'boot', ids.boot, boot),
        run(`Make the volume group ${names.group}`, 'vgcreate', ['--yes', names.group, system]),
        run('Make the root volume, and leave room for checkpoints of upgrades', 'lvcreate', [
            ...['--yes', '--wipesignatures', 'y', '--name', 'root', '--extents', ROOT_SHARE, names.group],
        ]),
        want.rootFs === 'ext4'
            ? ext4('Make the root file system', 'root', ids.root, rootOf(want))
            : run('Make the root file system', 'mkfs.xfs', [
                  ...['-q', '-f', '-L', 'root', '-m', `uuid=${ids.root}`, rootOf(want)],
              ]),
    ]
}

function fillSteps(want: TargetWant): Step[] {
    const { disks, ids, image, mountAt } = want
    const { boot } = devices(want)
    const mount = (device: string, at: string): Step[] => [
        { do: 'folder', say: `Make ${at}`, path: at, mode: 0o755 },
        run(`Mount ${device} at ${at}`, 'mount', [device, at]),
    ]
    const lines = [
        '# Written by the installer. The EFI file system of a mirror may be away with its disk.',
        `UUID=${ids.root} / ${want.rootFs === 'ext4' ? 'ext4 errors=remount-ro 0 1' : 'xfs defaults 0 0'}`,
        `UUID=${ids.boot} /boot ext4 defaults 0 2`,
        `UUID=${ids.esp[0]} /boot/efi vfat umask=0077${disks.length > 1 ? ',nofail' : ''} 0 1`,
        ...(disks.length > 1 ? [`UUID=${ids.esp[1]} /boot/efi2 vfat umask=0077,nofail 0 1`] : []),
    ]
    return [
        ...mount(rootOf(want), mountAt),
        ...mount(boot, `${mountAt}/boot`),
        ...unpackSteps(image, mountAt),
        // After it: a FAT file system takes no owners.
        ...disks.flatMap((disk, i) => mount(partition(disk, 2), `${mountAt}${espPath(i)}`)),
        write('Write /etc/fstab', `${mountAt}/etc/fstab`, `${lines.join('\n')}\n`),
    ]
}

function unpackSteps(image: Image, mountAt: string): Step[] {
    const unpack = (file: string) =>
        run('Unpack the system', 'unsquashfs', ['-force', '-quiet', '-no-progress', '-dest', mountAt, file], {
            deadlineMs: COPY_MS,
        })
    if (typeof image === 'string') return [unpack(image)]
    const { url, sha256 } = image
    // On the disk: a machine may have less memory than it is large.
    const file = `${mountAt}/.node.squashfs`
    const fetch = ['--fail', '--silent', '--show-error', '--location', '--retry', '5', '--connect-timeout', '20']
    return [
        run(`Fetch the system from ${url}`, 'curl', [...fetch, '--output', file, '--', url], { deadlineMs: COPY_MS }),
        run('Compare it with its checksum', 'sha256sum', ['--check', '--strict', '--status', '-'], {
            ...{ stdin: `${sha256}  ${file}\n`, deadlineMs: COPY_MS },
        }),
        unpack(file),
        { do: 'remove', say: 'Remove what was fetched', path: file },
    ]
}

/** What programs of the new system need of the running one. */
function bindSteps({ mountAt }: TargetWant): Step[] {
    return ['dev', 'proc', 'sys', 'run'].map(name =>
        run(`Show the new system /${name} of this one`, 'mount', [
            ...['--rbind', '--make-rslave', `/${name}`, `${mountAt}/${name}`],
        ]),
    )
}

export interface ReleaseSeen {
    /** Something is mounted there. */
    mounted: boolean
    /** The volume group is in use, by its devices. */
    active: boolean
    /** Mirrors of an installation. */
    mirrors: readonly string[]
}

/** Lets go of the target, whatever was done with it: what was written is on the disks afterwards. */
export function planRelease({ mountAt, names }: Pick<TargetWant, 'mountAt' | 'names'>, seen: ReleaseSeen): OwnPlan {
    const steps: Step[] = []
    if (seen.mounted) {
        steps.push(
            run('Write to the disks what is not on them yet', 'sync', [], { deadlineMs: COPY_MS }),
            run('Unmount the new system', 'umount', ['--recursive', mountAt]),
        )
    }
    const { group } = names
    if (seen.active) steps.push(run(`Let go of the volume group ${group}`, 'vgchange', ['--activate', 'n', group]))
    for (const mirror of seen.mirrors) steps.push(run(`Let go of ${mirror}`, 'mdadm', ['--stop', mirror]))
    return { steps }
}
