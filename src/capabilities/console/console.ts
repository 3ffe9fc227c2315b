// Consoles: a ticket over the API, then a WebSocket that carries the display (VNC) or the serial port of a VM.
import { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { Fault } from '../../base/fault.ts'
import { type Console, domainRef } from '../../drivers/libvirt/libvirt.ts'
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import { connectVnc } from '../../drivers/vnc/socket.ts'
import { ConsoleService, Kind } from '../../gen/proto/capabilities/console/console_pb.js'
import type { Clock, Log } from '../../ports/ports.ts'
import { bridge } from '../bridge.ts'
import { callerOf } from '../caller.ts'
import type { Capability, Route } from '../capability.ts'
import { createTickets } from '../tickets.ts'
import { vncAddress } from './graphics.ts'
import { pictureOf } from './png.ts'

const PATH = '/console'
const PROTOCOL = 'debvisor.console'
const TICKET_PREFIX = 'ticket.'
/** So long a console outlives the right to it. */
const RIGHT_EVERY_MS = 15_000
/** Close codes for what a browser cannot read from a refused handshake: in use by somebody else, and all else. */
const IN_USE = 4409
const REFUSED = 4000
/** RFC 6455, 5.5.1: a control frame holds 125 bytes, two of them the code. */
const REASON_BYTES = 123
/** Beyond that a browser sends nonsense: keys, mouse moves and pasted text are small. */
const MESSAGE_MAX_BYTES = 4 * 1024 * 1024

interface Ticket {
    user: string
    vm: string
    kind: 'vnc' | 'serial'
    force: boolean
}

/** What consoles want to know of VMs. */
export interface ConsoleVms {
    /** @throws Fault `not-found` */
    resolve(ref: string): { uuid: string; name: string; active: boolean; tags: readonly string[]; owner: string }
    /** The definition that runs; undefined while it does not. */
    activeXml(uuid: string): Promise<string | undefined>
}

export interface ConsoleUse {
    user: string
    via: string
    viaId: string
    vm: string
    name: string
    kind: string
    from: string
    event: 'open' | 'close'
}

export interface ConsoleDeps {
    libvirt: LibvirtLink
    vms: ConsoleVms
    clock: Clock
    log: Log
    /** Told when a console opens and closes: for the audit record. */
    onUse(use: ConsoleUse): void
}

export function createConsole(deps: ConsoleDeps): Capability {
    const { libvirt, vms } = deps
    const tickets = createTickets<Ticket>(deps.clock)
    const sockets = new WebSocketServer({
        noServer: true,
        maxPayload: MESSAGE_MAX_BYTES,
        perMessageDeflate: false,
        // The ticket is a subprotocol that only the client names: it is never sent back.
        handleProtocols: offered => (offered.has(PROTOCOL) ? PROTOCOL : false),
    })
    const open = new Set<WebSocket>()
    /** Who has the serial port of a VM open through this daemon, by UUID. */
    const serials = new Map<string, { user: string }>()

    const running = (ref: string) => {
        const vm = vms.resolve(ref)
        if (vm.active) return vm
        throw new Fault('precondition', {
            summary: 'The VM does not run',
            detail: vm.name,
            fix: 'Start it first.',
            at: 'vm',
        })
    }

    async function stream(ticket: Ticket): Promise<Duplex> {
        const vm = running(ticket.vm)
        if (ticket.kind === 'serial') {
            const dom = domainRef({ uuid: vm.uuid, name: vm.name })
            return duplexOf(await libvirt.connection().openConsole(dom, { force: ticket.force }))
        }
        return connectVnc(vncAddress((await vms.activeXml(vm.uuid)) ?? '<domain/>', vm.name))
    }

    const route: Route = {
        prefix: PATH,
        summary: 'WebSocket of a console; needs a ticket of ConsoleService.Open as subprotocol',
        async upgrade(request, socket, head, caller) {
            const offered = String(request.headers['sec-websocket-protocol'] ?? '')
                .split(',')
                .map(word => word.trim())
            const secret = offered.find(word => word.startsWith(TICKET_PREFIX))?.slice(TICKET_PREFIX.length) ?? ''
            const ticket = tickets.redeem(secret)
            if (caller.user !== ticket.user) {
                throw new Fault('denied', {
                    summary: 'The ticket of this console belongs to somebody else',
                    fix: 'Open the console again.',
                })
            }
            const vm = vms.resolve(ticket.vm)
            const { user, kind } = ticket
            // Of the VM as it is at the moment of the question: a tag that gave the right may be gone.
            const guarded = () => {
                const { uuid, tags, owner } = vms.resolve(vm.uuid)
                return { id: uuid, tags, owner }
            }
            const may = () => {
                try {
                    return caller.may('console.open', guarded())
                } catch {
                    // The VM is gone, and its console ends by itself.
                    return true
                }
            }
            caller.need('console.open', guarded())
            let guest: Duplex
            try {
                guest = await stream(ticket)
            } catch (thrown) {
                if (request.headers.origin === undefined || !(thrown instanceof Fault)) throw thrown
                return sockets.handleUpgrade(request, socket, head, client => {
                    client.on('error', () => client.terminate())
                    client.close(thrown.code === 'conflict' ? IN_USE : REFUSED, reasonOf(thrown))
                })
            }
            let taken = false
            sockets.handleUpgrade(request, socket, head, client => {
                taken = true
                // Who loses the right loses the console that is open.
                const stop = deps.clock.every(RIGHT_EVERY_MS, () => {
                    if (!may()) client.close(1008, 'you may not use this console any more')
                })
                const { via, viaId, from } = caller
                const use = { user, via, viaId, vm: vm.uuid, name: vm.name, kind, from }
                deps.onUse({ ...use, event: 'open' })
                open.add(client)
                const mine = { user }
                if (kind === 'serial') serials.set(vm.uuid, mine)
                void bridge(client, guest).then(() => {
                    stop()
                    open.delete(client)
                    if (serials.get(vm.uuid) === mine) serials.delete(vm.uuid)
                    deps.onUse({ ...use, event: 'close' })
                })
            })
            // Nobody is there any more, or the handshake was refused: the display or port is free again.
            if (!taken) guest.destroy()
        },
    }

    return {
        name: 'console',
        routes: [route],
        services(router) {
            router.service(ConsoleService, {
                open(request, context) {
                    const vm = running(request.vm)
                    const kind = request.kind === Kind.SERIAL ? 'serial' : 'vnc'
                    const { user } = callerOf(context)
                    const holder = serials.get(vm.uuid)
                    if (kind === 'serial' && holder && !request.force) throw inUse(vm.name, holder.user)
                    return { path: PATH, ticket: tickets.issue({ user, vm: vm.uuid, kind, force: request.force }) }
                },
                async screenshot(request) {
                    const vm = running(request.vm)
                    const { data } = await libvirt
                        .connection()
                        .takeScreenshot(domainRef({ uuid: vm.uuid, name: vm.name }))
                    return await pictureOf(data)
                },
            })
        },
        async close() {
            for (const client of open) client.close(1001, 'DebVisor is restarting')
            sockets.close()
        },
    }
}

const inUse = (name: string, user: string) =>
    new Fault('conflict', {
        summary: 'Somebody else has the serial console open',
        detail: `${name}, by ${user}`,
        fix: `Take it over: debvisor vm console ${name} --force`,
        at: 'force',
    })

/** The summary of a Fault, cut to what a close frame can carry. */
function reasonOf({ summary }: Fault): string {
    const bytes = Buffer.from(summary).subarray(0, REASON_BYTES)
    return new TextDecoder('utf-8').decode(bytes).replace(/\ufffd+$/, '')
}

/** A serial port as a stream, at the reader's pace. */
function duplexOf(port: Console): Duplex {
    const output = port.output[Symbol.asyncIterator]()
    return new Duplex({
        read() {
            output.next().then(
                ({ done, value }) => this.push(done ? null : Buffer.from(value)),
                (thrown: Error) => this.destroy(thrown),
            )
        },
        write(data: Buffer, _encoding, done) {
            port.write(data).then(() => done(), done)
        },
        destroy(error, done) {
            port.close().then(
                () => done(error),
                () => done(error),
            )
        },
    })
}
