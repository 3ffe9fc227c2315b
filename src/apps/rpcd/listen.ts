// The listeners: one handler behind HTTPS for people and programs, and behind a Unix socket that only root can open.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createSecureServer } from 'node:http2'
import type { Server } from 'node:net'
import type { Duplex } from 'node:stream'
import { createSecureContext } from 'node:tls'
import { type ConnectRouter, createContextValues, type Interceptor } from '@connectrpc/connect'
import { compressionGzip, connectNodeAdapter } from '@connectrpc/connect-node'
import { Fault } from '../../base/fault.ts'
import { type Caller, callerKey } from '../../capabilities/caller.ts'
import type { Route } from '../../capabilities/capability.ts'
import type { Certificate } from '../../capabilities/certificate/store.ts'
import { addressGroup } from '../../capabilities/identity/attempts.ts'
import type { Log } from '../../ports/ports.ts'
import { closer, guardConnections, hangUp, limitBody, limitStranger } from './connections.ts'
import { httpProblem } from './errors.ts'
import { quickly, sendReady } from './ready.ts'
import { SECURITY_HEADERS } from './static.ts'
import { explainUnreadable } from './unreadable.ts'

/** Bodies of calls; uploads have a route of their own. */
const MESSAGE_MAX_BYTES = 2 * 1024 * 1024
/** What a caller whose session has ended may still get. */
const LAST_WORDS_MS = 1000
const TLS_LEAST = 'TLSv1.2'
/** Calls of people who are not logged in (logging in) that may be under way at once, in all and from one address. */
const STRANGERS_MAX = 512
const STRANGERS_PER_ADDRESS = 8
const STRANGER_MAX_BYTES = 64 * 1024

const quickGzip = { ...compressionGzip, compress: quickly }

/** A field that is misspelt is refused, not passed over: 'diskz' must not make a VM without a disk. */
const jsonOptions = { ignoreUnknownFields: false }

export interface HandlerDeps {
    routes(router: ConnectRouter): void
    interceptors: Interceptor[]
    webRoutes: Route[]
    files(request: IncomingMessage, response: ServerResponse): Promise<void>
    /** Who a request comes from: the cookie, the token, or nobody. */
    authenticate(request: IncomingMessage): Promise<Caller>
    /** Calls once when the caller's session or token ends: what they still have open is cut. */
    onEnd(caller: Caller, listener: () => void): () => void
    /** Paths of calls that one may make without being logged in. */
    openPaths: ReadonlySet<string>
    /** Calls wait for it: the doors are open before the house is in order. */
    ready?: Promise<void>
    log: Log
}

export interface Handler {
    request(request: IncomingMessage, response: ServerResponse, caller?: Caller): void
    upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, caller?: Caller): void
}

/** Calls by their content type, web routes by their prefix, the panel's files for the rest. */
export function handlerOf(deps: HandlerDeps): Handler {
    const callers = new WeakMap<object, Caller>()
    const rpcOf = (readMaxBytes: number) =>
        connectNodeAdapter({
            routes(router) {
                deps.routes(router)
                explainUnreadable(router)
                sendReady(router)
            },
            interceptors: deps.interceptors,
            readMaxBytes,
            acceptCompression: [quickGzip],
            jsonOptions,
            contextValues: request => createContextValues().set(callerKey, callers.get(request)!),
            fallback: (request, response) => void run(request as IncomingMessage, response as ServerResponse),
        })
    const rpc = rpcOf(MESSAGE_MAX_BYTES)
    // What says nothing of its length is counted as it is read.
    const strangersRpc = rpcOf(STRANGER_MAX_BYTES)
    const strangers = new Map<string, number>()
    let allStrangers = 0
    /** Before a byte of the body is read: a stranger may log in, and look at the panel's files. */
    const admitStranger = (request: IncomingMessage, response: ServerResponse) => {
        limitStranger(request, response)
        if (request.method !== 'POST') return
        if (!deps.openPaths.has((request.url ?? '').split('?')[0]!)) throw notLoggedIn()
        const group = addressGroup(request.socket.remoteAddress ?? '')
        const before = strangers.get(group) ?? 0
        const isLarge = Number(request.headers['content-length'] ?? 0) > STRANGER_MAX_BYTES
        if (isLarge || before >= STRANGERS_PER_ADDRESS || allStrangers >= STRANGERS_MAX) {
            throw new Fault('exhausted', {
                summary: 'The login is too large, or too many are under way',
                fix: 'Try again.',
            })
        }
        strangers.set(group, before + 1)
        allStrangers++
        response.once('close', () => {
            allStrangers--
            const left = strangers.get(group)! - 1
            if (left > 0) strangers.set(group, left)
            else strangers.delete(group)
        })
    }
    const route = (request: IncomingMessage) => deps.webRoutes.find(r => request.url?.startsWith(r.prefix))
    const run = async (request: IncomingMessage, response: ServerResponse) => {
        try {
            const found = route(request)
            if (found?.handle) await found.handle(request, response, callers.get(request)!)
            else await deps.files(request, response)
        } catch (thrown) {
            const { status, body } = httpProblem(thrown)
            if (status === 500) deps.log.error('a request failed unexpectedly', { err: thrown })
            if (response.headersSent) return void response.destroy()
            response.writeHead(status, { ...SECURITY_HEADERS, 'content-type': 'application/json' })
            response.end(body)
        }
    }
    return {
        request(request, response, known) {
            const enter = async () => {
                if (isLifeSign(request)) return void response.writeHead(204, LIFE_SIGN).end()
                limitBody(request, response)
                await deps.ready
                const caller = known ?? (await deps.authenticate(request))
                if (caller.via === 'nobody') admitStranger(request, response)
                if (caller.via === 'session') sameOrigin(request)
                callers.set(request, caller)
                // A logout ends its own session, and is still to be answered: what is left after that is cut.
                const cut = () => setTimeout(() => response.destroy(), LAST_WORDS_MS).unref()
                if (caller.viaId) response.once('close', deps.onEnd(caller, cut))
                ;(caller.via === 'nobody' ? strangersRpc : rpc)(request, response)
            }
            enter().catch(thrown => {
                const { status, body } = httpProblem(thrown)
                if (response.headersSent) return
                response.writeHead(status, { ...SECURITY_HEADERS, 'content-type': 'application/json' })
                response.end(body)
            })
        },
        upgrade(request, socket, head, known) {
            socket.on('error', () => socket.destroy())
            const enter = async () => {
                const found = route(request)
                if (!found?.upgrade) throw new Fault('not-found', { summary: 'There is no WebSocket here' })
                await deps.ready
                const caller = known ?? (await deps.authenticate(request))
                sameOrigin(request)
                if (caller.viaId)
                    socket.once(
                        'close',
                        deps.onEnd(caller, () => socket.destroy()),
                    )
                await found.upgrade(request, socket, head, caller)
            }
            enter().catch(thrown => {
                const { status, body } = httpProblem(thrown)
                if (status === 500) deps.log.error('a WebSocket failed unexpectedly', { err: thrown })
                hangUp(
                    socket,
                    `HTTP/1.1 ${status} Refused\r\nconnection: close\r\ncontent-type: application/json\r\n` +
                        `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
                )
            })
        },
    }
}

/** Whether anybody is here: answered to everybody, and no use of a session, which ends where nobody uses it. */
const isLifeSign = ({ method, url }: IncomingMessage) => url === '/alive' && (method === 'HEAD' || method === 'GET')
const LIFE_SIGN = { ...SECURITY_HEADERS, 'cache-control': 'no-store' }

/** A page of another origin cannot use a session's cookie, even where SameSite would let it. */
function sameOrigin(request: IncomingMessage): void {
    const { origin } = request.headers
    const host = request.headers.host ?? String(request.headers[':authority'] ?? '')
    if (origin === undefined || origin === `https://${host}`) return
    throw new Fault('denied', { summary: 'The call comes from another site', detail: 'its Origin is not this host' })
}

export const notLoggedIn = () =>
    new Fault('unauthenticated', {
        summary: 'You are not logged in',
        fix: 'Log in, or send a token as "Authorization: Bearer …".',
    })

export interface Listening {
    url: string
    /** From now on new connections are shown this certificate. Without effect on a local socket. */
    show(certificate: Certificate): void
    close(): Promise<void>
}

/**
 * HTTPS on `address` such as '127.0.0.1:8443' or '[::]:8443'; '*:8443' is all addresses, with IPv6 or without. HTTP/2 for
 * calls, HTTP/1.1 too, for WebSockets and curl.
 */
export async function listenTls(address: string, certificate: Certificate, handler: Handler): Promise<Listening> {
    const { host, port } = parseAddress(address)
    const server = createSecureServer({
        allowHTTP1: true,
        key: certificate.keyPem,
        cert: certificate.certPem,
        minVersion: TLS_LEAST,
        handshakeTimeout: 10_000,
        maxSessionMemory: 64,
        settings: { maxConcurrentStreams: 200 },
    })
    server.on('request', (request, response) =>
        handler.request(request as unknown as IncomingMessage, response as unknown as ServerResponse),
    )
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
        handler.upgrade(request, socket, head),
    )
    server.on('sessionError', () => {})
    guardConnections(server)
    const close = closer(server)
    await listening(server, host === '*' ? { port } : { host, port }, address)
    const actual = server.address() as { address: string; port: number }
    const shown = host === '*' ? actual.address : host
    const show = ({ keyPem, certPem }: Certificate) =>
        server.setSecureContext({ key: keyPem, cert: certPem, minVersion: TLS_LEAST })
    return { url: `https://${shown.includes(':') ? `[${shown}]` : shown}:${actual.port}`, show, close }
}

/** Why no connection can be made with a certificate and its key; empty where it can. */
export function unusable({ certPem, keyPem }: Pick<Certificate, 'certPem' | 'keyPem'>): string {
    try {
        createSecureContext({ cert: certPem, key: keyPem, minVersion: TLS_LEAST })
        return ''
    } catch (thrown) {
        return (thrown as Error).message
    }
}

/** The Unix socket of root: mode 0600, whoever reaches it is root of the node. */
export async function listenLocal(path: string, handler: Handler, root: Caller): Promise<Listening> {
    const server = createServer((request, response) => handler.request(request, response, root))
    server.on('upgrade', (request, socket, head) => handler.upgrade(request, socket, head, root))
    const close = closer(server)
    server.requestTimeout = 0
    // The socket is made inside `listen`, before it returns: the mask is back before anybody else makes a file.
    const before = process.umask(0o177)
    const there = listening(server, { path }, path)
    process.umask(before)
    await there
    return { url: path, show() {}, close }
}

const listening = (server: Server, where: { host?: string; port?: number; path?: string }, shown: string) =>
    new Promise<void>((resolve, reject) => {
        server.once('error', (cause: NodeJS.ErrnoException) =>
            reject(
                new Fault('unavailable', {
                    summary: 'The address cannot be listened on',
                    detail: `${shown}: ${cause.code}`,
                    fix: 'See what holds it (ss -ltnp), or choose another with --listen.',
                    cause,
                }),
            ),
        )
        server.listen(where, () => {
            // A connection that cannot be accepted (no file descriptor is left) is not the end of the daemon.
            server.on('error', () => {})
            resolve()
        })
    })

function parseAddress(address: string): { host: string; port: number } {
    const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address)
    const port = Number(match?.[3])
    if (match && port < 65536) return { host: match[1] ?? match[2]!, port }
    throw new Fault('invalid', {
        summary: 'That is not an address to listen on',
        detail: JSON.stringify(address),
        fix: 'Write it like 127.0.0.1:8443, [::1]:8443 or *:8443.',
        at: 'listen',
    })
}
