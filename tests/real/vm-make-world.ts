// What the tests of making VMs share: a libvirtd with two pools, and the parts of the daemon that make VMs.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createImage } from '../../src/capabilities/image/image.ts'
import type { MakeDeps } from '../../src/capabilities/vm/create.ts'
import { createHost } from '../../src/capabilities/vm/host.ts'
import type { Inventory } from '../../src/capabilities/vm/inventory.ts'
import { createInventory } from '../../src/capabilities/vm/inventory-live.ts'
import { createMaker } from '../../src/capabilities/vm/make.ts'
import { usersOf } from '../../src/capabilities/vm/sources.ts'
import { registerTakeBack } from '../../src/capabilities/vm/take-back.ts'
import type { Volumes } from '../../src/capabilities/vm/volumes.ts'
import { type LibvirtLink, stayConnected } from '../../src/drivers/libvirt/link.ts'
import { testClock } from '../../src/drivers/libvirt/testing.ts'
import type { TaskRecord, Tasks, UndoStep } from '../../src/engine/task.ts'
import { createTasks } from '../../src/engine/tasks.ts'
import { realSystem } from '../../src/ports/real.ts'
import { quietLog } from './vm-core-world.ts'
import { type LibvirtWorld, startLibvirt, until } from './world.ts'

export interface MakeWorld {
    world: LibvirtWorld
    link: LibvirtLink
    inventory: Inventory
    tasks: Tasks
    volumes: Volumes
    deps: MakeDeps
    /** How the image capability takes a volume back: for a second life of the tasks. */
    undoVolume(step: UndoStep): Promise<void>
    /** The task's end. */
    ended(id: string): Promise<TaskRecord>
    /** Names of all volumes of the pool. */
    volumeNames(): Promise<string[]>
    stop(): Promise<void>
}

/** A world with the active pool `default`, and a second one `other`. */
export async function startMaking(name: string): Promise<MakeWorld> {
    const world = await startLibvirt({ name })
    const link = stayConnected({ socketPath: world.socketPath, clock: testClock, log: quietLog })
    await until('the link', 10_000, () => link.up)
    for (const [pool, path] of [
        ['default', world.imagesDir],
        ['other', join(world.folder, 'other')],
    ] as const) {
        await mkdir(path, { recursive: true })
        const xml = `<pool type='dir'><name>${pool}</name><target><path>${path}</path></target></pool>`
        await link.connection().call('storagePoolCreateXML', { xml })
    }
    const inventory = createInventory({ libvirt: link, clock: testClock, log: quietLog })
    await inventory.ready()
    const system = realSystem()
    const tasks = await createTasks({ system, clock: testClock, log: quietLog, folder: join(world.folder, 'tasks') })
    let undoVolume: MakeWorld['undoVolume'] | undefined
    const { onUndo } = tasks
    tasks.onUndo = (kind, undo) => {
        if (kind === 'volume.remove') undoVolume = undo
        onUndo(kind, undo)
    }
    const image = createImage({
        ...{ libvirt: link, tasks, system, clock: testClock, log: quietLog },
        ...{ stagingFolder: join(world.folder, 'staging'), importFolders: [] },
        users: {
            ofVolume: volume => usersOf(inventory, volume),
        },
    })
    await image.start?.()
    await image.inventory.ready()
    const { volumes } = image
    const base = { libvirt: link, inventory, volumes, tasks, clock: testClock, log: quietLog }
    const vm = { ...base, accelerator: 'tcg' as const, vncFolder: world.vncDir }
    const deps: MakeDeps = { ...vm, host: createHost(vm), maker: createMaker(vm) }
    registerTakeBack(deps)
    return {
        world,
        link,
        inventory,
        tasks,
        volumes,
        deps,
        undoVolume: step => undoVolume!(step),
        ended: async id => {
            await until(`task ${id} to end`, 120_000, () => tasks.get(id)?.state !== 'running')
            return tasks.get(id)!
        },
        volumeNames: async () => {
            const names = await Promise.all(
                ['default', 'other'].map(async pool => {
                    const found = await link.connection().call('storagePoolLookupByName', { name: pool })
                    await link.connection().call('storagePoolRefresh', { pool: found.pool })
                    const list = { pool: found.pool, need_results: 1, flags: 0 }
                    const { vols } = await link.connection().call('storagePoolListAllVolumes', list)
                    return vols.map(vol => vol.name)
                }),
            )
            return names.flat().sort()
        },
        stop: async () => {
            await tasks.close()
            await image.close?.()
            await inventory.close()
            await link.close()
            await world.stop()
        },
    }
}
