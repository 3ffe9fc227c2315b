// Keeps the VMs in memory true to libvirt: a full read when the connection is up, then every event, and slow sweeps.
import type { Fault } from '../../base/fault.ts'
import { type DomainRef, type Libvirt, libvirtErrorOf, uuidFromBytes, VIR } from '../../drivers/libvirt/libvirt.ts'
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import type { Clock, Log } from '../../ports/ports.ts'
import { checkRevision, type Inventory, type VmEntry } from './inventory.ts'
import { entryOf, type Known, NOWAIT, readStates, revisionOf } from './inventory-read.ts'
import { createStore } from './inventory-store.ts'
import { readRecord, reasonOf, stateOf } from './states.ts'
import { readSummary } from './xml/read-summary.ts'

export interface InventoryDeps {
    libvirt: LibvirtLink
    clock: Clock
    log: Log
    /** How often what no event tells (autostart, changes of the next start by others) is looked for; 60 s. */
    sweepMs?: number
}

// The connection has four places for calls under way: one stays free for people.
const READERS = 3
// All definitions are read again once in this many sweeps.
const SWEEPS_PER_ROUND = 30

const LOST: ReadonlySet<unknown> = new Set(['unavailable', 'deadline'])

/** Begins at once; `ready()` tells when the first read is through. */
export function createInventory(deps: InventoryDeps): Inventory {
    const { libvirt, clock, log } = deps
    const store = createStore(clock)
    const dirty = new Map<string, { dom: DomainRef; definition: boolean; started: boolean }>()
    const busy = new Set<string>()
    const locks = new Map<string, Promise<unknown>>()
    let reading = false
    let epoch = 0
    let closed = false
    let sweepAt = 0
    // Moments are counted: each start is one, and each time that libvirt was away, when starts are not heard of.
    let moments = 0
    let awayAt = 0
    const startedAt = new Map<string, number>()
    let markReady = () => {}
    const readied = new Promise<void>(resolve => {
        markReady = resolve
    })

    // --- events

    function mark(dom: DomainRef, definition: boolean, started = false): void {
        const uuid = uuidFromBytes(dom.uuid)
        const before = dirty.get(uuid)
        dirty.set(uuid, {
            dom,
            definition: definition || (before?.definition ?? false),
            started: started || (before?.started ?? false),
        })
        if (!reading) pump()
    }

    function pump(): void {
        for (const [uuid, what] of dirty) {
            if (busy.size >= READERS) return
            if (busy.has(uuid)) continue
            dirty.delete(uuid)
            busy.add(uuid)
            void readOne(uuid, what)
                .catch(trouble => {
                    if (libvirt.up && !closed)
                        log.warn('a VM could not be read', { uuid, error: String((trouble as Error).message) })
                })
                .finally(() => {
                    busy.delete(uuid)
                    if (!reading) pump()
                })
        }
    }

    const stopEvents = libvirt.onEvent(happened => {
        if (happened.noun !== 'domain') return
        const { kind, event } = happened
        const { dom } = event as { dom: DomainRef }
        const entry = store.byUuid(uuidFromBytes(dom.uuid))
        switch (kind) {
            case 'lifecycle': {
                const started = event.event === VIR.VIR_DOMAIN_EVENT_STARTED
                if (started) startedAt.set(uuidFromBytes(dom.uuid), ++moments)
                const pauses: number[] = [VIR.VIR_DOMAIN_EVENT_SUSPENDED, VIR.VIR_DOMAIN_EVENT_RESUMED]
                return mark(dom, !pauses.includes(event.event), started)
            }
            case 'balloonChange':
                if (entry) store.put({ ...entry, memoryBytes: Number(event.actual) * 1024 })
                return
            case 'agentLifecycle':
                if (entry) store.put({ ...entry, agentConnected: event.state === 1 })
                return
            case 'pmsuspend':
            case 'pmsuspendDisk':
            case 'pmwakeup':
                return mark(dom, false)
            case 'deviceAdded':
            case 'deviceRemoved':
            case 'diskChange':
            case 'trayChange':
            case 'metadataChange':
            case 'blockJob2':
            case 'jobCompleted':
            case 'memoryDeviceSizeChange':
            case 'nicMacChange':
                return mark(dom, true)
        }
    })

    // --- reading one

    async function readOne(uuid: string, what: { dom: DomainRef; definition: boolean; started: boolean }) {
        const connection = libvirt.connection()
        const { retStats } = await connection.call('connectGetAllDomainStats', {
            doms: [what.dom],
            stats: VIR.VIR_DOMAIN_STATS_STATE,
            flags: NOWAIT,
        })
        const [record] = retStats
        if (!record) return store.drop(uuid)
        const { state, reason } = readRecord(record)
        const entry = store.byUuid(uuid)
        const startedMs = what.started ? clock.now() : record.dom.id >= 0 ? entry?.startedMs : undefined
        if (entry) {
            const active = record.dom.id >= 0
            store.put({
                ...entry,
                dom: record.dom,
                state: stateOf(state),
                reason: reasonOf(state, reason),
                active,
                startedMs,
                ...(active ? {} : { cpu: 0, pending: false, agentConnected: false }),
            })
            if (!what.definition) return
        }
        const persistent = (await connection.call('domainIsPersistent', { dom: record.dom })).persistent === 1
        const autostart =
            persistent && (await connection.call('domainGetAutostart', { dom: record.dom })).autostart === 1
        await readDefinition(connection, record.dom, { state, reason, autostart, persistent }, startedMs)
    }

    async function readDefinition(connection: Libvirt, dom: DomainRef, known: Known, startedMs?: number) {
        const uuid = uuidFromBytes(dom.uuid)
        const active = dom.id >= 0
        let inactive: string
        let running: string | undefined
        try {
            const [next, now] = await Promise.all([
                connection.call('domainGetXMLDesc', { dom, flags: VIR.VIR_DOMAIN_XML_INACTIVE }),
                active ? connection.call('domainGetXMLDesc', { dom, flags: 0 }) : undefined,
            ])
            inactive = next.xml
            running = now?.xml
        } catch (trouble) {
            if (libvirtErrorOf(trouble)?.number === VIR.VIR_ERR_NO_DOMAIN) return store.drop(uuid)
            throw trouble
        }
        const revision = revisionOf(inactive)
        const before = store.byUuid(uuid)
        const state = {
            dom,
            state: stateOf(known.state),
            reason: reasonOf(known.state, known.reason),
            active,
            autostart: known.autostart,
            persistent: known.persistent,
            startedMs: startedMs ?? (active ? before?.startedMs : undefined),
        }
        if (before && before.revision === revision && !running && !before.active && before.name === dom.name) {
            store.put({ ...before, ...state })
            return
        }
        const next = readSummary(inactive)
        const now = running === undefined ? undefined : readSummary(running)
        store.put({
            ...entryOf(next, now),
            ...state,
            uuid,
            name: dom.name,
            revision,
            cpu: active ? (before?.cpu ?? 0) : 0,
        })
    }

    // --- reading all

    async function readAll(connection: Libvirt): Promise<void> {
        const mine = ++epoch
        reading = true
        const beganMs = clock.ticks()
        try {
            const all = await readStates(connection)
            for (const entry of store.list()) if (!all.has(entry.uuid)) store.drop(entry.uuid)
            for (const uuid of startedAt.keys()) if (!all.has(uuid)) startedAt.delete(uuid)
            const rest = all.values()
            await Promise.all(
                Array.from({ length: READERS }, async () => {
                    for (const { dom, known } of rest) {
                        if (mine !== epoch) return
                        await readDefinition(connection, dom, known).catch(trouble => {
                            // One VM that libvirt cannot describe must not hide all others.
                            if (connection.ended || LOST.has((trouble as Fault).code)) throw trouble
                            log.warn('a VM could not be read', { name: dom.name, error: (trouble as Error).message })
                        })
                    }
                }),
            )
            if (mine !== epoch) return
            store.synced()
            markReady()
            log.info('the VMs are read', { count: all.size, tookMs: Math.round(clock.ticks() - beganMs) })
        } catch (trouble) {
            if (mine !== epoch || closed) return
            log.warn('the VMs could not be read', { error: String((trouble as Error).message) })
            // The connection may live on: try again; when it does not, coming up again begins a read of its own.
            clock.after(2000, () => {
                if (mine === epoch && libvirt.up && !closed) void readAll(libvirt.connection())
            })
        } finally {
            if (mine === epoch) {
                reading = false
                pump()
            }
        }
    }

    async function sweep(): Promise<void> {
        if (reading || !libvirt.up || store.stale) return
        const mine = epoch
        const all = await readStates(libvirt.connection())
        if (mine !== epoch) return
        for (const [uuid, { dom, known }] of all) {
            const entry = store.byUuid(uuid)
            const same =
                entry?.name === dom.name &&
                entry.state === stateOf(known.state) &&
                entry.autostart === known.autostart &&
                entry.persistent === known.persistent
            if (!same) mark(dom, true)
        }
        const list = store.list()
        for (const entry of list) if (!all.has(entry.uuid)) mark(entry.dom, true)
        const share = Math.max(2, Math.ceil(list.length / SWEEPS_PER_ROUND))
        for (let i = 0; i < Math.min(share, list.length); i++) mark(list[sweepAt++ % list.length]!.dom, true)
    }

    const stopSweep = clock.every(deps.sweepMs ?? 60_000, () => {
        void sweep().catch(trouble => log.debug('a sweep ended early', { error: String((trouble as Error).message) }))
    })
    const stopDown = libvirt.onDown(() => {
        epoch++
        awayAt = ++moments
        reading = true
        dirty.clear()
        store.away()
    })
    const stopUp = libvirt.onUp(connection => void readAll(connection))

    // --- asking

    const must = (uuid: string): VmEntry => store.byUuid(uuid) ?? store.resolve(uuid)

    async function alone<T>(uuid: string, work: () => Promise<T>): Promise<T> {
        const before = locks.get(uuid) ?? Promise.resolve()
        const run = before.then(work, work)
        const settled = run.catch(() => undefined)
        locks.set(uuid, settled)
        try {
            return await run
        } finally {
            if (locks.get(uuid) === settled) locks.delete(uuid)
        }
    }

    const xmlOf = async (uuid: string, flags: number) =>
        (await libvirt.connection().call('domainGetXMLDesc', { dom: must(uuid).dom, flags })).xml

    async function inactiveXml(uuid: string, options: { secure?: boolean } = {}) {
        const xml = await xmlOf(uuid, VIR.VIR_DOMAIN_XML_INACTIVE)
        const revision = revisionOf(xml)
        if (!options.secure) return { xml, revision }
        return { xml: await xmlOf(uuid, VIR.VIR_DOMAIN_XML_INACTIVE | VIR.VIR_DOMAIN_XML_SECURE), revision }
    }

    async function refresh(uuid: string): Promise<VmEntry | undefined> {
        const dom = store.byUuid(uuid)?.dom ?? { name: '', uuid: Buffer.from(uuid.replaceAll('-', ''), 'hex'), id: -1 }
        await readOne(uuid, { dom, definition: true, started: false })
        return store.byUuid(uuid)
    }

    return {
        ...store.reading,
        get stale() {
            return store.stale
        },
        refresh,
        inactiveXml,
        async activeXml(uuid) {
            if (!must(uuid).active) return undefined
            return xmlOf(uuid, 0)
        },
        edit: (uuid, revision, work) =>
            alone(uuid, async () => {
                const now = await inactiveXml(uuid, { secure: true })
                checkRevision(revision, now.revision)
                try {
                    return await work(now.xml)
                } finally {
                    await refresh(uuid).catch(() => undefined)
                }
            }),
        moment: () => moments,
        startedSince: (uuid, moment) => awayAt > moment || (startedAt.get(uuid) ?? 0) > moment,
        ready: () => readied,
        async close() {
            closed = true
            epoch++
            for (const stop of [stopEvents, stopSweep, stopDown, stopUp]) stop()
            store.close()
        },
    }
}
