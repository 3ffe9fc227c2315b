// The Unix socket of rootd: handed over by systemd, or made here; its owner, group and mode say who may open it.
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectRouter } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { Fault } from '../../base/fault.ts'
import type { System } from '../../ports/ports.ts'

/** The first descriptor that systemd hands over, sd_listen_fds(3). */
const FIRST_FD = 3
const MESSAGE_MAX_BYTES = 2 * 1024 * 1024
const ANSWER_MS = 2_000

export type Where = { handed: true } | { path: string; group: string }

/** Where systemd says that it has opened the socket already, for this very process. */
export const isHanded = (env: Record<string, string | undefined>, pid: number): boolean =>
    env.LISTEN_PID === String(pid) && Number(env.LISTEN_FDS) >= 1

export interface Listening {
    close(): Promise<void>
}

export interface Handled {
    routes(router: ConnectRouter): void
    upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
}

/** @throws Fault `conflict` when another one answers at the path, `not-found` for a group that is none */
export async function listen(where: Where, { routes, upgrade }: Handled, system: System): Promise<Listening> {
    const handler = connectNodeAdapter({ routes, readMaxBytes: MESSAGE_MAX_BYTES })
    const server = createServer(handler)
    server.on('upgrade', upgrade)
    // A plan takes its time, and an apply is watched for as long as it lasts.
    server.requestTimeout = 0
    if ('handed' in where) await bound(server, { fd: FIRST_FD })
    else {
        const gid = await gidOf(where.group, system)
        if (await answers(where.path)) {
            throw new Fault('conflict', {
                summary: 'Another debvisor-rootd answers at this socket',
                detail: where.path,
                fix: 'End that one first, or choose another path with --socket.',
            })
        }
        await system.remove(where.path)
        // Made inside `listen`, before it returns: there is no moment in which others could open it.
        const before = process.umask(0o117)
        const there = bound(server, { path: where.path })
        process.umask(before)
        await there
        if (gid !== undefined) await system.chown(where.path, system.self().uid, gid)
    }
    return {
        close: () =>
            new Promise(resolve => {
                server.close(() => resolve())
                server.closeIdleConnections()
                // Who still watches has heard the end by then.
                setTimeout(() => server.closeAllConnections(), 500).unref()
            }),
    }
}

const bound = (server: Server, at: { fd: number } | { path: string }) =>
    new Promise<void>((resolve, reject) => {
        server.once('error', (cause: NodeJS.ErrnoException) =>
            reject(
                new Fault('unavailable', {
                    summary: 'The socket cannot be listened on',
                    detail: `${'path' in at ? at.path : `descriptor ${at.fd}`}: ${cause.code}`,
                    fix: 'See whether its folder is there: systemctl status debvisor-rootd.socket',
                    cause,
                }),
            ),
        )
        server.listen(at, () => {
            server.on('error', () => {})
            resolve()
        })
    })

async function gidOf(group: string, system: System): Promise<number | undefined> {
    if (group === '') return undefined
    const line = ((await system.readText('/etc/group')) ?? '').split('\n').find(one => one.startsWith(`${group}:`))
    if (line) return Number(line.split(':')[2])
    throw new Fault('not-found', {
        summary: 'There is no such group',
        detail: group,
        fix: 'Name the group of debvisor-rpcd with --group, or none with --group "".',
        at: '--group',
    })
}

function answers(path: string): Promise<boolean> {
    return new Promise(resolve => {
        const socket = connect(path)
        socket.setTimeout(ANSWER_MS, () => socket.destroy())
        socket.on('connect', () => {
            resolve(true)
            socket.destroy()
        })
        socket.on('error', () => {})
        socket.on('close', () => resolve(false))
    })
}
