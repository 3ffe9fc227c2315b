// One connection to libvirtd: calls with deadlines and at most four in flight, keepalive both ways, events, streams.
import { connect as connectSocket, type Socket } from 'node:net'
import { Fault } from '../../base/fault.ts'
import { type Calls, type Events, type NetMessageError, PROCEDURES } from '../../gen/libvirt/protocol.ts'
import type { Clock, Log } from '../../ports/ports.ts'
import { type Call, type CallHooks, CallTable } from './calls.ts'
import { closedFault, connectFault, faultOf, hungFault, lostFault } from './errors.ts'
import { type Frame, type Header, KIND, packHeader, STATUS, splitFrames } from './framing.ts'
import { createKeepalive, isKeepalive, type Keepalive } from './keepalive.ts'
import { decode, encode } from './xdr.ts'

/** VIR_DRV_FEATURE_PROGRAM_KEEPALIVE; asking for it makes the daemon send pings of its own. */
const FEATURE_KEEPALIVE = 10
const AUTH = { none: 0, sasl: 1, polkit: 2 } as const
const CLOSE_DEADLINE_MS = 2_000

export interface ConnectionOptions {
    socketPath: string
    uri?: string
    clock: Clock
    log: Log
    /** From the first byte to a connection that answers; 10 s unless told otherwise. */
    openDeadlineMs?: number
    /** Pings of ours: how often, and how many may go unanswered. 5 s and 5 unless told otherwise. */
    keepalive?: { intervalMs: number; count: number }
    /** Whether the daemon shall send pings too and drop us when we are silent: true unless told otherwise. */
    askForPings?: boolean
    /** For tests of a silent client: false leaves the daemon's pings unanswered. */
    answerPings?: boolean
}

export type EventListener = <N extends keyof Events>(name: N, payload: Events[N]) => void

/** Where the frames of one stream go. */
export interface StreamSink {
    data(bytes: Buffer): void
    hole(lengthBytes: bigint): void
    end(): void
    done(): void
    failed(fault: Fault): void
}

const eventNames = new Map(
    Object.entries(PROCEDURES)
        .filter(([, procedure]) => procedure.message)
        .map(([name, procedure]) => [`${procedure.program}:${procedure.number}`, name as keyof Events]),
)

export class Connection {
    readonly #socket: Socket
    readonly #options: ConnectionOptions
    readonly #calls: CallTable
    readonly #sinks = new Map<number, { name: string; sink: StreamSink }>()
    readonly #eventListeners = new Set<EventListener>()
    readonly #closeListeners = new Set<(why: Fault) => void>()
    #paused = false
    readonly #keepalive: Keepalive
    #ended: Fault | undefined
    #drained: Promise<void> | undefined
    #events = 0

    private constructor(socket: Socket, options: ConnectionOptions) {
        this.#socket = socket
        this.#options = options
        this.#calls = new CallTable(
            options.clock,
            (header, payload) => this.#send(header, payload),
            () => this.#end(hungFault('every place for a call is held by one that came to its deadline')),
        )
        this.#keepalive = createKeepalive({
            ...{ intervalMs: 5_000, count: 5, ...options.keepalive },
            clock: options.clock,
            answers: options.answerPings !== false,
            send: header => this.#send(header),
            onSilence: detail => this.#end(hungFault(detail)),
        })
        const take = splitFrames(frame => this.#receive(frame))
        socket.on('data', chunk => {
            if (!this.#ended && !take(chunk)) this.#end(hungFault('what it sends is not the protocol of libvirt'))
        })
        socket.on('error', error => this.#end(connectFault(error, options.socketPath)))
        socket.on('close', () => this.#end(closedFault(options.socketPath)))
    }

    /**
     * A connection that libvirtd has accepted, authenticated and opened for the URI.
     * @throws Fault `unavailable` (no daemon, or one that does not answer), `denied`, `unsupported` (SASL)
     */
    static async open(options: ConnectionOptions): Promise<Connection> {
        const deadlineMs = options.openDeadlineMs ?? 10_000
        const socket = connectSocket({ path: options.socketPath })
        const connection = new Connection(socket, options)
        // A hung daemon still accepts: the kernel does that.
        const stopTimer = options.clock.after(deadlineMs, () =>
            connection.#end(hungFault(`no answer within ${deadlineMs} ms on ${options.socketPath}`)),
        )
        try {
            await connection.#connected()
            await connection.#authenticate()
            await connection.call('connectOpen', { name: options.uri ?? 'qemu:///system', flags: 0 })
            if (options.askForPings !== false) {
                await connection.call('connectSupportsFeature', { feature: FEATURE_KEEPALIVE })
            }
        } catch (thrown) {
            // The reason that the connection ended says more than the call that it took with it.
            const why = connection.#ended ?? thrown
            connection.#end(hungFault('opening failed'))
            throw why
        } finally {
            stopTimer()
        }
        connection.#keepalive.start()
        return connection
    }

    #connected(): Promise<void> {
        return new Promise((resolve, reject) => {
            this.#socket.once('connect', resolve)
            this.onClose(reject)
        })
    }

    async #authenticate(): Promise<void> {
        const { types } = await this.call('authList')
        if (types.includes(AUTH.none) || types.length === 0) return
        if (types.includes(AUTH.polkit)) {
            await this.call('authPolkit')
            return
        }
        throw new Fault('unsupported', {
            summary: 'libvirtd asks for a kind of login that DebVisor does not have',
            detail: `kinds ${types.join(', ')}`,
            fix: 'Set auth_unix_rw = "polkit" in /etc/libvirt/libvirtd.conf.',
        })
    }

    /** Counts for tests and metrics. */
    get seen(): { pings: number; pongs: number; events: number } {
        return { ...this.#keepalive.seen, events: this.#events }
    }

    /** Why the connection ended, or undefined while it lives. */
    get ended(): Fault | undefined {
        return this.#ended
    }

    /** Calls once when the connection ends, at once when it has ended; the returned function takes it back. */
    onClose(listener: (why: Fault) => void): () => void {
        if (this.#ended) listener(this.#ended)
        else this.#closeListeners.add(listener)
        return () => this.#closeListeners.delete(listener)
    }

    onEvent(listener: EventListener): () => void {
        this.#eventListeners.add(listener)
        return () => this.#eventListeners.delete(listener)
    }

    /**
     * Calls a procedure. Errors of libvirt are Faults (see errors.ts); when the connection ends or the deadline passes
     * during a call that changes something, the Fault is `unknown`. A deadline does not cancel the call in the daemon:
     * its place among the four stays taken until the daemon answers; when all four are, the connection ends.
     */
    readonly call: Call = (name, ...[args, options]) => this.callHooked(name, args, options ?? {})

    /** Like `call`, with hooks that run before the next frame is looked at. */
    async callHooked<N extends keyof Calls>(
        name: N,
        args: Calls[N][0] | undefined,
        hooks: CallHooks,
    ): Promise<Calls[N][1]> {
        if (this.#ended) throw lostFault(name, true, this.#ended)
        return this.#calls.submit(name, args, hooks)
    }

    #send(header: Header, payload?: Uint8Array): boolean {
        if (this.#ended) return true
        const packed = packHeader(header, payload?.length ?? 0)
        if (!payload?.length) return this.#socket.write(packed)
        this.#socket.cork()
        this.#socket.write(packed)
        const hasRoom = this.#socket.write(payload)
        this.#socket.uncork()
        return hasRoom
    }

    #receive(frame: Frame): void {
        if (isKeepalive(frame)) this.#keepalive.receive(frame)
        else if (frame.kind === KIND.reply) this.#receiveReply(frame)
        else if (frame.kind === KIND.message) this.#receiveEvent(frame)
        else if (frame.kind === KIND.stream || frame.kind === KIND.hole) this.#receiveStream(frame)
    }

    #receiveReply(frame: Frame): void {
        if (frame.status === STATUS.error) this.#sinks.delete(frame.serial)
        this.#calls.answer(frame)
    }

    #receiveEvent(frame: Frame): void {
        const name = eventNames.get(`${frame.program}:${frame.procedure}`)
        if (!name) return
        this.#events++
        try {
            const payload = decode(PROCEDURES[name].message!, frame.payload) as Events[typeof name]
            for (const listener of [...this.#eventListeners]) listener(name, payload)
        } catch (thrown) {
            this.#options.log.error('An event of libvirt was lost', { event: name, cause: String(thrown) })
        }
    }

    #receiveStream(frame: Frame): void {
        const entry = this.#sinks.get(frame.serial)
        if (!entry) return
        try {
            if (frame.status === STATUS.error) {
                this.#sinks.delete(frame.serial)
                entry.sink.failed(faultOf(decode('NetMessageError', frame.payload) as NetMessageError, entry.name))
            } else if (frame.kind === KIND.hole) {
                entry.sink.hole((decode('NetStreamHole', frame.payload) as { length: bigint }).length)
            } else if (frame.status === STATUS.ok) {
                this.#sinks.delete(frame.serial)
                entry.sink.done()
            } else if (frame.payload.length === 0) entry.sink.end()
            else entry.sink.data(frame.payload)
        } catch (thrown) {
            this.#sinks.delete(frame.serial)
            entry.sink.failed(thrown as Fault)
        }
    }

    /** Gives the frames of a stream to the sink until it is done or failed. */
    attachStream(serial: number, name: keyof Calls, sink: StreamSink): void {
        this.#sinks.set(serial, { name, sink })
    }

    /** Sends one frame of a stream; false when the socket is full: then wait for `drained`. */
    sendStream(
        serial: number,
        name: keyof Calls,
        frame: { status: number; data?: Uint8Array; hole?: bigint },
    ): boolean {
        const { program, number } = PROCEDURES[name]
        const kind = frame.hole === undefined ? KIND.stream : KIND.hole
        const payload =
            frame.hole === undefined ? frame.data : encode('NetStreamHole', { length: frame.hole, flags: 0 })
        return this.#send({ program, procedure: number, kind, serial, status: frame.status }, payload)
    }

    /** Resolves when the socket takes more, or has ended. */
    drained(): Promise<void> {
        if (this.#ended || !this.#socket.writableNeedDrain) return Promise.resolve()
        this.#drained ??= new Promise(resolve => {
            const finish = () => {
                this.#socket.off('drain', finish).off('close', finish)
                this.#drained = undefined
                resolve()
            }
            this.#socket.on('drain', finish).on('close', finish)
        })
        return this.#drained
    }

    /** Stops or goes on reading. It stops everything on this connection, so only streams with one of their own do it. */
    setPaused(paused: boolean): void {
        if (paused === this.#paused || this.#ended) return
        this.#paused = paused
        this.#keepalive.setPaused(paused)
        if (paused) this.#socket.pause()
        else this.#socket.resume()
    }

    #end(why: Fault): void {
        if (this.#ended) return
        this.#ended = why
        this.#keepalive.stop()
        this.#socket.destroy()
        this.#calls.end(why)
        for (const { name, sink } of [...this.#sinks.values()]) sink.failed(lostFault(name, false, why))
        this.#sinks.clear()
        for (const listener of [...this.#closeListeners]) listener(why)
        this.#closeListeners.clear()
        this.#eventListeners.clear()
    }

    /** Says goodbye, then closes, within 2 s. Calls under way are lost: a disconnect cancels nothing in the daemon. */
    async close(): Promise<void> {
        if (this.#ended) return
        this.setPaused(false)
        await this.call('connectClose', undefined, { deadlineMs: CLOSE_DEADLINE_MS }).catch(() => undefined)
        this.abandon()
    }

    /** Closes at once. */
    abandon(): void {
        this.#end(
            new Fault('cancelled', {
                summary: 'The connection to libvirtd was closed on our side',
                fix: 'Open a new one.',
            }),
        )
    }
}
