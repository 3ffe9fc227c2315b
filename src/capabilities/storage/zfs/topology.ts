// What pools are made of, by `zpool status -j` (OpenZFS 2.3 on): vdevs as a tree, spares, and the copying that goes on.

/** Exact numbers as strings: a guid has 64 bits, and would be rounded as a number. (zpool-status(8)) */
export const showTopology: [string, ...string[]] = ['/usr/sbin/zpool', 'status', '-jpP']

export interface Vdev {
    /** `mirror-0`, or the path of a disk; of one that is gone, its guid. */
    name: string
    /** `root`, `mirror`, `raidz`, `draid`, `replacing`, `spare`, `disk`, `file`, … */
    type: string
    guid: string
    /** ONLINE, DEGRADED, OFFLINE, FAULTED, UNAVAIL, REMOVED; of a spare AVAIL, INUSE. */
    state: string
    /** Of a leaf, also of one that is gone: where it is, or was. */
    path?: string
    /** What a disk in its place must offer at least, without labels. */
    leastBytes?: number
    errors: number
    children: readonly Vdev[]
}

/** The copying or checking of a pool's data. */
export interface Scan {
    what: 'resilver' | 'scrub'
    running: boolean
    doneBytes: number
    ofBytes: number
    errors: number
}

export interface PoolTree {
    name: string
    state: string
    /** Vdevs that hold data; logs, caches and special ones are apart. */
    data: readonly Vdev[]
    spares: readonly Vdev[]
    /** Logs, special and dedup vdevs. */
    others: readonly Vdev[]
    caches: readonly Vdev[]
    scan?: Scan
}

interface RawVdev {
    name?: string
    vdev_type?: string
    guid?: string | number
    state?: string
    path?: string
    was?: string
    class?: string
    rep_dev_size?: string | number
    read_errors?: string | number
    write_errors?: string | number
    checksum_errors?: string | number
    vdevs?: Record<string, RawVdev>
}

interface RawPool {
    name?: string
    state?: string
    vdevs?: Record<string, RawVdev>
    spares?: Record<string, RawVdev>
    scan_stats?: Record<string, string | number>
    [group: string]: unknown
}

const OTHERS = ['logs', 'special', 'dedup'] as const

/** Undefined for what is no such answer: an older zpool, or none. */
export function parseTopology(stdout: string): PoolTree[] | undefined {
    let pools: Record<string, RawPool> | undefined
    try {
        pools = (JSON.parse(stdout) as { pools?: Record<string, RawPool> }).pools
    } catch {
        return undefined
    }
    return Object.entries(pools ?? {}).map(([name, raw]) => {
        const root = Object.values(raw.vdevs ?? {})[0]
        const scan = scanOf(raw.scan_stats)
        return {
            ...{ name, state: raw.state ?? '', data: childrenOf(root), spares: allOf(raw.spares) },
            others: OTHERS.flatMap(group => allOf(raw[group] as Record<string, RawVdev> | undefined)),
            caches: allOf(raw.l2cache as Record<string, RawVdev> | undefined),
            ...(scan ? { scan } : {}),
        }
    })
}

const allOf = (vdevs: Record<string, RawVdev> | undefined) =>
    Object.entries(vdevs ?? {}).map(([name, raw]) => vdevOf(name, raw))
const childrenOf = (raw: RawVdev | undefined) => allOf(raw?.vdevs)

function vdevOf(name: string, raw: RawVdev): Vdev {
    // `was` stands where a disk is not present at all.
    const path = raw.was ?? raw.path
    const leastBytes = Number(raw.rep_dev_size)
    return {
        ...{ name: raw.name ?? name, type: raw.vdev_type ?? '', guid: String(raw.guid ?? '') },
        // As zpool says it in its other words, which people know.
        state: raw.state === 'CANT_OPEN' ? 'UNAVAIL' : (raw.state ?? ''),
        // Of a disk that is replaced by another of the same name, ZFS keeps the path with a mark behind it.
        ...(path ? { path: path.replace(/\/old$/, '') } : {}),
        ...(leastBytes > 0 ? { leastBytes } : {}),
        errors: Number(raw.read_errors ?? 0) + Number(raw.write_errors ?? 0) + Number(raw.checksum_errors ?? 0),
        children: childrenOf(raw),
    }
}

function scanOf(raw: RawPool['scan_stats']): Scan | undefined {
    const what = raw?.function === 'RESILVER' ? 'resilver' : raw?.function === 'SCRUB' ? 'scrub' : undefined
    if (!raw || !what) return undefined
    return {
        ...{ what, running: raw.state === 'SCANNING', errors: Number(raw.errors ?? 0) },
        doneBytes: Number(raw.issued ?? 0),
        ofBytes: Math.max(0, Number(raw.to_examine ?? 0) - Number(raw.skipped ?? 0)),
    }
}

/** A disk of a pool, with the vdevs above it, the outermost first. */
export interface Member {
    pool: PoolTree
    leaf: Vdev
    above: readonly Vdev[]
}

/** Disks that hold data, and logs and the like; spares and caches are apart. */
export const membersOf = (pool: PoolTree): Member[] =>
    [...pool.data, ...pool.others].flatMap(vdev => leavesOf(pool, vdev, []))

const leavesOf = (pool: PoolTree, vdev: Vdev, above: readonly Vdev[]): Member[] =>
    vdev.children.length === 0
        ? [{ pool, leaf: vdev, above }]
        : vdev.children.flatMap(child => leavesOf(pool, child, [...above, vdev]))

/** `/dev/disk/by-id/ata-X` of its first partition, which ZFS makes when it is given a whole disk. */
export const wholeDisk = (path: string): string => path.replace(/-part\d+$/, '')

/** All that people may call a disk of a pool: its guid, path, disk, and what stands behind the last slash. */
export function namesOf({ name, guid, path }: Vdev): string[] {
    const paths = path ? [path, wholeDisk(path)] : []
    const short = paths.map(one => one.slice(one.lastIndexOf('/') + 1))
    return [...new Set([name, guid, ...paths, ...short])].filter(Boolean)
}

/** As it is called in sentences and commands. */
export const calledOf = ({ path, guid }: Vdev): string => (path ? wholeDisk(path) : guid)
