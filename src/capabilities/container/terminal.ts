// Commands in containers: a ticket over the API, then a WebSocket that carries the command's input and output.
import { Duplex, Readable } from 'node:stream'
import { frames } from '../../drivers/docker/frames.ts'
import type { OpenTerminalRequest } from '../../gen/proto/capabilities/container/container_pb.js'
import type { Caller } from '../caller.ts'
import type { Route } from '../capability.ts'
import { terminalRoute } from '../terminal-route.ts'
import { createTickets } from '../tickets.ts'
import { type ContainerDeps, notNow, pathOf } from './begin.ts'
import type { ContainerEntry } from './entry.ts'

const PATH = '/container-terminal'
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
    const { docker, inventory, clock } = deps
    const tickets = createTickets<Ticket>(clock)

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

    const { route, close } = terminalRoute<Ticket>({
        ...{ prefix: PATH, tickets, clock },
        summary:
            'WebSocket of a command in a container; needs a ticket of ContainerService.OpenTerminal as subprotocol',
        need: (caller, { container }) => deps.needExec(caller, inventory.resolve(container)),
        async open(ticket, { user, via, viaId, from }) {
            const entry = inventory.resolve(ticket.container)
            const { id, socket, stream } = await run(ticket, entry)
            const use = { user, via, viaId, from, container: entry.id, name: entry.name }
            return {
                stream,
                resize: size => resize(id, size),
                finish: () => void socket.end(),
                farewell: () => exitOf(id),
                end: () => void socket.destroy(),
                onUse: event => deps.onUse({ ...use, event }),
            }
        },
    })

    return {
        issue(entry, { command, user: as, plain }, user) {
            if (!entry.running) throw notNow(entry, 'The container does not run', 'Start it first.')
            return { path: PATH, ticket: tickets.issue({ user, container: entry.id, command, as, plain }) }
        },
        route,
        close,
    }
}

/** Without a terminal output and error come apart: each message begins with 1 or 2 for which it is. */
function marked(socket: Duplex): Duplex {
    async function* messages() {
        for await (const { from, data } of frames(socket as AsyncIterable<Buffer>))
            yield Buffer.concat([Buffer.from([from === 'err' ? 2 : 1]), data])
    }
    return Duplex.from({ readable: Readable.from(messages()), writable: socket })
}
