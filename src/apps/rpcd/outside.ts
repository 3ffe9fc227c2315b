// What libvirt and Docker tell and no task of ours explains: somebody else changed it, and the audit record says so.
import type { AuditSink } from '../../capabilities/audit/audit.ts'
import type { DockerLink } from '../../drivers/docker/link.ts'
import type { LibvirtEvent } from '../../drivers/libvirt/events.ts'
import { uuidFromBytes, VIR } from '../../drivers/libvirt/libvirt.ts'
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import type { TaskRecord, Tasks } from '../../engine/task.ts'
import type { Clock, Log } from '../../ports/ports.ts'
import { containerChanges } from './outside-docker.ts'

export interface OutsideDeps {
    libvirt: Pick<LibvirtLink, 'onEvent'>
    docker?: Pick<DockerLink, 'onEvent'>
    tasks: Pick<Tasks, 'some'>
    audit: Pick<AuditSink, 'event'>
    clock: Clock
    log: Log
}

export interface Outside {
    /** Changes of an object that the daemon makes without a task, until the work has ended. */
    ours<T>(object: { kind: Seen['kind']; name: string }, work: Promise<T>): Promise<T>
    close(): void
}

interface Seen {
    kind: 'vm' | 'network' | 'pool' | 'container'
    uuid: string
    name: string
    /** Such as `started`. */
    what: string
    /** libvirt's word for why, where it tells more. */
    why?: string
    /** That a container belongs to. */
    stack?: string
}

/** libvirt may tell of a change after the task that made it has ended. */
const GRACE_MS = 5_000
/** A guest that was asked to shut down takes its time, also after the task has given up waiting. */
const SHUTDOWN_MS = 10 * 60_000
/** The same of one object is recorded so often, the rest of it counted. */
const SAME_EVERY_MS = 60_000
const SAME_KEPT = 5_000
/** Of all together: a thousand VMs in a crash loop must not fill the disk. */
const MOST_A_MINUTE = 300

/** Follows the events of libvirt and Docker and records what came from elsewhere, as who `outside`. */
export function watchOutside({ libvirt, docker, tasks, audit, clock, log }: OutsideDeps): Outside {
    const ours = new Map<string, number>()
    const last = new Map<string, { atMs: number; since: number }>()
    const startedMs = new Map<string, number>()
    let recorded = 0
    let unrecorded = 0

    function write(words: { what: string; onId?: string; onName?: string; detail?: unknown }): void {
        audit
            .event({ who: 'outside', from: '', ...words, result: 'done' })
            .catch(thrown =>
                log.error('a change from outside could not be recorded', { what: words.what, err: thrown }),
            )
    }

    function hear(seen: Seen): void {
        const now = clock.ticks()
        const key = `${seen.kind}.${seen.what} ${seen.uuid}`
        const before = last.get(key)
        if (before && now - before.atMs < SAME_EVERY_MS) {
            before.since++
            return
        }
        if (recorded >= MOST_A_MINUTE) {
            unrecorded++
            return
        }
        recorded++
        last.delete(key)
        last.set(key, { atMs: now, since: 0 })
        if (last.size > SAME_KEPT) last.delete(last.keys().next().value!)
        const detail = {
            ...(seen.why ? { why: seen.why } : {}),
            ...(before?.since ? { since: `${before.since} more before` } : {}),
        }
        write({ what: `${seen.kind}.${seen.what}`, onId: seen.uuid, onName: seen.name, detail })
    }

    function isOurs(seen: Seen): boolean {
        if (ours.has(`${seen.kind} ${seen.name}`)) return true
        const now = clock.now()
        return tasks.some(task => explains(task, seen, now))
    }

    const stopEvents = libvirt.onEvent(event => {
        const seen = seenIn(event)
        if (!seen) return
        const now = clock.ticks()
        if (seen.what === 'started') {
            startedMs.delete(seen.uuid)
            startedMs.set(seen.uuid, now)
            if (startedMs.size > SAME_KEPT) startedMs.delete(startedMs.keys().next().value!)
        }
        // libvirt tells each start as a resume too.
        if (seen.what === 'resumed' && now - (startedMs.get(seen.uuid) ?? Number.NEGATIVE_INFINITY) < GRACE_MS) return
        if (!isOurs(seen)) hear(seen)
    })
    const changeOf = containerChanges(clock)
    const stopDocker = docker?.onEvent(event => {
        const seen = changeOf(event)
        if (seen && !isOurs(seen)) hear(seen)
    })
    const stopTimer = clock.every(60_000, () => {
        if (unrecorded > 0) write({ what: 'outside.more', detail: { unrecorded } })
        recorded = 0
        unrecorded = 0
    })

    return {
        async ours({ kind, name }, work) {
            const key = `${kind} ${name}`
            ours.set(key, (ours.get(key) ?? 0) + 1)
            try {
                return await work
            } finally {
                clock.after(GRACE_MS, () => {
                    const left = (ours.get(key) ?? 1) - 1
                    if (left > 0) ours.set(key, left)
                    else ours.delete(key)
                })
            }
        },
        close() {
            stopEvents()
            stopDocker?.()
            stopTimer()
        },
    }
}

/** Whether the change can be the task's doing. */
function explains(task: Readonly<TaskRecord>, seen: Seen, nowMs: number): boolean {
    const sinceMs = task.endedMs === undefined || task.undo.length > 0 ? 0 : nowMs - task.endedMs
    const asked = seen.what === 'stopped' && task.kind.startsWith('vm.shutdown')
    if (sinceMs > (asked ? SHUTDOWN_MS : GRACE_MS)) return false
    const { on } = task
    if (on?.kind === seen.kind) return on.id.toLowerCase() === seen.uuid || on.name === seen.name
    // A stack is changed by its containers.
    if (on?.kind === 'stack') return seen.kind === 'container' && seen.stack === on.name
    // Cleaning up names none of those that it takes away.
    if (seen.kind === 'container') return task.kind === 'container.prune'
    // Tasks about many VMs name none; one about a VM starts the network and the pool that it needs.
    return task.kind.startsWith('vm.') && (on === undefined || (seen.kind !== 'vm' && seen.what === 'started'))
}

const DOMAIN: Record<number, { what: string; why: Record<number, string> }> = {
    [VIR.VIR_DOMAIN_EVENT_DEFINED]: { what: 'defined', why: { 1: 'changed', 2: 'renamed', 3: 'from a snapshot' } },
    [VIR.VIR_DOMAIN_EVENT_UNDEFINED]: { what: 'undefined', why: { 1: 'renamed' } },
    [VIR.VIR_DOMAIN_EVENT_STARTED]: {
        what: 'started',
        why: { 1: 'migrated to here', 2: 'from its saved state', 3: 'from a snapshot' },
    },
    [VIR.VIR_DOMAIN_EVENT_STOPPED]: {
        what: 'stopped',
        why: {
            ...{ 0: 'shut down by the guest, or asked to', 1: 'by force', 2: 'crashed', 3: 'migrated away' },
            ...{ 4: 'saved', 5: 'QEMU failed', 6: 'by a snapshot' },
        },
    },
}
const NETWORK = ['defined', 'undefined', 'started', 'stopped']
const POOL = ['defined', 'undefined', 'started', 'stopped', 'created', 'deleted']

/** The change that an event tells of; undefined for what nobody did (an I/O error, a watchdog) and what is no change. */
function seenIn(happened: LibvirtEvent): Seen | undefined {
    if (happened.kind !== 'lifecycle') return undefined
    if (happened.noun === 'domain') {
        const { dom, event, detail } = happened.event
        const about = { kind: 'vm' as const, uuid: uuidFromBytes(dom.uuid), name: dom.name }
        if (event === VIR.VIR_DOMAIN_EVENT_SUSPENDED && detail === VIR.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED)
            return { ...about, what: 'suspended' }
        if (event === VIR.VIR_DOMAIN_EVENT_RESUMED && detail === VIR.VIR_DOMAIN_EVENT_RESUMED_UNPAUSED)
            return { ...about, what: 'resumed' }
        const told = DOMAIN[event]
        return told && { ...about, what: told.what, why: told.why[detail] }
    }
    if (happened.noun === 'network') {
        const { net, event } = happened.event
        const what = NETWORK[event]
        return what ? { kind: 'network', uuid: uuidFromBytes(net.uuid), name: net.name, what } : undefined
    }
    if (happened.noun === 'storagePool') {
        const { pool, event } = happened.event
        const what = POOL[event]
        return what ? { kind: 'pool', uuid: uuidFromBytes(pool.uuid), name: pool.name, what } : undefined
    }
    return undefined
}
