// One stream of libvirt on a connection of its own: pieces in, pieces out, holes, an orderly end, an abort.
import { Fault } from '../../base/fault.ts'
import { isHole, type Piece } from '../../base/pieces.ts'
import type { Calls } from '../../gen/libvirt/protocol.ts'
import { Connection, type ConnectionOptions } from './connection.ts'
import { hungFault } from './errors.ts'
import { STATUS } from './framing.ts'

export interface Stream<N extends keyof Calls> {
    /** What the call that opened it answered. */
    reply: Calls[N][1]
    /** The next piece, or undefined at the end. One reader at a time. @throws the Fault that ended the stream */
    read(): Promise<Piece | undefined>
    /** Resolves when the socket takes more, so that nothing piles up here. The bytes are not to be changed after. */
    write(data: Uint8Array): Promise<void>
    writeHole(holeBytes: number): Promise<void>
    /** Says that all was sent or read, and resolves when libvirtd has agreed; the connection is closed. */
    finish(): Promise<void>
    /** Ends it before its end; the connection is closed. Never throws. */
    abort(): Promise<void>
}

/** VIR_NET_MESSAGE_LEGACY_PAYLOAD_MAX: every version of libvirtd takes frames of this size. */
const CHUNK_BYTES = 262_120
const READ_AHEAD_BYTES = 4 << 20
const FINISH_DEADLINE_MS = 120_000
const ABORT_DEADLINE_MS = 5_000

/**
 * Opens a stream. A stream that is not read stops its whole connection, so it has one of its own (about 5 ms). On that
 * connection only our side pings: the daemon would take our pause for death.
 * @throws Fault as `openLibvirt`, and as the call itself
 */
export async function openStream<N extends keyof Calls>(
    options: ConnectionOptions,
    name: N,
    args: Calls[N][0],
): Promise<Stream<N>> {
    // A disk that syncs for a minute holds back our pings too: a stream is given two.
    const keepalive = { intervalMs: 10_000, count: 12 }
    const connection = await Connection.open({ keepalive, ...options, askForPings: false })
    const pieces: Piece[] = []
    let aheadBytes = 0
    let ended = false
    let done = false
    let failure: Fault | undefined
    let waiters: (() => void)[] = []
    let serial = 0

    const wake = (): void => {
        const woken = waiters
        waiters = []
        for (const resolve of woken) resolve()
    }
    const change = (): Promise<void> => new Promise(resolve => waiters.push(resolve))
    const put = (piece: Piece, sizeBytes: number): void => {
        pieces.push(piece)
        aheadBytes += sizeBytes
        if (aheadBytes >= READ_AHEAD_BYTES) connection.setPaused(true)
        wake()
    }
    const sink = {
        data: (bytes: Buffer) => put(bytes, bytes.length),
        hole: (length: bigint) => put({ holeBytes: Number(length) }, 0),
        end: () => {
            ended = true
            wake()
        },
        done: () => {
            done = true
            ended = true
            wake()
        },
        failed: (fault: Fault) => {
            if (done) return
            failure = fault
            wake()
        },
    }
    const send = async (frame: Parameters<Connection['sendStream']>[2]): Promise<void> => {
        if (failure) throw failure
        if (connection.ended) throw connection.ended
        if (!connection.sendStream(serial, name, frame)) await connection.drained()
        if (failure) throw failure
    }
    /** Waits for libvirtd's last word, what still comes before it thrown away. */
    const settle = async (deadlineMs: number): Promise<void> => {
        const stopTimer = options.clock.after(deadlineMs, () => sink.failed(hungFault(`the end of ${name}`)))
        try {
            while (!done && !failure) {
                pieces.length = 0
                aheadBytes = 0
                connection.setPaused(false)
                await change()
            }
        } finally {
            stopTimer()
        }
    }

    let reply: Calls[N][1]
    try {
        reply = await connection.callHooked(name, args, {
            onSent: given => {
                serial = given
                connection.attachStream(serial, name, sink)
            },
        })
    } catch (thrown) {
        await connection.close()
        throw thrown
    }

    return {
        reply,
        async read() {
            while (pieces.length === 0) {
                if (failure) throw failure
                if (ended) return undefined
                await change()
            }
            const piece = pieces.shift()!
            aheadBytes -= isHole(piece) ? 0 : piece.length
            if (aheadBytes < READ_AHEAD_BYTES / 2) connection.setPaused(false)
            return piece
        },
        async write(data) {
            for (let at = 0; at < data.length; at += CHUNK_BYTES) {
                await send({ status: STATUS.continue, data: data.subarray(at, at + CHUNK_BYTES) })
            }
        },
        writeHole: holeBytes => send({ status: STATUS.continue, hole: BigInt(holeBytes) }),
        async finish() {
            try {
                await send({ status: STATUS.ok })
                await settle(FINISH_DEADLINE_MS)
                if (failure) throw failure
            } finally {
                await connection.close()
            }
        },
        async abort() {
            if (!failure && !done && !connection.ended) {
                connection.sendStream(serial, name, { status: STATUS.error })
                await settle(ABORT_DEADLINE_MS)
            }
            await connection.close()
        },
    }
}

/** The Fault for a transfer that its caller took back. */
export const cancelledFault = (): Fault =>
    new Fault('cancelled', { summary: 'The transfer was cancelled', fix: 'Start it again when it is wanted.' })
