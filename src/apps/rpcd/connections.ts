// Connections that would hold a place for nothing: silent, slow, too many from one address; and how they all end.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants, type Http2SecureServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { addressGroup } from '../../capabilities/identity/attempts.ts'

/** A call's body has to be there by then: a slow sender holds no place for long. */
const BODY_DEADLINE_MS = 30_000
/** The head of a request too, on a connection that is new or is used again. */
const HEAD_DEADLINE_MS = 20_000
/** A connection without a request, or an HTTP/2 one without a call, is closed after this long. */
const IDLE_MS = 60_000
/** An HTTP/2 one that only pings, too, if later: clients ping to keep what they are about to use. */
const PINGED_MS = 600_000
/** For people who are not logged in: the body of a login, its answer, and a file of the panel. */
const STRANGER_MS = { body: 5_000, call: 30_000, file: 90_000 }
/** What a caller still sends after the answer is read for this long, so that it gets to see the answer. */
const LINGER_MS = 5_000
const CONNECTIONS_MAX = 4096
/** One host (of IPv6, one network) cannot take all places. */
const CONNECTIONS_PER_ADDRESS = 1024

/**
 * Ends a call whose body does not arrive. Uploads are PUT and watch their own pace; reflection is a conversation, and
 * has no end of its own. Whatever was answered before all was sent is hung up soon after.
 */
export function limitBody(request: IncomingMessage, response: ServerResponse): void {
    hangUpAfterAnswer(request, response)
    if (request.url?.startsWith('/grpc.reflection.')) return
    endWithoutBody(request, response, BODY_DEADLINE_MS)
}

/** The same for people who are not logged in: sooner, and they have to fetch their answer in time too. */
export function limitStranger(request: IncomingMessage, response: ServerResponse): void {
    endWithoutBody(request, response, STRANGER_MS.body)
    const timer = setTimeout(
        () => {
            response.destroy()
            request.destroy()
        },
        request.method === 'POST' ? STRANGER_MS.call : STRANGER_MS.file,
    )
    timer.unref()
    response.once('close', () => clearTimeout(timer))
}

function endWithoutBody(request: IncomingMessage, response: ServerResponse, deadlineMs: number): void {
    if (request.method !== 'POST') return
    const timer = setTimeout(() => {
        if (hasArrived(request)) return
        if (!response.headersSent)
            response.writeHead(408, request.httpVersionMajor === 1 ? { connection: 'close' } : {})
        response.end()
        request.destroy()
    }, deadlineMs)
    timer.unref()
    const done = () => clearTimeout(timer)
    request.once('end', done)
    response.once('close', done)
}

/** Over HTTP/1 Node reads the rest of a refused body for as long as it comes, and keeps the place. */
function hangUpAfterAnswer(request: IncomingMessage, response: ServerResponse): void {
    if (request.httpVersionMajor !== 1) return
    const { socket } = request
    response.once('finish', () => {
        if (request.complete) return
        const timer = setTimeout(() => request.complete || socket.destroy(), LINGER_MS)
        timer.unref()
        socket.once('close', () => clearTimeout(timer))
    })
}

/** Says a last word on a connection that no server reads any more, and hangs up. */
export function hangUp(socket: Duplex, lastWord: string): void {
    socket.resume()
    socket.end(lastWord)
    setTimeout(() => socket.destroy(), LINGER_MS).unref()
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
    Object.assign(server, { headersTimeout: HEAD_DEADLINE_MS, requestTimeout: 0, keepAliveTimeout: IDLE_MS })
    server.on('connection', (socket: Socket) => {
        const address = addressGroup(socket.remoteAddress ?? '')
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
    const close = () => {
        if (calls > 0) return
        session.close()
        // One that reads nothing does not get to see the goodbye either.
        setTimeout(() => session.destroy(), LINGER_MS).unref()
    }
    let pinged: NodeJS.Timeout
    const rest = () => {
        clearTimeout(pinged)
        pinged = setTimeout(close, PINGED_MS)
        pinged.unref()
    }
    rest()
    session.on('stream', stream => {
        calls++
        clearTimeout(pinged)
        stream.once('close', () => {
            calls--
            if (calls > 0 || session.destroyed) return
            rest()
            session.setTimeout(IDLE_MS)
        })
        // Answered, and the caller still sends, or says that it will: a half of a call holds its place like a whole one.
        stream.once('finish', () => setTimeout(() => stream.close(), LINGER_MS).unref())
    })
    session.setTimeout(IDLE_MS)
    session.on('timeout', close)
    session.once('close', () => clearTimeout(pinged))
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
