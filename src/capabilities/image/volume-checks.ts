// What a volume may be called, be made of, and become: refusals that need no libvirt.
import { Fault } from '../../base/fault.ts'
import { checkName } from '../../base/ids.ts'
import { checkSizeBytes, formatBytes } from '../../base/units.ts'
import { isOnFiles, type PoolEntry, purposeOf, type VolumeEntry } from './entries.ts'

/** Names of volumes: as others, but longer, for what distributions call their images. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$/

export function checkVolumeName(name: string, at = 'name'): string {
    return NAME.test(name) ? name : checkName(name, at)
}

export function splitRef(ref: string): { pool: string; name: string } {
    const at = ref.indexOf('/')
    if (at > 0 && at < ref.length - 1) return { pool: ref.slice(0, at), name: ref.slice(at + 1) }
    throw new Fault('invalid', {
        summary: 'That does not name a volume',
        detail: JSON.stringify(ref.slice(0, 80)),
        fix: 'Write it as pool/volume.',
        at: 'volume',
    })
}

export function checkLinkable(format: string, source: VolumeEntry | undefined): void {
    if (source && format === 'qcow2' && isOnFiles(source.poolType) && ['qcow2', 'raw'].includes(source.format)) return
    throw new Fault('invalid', {
        summary: 'A linked clone of that cannot be made',
        detail: source
            ? `it would be ${format} on ${source.format} in a pool of type ${source.poolType}`
            : 'there is no source',
        fix: 'Link a qcow2 to a qcow2 or raw volume in a pool on files, or make a full clone.',
        at: 'linked',
    })
}

/** @throws Fault for formats that a pool cannot hold, or that are made by converting only */
export function checkFormat(format: string, pool: PoolEntry): void {
    if (format !== 'qcow2' && format !== 'raw') {
        throw new Fault('invalid', {
            summary: 'A volume is made as qcow2 or raw',
            detail: format.slice(0, 40),
            fix: 'Convert to other formats afterwards.',
            at: 'format',
        })
    }
    checkHolds(format, pool, 'format')
}

/** @throws Fault `invalid` when a pool has no formats and one is wanted */
export function checkHolds(format: string, pool: PoolEntry, at: string): void {
    if (format === 'raw' || format === 'iso' || isOnFiles(pool.type)) return
    throw new Fault('invalid', {
        summary: 'That pool holds raw volumes only',
        detail: `${pool.name} is of type ${pool.type}`,
        fix: 'Leave the format out, or say raw.',
        at,
    })
}

/** @throws Fault `invalid` for a source that libvirt would not copy as what it is */
export function checkCopyable(source: VolumeEntry): void {
    if (['qcow2', 'raw', 'iso'].includes(source.format)) return
    throw new Fault('invalid', {
        summary: 'A volume of that format is converted, not cloned',
        detail: `${source.pool}/${source.name} is ${source.format}`,
        fix: 'Convert it to qcow2: debvisor image convert',
        at: 'volume',
    })
}

/** Of a copy the secrets in it could be read. @throws Fault `denied` for a cloud-init seed */
export function refuseSeed(source: Pick<VolumeEntry, 'pool' | 'name' | 'format'>, at = 'volume'): void {
    if (purposeOf(source) !== 'seed') return
    throw new Fault('denied', {
        summary: 'A cloud-init seed holds secrets, and is not copied',
        detail: `${source.pool}/${source.name}`,
        fix: 'Clone its VM: the copy gets a seed of its own.',
        at,
    })
}

/** @throws Fault `precondition` when it is stopped, `unavailable` when it cannot be read */
export function checkActive(pool: PoolEntry): PoolEntry {
    if (pool.active) return pool
    if (pool.problem) {
        throw new Fault('unavailable', {
            summary: 'The storage pool cannot be read',
            detail: `${pool.name}: ${pool.problem}`,
            fix: `See that its file system is mounted and answers, then: debvisor pool refresh ${pool.name}`,
            at: 'pool',
        })
    }
    throw new Fault('precondition', {
        summary: 'The storage pool is not started',
        detail: pool.name,
        fix: `Start it: debvisor pool start ${pool.name}`,
        at: 'pool',
    })
}

/** @throws Fault when it would shrink, or is not what it seems */
export function checkResize(entry: VolumeEntry, capacityBytes: number): void {
    checkSizeBytes(capacityBytes, 'capacity_bytes')
    if (entry.suspect || purposeIsFixed(entry)) {
        throw new Fault('precondition', {
            summary: 'That volume cannot be resized',
            detail: entry.suspect
                ? `${entry.name} is ${entry.format}, but its content looks like another format`
                : `${entry.name} is of format ${entry.format}`,
            fix: 'Clone or convert it to qcow2 or raw first.',
            at: 'volume',
        })
    }
    if (capacityBytes >= entry.capacityBytes) return
    throw new Fault('invalid', {
        summary: 'A volume is not made smaller: what stands at its end would be lost',
        detail: `${formatBytes(entry.capacityBytes)} to ${formatBytes(capacityBytes)}`,
        fix: 'Make a new, smaller volume, and copy the files inside the guest.',
        at: 'capacity_bytes',
    })
}

const purposeIsFixed = (entry: VolumeEntry) => entry.format !== 'qcow2' && entry.format !== 'raw'

export const taken = (pool: string, name: string): Fault =>
    new Fault('exists', {
        summary: 'There is a volume of that name',
        detail: `${pool}/${name}`,
        fix: 'Choose another name, or delete the old one first.',
        at: 'name',
    })

export const noRoom = (pool: PoolEntry, needBytes: number): Fault =>
    new Fault('exhausted', {
        summary: 'The storage pool has no room for that',
        detail: `${formatBytes(needBytes)} wanted; ${pool.name} has ${formatBytes(pool.availableBytes)} free of ${formatBytes(pool.capacityBytes)}`,
        fix: 'Choose a smaller size or another pool, or make room.',
        at: 'pool',
    })
