// The entries of the inventory: found by UUID, name, path and MAC, listed by name, and handed to watchers as they change.
import { toBinary, toJsonString } from '@bufbuild/protobuf'
import { Fault } from '../../base/fault.ts'
import { type Vm, VmSchema } from '../../gen/proto/capabilities/vm/vm_pb.js'
import type { Clock } from '../../ports/ports.ts'
import type { Inventory, InventoryChange, VmEntry, VolumeNames } from './inventory.ts'
import { lineOf, sameEntry, sameTexts } from './inventory-line.ts'

interface Cached {
    line?: Vm
    encoded?: Uint8Array
    json?: Uint8Array
}

interface Watcher {
    changed: Map<string, VmEntry | undefined>
    synced: boolean
    wake: () => void
}

type Reading = Pick<
    Inventory,
    | 'resolve'
    | 'byUuid'
    | 'byName'
    | 'list'
    | 'usersOfPath'
    | 'usersOfVolume'
    | 'macs'
    | 'watch'
    | 'until'
    | 'note'
    | 'line'
    | 'encoded'
    | 'json'
>

export interface Store {
    reading: Reading
    readonly stale: boolean
    byUuid(uuid: string): VmEntry | undefined
    resolve(ref: string): VmEntry
    list(): readonly VmEntry[]
    /** Takes an entry; one that says the same as before changes nothing. */
    put(entry: VmEntry): void
    drop(uuid: string): void
    /** All is read. */
    synced(): void
    /** libvirt is away: what is known may be old. */
    away(): void
    close(): void
}

const before = (a: VmEntry, b: VmEntry): boolean => a.name < b.name || (a.name === b.name && a.uuid < b.uuid)

export function createStore(clock: Clock): Store {
    const entries = new Map<string, VmEntry>()
    const names = new Map<string, string>()
    const caches = new WeakMap<VmEntry, Cached>()
    const watchers = new Set<Watcher>()
    let sorted: VmEntry[] = []
    let shared = false
    let stale = true
    let closed = false
    let users: Map<string, Set<string>> | undefined
    let macs: Map<string, VmEntry> | undefined

    /** Where the entry is, or belongs, in `sorted`. */
    function place(entry: VmEntry): number {
        let low = 0
        let high = sorted.length
        while (low < high) {
            const middle = (low + high) >> 1
            if (before(sorted[middle]!, entry)) low = middle + 1
            else high = middle
        }
        return low
    }
    function change(work: () => void): void {
        // Someone may be walking the array that was handed out.
        if (shared) sorted = sorted.slice()
        shared = false
        work()
    }
    function tell(uuid: string, entry: VmEntry | undefined): void {
        for (const watcher of watchers) {
            watcher.changed.set(uuid, entry)
            watcher.wake()
        }
    }

    function put(given: VmEntry, isLoad = false): void {
        const old = entries.get(given.uuid)
        const changes = old?.changes ?? 0
        const same = { ...given, changes }
        if (old && sameEntry(old, same)) return
        const entry = isLoad ? same : { ...given, changes: changes + 1 }
        if (!old || !sameTexts(old.paths, entry.paths)) users = undefined
        macs = undefined
        change(() => {
            if (old && old.name === entry.name) sorted[place(old)] = entry
            else {
                if (old) sorted.splice(place(old), 1)
                sorted.splice(place(entry), 0, entry)
            }
        })
        if (old && old.name !== entry.name && names.get(old.name) === old.uuid) names.delete(old.name)
        names.set(entry.name, entry.uuid)
        entries.set(entry.uuid, entry)
        // While all is read for the first time, so that the first list does not have to encode thousands at once.
        if (stale) encoded(entry)
        tell(entry.uuid, entry)
    }

    function drop(uuid: string): void {
        const old = entries.get(uuid)
        if (!old) return
        change(() => sorted.splice(place(old), 1))
        entries.delete(uuid)
        if (names.get(old.name) === uuid) names.delete(old.name)
        users = undefined
        macs = undefined
        tell(uuid, undefined)
    }

    const byUuid = (uuid: string) => entries.get(uuid.toLowerCase())
    const byName = (name: string) => entries.get(names.get(name) ?? '')
    const list = () => {
        shared = true
        return sorted
    }

    function resolve(ref: string): VmEntry {
        const a = byUuid(ref)
        const b = byName(ref)
        if (a && b && a !== b) {
            throw new Fault('invalid', {
                summary: 'That is the UUID of one VM and the name of another',
                detail: ref.slice(0, 80),
                fix: 'Name the second one by its own UUID, and rename it.',
                at: 'vm',
            })
        }
        const found = a ?? b
        if (found) return found
        if (stale && entries.size === 0) {
            throw new Fault('unavailable', {
                summary: 'The VMs are not read yet',
                detail: 'libvirt cannot be reached, or its answers are still coming',
                fix: 'Try again in a moment; if it stays so, look at systemctl status libvirtd.',
            })
        }
        throw new Fault('not-found', {
            summary: 'There is no such VM',
            detail: JSON.stringify(ref.slice(0, 80)),
            fix: 'List the VMs to see their names: debvisor vm list',
            at: 'vm',
        })
    }

    function usersOf(sources: string[]): VmEntry[] {
        if (!users) {
            users = new Map()
            for (const entry of sorted) {
                for (const used of entry.paths) {
                    const set = users.get(used) ?? new Set()
                    users.set(used, set.add(entry.uuid))
                }
            }
        }
        const found = new Set(sources.flatMap(source => [...(users?.get(source) ?? [])]))
        return [...found].flatMap(uuid => entries.get(uuid) ?? [])
    }
    const usersOfPath = (path: string) => usersOf([path])
    const usersOfVolume = ({ path, pool, name }: VolumeNames) => usersOf([path, `${pool}/${name}`])

    function allMacs(): ReadonlyMap<string, VmEntry> {
        macs ??= new Map(sorted.flatMap(entry => entry.macs.map(mac => [mac, entry] as const)))
        return macs
    }

    async function* watch(signal: AbortSignal): AsyncGenerator<InventoryChange> {
        let wake = () => {}
        const watcher: Watcher = { changed: new Map(), synced: false, wake: () => wake() }
        watchers.add(watcher)
        const abort = () => wake()
        signal.addEventListener('abort', abort)
        try {
            let told = stale
            yield { changed: [...sorted], removed: [], synced: !stale, stale }
            while (!signal.aborted && !closed) {
                if (watcher.changed.size === 0 && !watcher.synced && told === stale) {
                    await new Promise<void>(resolve => {
                        wake = resolve
                    })
                    continue
                }
                const all = [...watcher.changed]
                const { synced } = watcher
                watcher.changed = new Map()
                watcher.synced = false
                told = stale
                yield {
                    changed: all.flatMap(([, entry]) => entry ?? []),
                    removed: all.flatMap(([uuid, entry]) => (entry ? [] : uuid)),
                    synced,
                    stale,
                }
            }
        } finally {
            signal.removeEventListener('abort', abort)
            watchers.delete(watcher)
        }
    }

    const until: Inventory['until'] = async (uuid, holds, { deadlineMs, signal }) => {
        const now = byUuid(uuid)
        if (holds(now)) return now
        return new Promise((resolve, reject) => {
            const end = (settle: () => void) => {
                stopTimer()
                signal?.removeEventListener('abort', aborted)
                watchers.delete(watcher)
                settle()
            }
            const watcher: Watcher = {
                changed: new Map(),
                synced: false,
                wake: () => {
                    watcher.changed.clear()
                    const entry = byUuid(uuid)
                    if (holds(entry)) end(() => resolve(entry))
                },
            }
            const aborted = () =>
                end(() => reject(new Fault('cancelled', { summary: 'The operation was cancelled', at: 'vm' })))
            const stopTimer = clock.after(deadlineMs, () =>
                end(() =>
                    reject(
                        new Fault('deadline', {
                            summary: 'The VM did not get into the expected state in time',
                            detail: `${byUuid(uuid)?.name ?? uuid} after ${Math.round(deadlineMs / 1000)} s`,
                            fix: 'Look at its console to see what it does.',
                        }),
                    ),
                ),
            )
            if (signal?.aborted) return aborted()
            signal?.addEventListener('abort', aborted)
            watchers.add(watcher)
        })
    }

    const cacheOf = (entry: VmEntry): Cached => {
        let cached = caches.get(entry)
        if (!cached) {
            cached = {}
            caches.set(entry, cached)
        }
        return cached
    }
    const line = (entry: VmEntry): Vm => {
        const cached = cacheOf(entry)
        cached.line ??= lineOf(entry)
        return cached.line
    }
    const encoded = (entry: VmEntry): Uint8Array => {
        const cached = cacheOf(entry)
        cached.encoded ??= toBinary(VmSchema, cached.line ?? lineOf(entry))
        return cached.encoded
    }
    const json = (entry: VmEntry): Uint8Array => {
        const cached = cacheOf(entry)
        cached.json ??= Buffer.from(toJsonString(VmSchema, line(entry)))
        return cached.json
    }

    return {
        reading: {
            resolve,
            byUuid,
            byName,
            list,
            usersOfPath,
            usersOfVolume,
            macs: allMacs,
            watch,
            until,
            line,
            encoded,
            json,
            note(samples) {
                for (const [uuid, { cpu, vcpus, memoryBytes }] of samples) {
                    const entry = entries.get(uuid)
                    if (!entry?.active) continue
                    // A list need not flicker for every thousandth.
                    const rounded = Math.round(cpu * 100) / 100
                    const now = { vcpus: vcpus ?? entry.vcpus, memoryBytes: memoryBytes ?? entry.memoryBytes }
                    put({ ...entry, ...now, cpu: rounded }, now.vcpus === entry.vcpus)
                }
            },
        },
        get stale() {
            return stale
        },
        byUuid,
        resolve,
        list,
        put,
        drop,
        synced() {
            stale = false
            for (const watcher of watchers) {
                watcher.synced = true
                watcher.wake()
            }
        },
        away() {
            stale = true
            for (const watcher of watchers) watcher.wake()
        },
        close() {
            closed = true
            for (const watcher of watchers) watcher.wake()
        },
    }
}
