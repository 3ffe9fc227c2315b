// The libvirt networks in memory: read whole when libvirt comes up, then kept by its events, and healed each minute.

import { asFault, Fault } from '../../base/fault.ts'
import type { Libvirt } from '../../drivers/libvirt/libvirt.ts'
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import { networkRef, uuidFromBytes } from '../../drivers/libvirt/refs.ts'
import { createFeed } from '../../engine/feed.ts'
import type { Clock, Log } from '../../ports/ports.ts'
import { type NetworkXml, readNetworkXml } from './xml.ts'

export interface SeenNetwork extends NetworkXml {
    active: boolean
    autostart: boolean
    persistent: boolean
    xml: string
}

/** `synced` alone is said once, behind the last network that existed. */
export type NetworkChange =
    | { synced: false; network: SeenNetwork; removed: boolean; existing: boolean }
    | { synced: true }

const HEAL_MS = 60_000

/** Follows from the start; `close` ends it. */
export function createNetworkInventory({ libvirt, clock, log }: { libvirt: LibvirtLink; clock: Clock; log: Log }) {
    const networks = new Map<string, SeenNetwork>()
    const feed = createFeed<NetworkChange>()
    // Reads of one network must not overtake each other: the later answer is the truer.
    const turns = new Map<string, Promise<unknown>>()
    let synced = false
    let reading: Promise<void> | undefined

    function put(network: SeenNetwork) {
        const before = networks.get(network.uuid)
        networks.set(network.uuid, network)
        if (before && same(before, network)) return
        feed.publish(network.uuid, { network, removed: false, existing: false, synced: false })
    }
    function drop(uuid: string) {
        const network = networks.get(uuid)
        if (!network) return
        networks.delete(uuid)
        feed.publish(uuid, { network, removed: true, existing: false, synced: false })
    }

    /** Reads one network again; gone is dropped. */
    function refresh(uuid: string): Promise<void> {
        const read = async () => {
            const seen = await readNetwork(libvirt.connection(), uuid)
            if (seen) put(seen)
            else drop(uuid)
        }
        const mine = (turns.get(uuid) ?? Promise.resolve()).catch(() => undefined).then(read)
        turns.set(uuid, mine)
        return mine.finally(() => {
            if (turns.get(uuid) === mine) turns.delete(uuid)
        })
    }

    /** Reads all: what is gone is dropped, what is new is found. One at a time. */
    function readAll(): Promise<void> {
        reading ??= (async () => {
            const { nets } = await libvirt.connection().call('connectListAllNetworks', { need_results: 1, flags: 0 })
            const uuids = nets.map(net => uuidFromBytes(net.uuid))
            for (const uuid of uuids) await refresh(uuid)
            for (const uuid of [...networks.keys()]) if (!uuids.includes(uuid)) await refresh(uuid)
            synced = true
        })().finally(() => {
            reading = undefined
        })
        return reading
    }
    const quietly = (work: Promise<unknown>) =>
        void work.catch(thrown => {
            if (libvirt.up) log.warn('Networks could not be read', { why: asFault(thrown).message })
        })

    const stops = [
        libvirt.onUp(() => quietly(readAll())),
        libvirt.onEvent(({ noun, event }) => {
            if (noun === 'network') quietly(refresh(uuidFromBytes((event as { net: { uuid: Uint8Array } }).net.uuid)))
        }),
        // Autostart and virNetworkUpdate send no event.
        clock.every(HEAL_MS, () => libvirt.up && quietly(readAll())),
    ]

    return {
        refresh,
        /** What is known at this moment. */
        now: (): SeenNetwork[] => [...networks.values()],
        /** By name. @throws Fault `unavailable` when libvirt was never there to ask */
        async list(): Promise<SeenNetwork[]> {
            if (!synced) await readAll()
            return [...networks.values()].sort((a, b) => a.name.localeCompare(b.name))
        },
        /** By UUID or name. @throws Fault `not-found` */
        async find(ref: string): Promise<SeenNetwork> {
            const all = await this.list()
            const found = all.find(n => n.uuid === ref.toLowerCase()) ?? all.find(n => n.name === ref)
            if (found) return found
            throw new Fault('not-found', {
                summary: 'There is no such network',
                detail: JSON.stringify(ref.slice(0, 80)),
                fix:
                    all.length > 0
                        ? `There are: ${all
                              .map(n => n.name)
                              .slice(0, 20)
                              .join(', ')}.`
                        : 'There are none: create one.',
                at: 'network',
            })
        },
        watch: (signal: AbortSignal) =>
            feed.watch(signal, () => {
                const all = [...networks.values()].sort((a, b) => a.name.localeCompare(b.name))
                const existing = all.map(
                    (network): NetworkChange => ({ network, removed: false, existing: true, synced: false }),
                )
                return [...existing, { synced: true }]
            }),
        close() {
            for (const stop of stops) stop()
            feed.close()
        },
    }
}

export type NetworkInventory = ReturnType<typeof createNetworkInventory>

/** The network as libvirt has it now; undefined when it is gone. */
async function readNetwork(connection: Libvirt, uuid: string): Promise<SeenNetwork | undefined> {
    const net = networkRef({ uuid })
    try {
        const [{ xml }, { active }, { persistent }] = await Promise.all([
            connection.call('networkGetXMLDesc', { net, flags: 0 }),
            connection.call('networkIsActive', { net }),
            connection.call('networkIsPersistent', { net }),
        ])
        // A transient network has no autostart to ask for.
        const { autostart } = persistent ? await connection.call('networkGetAutostart', { net }) : { autostart: 0 }
        const state = { active: active === 1, persistent: persistent === 1, autostart: autostart === 1 }
        return { ...readNetworkXml(xml), ...state, uuid, xml }
    } catch (thrown) {
        if (asFault(thrown).code === 'not-found') return undefined
        throw thrown
    }
}

const same = (a: SeenNetwork, b: SeenNetwork) =>
    a.xml === b.xml && a.active === b.active && a.autostart === b.autostart && a.persistent === b.persistent
