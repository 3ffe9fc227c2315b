// From the wish for a pool and what is seen to the steps: import what is ours, make what is not there, mend what is off.
import type { Finding } from '../../../base/finding.ts'
import type { Basics } from '../../../engine/basics.ts'
import type { Agreed } from '../../../engine/plan.ts'
import type { OwnPlan } from '../../../engine/resource.ts'
import type { Step } from '../../../engine/step.ts'
import { choose, type Disk, isBegun, target } from '../choose.ts'
import type { ZfsSpec } from '../spec.ts'
import { poolFindings } from './health.ts'
import { unusedDisks } from './unused.ts'
import { createArgs, type Dataset, type Importable, type Pool } from './zpool.ts'

export interface PoolSeen {
    disks: readonly Disk[]
    /** Imported ones. */
    pools: readonly Pool[]
    /** Asked only where the pool is not imported. */
    importable: readonly Importable[]
    datasets: readonly Dataset[]
    /** All names of the disks that the pool is made of; undefined where ZFS does not say. */
    inPool?: readonly string[]
    /** The pool was made by an earlier apply. */
    made: boolean
    /** The kernel module is there. */
    module: boolean
}

const CREATE_MS = 300_000

export const recordOf = (pool: string): string => `/var/lib/debvisor/storage/zfs-${pool}.json`

export function toolBasics(): Basics {
    return {
        packages: ['zfsutils-linux', 'zfs-zed'],
        files: [{ path: '/etc/modules-load.d/debvisor-zfs.conf', content: 'zfs\n', for: 'ZFS at every boot' }],
        units: [{ unit: 'zfs-zed.service', enabled: true, active: true }],
    }
}

export function planModule(_: unknown, { module }: { module: boolean }): OwnPlan {
    if (module) return { steps: [] }
    return {
        steps: [{ do: 'run', say: 'Load the kernel module zfs', tool: 'modprobe', args: ['zfs'], deadlineMs: 60_000 }],
    }
}

/** Bytes; a tenth of the memory, at most 16 GiB, unless the document says. */
export function arcMaxOf(spec: ZfsSpec, memoryBytes: number): number {
    const [, number, unit] = /^(\d+)([MG])$/.exec(spec.arcMax ?? '') ?? []
    if (number) return Number(number) * 1024 ** (unit === 'G' ? 3 : 2)
    const mib = Math.floor(Math.min(memoryBytes / 10, 16 * 1024 ** 3) / 1024 ** 2)
    return Math.max(mib, 64) * 1024 ** 2
}

/** The setting of tmpfiles.d(5): it is set at boot, and now by systemd-tmpfiles. */
export const ARC_FILE = '/etc/tmpfiles.d/debvisor-zfs.conf'

export interface MemorySeen {
    memoryBytes: number
    /** Of ARC_FILE. */
    text?: string
    /** What the module goes by now; undefined while it is not loaded. */
    arcMaxBytes?: number
}

export function planMemory(spec: ZfsSpec, seen: MemorySeen): OwnPlan {
    const bytes = arcMaxOf(spec, seen.memoryBytes)
    const content = `w /sys/module/zfs/parameters/zfs_arc_max - - - - ${bytes}\n`
    const steps: Step[] = []
    if (seen.text !== content) {
        const was = seen.text === undefined ? {} : { was: seen.text }
        steps.push({
            do: 'write',
            say: `Write ${ARC_FILE} (memory of ZFS)`,
            path: ARC_FILE,
            content,
            mode: 0o644,
            ...was,
        })
    }
    if (seen.arcMaxBytes !== bytes) {
        const say = `Let ZFS cache with at most ${Math.round(bytes / 1024 ** 2)} MiB of memory`
        steps.push({ do: 'run', say, tool: 'systemd-tmpfiles', args: ['--create', ARC_FILE], deadlineMs: 30_000 })
    }
    return { steps }
}

/** What the document says of ZFS, and the disks that it gives to something else. */
export type ZfsWant = ZfsSpec & { except?: readonly string[] }

/** Without those that are named for another kind of storage. */
const others = ({ except = [] }: ZfsWant, disks: readonly Disk[]) => disks.filter(({ id }) => !except.includes(id))

export function planPool(spec: ZfsWant, seen: PoolSeen, agreed: Agreed): OwnPlan {
    const pool = seen.pools.find(one => one.name === spec.pool)
    if (pool) {
        return {
            steps: [...recordSteps(spec, seen), ...datasetSteps(spec, seen.datasets)],
            findings: [...poolFindings(pool), ...unusedDisks(spec, others(spec, seen.disks), seen.inPool)],
        }
    }
    const importable = seen.importable.find(one => one.name === spec.pool)
    const ours = seen.made || seen.disks.some(({ id }) => isBegun(target(id), agreed))
    if (importable && ours) {
        const say = `Import the pool ${spec.pool}`
        const step: Step = {
            do: 'run',
            say,
            tool: 'zpool',
            args: ['import', '-d', '/dev/disk/by-id', spec.pool],
            deadlineMs: CREATE_MS,
        }
        return { steps: [step, ...recordSteps(spec, seen)], deferred: [afterImport] }
    }
    if (seen.made && !seen.module) return { steps: [], deferred: [afterModule] }
    if (importable) return { steps: [], findings: [foreign(spec.pool, importable)] }
    if (seen.made) return { steps: [], findings: [missing(spec.pool)] }
    return makePool(spec, seen, agreed)
}

const afterModule = { reason: 'The pool is looked for when the kernel module is loaded', kinds: ['run' as const] }
const afterImport = { reason: 'Datasets are looked at when the pool is there', kinds: ['run' as const] }

function makePool(spec: ZfsWant, seen: PoolSeen, agreed: Agreed): OwnPlan {
    const { chosen, findings, fingerprints } = choose('storage.zfs.disks', spec.disks, {
        all: seen.disks,
        agreed,
        except: spec.except,
    })
    if (findings.some(finding => finding.severity === 'error')) return { steps: [], findings, fingerprints }
    if (chosen.length === 0) return { steps: [], findings: [...findings, noDisks(spec.pool)], fingerprints }
    const vdev = vdevOf(spec, chosen.length)
    if (vdev === undefined) return { steps: [], findings: [...findings, tooFew(spec, chosen.length)], fingerprints }
    const taken = chosen.filter(disk => !disk.blank).map(disk => target(disk.id))
    const claims = chosen.filter(disk => disk.blank).map(disk => target(disk.id))
    const disks = chosen.map(disk => disk.id)
    const how = vdev === '' ? (chosen.length > 1 ? 'a stripe without redundancy of' : 'the one disk') : `${vdev} of`
    const said = chosen.map(disk => `${disk.id} (${disk.words})`).join(', ')
    const create: Step = {
        ...{ do: 'run', say: `Make the pool ${spec.pool}, ${how} ${said}`, tool: 'zpool', deadlineMs: CREATE_MS },
        args: createArgs({ ...spec, vdev, disks, force: taken.length > 0 }),
        ...(taken.length > 0 ? { destroys: taken } : {}),
        ...(claims.length > 0 ? { claims } : {}),
    }
    const steps = [create, ...recordSteps(spec, seen), ...datasetSteps(spec, [])]
    return { steps, findings: vdev === '' ? [...findings, noRedundancy(spec.pool)] : findings, fingerprints }
}

/** The word of zpool, '' for a stripe; undefined when there are too few disks. */
function vdevOf({ layout }: ZfsSpec, count: number): string | undefined {
    if (layout === 'stripe') return ''
    if (layout === 'auto') return count === 1 ? '' : count === 2 ? 'mirror' : count <= 5 ? 'raidz1' : 'raidz2'
    const least = { mirror: 2, raidz1: 2, raidz2: 3, raidz3: 4 }[layout]
    return count < least ? undefined : layout
}

/** That it was made is noted when it is: a pool that is missing afterwards is never made again. */
function recordSteps(spec: ZfsSpec, { made }: PoolSeen): Step[] {
    if (made) return []
    const content = `${JSON.stringify({ pool: spec.pool })}\n`
    return [
        {
            do: 'write',
            say: `Note that the pool ${spec.pool} is this node's`,
            path: recordOf(spec.pool),
            content,
            mode: 0o600,
        },
    ]
}

function datasetSteps({ pool, datasets, mountAt }: ZfsSpec, seen: readonly Dataset[]): Step[] {
    return datasets.flatMap((name): Step[] => {
        const dataset = `${pool}/${name}`
        const mountpoint = `${mountAt}/${name}`
        const there = seen.find(one => one.name === dataset)
        const run = (say: string, ...args: string[]): Step => ({
            do: 'run',
            say,
            tool: 'zfs',
            args,
            deadlineMs: 60_000,
        })
        if (!there)
            return [
                run(
                    `Make the dataset ${dataset} at ${mountpoint}`,
                    'create',
                    '-o',
                    `mountpoint=${mountpoint}`,
                    dataset,
                ),
            ]
        if (there.mountpoint !== mountpoint) {
            return [
                run(
                    `Mount ${dataset} at ${mountpoint} instead of ${there.mountpoint}`,
                    'set',
                    `mountpoint=${mountpoint}`,
                    dataset,
                ),
            ]
        }
        return there.mounted ? [] : [run(`Mount ${dataset} at ${mountpoint}`, 'mount', dataset)]
    })
}

const SCRUB = '/etc/systemd/system/zfs-scrub-weekly'
const SETTINGS = '/etc/default/debvisor-zfs-scrub'

/** All data is read at the lowest priority, each node at its own moment within two hours. */
export function scrubBasics(spec: ZfsSpec): Basics {
    const service = [
        '[Unit]',
        'Description=Read and check all data of the ZFS pools',
        'Documentation=man:zpool-scrub(8)',
        'After=zfs.target',
        'ConditionPathExists=/sys/module/zfs',
        '',
        '[Service]',
        'Type=oneshot',
        `EnvironmentFile=${SETTINGS}`,
        'ExecStart=/usr/sbin/zpool scrub -w $POOLS',
        '# A scrub that is cut off goes on where it was: zpool scrub -w waits for it.',
        'TimeoutStartSec=infinity',
        'Nice=19',
        'IOSchedulingClass=idle',
        'ProtectSystem=strict',
        'ProtectHome=yes',
        'PrivateTmp=yes',
        'NoNewPrivileges=yes',
    ]
    const timer = [
        '[Unit]',
        'Description=Check the ZFS pools every week',
        '',
        '[Timer]',
        `OnCalendar=${spec.scrub}`,
        'RandomizedDelaySec=2h',
        'FixedRandomDelay=yes',
        'Persistent=yes',
        '',
        '[Install]',
        'WantedBy=timers.target',
    ]
    return {
        files: [
            {
                path: SETTINGS,
                content: `# Pools that are checked every week.\nPOOLS="${spec.pool}"\n`,
                for: 'which pools are checked',
            },
            { path: `${SCRUB}.service`, content: `${service.join('\n')}\n`, for: 'the weekly check of the pool' },
            { path: `${SCRUB}.timer`, content: `${timer.join('\n')}\n`, for: 'when the pool is checked' },
        ],
        units: [{ unit: 'zfs-scrub-weekly.timer', enabled: true, active: true, reads: [`${SCRUB}.timer`] }],
    }
}

const foreign = (pool: string, { state }: Importable): Finding => ({
    ...{ severity: 'error', code: 'pool-foreign', at: 'storage.zfs.pool' },
    summary: 'There is a pool of that name on the disks, and it is not of this node',
    detail: `${pool}, ${state}`,
    fix: `To use it: zpool import ${pool}. Otherwise give this node's pool another name.`,
})

const missing = (pool: string): Finding => ({
    ...{ severity: 'error', code: 'pool-missing', at: 'storage.zfs.pool' },
    summary: 'The pool of this node is not there, and is not made anew',
    detail: `${pool}: no disk of it is found`,
    fix: `Look at the disks and their cables: zpool import. To begin with an empty pool, remove ${recordOf(pool)}.`,
})

const noDisks = (pool: string): Finding => ({
    ...{ severity: 'warning', code: 'no-disks', at: 'storage.zfs.disks' },
    summary: 'There is no disk for the pool: things are stored on the system disk',
    detail: pool,
    fix: 'Add a disk, or agree to one that holds something, then apply again.',
})

const tooFew = ({ layout }: ZfsSpec, count: number): Finding => ({
    ...{ severity: 'error', code: 'too-few-disks', at: 'storage.zfs.layout' },
    summary: 'The layout needs more disks',
    detail: `${layout}; there ${count === 1 ? 'is one' : `are ${count}`}`,
    fix: 'Add disks, or choose another layout.',
})

const noRedundancy = (pool: string): Finding => ({
    ...{ severity: 'warning', code: 'no-redundancy', at: 'storage.zfs.layout' },
    summary: 'When one disk of the pool fails, all that is on it is lost',
    detail: pool,
    fix: 'Use two disks or more with a layout other than stripe; keep backups elsewhere.',
})
