// Volumes of a VM that has stopped are read again: while it ran it wrote to them, and libvirt tells nobody how much.
import { asFault } from '../../base/fault.ts'
import { uuidFromBytes, VIR } from '../../drivers/libvirt/libvirt.ts'
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import type { Clock, Log } from '../../ports/ports.ts'
import type { Users } from './entries.ts'
import type { Inventory } from './inventory.ts'

/** Many VMs stop at once when a node is emptied: they are looked for together. */
const SETTLE_MS = 200

/** Begins to follow; the returned function ends it. */
export function followStops(deps: {
    libvirt: LibvirtLink
    inventory: Inventory
    users: Users
    clock: Clock
    log: Log
}): () => void {
    const { libvirt, inventory, users, clock, log } = deps
    const stopped = new Set<string>()
    let stopTimer: (() => void) | undefined

    async function look(): Promise<void> {
        stopTimer = undefined
        const uuids = new Set(stopped)
        stopped.clear()
        for (const { pool, name, path } of inventory.volumes()) {
            if (!users.ofPath(path).some(vm => uuids.has(vm.uuid))) continue
            await inventory.refreshVolume(pool, name).catch(thrown => {
                log.debug('a volume could not be read', { pool, name, why: asFault(thrown).message })
            })
        }
    }

    const unEvent = libvirt.onEvent(({ noun, kind, event }) => {
        if (noun !== 'domain' || kind !== 'lifecycle' || event.event !== VIR.VIR_DOMAIN_EVENT_STOPPED) return
        stopped.add(uuidFromBytes(event.dom.uuid))
        stopTimer ??= clock.after(SETTLE_MS, () => void look())
    })
    return () => {
        unEvent()
        stopTimer?.()
    }
}
