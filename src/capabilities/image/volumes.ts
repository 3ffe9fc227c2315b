// Volumes as VMs and people want them: checked, made, copied, linked, written, grown and removed through libvirt.
import { asFault, Fault } from '../../base/fault.ts'
import { checkSizeBytes } from '../../base/units.ts'
import { type Piece, poolRef } from '../../drivers/libvirt/libvirt.ts'
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import type { Clock, System } from '../../ports/ports.ts'
import { createBytes } from './bytes.ts'
import type { Declarations } from './declared.ts'
import { isOnFiles, type PoolEntry, type Users, type VolumeEntry } from './entries.ts'
import { createExistingCheck } from './existing.ts'
import { toolFormat } from './formats.ts'
import type { Inventory } from './inventory.ts'
import { createMaking, type Filling, type FillTarget } from './making.ts'
import { isBusy, patiently } from './patience.ts'
import { createReplacing } from './replacing.ts'
import {
    checkActive,
    checkCopyable,
    checkFormat,
    checkLinkable,
    checkResize,
    checkVolumeName,
    noRoom,
    refuseSeed,
    splitRef,
    taken,
} from './volume-checks.ts'

export interface NewVolume {
    pool: string
    name: string
    /** Ignored when smaller than the source with `from`. */
    capacityBytes: number
    /** qcow2 or raw; absent: what the pool is best at. */
    format?: string
    /** `pool/volume` whose content it gets. */
    from?: string
    /** With `from`: stands on it instead of copying it (qcow2 only). */
    linked?: boolean
    /** Id of the task that makes it: said in its undo step too, so that two tasks of one name are told apart. */
    by?: string
    signal?: AbortSignal
    onProgress?: (fraction: number) => void
}

export interface Volumes {
    /** As it is now, and not as it was when it was last read. @throws Fault `not-found` */
    find(ref: string): Promise<VolumeEntry>
    byPath(path: string): VolumeEntry | undefined
    /** The same by a path or `pool/volume`, as definitions of VMs have them. From memory. */
    at(source: string): VolumeEntry | undefined
    standingOn(path: string): VolumeEntry[]
    defaultPool(): string
    check(volume: NewVolume): Promise<void>
    create(volume: NewVolume): Promise<VolumeEntry>
    write(ref: string, data: Uint8Array): Promise<void>
    resize(ref: string, capacityBytes: number): Promise<void>
    remove(ref: string): Promise<void>
    /** Fills a raw volume of just that size, made for it, with what the source gives. Others keep their hands off. */
    fill(target: FillTarget, from: Filling): Promise<VolumeEntry>
    /** True where a volume of the pool can take the place of another in one moment. */
    mayReplace(pool: PoolEntry): Promise<boolean>
    /** `made` takes the place of `before`, of the same pool; false where it may not: then nothing is changed. */
    replace(made: VolumeEntry, before: VolumeEntry): Promise<boolean>
    /** The content as it lies in the pool. */
    read(
        volume: { pool: string; name: string },
        options?: { offsetBytes?: number; lengthBytes?: number; signal?: AbortSignal },
    ): AsyncGenerator<Uint8Array>
    readSparse(volume: { pool: string; name: string }, signal?: AbortSignal): AsyncGenerator<Piece>
    /** Id of the task or upload that made it, or began to; undefined where DebVisor did not make it. */
    madeBy(pool: string, name: string): string | undefined
    /** True once for each time that `create` refused because the name was taken: such a task made nothing. */
    wasRefused(ref: string): boolean
    /** What stands on it, as `vm:name` and `volume:pool/name`. */
    usedBy(entry: VolumeEntry): string[]
    /** @throws Fault `conflict` that names what stands on it */
    checkUnused(entry: VolumeEntry): void
    /**
     * Before a VM gets a volume that is there already: it leads to no file outside the pools, and to no seed.
     * @throws Fault `not-found`, `denied`, `conflict`
     */
    checkExisting(ref: string): Promise<void>
    /** Lets libvirt look through a pool for what came behind its back; one that it works on stays as it is known. */
    lookThrough(pool: string): Promise<void>
}

const LOOK_MS = 2_000

export interface VolumesDeps {
    libvirt: LibvirtLink
    inventory: Inventory
    declared: Declarations
    users: Users
    system: System
    clock: Clock
    /** Of this service. */
    uid: number
    defaultPool?: string
}

export function createVolumes(deps: VolumesDeps): Volumes {
    const { libvirt, inventory, declared, users, system, clock, uid } = deps
    const bytes = createBytes({ libvirt, system, pool: inventory.pool })
    const making = createMaking({ libvirt, inventory, declared, bytes, clock })
    const replacing = createReplacing({ system, inventory, declared, uid })
    const checkReadable = createExistingCheck({ bytes, inventory, declared, clock })
    const refusals = new Map<string, number>()

    async function find(ref: string): Promise<VolumeEntry> {
        const { pool, name } = splitRef(ref)
        await inventory.ready()
        const known = inventory.volume(pool, name)
        // A guest may have written, and others grown it, since it was last read.
        const entry = !inventory.pool(pool).active
            ? known
            : known
              ? await inventory.lookAgain(pool, name)
              : await inventory.refreshVolume(pool, name)
        if (entry) return entry
        throw new Fault('not-found', {
            summary: 'There is no such volume',
            detail: JSON.stringify(ref.slice(0, 160)),
            fix: 'List them: debvisor image list. One that was copied in by hand appears after: debvisor pool refresh POOL',
            at: 'volume',
        })
    }

    const activePool = (name: string): PoolEntry => checkActive(inventory.pool(name))

    const formatFor = (volume: NewVolume, pool: PoolEntry): string =>
        toolFormat(volume.format || (isOnFiles(pool.type) ? 'qcow2' : 'raw'))

    /** The pool, the source, and the size it will have. */
    async function prepared(volume: NewVolume) {
        await inventory.ready()
        checkVolumeName(volume.name)
        const pool = activePool(volume.pool)
        const format = formatFor(volume, pool)
        const source = volume.from ? await find(volume.from) : undefined
        if (source) refuseSeed(source)
        const capacityBytes = source
            ? Math.max(source.capacityBytes, volume.capacityBytes || 0)
            : checkSizeBytes(volume.capacityBytes, 'capacity_bytes')
        checkFormat(format, pool)
        if (volume.linked) checkLinkable(format, source)
        else if (source) checkCopyable(source)
        if (source) await checkReadable(source)
        return { pool, format, source, capacityBytes }
    }

    async function checked(volume: NewVolume) {
        const found = await prepared(volume)
        const { pool, source, capacityBytes } = found
        if (making.isMaking(`${pool.name}/${volume.name}`) || (await inventory.lookAgain(pool.name, volume.name)))
            throw taken(pool.name, volume.name)
        const needBytes = volume.linked ? 0 : source ? source.allocationBytes : 0
        // Thin volumes may promise more than is free, but never more than the pool could ever hold.
        if (capacityBytes > pool.capacityBytes || needBytes > inventory.pool(pool.name).availableBytes) {
            throw noRoom(inventory.pool(pool.name), capacityBytes > pool.capacityBytes ? capacityBytes : needBytes)
        }
        return found
    }

    async function create(volume: NewVolume): Promise<VolumeEntry> {
        const key = `${volume.pool}/${volume.name}`
        try {
            const entry = await createNew(volume)
            refusals.delete(key)
            return entry
        } catch (thrown) {
            if (asFault(thrown).code === 'exists') refusals.set(key, (refusals.get(key) ?? 0) + 1)
            throw thrown
        }
    }

    async function createNew(volume: NewVolume): Promise<VolumeEntry> {
        const { pool, format, source, capacityBytes } = await checked(volume)
        volume.signal?.throwIfAborted()
        const wish = { name: volume.name, capacityBytes, ...(isOnFiles(pool.type) ? { format } : {}) }
        // The copy of an ISO file is one, though libvirt makes it as raw.
        const declaredFormat = source?.format === 'iso' && format === 'raw' ? 'iso' : format
        const target = { pool: pool.name, name: volume.name, format: declaredFormat, by: volume.by }
        if (!source || volume.linked) {
            const backing = source ? { path: source.path, format: source.format } : undefined
            return making.empty({ ...target, backingPath: source?.path }, { ...wish, backing })
        }
        const { signal, onProgress } = volume
        return making.copy({ ...target, capacityBytes }, source, { signal, onProgress })
    }

    const usedBy = (entry: VolumeEntry): string[] => [
        ...users.ofVolume(entry).map(vm => `vm:${vm.name}`),
        ...inventory.standingOn(entry.path).map(v => `volume:${v.pool}/${v.name}`),
    ]
    const refuseUse = (entry: VolumeEntry, by: string[]): void => {
        if (by.length === 0) return
        throw new Fault('conflict', {
            summary: 'The volume is in use',
            detail: `${entry.pool}/${entry.name} by ${by.slice(0, 10).join(', ')}${by.length > 10 ? ` and ${by.length - 10} more` : ''}`,
            fix: 'Detach it from those VMs, or delete the volumes that stand on it, then try again.',
            at: 'volume',
        })
    }

    return {
        find,
        byPath: inventory.byPath,
        at: source => {
            const slash = source.indexOf('/')
            const named = slash > 0 ? inventory.volume(source.slice(0, slash), source.slice(slash + 1)) : undefined
            return named ?? inventory.byPath(source)
        },
        standingOn: inventory.standingOn,
        defaultPool: () => {
            const active = inventory.pools().filter(p => p.active)
            const found =
                active.find(p => p.name === deps.defaultPool) ?? active.find(p => p.name === 'default') ?? active[0]
            if (found) return found.name
            throw new Fault('precondition', {
                summary: 'There is no storage pool to put it in',
                detail: 'no pool is started',
                fix: 'Make one: debvisor pool create default /var/lib/libvirt/images',
                at: 'pool',
            })
        },
        check: async volume => void (await checked(volume)),
        create,
        write: async (ref, data) => {
            const entry = await find(ref)
            if (data.length > entry.capacityBytes) throw noRoom(inventory.pool(entry.pool), data.length)
            async function* whole() {
                yield data
            }
            await patiently(clock, () => bytes.upload(entry, whole(), { lengthBytes: data.length }))
        },
        resize: async (ref, capacityBytes) => {
            const entry = await find(ref)
            checkResize(entry, capacityBytes)
            // qemu-img, which libvirt runs as root, would grow the data file too.
            await checkReadable(entry)
            const pool = inventory.pool(entry.pool)
            if (capacityBytes > pool.capacityBytes) throw noRoom(pool, capacityBytes)
            await making.grow(entry, capacityBytes)
            await inventory.refreshVolume(entry.pool, entry.name)
        },
        remove: async ref => {
            const { pool, name } = splitRef(ref)
            await inventory.ready()
            const entry = inventory.volume(pool, name) ?? (await inventory.refreshVolume(pool, name))
            if (!entry) return declared.forget(pool, name)
            refuseUse(
                entry,
                inventory.standingOn(entry.path).map(v => `volume:${v.pool}/${v.name}`),
            )
            await making.remove(entry)
        },
        fill: making.fill,
        mayReplace: replacing.may,
        replace: replacing.replace,
        read: bytes.download,
        readSparse: bytes.downloadSparse,
        wasRefused: ref => {
            const count = refusals.get(ref) ?? 0
            if (count > 1) refusals.set(ref, count - 1)
            else refusals.delete(ref)
            return count > 0
        },
        madeBy: (pool, name) => declared.get(pool, name)?.by,
        usedBy,
        checkUnused: entry => refuseUse(entry, usedBy(entry)),
        checkExisting: async ref => checkReadable(await find(ref)),
        lookThrough: async name => {
            await inventory.ready()
            const pool = inventory.pool(name)
            if (!pool.active || !isOnFiles(pool.type)) return
            const look = { pool: poolRef(pool), flags: 0 }
            await patiently(clock, () => libvirt.connection().callAlone('storagePoolRefresh', look), LOOK_MS).catch(
                thrown => {
                    // A copy into the pool may take an hour, and nothing else of the pool has to wait for it.
                    if (!isBusy(thrown)) throw thrown
                },
            )
            await inventory.refreshPool(name)
        },
    }
}
