// Pools, volumes and images from outside: puts the parts together, and hands the vm capability its volumes.
import { networkInterfaces } from 'node:os'
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import type { Tasks } from '../../engine/task.ts'
import type { Clock, Log, System } from '../../ports/ports.ts'
import type { Capability } from '../capability.ts'
import { checkNetworks } from './addresses.ts'
import { createDeclarations } from './declared.ts'
import { createDownloads } from './downloads.ts'
import type { Users } from './entries.ts'
import { createImports } from './imports.ts'
import { createIntake } from './intake.ts'
import { createInventory, type Inventory } from './inventory.ts'
import { createPools, POOL_UNDO, type Pools } from './pools.ts'
import { imageService } from './rpc.ts'
import { createSandbox, type Sandbox } from './sandbox.ts'
import { followStops } from './stopped.ts'
import { undoRemove } from './undo.ts'
import { createUploads } from './uploads.ts'
import { createVolumes, type Volumes } from './volumes.ts'

export interface ImageDeps {
    libvirt: LibvirtLink
    tasks: Tasks
    system: System
    clock: Clock
    log: Log
    /** Our own folder for images on their way, on a file system with room for them. */
    stagingFolder: string
    /** Folders of the node from which images may be imported by path. */
    importFolders: readonly string[]
    users: Users
    /** Name of the pool that is taken when none is named; else `default`, else the first. */
    defaultPool?: string
    /**
     * Networks that images are never fetched from, as `10.1.0.0/16`: those of switches, BMCs and storage. Those that the
     * node is on itself are no default, because sites keep their mirrors there.
     */
    refusedNetworks?: readonly string[]
    /** Addresses that may be fetched from in spite of all. For tests alone. */
    allowedAddresses?: readonly string[]
}

export interface Image extends Capability {
    volumes: Volumes
    inventory: Inventory
    sandbox: Sandbox
    /** Makes and starts a pool on a folder unless there is one of that name; waits for libvirt's first answer. */
    ensurePool: Pools['ensure']
}

/** Begins to read the pools at once; `start` before the tasks recover. @throws Fault `invalid` for a refused network that is none */
export function createImage(deps: ImageDeps): Image {
    const { libvirt, tasks, system, clock, log, users, stagingFolder, importFolders } = deps
    const uid = process.getuid?.() ?? -1
    const declared = createDeclarations({ system, clock, folder: stagingFolder })
    const inventory = createInventory({ libvirt, clock, log, declared })
    const sandbox = createSandbox({ system, log, isRoot: uid === 0, folder: `${stagingFolder}/sandbox` })
    const unStops = followStops({ libvirt, inventory, users, clock, log })
    const { defaultPool } = deps
    const volumes = createVolumes({ libvirt, inventory, declared, users, system, clock, uid, defaultPool })
    const pools = createPools({ libvirt, inventory, users, system, clock, ownFolders: [stagingFolder] })
    const intake = createIntake({ system, sandbox, inventory, volumes, stagingFolder })
    const uploads = createUploads({ system, tasks, clock, log, intake, volumes, folder: `${stagingFolder}/uploads` })
    const refused = checkNetworks(deps.refusedNetworks ?? [])
    const rules = () => ({
        own: Object.values(networkInterfaces()).flatMap(addresses => (addresses ?? []).map(a => a.address)),
        refused,
        allowed: deps.allowedAddresses,
    })
    const folder = `${stagingFolder}/work`
    const imports = createImports({ system, tasks, intake, volumes, users, importFolders, rules, folder })
    const downloads = createDownloads({ volumes, users, clock, log })
    tasks.onUndo(POOL_UNDO, pools.takeBack)
    tasks.onUndo('volume.remove', undoRemove({ tasks, volumes, declared, users, inventory, clock, log }))

    return {
        name: 'image',
        services: imageService({ tasks, inventory, pools, volumes, uploads, imports, downloads, users }),
        routes: [uploads.route, downloads.route],
        async start() {
            await declared.ready()
            await uploads.start()
            await imports.start()
        },
        async close() {
            uploads.close()
            unStops()
            inventory.close()
            await declared.close()
        },
        volumes,
        inventory,
        sandbox,
        ensurePool: pools.ensure,
    }
}
