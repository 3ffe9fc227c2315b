// The vm capability: the inventory, the figures, and the service, made from what the daemon hands over.
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import type { Tasks } from '../../engine/task.ts'
import { VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import type { Clock, Log, System } from '../../ports/ports.ts'
import type { Capability } from '../capability.ts'
import type { VmDeps } from './deps.ts'
import { createFigures, type FigureStore } from './figures.ts'
import { createHost } from './host.ts'
import type { Inventory, VmEntry, VolumeNames } from './inventory.ts'
import { createInventory } from './inventory-live.ts'
import { registerLifecycle, type ShutdownAllOptions, shutdownAll, startAfterBoot } from './lifecycle.ts'
import { createMaker } from './make.ts'
import { registerMove } from './move.ts'
import { dropNvramPool } from './nvram.ts'
import { registerPower } from './power.ts'
import { registerRemove } from './remove.ts'
import { changeMethods } from './rpc/change.ts'
import { makeMethods } from './rpc/create.ts'
import { listMethods } from './rpc/list.ts'
import { readMethods } from './rpc/read.ts'
import { snapshotMethods } from './rpc/snapshots.ts'
import { registerSnapshots } from './snapshots-back.ts'
import { usersOf } from './sources.ts'
import { registerTakeBack } from './take-back.ts'
import type { Volumes } from './volumes.ts'

export interface VmParts {
    libvirt: LibvirtLink
    volumes: Volumes
    tasks: Tasks
    clock: Clock
    log: Log
    /** What guests can really be run with here. */
    accelerator: 'kvm' | 'tcg'
    /** Folder for VNC sockets: QEMU may make them there, and the daemon may connect. */
    vncFolder: string
    /** Tags on which grants rest: only an administrator may set or take them. */
    tagsWithGrants(): ReadonlySet<string>
    /** Without it VMs with a start order are not started after a boot of the node. */
    boot?: {
        system: Pick<System, 'readText' | 'writeFile'>
        /** A file of our own that remembers which boot of the node was served. */
        stateFile: string
    }
}

export interface VmCapability extends Capability {
    inventory: Inventory
    figures: FigureStore
    /** Who has a volume, and how; from memory. */
    usersOf(volume: VolumeNames): ReturnType<typeof usersOf>
    /** Orderly end of all guests, for when the node goes down; answers who still runs. */
    shutdownAll(options: ShutdownAllOptions): Promise<VmEntry[]>
}

/** Reads libvirt's VMs from now on; `start` begins the figures, and what is due after a boot of the node. */
export function createVm(parts: VmParts): VmCapability {
    const { libvirt, clock, log, tasks } = parts
    const inventory = createInventory({ libvirt, clock, log })
    const deps: VmDeps = { ...parts, inventory }
    const host = createHost(parts)
    const maker = createMaker(deps)
    const figures = createFigures(deps)
    const hardware = { ...deps, host, maker }
    registerPower(deps)
    registerLifecycle({ ...deps, boot: parts.boot })
    registerRemove(deps)
    registerMove(hardware)
    registerTakeBack(deps)
    registerSnapshots(hardware)

    return {
        name: 'vm',
        inventory,
        figures,
        usersOf: volume => usersOf(inventory, volume),
        shutdownAll: options => shutdownAll(deps, options),
        services(router) {
            router.service(VmService, {
                ...listMethods(inventory),
                ...readMethods(deps, figures),
                ...changeMethods({ ...hardware, tagsWithGrants: parts.tagsWithGrants }),
                ...makeMethods({ ...hardware, tagsWithGrants: parts.tagsWithGrants }),
                ...snapshotMethods(hardware),
            })
        },
        async start() {
            figures.start()
            libvirt.onUp(() => void dropNvramPool(libvirt).catch(() => undefined))
            if (!parts.boot) return
            void startAfterBoot({ ...deps, tasks, ...parts.boot }).catch(trouble =>
                log.error('VMs could not be started after the boot', { error: String((trouble as Error).message) }),
            )
        },
        async close() {
            figures.close()
            await inventory.close()
        },
    }
}
