// Commands in containers: a ticket over the API, then a WebSocket that carries the command's input and output.
import { Duplex, Readable } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { Fault } from '../../base/fault.ts'
import { frames } from '../../drivers/docker/frames.ts'
import type { OpenTerminalRequest } from '../../gen/proto/capabilities/container/container_pb.js'
import { bridge } from '../bridge.ts'
import type { Caller } from '../caller.ts'
import type { Route } from '../capability.ts'
import { createTickets } from '../tickets.ts'
import { type ContainerDeps, notNow, pathOf } from './begin.ts'
import type { ContainerEntry } from './entry.ts'

const PATH = '/container-terminal'
const PROTOCOL = 'debvisor.console'
const TICKET_PREFIX = 'ticket.'
/** So long a terminal outlives the right to it. */
const RIGHT_EVERY_MS = 15_000
const MESSAGE_MAX_BYTES = 4 * 1024 * 1024
/** A shell with a history where there is one, else what every image with a shell has. */
const SHELL = ['/bin/sh', '-c', '[ -x /bin/bash ] && exec /bin/bash; exec /bin/sh']

interface Ticket {
    user: string
    container: string
    command: string[]
    as: string
    plain: boolean
}

export interface TerminalUse {
    user: string
    via: string
    viaId: string
    from: string
    container: string
    name: string
    event: 'open' | 'close'
}

export interface Terminals {
    /** @throws Fault `precondition` for a container that does not run */
    issue(entry: ContainerEntry, asked: OpenTerminalRequest, user: string): { path: string; ticket: string }
    route: Route
    close(): void
}

export interface TerminalDeps extends ContainerDeps {
    /** Told when a terminal opens and closes: for the audit record. */
    onUse(use: TerminalUse): void
    /** @throws Fault `denied` */
    needExec(caller: Caller, entry: ContainerEntry): void
}

export function createTerminals(deps: TerminalDeps): Terminals {
    const { docker, inventory } = deps
    const tickets = createTickets<Ticket>(deps.clock)
    const open = new Set<WebSocket>()
    const sockets = new WebSocketServer({
        noServer: true,
        maxPayload: MESSAGE_MAX_BYTES,
        perMessageDeflate: false,
        // The ticket is a subprotocol that only the client names: it is never sent back.
        handleProtocols: offered => (offered.has(PROTOCOL) ? PROTOCOL : false),
    })

    async function run(ticket: Ticket, entry: ContainerEntry) {
        const { command, as, plain } = ticket
        const { Id: id } = await docker.json<{ Id: string }>({
            method: 'POST',
            path: pathOf(entry, 'exec'),
            body: {
                ...{ AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: !plain, User: as },
                Env: plain ? [] : ['TERM=xterm-256color'],
                Cmd: command.length > 0 ? command : SHELL,
            },
        })
        const body = { Detach: false, Tty: !plain }
        const { socket } = await docker.hijack({ path: `/exec/${id}/start`, body })
        return { id, socket, stream: plain ? marked(socket) : socket }
    }

    const resize = (id: string, { columns, rows }: { columns: number; rows: number }) => {
        const query = { w: columns, h: rows }
        // The command may not have begun, or have ended: the next one sets it right.
        docker.json({ method: 'POST', path: `/exec/${id}/resize`, query }).catch(() => undefined)
    }

    const exitOf = async (id: string): Promise<string> => {
        const { ExitCode } = await docker.json<{ ExitCode: number | null }>({ path: `/exec/${id}/json` })
        return `exit ${ExitCode ?? 0}`
    }

    const route: Route = {
        prefix: PATH,
        summary:
            'WebSocket of a command in a container; needs a ticket of ContainerService.OpenTerminal as subprotocol',
        async upgrade(request, socket, head, caller) {
            const offered = String(request.headers['sec-websocket-protocol'] ?? '').split(/\s*,\s*/)
            const secret = offered.find(word => word.startsWith(TICKET_PREFIX))?.slice(TICKET_PREFIX.length) ?? ''
            const ticket = tickets.redeem(secret)
            if (caller.user !== ticket.user)
                throw new Fault('denied', {
                    summary: 'The ticket of this terminal belongs to somebody else',
                    fix: 'Open the terminal again.',
                })
            const entry = inventory.resolve(ticket.container)
            deps.needExec(caller, entry)
            let command: Awaited<ReturnType<typeof run>>
            try {
                command = await run(ticket, entry)
            } catch (thrown) {
                if (request.headers.origin === undefined || !(thrown instanceof Fault)) throw thrown
                // A page cannot read a refused handshake: it is told by a close.
                return sockets.handleUpgrade(request, socket, head, client => {
                    client.on('error', () => client.terminate())
                    client.close(4000, thrown.summary.slice(0, 100))
                })
            }
            let taken = false
            sockets.handleUpgrade(request, socket, head, client => {
                taken = true
                const stop = deps.clock.every(RIGHT_EVERY_MS, () => {
                    const now = inventory.byId(entry.id)
                    try {
                        if (now) deps.needExec(caller, now)
                    } catch {
                        client.close(1008, 'you may not use this terminal any more')
                    }
                })
                const { user, via, viaId, from } = caller
                const use = { user, via, viaId, from, container: entry.id, name: entry.name }
                deps.onUse({ ...use, event: 'open' })
                open.add(client)
                const farewell = () => exitOf(command.id)
                const onText = (text: string) => told(text, command, resize)
                void bridge(client, command.stream, { farewell, onText }).then(() => {
                    stop()
                    open.delete(client)
                    command.socket.destroy()
                    deps.onUse({ ...use, event: 'close' })
                })
            })
            if (!taken) command.socket.destroy()
        },
    }

    return {
        issue(entry, { command, user: as, plain }, user) {
            if (!entry.running) throw notNow(entry, 'The container does not run', 'Start it first.')
            return { path: PATH, ticket: tickets.issue({ user, container: entry.id, command, as, plain }) }
        },
        route,
        close() {
            for (const client of open) client.close(1001, 'DebVisor is restarting')
            sockets.close()
        },
    }
}

/** `{"columns":80,"rows":24}` for the size of a terminal, `{"end":true}` when there is no more input. */
function told(
    text: string,
    { id, socket }: { id: string; socket: Duplex },
    resize: (id: string, size: { columns: number; rows: number }) => void,
): void {
    let words: { columns?: unknown; rows?: unknown; end?: unknown }
    try {
        words = JSON.parse(text)
    } catch {
        return
    }
    const { columns, rows, end } = words ?? {}
    const fits = (value: unknown): value is number =>
        Number.isInteger(value) && Number(value) > 0 && Number(value) < 5000
    if (fits(columns) && fits(rows)) resize(id, { columns, rows })
    if (end === true) socket.end()
}

/** Without a terminal output and error come apart: each message begins with 1 or 2 for which it is. */
function marked(socket: Duplex): Duplex {
    async function* messages() {
        for await (const { from, data } of frames(socket as AsyncIterable<Buffer>))
            yield Buffer.concat([Buffer.from([from === 'err' ? 2 : 1]), data])
    }
    return Duplex.from({ readable: Readable.from(messages()), writable: socket })
}
