// Connections that would hold a place for nothing: silent, slow, too many from one address; and how they all end.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants, type Http2SecureServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Server, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** A call's body has to be there by then: a slow sender holds no place for long. */
const BODY_DEADLINE_MS = 30_000
/** The head of a request too, on a connection that is new or is used again. */
const HEAD_DEADLINE_MS = 20_000
/** A connection without a request, or an HTTP/2 one without a call, is closed after this long. */
const IDLE_MS = 60_000
/** What a caller still sends after the answer is read for this long, so that it gets to see the answer. */
const LINGER_MS = 5_000
const CONNECTIONS_MAX = 4096
/** One host cannot take all places. */
const CONNECTIONS_PER_ADDRESS = 1024

/**
 * Ends a call whose body does not arrive. Uploads are PUT and watch their own pace; reflection is a conversation, and
 * has no end of its own.
 */
export function limitBody(request: IncomingMessage, response: ServerResponse): void {
    if (request.method !== 'POST' || request.url?.startsWith('/grpc.reflection.')) return
    const timer = setTimeout(() => {
        if (hasArrived(request)) return
        if (!response.headersSent)
            response.writeHead(408, request.httpVersionMajor === 1 ? { connection: 'close' } : {})
        response.end()
        request.destroy()
    }, BODY_DEADLINE_MS)
    timer.unref()
    const done = () => clearTimeout(timer)
    request.once('end', done)
    response.once('close', done)
}

/** Whether the caller has sent all. A watch that goes on has often not read the end of its request, which is there. */
function hasArrived(request: IncomingMessage): boolean {
    if (request.readableEnded || request.complete) return true
    const { stream } = request as unknown as { stream?: ServerHttp2Stream }
    return stream?.state.state === constants.NGHTTP2_STREAM_STATE_HALF_CLOSED_REMOTE
}

/** The limits of a listener: places in all and for one address, time for a first request and between calls. */
export function guardConnections(server: Http2SecureServer): void {
    const from = new Map<string, number>()
    server.maxConnections = CONNECTIONS_MAX
    // An upload may take hours; what may not is guarded by limitBody and by the upload itself.
    Object.assign(server, { headersTimeout: HEAD_DEADLINE_MS, requestTimeout: 0 })
    server.on('connection', (socket: Socket) => {
        const address = socket.remoteAddress ?? ''
        const count = (from.get(address) ?? 0) + 1
        from.set(address, count)
        socket.once('close', () => {
            const left = (from.get(address) ?? 1) - 1
            if (left > 0) from.set(address, left)
            else from.delete(address)
        })
        if (count > CONNECTIONS_PER_ADDRESS) socket.destroy()
    })
    server.on('secureConnection', (socket: TLSSocket) => {
        if (socket.alpnProtocol === 'h2') return
        const silent = setTimeout(() => socket.destroy(), IDLE_MS)
        const heard = () => clearTimeout(silent)
        socket.once('close', heard)
        silent.unref()
        // A request, even half of one: from there on HTTP's own deadlines hold.
        socket.prependOnceListener('data', heard)
    })
    server.on('session', closeWhenIdle)
}

function closeWhenIdle(session: ServerHttp2Session): void {
    let calls = 0
    session.on('stream', stream => {
        calls++
        stream.once('close', () => calls--)
        // Answered, and the caller still sends, or says that it will: a half of a call holds its place like a whole one.
        stream.once('finish', () => setTimeout(() => stream.close(), LINGER_MS).unref())
    })
    session.setTimeout(IDLE_MS)
    session.on('timeout', () => {
        if (calls === 0) session.close()
    })
}

/** Ends a server: no new connections, what is being written is written, the rest is cut after a second. */
export function closer(server: Server): () => Promise<void> {
    const sockets = new Set<Socket>()
    server.on('connection', (socket: Socket) => {
        sockets.add(socket)
        socket.once('close', () => sockets.delete(socket))
    })
    return () =>
        new Promise(resolve => {
            server.close(() => resolve())
            for (const socket of sockets) socket.destroySoon()
            setTimeout(() => {
                for (const socket of sockets) socket.destroy()
            }, 1000).unref()
        })
}
