// Storage pools: made on a folder, started, stopped, looked through, forgotten.
import { randomUUID } from 'node:crypto'
import { dirname } from 'node:path/posix'
import { asFault, Fault } from '../../base/fault.ts'
import { checkName } from '../../base/ids.ts'
import { poolRef, type StoragePoolRef, uuidToBytes } from '../../drivers/libvirt/libvirt.ts'
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import type { UndoStep } from '../../engine/task.ts'
import type { Clock, System } from '../../ports/ports.ts'
import type { PoolEntry, Users } from './entries.ts'
import type { Inventory } from './inventory.ts'
import { patiently } from './patience.ts'
import { checkFolder } from './pool-folders.ts'
import { folderPoolXml } from './storage-xml.ts'

export interface Pools {
    /** Refuses names that are taken and folders that are not for images. */
    check(wish: { name: string; path: string }): Promise<void>
    /** `promise` keeps how it is taken back, before anything is made. What fails without one is taken back here. */
    create(wish: { name: string; path: string }, promise?: (step: UndoStep) => Promise<void>): Promise<void>
    /** Takes back a pool that was being made, by its UUID, and those of its folders that are empty. */
    takeBack(step: UndoStep): Promise<void>
    start(name: string): Promise<void>
    /** @throws Fault `conflict` while a running VM has a volume in it */
    checkStop(name: string): void
    stop(name: string): Promise<void>
    refresh(name: string): Promise<void>
    /** Forgets it; its volumes stay where they are. */
    remove(name: string): Promise<void>
    /** Makes and starts it unless there is one of that name. */
    ensure(wish: { name: string; path: string }): Promise<void>
}

export const POOL_UNDO = 'pool.remove'

export function createPools(deps: {
    libvirt: LibvirtLink
    inventory: Inventory
    users: Users
    system: System
    clock: Clock
    /** Folders of this service, that no pool may have. */
    ownFolders: readonly string[]
}): Pools {
    const { libvirt, inventory, users, system, clock, ownFolders } = deps
    const refOf = (name: string) => poolRef(inventory.pool(name))

    async function check({ name, path }: { name: string; path: string }): Promise<void> {
        checkName(name)
        checkFolder(path, ownFolders)
        await inventory.ready()
        if (inventory.pools().some(p => p.name === name)) {
            throw new Fault('exists', {
                summary: 'There is a storage pool of that name',
                detail: name,
                fix: 'Choose another name.',
                at: 'name',
            })
        }
        // The deepest part that exists says where it really leads.
        let existing = path
        while (!(await system.look(existing))) existing = existing.slice(0, existing.lastIndexOf('/')) || '/'
        const real = `${(await system.resolve(existing)) ?? existing}${path.slice(existing.length)}`.replace(
            /^\/\//,
            '/',
        )
        checkFolder(real, ownFolders)
        const other = inventory.pools().find(p => overlaps(p, real) || overlaps(p, path))
        if (other) {
            throw new Fault('conflict', {
                summary: 'Another pool has that folder',
                detail: `${other.name} has ${other.path}`,
                fix: 'Use that pool, or another folder.',
                at: 'path',
            })
        }
        const facts = await system.look(real)
        if (facts && facts.kind !== 'directory') {
            throw new Fault('invalid', {
                summary: 'The path of the pool is not a folder',
                detail: path,
                fix: 'Choose another path.',
                at: 'path',
            })
        }
    }

    async function make(
        { name, path }: { name: string; path: string },
        promise?: (step: UndoStep) => Promise<void>,
    ): Promise<void> {
        const uuid = randomUUID()
        const step = { kind: POOL_UNDO, uuid, name, path, folders: await missing(path) }
        await promise?.(step)
        try {
            const xml = folderPoolXml({ uuid, name, path })
            const { pool } = await libvirt.connection().call('storagePoolDefineXML', { xml, flags: 0 })
            await finish(pool)
        } catch (thrown) {
            if (!promise) await takeBack(step).catch(() => {})
            throw thrown
        }
        await inventory.refreshPool(name)
    }

    async function finish(pool: StoragePoolRef): Promise<void> {
        const { call } = libvirt.connection()
        await call('storagePoolBuild', { pool, flags: 0 })
        await call('storagePoolCreate', { pool, flags: 0 })
        await call('storagePoolSetAutostart', { pool, autostart: 1 })
    }

    /** How many folders of a path are not there yet: so many, from its end, are made with the pool. */
    async function missing(path: string): Promise<number> {
        let count = 0
        for (let at = path; at !== '/' && at !== ''; at = dirname(at), count++) if (await system.look(at)) break
        return count
    }

    async function takeBack(step: UndoStep): Promise<void> {
        const [uuid, name, path] = [String(step.uuid), String(step.name), String(step.path)]
        const { call, callAlone } = libvirt.connection()
        const found = await call('storagePoolLookupByUUID', { uuid: uuidToBytes(uuid) }).catch(notFoundIsFine)
        if (!found) return
        const { pool } = found
        const { active } = await call('storagePoolIsActive', { pool })
        if (active === 1) await patiently(clock, () => call('storagePoolDestroy', { pool }))
        // libvirt removes a folder only when it is empty, and only that of the pool: so the pool is put on each.
        for (let at = path, left = Number(step.folders); left > 0; at = dirname(at), left--) {
            await call('storagePoolDefineXML', { xml: folderPoolXml({ uuid, name, path: at }), flags: 0 })
            const isGone = await callAlone('storagePoolDelete', { pool, flags: 0 }).then(
                () => true,
                () => false,
            )
            if (!isGone) break
        }
        await call('storagePoolUndefine', { pool }).catch(notFoundIsFine)
        await inventory.refreshPool(name).catch(notFoundIsFine)
    }

    async function start(name: string): Promise<void> {
        if (inventory.pool(name).active) return
        await libvirt.connection().callAlone('storagePoolCreate', { pool: refOf(name), flags: 0 })
        await inventory.refreshPool(name)
    }

    function checkStop(name: string): void {
        inventory.pool(name)
        const busy = inventory.volumes(name).flatMap(v =>
            users
                .ofPath(v.path)
                .filter(vm => vm.active !== false)
                .map(vm => vm.name),
        )
        if (busy.length === 0) return
        throw new Fault('conflict', {
            summary: 'Running VMs have volumes in the pool',
            detail: `${name}: ${[...new Set(busy)].slice(0, 10).join(', ')}`,
            fix: 'Shut them down first.',
            at: 'pool',
        })
    }

    async function stop(name: string): Promise<void> {
        if (!inventory.pool(name).active) return
        await patiently(clock, () => libvirt.connection().call('storagePoolDestroy', { pool: refOf(name) }))
        await inventory.refreshPool(name)
    }

    return {
        check,
        create: make,
        takeBack,
        start,
        checkStop,
        stop,
        refresh: name => inventory.refreshPool(name, true),
        async remove(name) {
            const ref = refOf(name)
            await stop(name)
            try {
                await libvirt.connection().call('storagePoolUndefine', { pool: ref })
            } catch (thrown) {
                if (asFault(thrown).code !== 'not-found') throw thrown
            }
            await inventory.refreshPool(name).catch(() => {})
        },
        async ensure(wish) {
            await inventory.ready()
            const found = inventory.pools().find(p => p.name === wish.name)
            // Half made by an earlier life of the daemon: its folder was still to come.
            if (found && !found.active && found.path === wish.path && (await missing(wish.path)) > 0) {
                await finish(poolRef(found))
                return inventory.refreshPool(found.name)
            }
            if (found) return start(found.name)
            // Another pool on that folder serves as well.
            const same = inventory.pools().find(p => p.path === wish.path)
            if (same) return start(same.name)
            await make(wish)
        },
    }
}

function notFoundIsFine(thrown: unknown): undefined {
    if (asFault(thrown).code !== 'not-found') throw thrown
    return undefined
}

const overlaps = (pool: PoolEntry, path: string): boolean =>
    pool.path !== '' && (pool.path === path || path.startsWith(`${pool.path}/`) || pool.path.startsWith(`${path}/`))
