// A connection to libvirtd that stays: made anew with growing patience when it ends, its event callbacks with it.
import { asFault, Fault } from '../../base/fault.ts'
import { EVENT_IDS } from '../../gen/libvirt/protocol.ts'
import type { Log } from '../../ports/ports.ts'
import type { ConnectionOptions } from './connection.ts'
import type { EventNoun, LibvirtEvent, Watch } from './events.ts'
import { type Libvirt, openLibvirt } from './libvirt.ts'

export interface LibvirtLink {
    /** The present connection. @throws Fault `unavailable`, with a fix, while libvirt is away. */
    connection(): Libvirt
    readonly up: boolean
    /** Called at once when up, and after each reconnect. The returned function takes it back. */
    onUp(listener: (connection: Libvirt) => void): () => void
    onDown(listener: () => void): () => void
    /** Decoded events for the whole life of the link: callbacks are registered again after a reconnect. */
    onEvent(listener: (event: LibvirtEvent) => void): () => void
    /** A connection of its own, for one stream or a slow call; the caller closes it. */
    dedicated(): Promise<Libvirt>
    close(): Promise<void>
}

export interface LinkOptions extends ConnectionOptions {
    /** The waits between attempts: the first, and the longest. 250 ms and 5 s unless told otherwise. */
    backoffMs?: { first: number; longest: number }
}

/** Older twins of kinds that carry more. */
const SUPERSEDED = new Set(['domain.ioError', 'domain.blockJob'])

function watchAll(libvirt: Libvirt, log: Log, emit: (event: LibvirtEvent) => void): Promise<unknown> {
    const watch = libvirt.watch as unknown as (...of: [string, string, (event: unknown) => void]) => ReturnType<Watch>
    const kinds = Object.entries(EVENT_IDS).flatMap(([noun, ids]) =>
        Object.keys(ids).map(kind => ({ noun: noun as EventNoun, kind })),
    )
    return Promise.all(
        kinds
            .filter(({ noun, kind }) => !SUPERSEDED.has(`${noun}.${kind}`))
            .map(async ({ noun, kind }) => {
                try {
                    await watch(noun, kind, event => emit({ noun, kind, event } as LibvirtEvent))
                } catch (thrown) {
                    // A daemon that is older than the kind refuses it, and will never send it. Without one that failed
                    // otherwise (a deadline too) the link would stay up and hear nothing.
                    if (libvirt.ended || !['invalid', 'unsupported'].includes(asFault(thrown).code)) throw thrown
                    log.debug('libvirtd does not know this kind of event', { noun, kind })
                }
            }),
    )
}

/**
 * A link to libvirtd that is there at once and comes up when the daemon answers. While it is down, `connection()`
 * throws the reason. After a reconnect nothing is known of what happened meanwhile: read the state again in `onUp`.
 * `onUp` is called when the event callbacks stand, so that a read that begins there misses nothing.
 */
export function stayConnected(options: LinkOptions): LibvirtLink {
    const { clock, log } = options
    const backoffMs = options.backoffMs ?? { first: 250, longest: 5_000 }
    const upListeners = new Set<(connection: Libvirt) => void>()
    const downListeners = new Set<() => void>()
    const eventListeners = new Set<(event: LibvirtEvent) => void>()
    let present: Libvirt | undefined
    let why: Fault | undefined
    let waitMs = backoffMs.first
    let closed = false
    let stopTimer = (): void => undefined

    const tell = <T>(listeners: Set<(fact: T) => void>, fact: T): void => {
        for (const listener of [...listeners]) {
            try {
                listener(fact)
            } catch (thrown) {
                log.error('A listener of the libvirt link failed', { cause: String(thrown) })
            }
        }
    }
    const retry = (fault: Fault): void => {
        if (closed) return
        if (!why) log.warn('libvirtd is away', { code: fault.code, detail: fault.detail })
        why = fault
        stopTimer = clock.after(waitMs, () => void attempt())
        waitMs = Math.min(waitMs * 2, backoffMs.longest)
    }
    const attempt = async (): Promise<void> => {
        let libvirt: Libvirt | undefined
        try {
            libvirt = await openLibvirt(options)
            await watchAll(libvirt, log, event => tell(eventListeners, event))
        } catch (thrown) {
            await libvirt?.close()
            retry(asFault(thrown))
            return
        }
        if (closed) {
            await libvirt.close()
            return
        }
        present = libvirt
        if (why) log.info('libvirtd is back')
        why = undefined
        waitMs = backoffMs.first
        libvirt.onClose(fault => {
            present = undefined
            retry(fault)
            if (!closed) tell(downListeners, undefined)
        })
        if (present) tell(upListeners, libvirt)
    }
    void attempt()

    return {
        connection() {
            if (present) return present
            throw new Fault('unavailable', {
                summary: closed ? 'DebVisor is shutting down' : 'libvirtd is away',
                detail: why?.message ?? 'the first connection is being made',
                fix: why?.fix || 'Try again in a moment: the connection is made anew by itself.',
                cause: why,
            })
        },
        get up() {
            return present !== undefined
        },
        onUp(listener) {
            upListeners.add(listener)
            if (present) listener(present)
            return () => upListeners.delete(listener)
        },
        onDown(listener) {
            downListeners.add(listener)
            return () => downListeners.delete(listener)
        },
        onEvent(listener) {
            eventListeners.add(listener)
            return () => eventListeners.delete(listener)
        },
        dedicated: () => openLibvirt(options, { own: true }),
        async close() {
            closed = true
            stopTimer()
            await present?.close()
        },
    }
}
