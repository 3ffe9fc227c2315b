// Terminals by WebSocket: a ticket opens one, bytes go both ways, text tells the size, and who loses the right loses it.
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { asFault, Fault } from '../base/fault.ts'
import type { Clock } from '../ports/ports.ts'
import { bridge } from './bridge.ts'
import type { Caller } from './caller.ts'
import type { Route } from './capability.ts'
import type { Tickets } from './tickets.ts'

const PROTOCOL = 'debvisor.console'
const TICKET_PREFIX = 'ticket.'
/** So long a terminal outlives the right to it. */
const RIGHT_EVERY_MS = 15_000
const MESSAGE_MAX_BYTES = 4 * 1024 * 1024
const MOST_CELLS = 5000
/** What a browser cannot read from a refused handshake. */
const REFUSED = 4000

/** What runs at the other end of a terminal. */
export interface Opened {
    stream: Duplex
    resize(size: { columns: number; rows: number }): void
    /** There is no more input. */
    finish(): void
    /** How it ended, such as `exit 0`. */
    farewell(): Promise<string>
    /** Ends it, whatever it does. */
    end(): void
    /** For the audit record. */
    onUse(event: 'open' | 'close'): void
}

export interface TerminalRouteDeps<T extends { user: string }> {
    prefix: string
    summary: string
    tickets: Tickets<T>
    clock: Clock
    /** Asked at the beginning and again and again. @throws Fault `denied` */
    need(caller: Caller, ticket: T): void
    open(ticket: T, caller: Caller): Promise<Opened>
}

export function terminalRoute<T extends { user: string }>(deps: TerminalRouteDeps<T>): { route: Route; close(): void } {
    const open = new Set<WebSocket>()
    const sockets = new WebSocketServer({
        noServer: true,
        maxPayload: MESSAGE_MAX_BYTES,
        perMessageDeflate: false,
        // The ticket is a subprotocol that only the client names: it is never sent back.
        handleProtocols: offered => (offered.has(PROTOCOL) ? PROTOCOL : false),
    })
    const route: Route = {
        prefix: deps.prefix,
        summary: deps.summary,
        async upgrade(request, socket, head, caller) {
            const offered = String(request.headers['sec-websocket-protocol'] ?? '').split(/\s*,\s*/)
            const secret = offered.find(word => word.startsWith(TICKET_PREFIX))?.slice(TICKET_PREFIX.length) ?? ''
            const ticket = deps.tickets.redeem(secret)
            if (caller.user !== ticket.user)
                throw new Fault('denied', {
                    summary: 'The ticket of this terminal belongs to somebody else',
                    fix: 'Open the terminal again.',
                })
            deps.need(caller, ticket)
            let opened: Opened
            try {
                opened = await deps.open(ticket, caller)
            } catch (thrown) {
                if (request.headers.origin === undefined || !(thrown instanceof Fault)) throw thrown
                // A page cannot read a refused handshake: it is told by a close.
                return sockets.handleUpgrade(request, socket, head, client => {
                    client.on('error', () => client.terminate())
                    client.close(REFUSED, thrown.summary.slice(0, 100))
                })
            }
            let taken = false
            sockets.handleUpgrade(request, socket, head, client => {
                taken = true
                const stop = deps.clock.every(RIGHT_EVERY_MS, () => {
                    try {
                        deps.need(caller, ticket)
                    } catch (thrown) {
                        // What it is about may be gone, and then it ends by itself.
                        if (asFault(thrown).code === 'denied')
                            client.close(1008, 'you may not use this terminal any more')
                    }
                })
                opened.onUse('open')
                open.add(client)
                const { farewell } = opened
                void bridge(client, opened.stream, { farewell, onText: text => told(text, opened) }).then(() => {
                    stop()
                    open.delete(client)
                    opened.end()
                    opened.onUse('close')
                })
            })
            if (!taken) opened.end()
        },
    }
    return {
        route,
        close() {
            for (const client of open) client.close(1001, 'DebVisor is restarting')
            sockets.close()
        },
    }
}

/** `{"columns":80,"rows":24}` for the size of a terminal, `{"end":true}` when there is no more input. */
function told(text: string, opened: Opened): void {
    let words: { columns?: unknown; rows?: unknown; end?: unknown }
    try {
        words = JSON.parse(text)
    } catch {
        return
    }
    const { columns, rows, end } = words ?? {}
    const fits = (value: unknown): value is number =>
        Number.isInteger(value) && Number(value) > 0 && Number(value) < MOST_CELLS
    if (fits(columns) && fits(rows)) opened.resize({ columns, rows })
    if (end === true) opened.finish()
}
