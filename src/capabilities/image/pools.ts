// Storage pools: made on a folder, started, stopped, looked through, forgotten.
import { asFault, Fault } from '../../base/fault.ts'
import { checkName } from '../../base/ids.ts'
import { poolRef } from '../../drivers/libvirt/libvirt.ts'
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import type { Clock, System } from '../../ports/ports.ts'
import type { PoolEntry, Users } from './entries.ts'
import type { Inventory } from './inventory.ts'
import { patiently } from './patience.ts'
import { folderPoolXml } from './storage-xml.ts'

export interface Pools {
    /** Refuses names that are taken and folders that are not for images. */
    check(wish: { name: string; path: string }): Promise<void>
    create(wish: { name: string; path: string }): Promise<void>
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

/** Folders that belong to the system: a pool there would let images overwrite what the node runs on. */
const FORBIDDEN = [
    '/bin',
    '/boot',
    '/dev',
    '/etc',
    '/lib',
    '/lib32',
    '/lib64',
    '/proc',
    '/root',
    '/run',
    '/sbin',
    '/sys',
    '/usr',
    '/var/lib/dpkg',
    '/var/lib/debvisor/pki',
    '/var/log',
    '/var/run',
    '/var/spool',
    '/var/cache',
    '/lost+found',
]
const TOO_HIGH = [
    '/',
    '/home',
    '/media',
    '/mnt',
    '/opt',
    '/srv',
    '/tmp',
    '/var',
    '/var/lib',
    '/var/tmp',
    '/var/lib/debvisor',
    '/var/lib/libvirt',
]

/** The same path, when it is fit for a pool. @throws Fault `invalid` */
export function checkFolder(path: string): string {
    const refuse = (summary: string, fix: string) =>
        new Fault('invalid', { summary, detail: JSON.stringify(path.slice(0, 200)), fix, at: 'path' })
    const parts = path.split('/')
    const isClean = path.startsWith('/') && path.length <= 1024 && !/[\u0000-\u001f\u007f]/.test(path)
    if (!isClean || parts.slice(1).some(p => p === '' || p === '.' || p === '..')) {
        throw refuse(
            'The path of a pool must be absolute and plain',
            'Write it like /srv/vm, without ".." and without a slash at its end.',
        )
    }
    if (TOO_HIGH.includes(path) || FORBIDDEN.some(f => path === f || path.startsWith(`${f}/`))) {
        throw refuse(
            'That folder is not for images',
            'Choose a folder of its own, such as /srv/vm or /var/lib/libvirt/images.',
        )
    }
    return path
}

export function createPools(deps: {
    libvirt: LibvirtLink
    inventory: Inventory
    users: Users
    system: System
    clock: Clock
}): Pools {
    const { libvirt, inventory, users, system, clock } = deps
    const refOf = (name: string) => poolRef(inventory.pool(name))

    async function check({ name, path }: { name: string; path: string }): Promise<void> {
        checkName(name)
        checkFolder(path)
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
        checkFolder(real)
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

    async function make({ name, path }: { name: string; path: string }): Promise<void> {
        const { pool } = await libvirt
            .connection()
            .call('storagePoolDefineXML', { xml: folderPoolXml(name, path), flags: 0 })
        try {
            await libvirt.connection().call('storagePoolBuild', { pool, flags: 0 })
            await libvirt.connection().call('storagePoolCreate', { pool, flags: 0 })
            await libvirt.connection().call('storagePoolSetAutostart', { pool, autostart: 1 })
        } catch (thrown) {
            await libvirt
                .connection()
                .call('storagePoolDestroy', { pool })
                .catch(() => {})
            await libvirt
                .connection()
                .call('storagePoolUndefine', { pool })
                .catch(() => {})
            throw thrown
        }
        await inventory.refreshPool(name)
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
                .ofVolume(v)
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
            if (found) return start(found.name)
            // Another pool on that folder serves as well.
            const same = inventory.pools().find(p => p.path === wish.path)
            if (same) return start(same.name)
            await make(wish)
        },
    }
}

const overlaps = (pool: PoolEntry, path: string): boolean =>
    pool.path !== '' && (pool.path === path || path.startsWith(`${pool.path}/`) || pool.path.startsWith(`${path}/`))
