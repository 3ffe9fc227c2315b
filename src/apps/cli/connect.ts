// How the command line reaches a node: root by the local socket, others by HTTPS with a token and a pinned certificate.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { connect as tlsConnect } from 'node:tls'
import type { Interceptor, Transport } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { Fault } from '../../base/fault.ts'

export const DEFAULT_SOCKET = '/run/debvisor/rpcd.sock'

/** What `debvisor login` remembers; the file is 0600. */
export interface Login {
    server: string
    token: string
    /** The certificate that was shown and accepted, PEM; absent when the system's authorities vouch for it. */
    certificate?: string
}

export interface Where {
    socket?: string
    server?: string
    tokenFile?: string
}

export const loginFile = (env: Record<string, string | undefined>): string =>
    join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'debvisor', 'login.json')

/** A node by its own socket, or by HTTPS. */
export type Target = { socket: string } | Login

/** What is given on the line wins: --socket, or --server and --token-file; then DEBVISOR_SOCKET, the login, the node's own socket. */
export function targetFor(where: Where, env: Record<string, string | undefined>): Target {
    if (where.socket !== undefined) {
        if (where.server === undefined && where.tokenFile === undefined) return { socket: where.socket }
        throw new Fault('invalid', {
            summary: 'A node is reached by its socket or by HTTPS',
            fix: 'Give --socket, or --server and --token-file.',
            at: '--socket',
        })
    }
    const given = where.server !== undefined || where.tokenFile !== undefined
    if (!given && env.DEBVISOR_SOCKET) return { socket: env.DEBVISOR_SOCKET }
    const saved = readLogin(env)
    if (!given) return saved ?? { socket: DEFAULT_SOCKET }
    const server = where.server === undefined ? saved?.server : serverOf(where.server, '--server')
    if (!server)
        throw new Fault('invalid', {
            summary: 'There is no server to go with the token',
            fix: 'Give --server https://…',
        })
    const same = saved?.server === server ? saved : undefined
    return {
        server,
        token: where.tokenFile ? readToken(where.tokenFile) : (same?.token ?? ''),
        certificate: same?.certificate,
    }
}

/** 'https://node1:8443' of what a person writes as the address of a node. @throws Fault `invalid` for all but https */
export function serverOf(text: string, at: string): string {
    const url = URL.canParse(text) ? new URL(text) : undefined
    if (url?.protocol === 'https:' && url.hostname) return url.origin
    throw new Fault('invalid', {
        summary: 'That is not the HTTPS address of a node',
        detail: JSON.stringify(text.slice(0, 100)),
        fix: 'Write it like https://node1:8443.',
        at,
    })
}

/** The calls of a node; `interceptors` are for people, not for root on the socket. @throws Fault `unavailable` when its socket is not there */
export const transportTo = (target: Target, interceptors: Interceptor[] = []): Transport =>
    'socket' in target ? overSocket(target.socket) : overTls(target, interceptors)

function overSocket(path: string): Transport {
    if (!existsSync(path)) {
        throw new Fault('unavailable', {
            summary: 'DebVisor is not running here',
            detail: `there is no socket ${path}`,
            fix: 'Start it (systemctl start debvisor-rpcd, or "make run" in a checkout), or log in to a node with: debvisor login https://NODE:8443',
        })
    }
    return createConnectTransport({
        baseUrl: 'http://localhost',
        httpVersion: '1.1',
        nodeOptions: { socketPath: path },
    })
}

/** A transport to `server`; a pinned certificate is trusted for exactly that server and nothing else. */
export function overTls(login: Login, interceptors: Interceptor[] = []): Transport {
    const bearer: Interceptor = next => request => {
        if (login.token) request.header.set('authorization', `Bearer ${login.token}`)
        return next(request)
    }
    return createConnectTransport({
        baseUrl: login.server,
        httpVersion: '1.1',
        interceptors: [...interceptors, bearer],
        nodeOptions: login.certificate ? { ca: login.certificate, checkServerIdentity: () => undefined } : {},
    })
}

/** The certificate a server shows, and whether the system's authorities vouch for it. */
export function showCertificate(server: string): Promise<{ pem: string; fingerprint: string; trusted: boolean }> {
    const url = new URL(server)
    const host = url.hostname.replace(/^\[|\]$/g, '')
    return new Promise((resolve, reject) => {
        const socket = tlsConnect(
            {
                host,
                port: Number(url.port || 443),
                rejectUnauthorized: false,
                ...(isIP(host) ? {} : { servername: host }),
            },
            () => {
                const peer = socket.getPeerX509Certificate()
                socket.end()
                if (!peer)
                    return reject(
                        new Fault('unavailable', { summary: 'The server shows no certificate', detail: server }),
                    )
                resolve({ pem: peer.toString(), fingerprint: peer.fingerprint256, trusted: socket.authorized })
            },
        )
        socket.setTimeout(10_000, () => socket.destroy(new Error('no answer')))
        socket.on('error', cause =>
            reject(
                new Fault('unavailable', {
                    summary: 'The server cannot be reached',
                    detail: `${server}: ${cause.message}`,
                    fix: 'Check the address, and that the node listens there (--listen).',
                    cause,
                }),
            ),
        )
    })
}

export function readLogin(env: Record<string, string | undefined>): Login | undefined {
    const file = loginFile(env)
    if (!existsSync(file)) return undefined
    try {
        return JSON.parse(readFileSync(file, 'utf8')) as Login
    } catch (cause) {
        throw new Fault('invalid', {
            summary: 'The remembered login cannot be read',
            detail: file,
            fix: 'Log in again: debvisor login',
            cause,
        })
    }
}

export function writeLogin(env: Record<string, string | undefined>, login: Login): void {
    const file = loginFile(env)
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    writeFileSync(file, `${JSON.stringify(login, null, 4)}\n`, { mode: 0o600 })
}

export function forgetLogin(env: Record<string, string | undefined>): void {
    rmSync(loginFile(env), { force: true })
}

function readToken(file: string): string {
    try {
        return readFileSync(file, 'utf8').trim()
    } catch (cause) {
        throw new Fault('invalid', {
            summary: 'The token cannot be read',
            detail: file,
            fix: 'Give a file that holds the token alone.',
            cause,
        })
    }
}
