// A shell of root on the node: rootd checks who asks and runs it; here are the ticket, the WebSocket and the way between.
import type { Duplex } from 'node:stream'
import { Fault } from '../../base/fault.ts'
import { ShellService } from '../../gen/proto/capabilities/shell/shell_pb.js'
import type { Clock, Log } from '../../ports/ports.ts'
import { type Caller, callerOf } from '../caller.ts'
import type { Capability } from '../capability.ts'
import { terminalRoute } from '../terminal-route.ts'
import { createTickets } from '../tickets.ts'

const PATH = '/node-shell'
const PERMISSION = 'node.shell'

/** What rootd does for it; troubles are Faults. */
export interface RootShells {
    /** @throws Fault `denied` unless the caller has confirmed lately who they are */
    open(caller: Caller, confirmationToken: string): Promise<{ shell: string; ticket: string }>
    /** A connection that is the shell's terminal from now on. @throws Fault */
    connect(ticket: string): Promise<Duplex>
    resize(shell: string, size: { columns: number; rows: number }): Promise<void>
}

export interface ShellUse {
    user: string
    via: Caller['via']
    viaId: string
    from: string
    event: 'open' | 'close'
}

export interface ShellDeps {
    root: RootShells
    clock: Clock
    log: Log
    /** Told when a shell opens and closes: for the audit record. */
    onUse(use: ShellUse): void
}

export function createShell(deps: ShellDeps): Capability {
    const { root, clock, log } = deps
    const tickets = createTickets<{ user: string; shell: string; secret: string }>(clock)
    const { route, close } = terminalRoute<{ user: string; shell: string; secret: string }>({
        ...{ prefix: PATH, tickets, clock },
        summary: 'WebSocket of a shell of root on the node; needs a ticket of ShellService.Open as subprotocol',
        need: caller => caller.need(PERMISSION),
        async open({ shell, secret }, { user, via, viaId, from }) {
            const stream = await root.connect(secret)
            return {
                stream,
                resize: size =>
                    void root.resize(shell, size).catch(thrown => log.warn('a shell kept its size', { err: thrown })),
                finish: () => void stream.end(),
                farewell: async () => 'the shell has ended',
                end: () => void stream.destroy(),
                onUse: event => deps.onUse({ user, via, viaId, from, event }),
            }
        },
    })
    return {
        name: 'shell',
        routes: [route],
        services: router =>
            router.service(ShellService, {
                async open({ confirmationToken }, context) {
                    const caller = callerOf(context)
                    if (caller.via === 'root') throw isRoot()
                    const { shell, ticket: secret } = await root.open(caller, confirmationToken)
                    return { path: PATH, ticket: tickets.issue({ user: caller.user, shell, secret }) }
                },
            }),
        close: async () => close(),
    }
}

const isRoot = () =>
    new Fault('precondition', {
        summary: 'You are root of this node already',
        fix: 'A shell by the API is for who is logged in with a password.',
    })
