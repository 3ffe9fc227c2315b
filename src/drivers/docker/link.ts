// A link to dockerd that stays: the version agreed upon, its events, and everything begun anew after it was away.
import type { Duplex } from 'node:stream'
import { asFault, Fault } from '../../base/fault.ts'
import type { Clock, Log } from '../../ports/ports.ts'
import { unreachable } from './errors.ts'
import { jsonLines } from './frames.ts'
import { ask, askJson, type Engine, type EngineAnswer, type EngineRequest, hijack, keptConnections } from './request.ts'

export interface EngineEvent {
    /** container, image, volume, network, daemon, … */
    Type: string
    /** create, start, die, health_status: healthy, … */
    Action: string
    Actor: { ID: string; Attributes?: Record<string, string> }
    timeNano?: number
}

export interface EngineVersion {
    /** Of the Engine, such as 26.1.5+dfsg1. */
    engine: string
    /** Of the API that is spoken, such as 1.45. */
    api: string
}

export interface DockerLink {
    readonly up: boolean
    /** Undefined until it was up once. */
    readonly version: EngineVersion | undefined
    /** Why it is not up; undefined while it is, and before the first attempt has ended. */
    readonly why: Fault | undefined
    /** @throws Fault `unavailable` or `unsupported`, with a fix, while the Engine is away or too old */
    json<T>(request: EngineRequest): Promise<T>
    ask(request: EngineRequest): Promise<EngineAnswer>
    hijack(request: EngineRequest): Promise<{ socket: Duplex; type: string }>
    /** Called at once when up, and after each reconnect, when events are heard again: nothing is known of meanwhile. */
    onUp(listener: () => void): () => void
    onDown(listener: () => void): () => void
    onEvent(listener: (event: EngineEvent) => void): () => void
    close(): Promise<void>
}

export interface LinkOptions {
    socketPath: string
    clock: Clock
    log: Log
    backoffMs?: { first: number; longest: number }
    /** How often a silent daemon is asked whether it lives, and how long that may take. */
    ping?: { everyMs: number; deadlineMs: number }
}

/** Debian 12's, Docker 20.10; and what this was written against, Debian 13's 26.1. */
export const OLDEST_API = '1.41'
export const NEWEST_API = '1.45'

/** The version to speak. @throws Fault `unsupported` for an Engine that is too old or too new */
export function agree({ ApiVersion, MinAPIVersion, Version }: { [key: string]: string | undefined }): EngineVersion {
    const engine = Version ?? ''
    const api = compare(ApiVersion ?? '0', NEWEST_API) < 0 ? (ApiVersion ?? '0') : NEWEST_API
    if (compare(api, OLDEST_API) < 0) {
        throw new Fault('unsupported', {
            summary: 'Docker on this node is too old',
            detail: `Docker ${engine} speaks version ${api} of its API; ${OLDEST_API} is needed`,
            fix: "Use Debian's docker.io of Debian 12 or newer.",
        })
    }
    if (compare(MinAPIVersion ?? '0', api) > 0) {
        throw new Fault('unsupported', {
            summary: 'Docker on this node is too new',
            detail: `Docker ${engine} wants version ${MinAPIVersion} of its API; ${NEWEST_API} is the newest known here`,
            fix: "Use Debian's docker.io, or a newer DebVisor.",
        })
    }
    return { engine, api }
}

/** Below 0 where the first is the older one. */
function compare(one: string, other: string): number {
    const [a, b] = [one, other].map(text => text.split('.').map(Number))
    return (a![0] ?? 0) - (b![0] ?? 0) || (a![1] ?? 0) - (b![1] ?? 0)
}

export function stayWithDocker(options: LinkOptions): DockerLink {
    const { socketPath, clock, log } = options
    const backoffMs = options.backoffMs ?? { first: 250, longest: 5_000 }
    const ping = options.ping ?? { everyMs: 10_000, deadlineMs: 10_000 }
    const agent = keptConnections()
    const listeners = { up: new Set<() => void>(), down: new Set<() => void>() }
    const eventListeners = new Set<(event: EngineEvent) => void>()
    let engine: Engine | undefined
    let version: EngineVersion | undefined
    let why: Fault | undefined
    let life: AbortController | undefined
    let waitMs = backoffMs.first
    let closed = false
    let stopTimer = () => {}

    const tell = <T>(of: Set<(fact: T) => void>, fact: T): void => {
        for (const listener of [...of]) {
            try {
                listener(fact)
            } catch (thrown) {
                log.error('a listener of the Docker link failed', { err: thrown })
            }
        }
    }

    async function live(): Promise<void> {
        const stop = new AbortController()
        life = stop
        let stopPing = () => {}
        try {
            const { signal } = stop
            const agreed = agree(await askJson({ socketPath, agent }, { path: '/version', deadlineMs: 10_000, signal }))
            const candidate: Engine = { socketPath, agent, api: agreed.api }
            const events = await openEvents(candidate, signal)
            stopPing = clock.every(ping.everyMs, () => {
                ask(candidate, { path: '/_ping', deadlineMs: ping.deadlineMs, signal }).then(
                    answer => answer.stream.resume(),
                    thrown => stop.abort(asFault(thrown)),
                )
            })
            engine = candidate
            version = agreed
            if (why) log.info('Docker is back')
            why = undefined
            waitMs = backoffMs.first
            tell(listeners.up, undefined)
            for await (const event of events) tell(eventListeners, event)
            throw new Fault('unavailable', {
                summary: 'Docker has closed the stream of its events',
                fix: 'Wait: the connection is made anew by itself.',
            })
        } catch (thrown) {
            stopPing()
            const wasUp = engine !== undefined
            engine = undefined
            const reason = stop.signal.aborted && stop.signal.reason instanceof Fault ? stop.signal.reason : thrown
            stop.abort()
            if (closed) return
            const fault = reason instanceof Fault ? reason : unreachable(reason as Error, socketPath)
            if (why?.summary !== fault.summary) log.warn('Docker is away', { code: fault.code, detail: fault.message })
            why = fault
            stopTimer = clock.after(waitMs, () => void live())
            waitMs = Math.min(waitMs * 2, backoffMs.longest)
            if (wasUp) tell(listeners.down, undefined)
        }
    }
    void live()

    const present = (): Engine => {
        if (engine) return engine
        throw new Fault(why?.code === 'unsupported' ? 'unsupported' : 'unavailable', {
            summary: closed ? 'DebVisor is shutting down' : (why?.summary ?? 'Docker is away'),
            detail: why?.detail ?? 'the first connection is being made',
            fix: why?.fix || 'Try again in a moment: the connection is made anew by itself.',
            cause: why,
        })
    }
    const on = (of: Set<() => void>, listener: () => void) => {
        of.add(listener)
        return () => void of.delete(listener)
    }

    return {
        get up() {
            return engine !== undefined
        },
        get version() {
            return version
        },
        get why() {
            return engine ? undefined : why
        },
        json: async request => askJson(present(), request),
        ask: async request => ask(present(), request),
        hijack: async request => hijack(present(), request),
        onUp(listener) {
            if (engine) listener()
            return on(listeners.up, listener)
        },
        onDown: listener => on(listeners.down, listener),
        onEvent(listener) {
            eventListeners.add(listener)
            return () => void eventListeners.delete(listener)
        },
        async close() {
            closed = true
            stopTimer()
            life?.abort()
            agent.destroy()
        },
    }
}

/** The head comes at once, the first event when something happens: after it nothing is missed. */
async function openEvents(engine: Engine, signal: AbortSignal): Promise<AsyncIterable<EngineEvent>> {
    const { stream } = await ask(engine, { path: '/events', own: true, deadlineMs: 10_000, signal })
    return jsonLines<EngineEvent>(stream)
}
