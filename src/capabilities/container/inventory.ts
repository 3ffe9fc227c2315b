// The containers in memory, as Docker has them: read anew after a reconnect, followed by events in between.
import { asFault, Fault } from '../../base/fault.ts'
import type { DockerLink, EngineEvent } from '../../drivers/docker/link.ts'
import type { Clock, Log } from '../../ports/ports.ts'
import type { EngineContainer, EngineNetwork, EngineVolume } from './engine-types.ts'
import { type ContainerEntry, entryOf, LABEL_OWNER, LABEL_STACK, LABEL_TAGS } from './entry.ts'
import { reachesHost } from './marks.ts'

/** What else of Docker changes: its lists are short, and read when they are asked for. */
export type Touched = 'images' | 'volumes' | 'networks'

export interface InventoryChange {
    changed: ContainerEntry[]
    removed: string[]
    touched: Touched[]
    /** All there was has been said. */
    synced: boolean
    stale: boolean
}

export interface Inventory {
    /** By name. */
    list(): ContainerEntry[]
    byId(id: string): ContainerEntry | undefined
    /** By id, name, or the beginning of an id. @throws Fault `not-found` */
    resolve(ref: string): ContainerEntry
    /** Reads one again; undefined when it is gone. */
    refresh(id: string): Promise<ContainerEntry | undefined>
    /** Docker is away, or was not read yet: what is known may be old. */
    readonly stale: boolean
    /** Resolves when it was read once, or Docker is known to be away. */
    ready(): Promise<void>
    watch(signal: AbortSignal): AsyncGenerator<InventoryChange>
    /** The load of some has been taken: those who watch are told. */
    note(ids: Iterable<string>): void
    close(): void
}

const AT_ONCE = 8
const SHORTEST_ID = 12
/** So long a first question waits for the first reading. */
const READY_MS = 2_000
const CHANGES = /^(create|start|die|stop|kill|pause|unpause|restart|destroy|rename|update|oom|health_status.*)$/
const IMAGE_LABELS_KEPT = 500

interface Reader {
    changed: Set<string>
    removed: Set<string>
    touched: Set<Touched>
    fresh: boolean
    wake(): void
}

export function createInventory({ docker, clock, log }: { docker: DockerLink; clock: Clock; log: Log }): Inventory {
    const entries = new Map<string, ContainerEntry>()
    const readers = new Set<Reader>()
    /** Reads under way, by id; true where it has to be read once more. */
    const reading = new Map<string, { again: boolean; done: Promise<void> }>()
    const imageLabels = new Map<string, Record<string, string>>()
    const volumes = new Map<string, boolean>()
    /** Interfaces on the node, by the id of the network, which never gets another one. */
    const bridges = new Map<string, string>()
    let stale = true
    let closed = false
    let setReady = () => {}
    const whenReady = new Promise<void>(resolve => {
        setReady = resolve
    })

    const tell = (what: (reader: Reader) => void): void => {
        for (const reader of readers) {
            what(reader)
            reader.wake()
        }
    }
    const setStale = (now: boolean): void => {
        if (stale === now) return
        stale = now
        tell(reader => {
            reader.fresh = true
        })
    }

    function put(entry: ContainerEntry): void {
        entries.set(entry.id, entry)
        tell(reader => {
            reader.removed.delete(entry.id)
            reader.changed.add(entry.id)
        })
    }
    function drop(id: string): void {
        if (!entries.delete(id)) return
        tell(reader => {
            reader.changed.delete(id)
            reader.removed.add(id)
        })
    }

    /** One read at a time of each, so that an older answer never overwrites a newer one. */
    function read(id: string): Promise<void> {
        const before = reading.get(id)
        if (before) {
            before.again = true
            return before.done
        }
        const state = { again: false, done: Promise.resolve() }
        state.done = (async () => {
            try {
                do {
                    state.again = false
                    const entry = await look(id)
                    if (closed) return
                    if (entry) put(entry)
                    else drop(id)
                } while (state.again)
            } finally {
                reading.delete(id)
            }
        })()
        reading.set(id, state)
        return state.done
    }

    async function look(id: string): Promise<ContainerEntry | undefined> {
        try {
            const seen = await docker.json<EngineContainer>({ path: `/containers/${encodeURIComponent(id)}/json` })
            const named = seen.Mounts.flatMap(({ Type, Name }) => (Type === 'volume' && Name ? [Name] : []))
            const hostVolumes = new Set<string>()
            for (const name of named) if (await isHostVolume(name)) hostVolumes.add(name)
            const networks = Object.values(seen.NetworkSettings.Networks ?? {}).flatMap(one => one.NetworkID || [])
            const own: string[] = []
            for (const network of networks) own.push(await bridgeOf(network))
            return entryOf(seen, { imageLabels: await labelsOf(seen), hostVolumes, bridges: own })
        } catch (thrown) {
            if (asFault(thrown).code === 'not-found') return undefined
            throw thrown
        }
    }

    /** Asked only where the container has a label that gives rights. */
    async function labelsOf({ Image, Config }: EngineContainer): Promise<Record<string, string>> {
        const labels = Config.Labels ?? {}
        if (![LABEL_TAGS, LABEL_OWNER, LABEL_STACK].some(key => labels[key])) return {}
        const known = imageLabels.get(Image)
        if (known) return known
        const path = `/images/${encodeURIComponent(Image)}/json`
        let found: Record<string, string>
        try {
            const answer = await docker.json<{ Config?: { Labels?: Record<string, string> | null } }>({ path })
            found = answer.Config?.Labels ?? {}
        } catch (thrown) {
            // Removed by force while the container stands: its labels cannot be told apart, so none of them counts.
            if (asFault(thrown).code === 'not-found') return labels
            throw thrown
        }
        if (imageLabels.size >= IMAGE_LABELS_KEPT) imageLabels.delete(imageLabels.keys().next().value!)
        imageLabels.set(Image, found)
        return found
    }

    async function isHostVolume(name: string): Promise<boolean> {
        const known = volumes.get(name)
        if (known !== undefined) return known
        try {
            const volume = await docker.json<EngineVolume>({ path: `/volumes/${encodeURIComponent(name)}` })
            volumes.set(name, reachesHost(volume))
        } catch (thrown) {
            if (asFault(thrown).code !== 'not-found') throw thrown
            return false
        }
        return volumes.get(name)!
    }

    async function bridgeOf(network: string): Promise<string> {
        const known = bridges.get(network)
        if (known !== undefined) return known
        const path = `/networks/${encodeURIComponent(network)}`
        const { Options } = await docker.json<EngineNetwork>({ path }).catch(thrown => {
            // Of a container that stands still while its network is gone.
            if (asFault(thrown).code === 'not-found') return { Options: null }
            throw thrown
        })
        bridges.set(network, Options?.['com.docker.network.bridge.name'] ?? '')
        return bridges.get(network)!
    }

    async function readAll(): Promise<void> {
        volumes.clear()
        bridges.clear()
        const listed = await docker.json<{ Id: string }[]>({ path: '/containers/json', query: { all: true } })
        const ids = new Set(listed.map(({ Id }) => Id))
        for (const id of entries.keys()) if (!ids.has(id)) drop(id)
        const queue = [...ids]
        const lane = async () => {
            for (let id = queue.shift(); id !== undefined; id = queue.shift()) await read(id)
        }
        await Promise.all(Array.from({ length: AT_ONCE }, lane))
    }

    const stops = [
        docker.onUp(() => {
            readAll().then(
                () => {
                    setStale(!docker.up)
                    setReady()
                    tell(reader => {
                        for (const what of ['images', 'volumes', 'networks'] as const) reader.touched.add(what)
                    })
                },
                // The link has gone down again and comes back, or the Engine refuses what it must not.
                thrown => log.warn('the containers could not be read', { err: thrown }),
            )
        }),
        docker.onDown(() => setStale(true)),
        docker.onEvent(event => {
            const id = idIn(event)
            if (id) read(id).catch(thrown => log.debug('a container could not be read', { id, err: thrown }))
            const touched = TOUCHED[event.Type]
            if (event.Type === 'volume') volumes.delete(event.Actor.ID)
            if (touched) tell(reader => void reader.touched.add(touched))
        }),
    ]

    return {
        list: () => [...entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
        byId: id => entries.get(id),
        resolve(ref) {
            const wanted = ref.replace(/^\//, '')
            const exact = entries.get(wanted) ?? [...entries.values()].find(({ name }) => name === wanted)
            if (exact) return exact
            const begins =
                wanted.length >= SHORTEST_ID && /^[0-9a-f]+$/.test(wanted)
                    ? [...entries.keys()].filter(id => id.startsWith(wanted))
                    : []
            if (begins.length === 1) return entries.get(begins[0]!)!
            throw new Fault('not-found', {
                summary: 'There is no such container',
                detail: JSON.stringify(ref.slice(0, 80)),
                at: 'container',
                fix: stale
                    ? 'Docker is away, and what there is may not be known: look at debvisor container engine.'
                    : 'List them with: debvisor container list',
            })
        },
        async refresh(id) {
            await read(id)
            return entries.get(id)
        },
        get stale() {
            return stale
        },
        async ready() {
            if (!stale || docker.why) return
            await new Promise<void>(resolve => {
                const late = clock.after(READY_MS, resolve)
                void whenReady.then(() => {
                    late()
                    resolve()
                })
            })
        },
        async *watch(signal) {
            const reader: Reader = {
                changed: new Set(),
                removed: new Set(),
                touched: new Set(),
                fresh: false,
                wake() {},
            }
            readers.add(reader)
            const aborted = () => reader.wake()
            signal.addEventListener('abort', aborted)
            try {
                reader.changed.clear()
                yield { changed: [...entries.values()], removed: [], touched: [], synced: true, stale }
                while (!signal.aborted && !closed) {
                    const { changed, removed, touched, fresh } = reader
                    if (changed.size + removed.size + touched.size === 0 && !fresh) {
                        await new Promise<void>(resolve => {
                            reader.wake = resolve
                            if (signal.aborted) resolve()
                        })
                        continue
                    }
                    const change = {
                        changed: [...changed].flatMap(id => entries.get(id) ?? []),
                        removed: [...removed],
                        touched: [...touched],
                        ...{ synced: false, stale },
                    }
                    changed.clear()
                    removed.clear()
                    touched.clear()
                    reader.fresh = false
                    yield change
                }
            } finally {
                readers.delete(reader)
                signal.removeEventListener('abort', aborted)
            }
        },
        note(ids) {
            const known = [...ids].filter(id => entries.has(id))
            if (known.length > 0) tell(reader => known.forEach(id => void reader.changed.add(id)))
        },
        close() {
            closed = true
            for (const stop of stops) stop()
            tell(() => {})
        },
    }
}

const TOUCHED: Record<string, Touched | undefined> = { image: 'images', volume: 'volumes', network: 'networks' }

/** The container that an event changes; undefined for what changes none. */
function idIn({ Type, Action, Actor }: EngineEvent): string | undefined {
    if (Type === 'container') return CHANGES.test(Action) ? Actor.ID : undefined
    if (Type === 'network' && /^(dis)?connect$/.test(Action)) return Actor.Attributes?.container
    return undefined
}
