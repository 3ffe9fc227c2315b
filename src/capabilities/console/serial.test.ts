// The way to a serial port: one at a time, taken over where asked, told to pages by a close code, and lost with the right.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PassThrough } from 'node:stream'
import { createClient, createRouterTransport } from '@connectrpc/connect'
import { afterEach, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { Fault } from '../../base/fault.ts'
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import { ConsoleService, Kind } from '../../gen/proto/capabilities/console/console_pb.js'
import { fakeClock, fakeLog } from '../../ports/fake.ts'
import { type Caller, callerKey } from '../caller.ts'
import { createConsole } from './console.ts'

const UUID = '11111111-2222-3333-4444-555555555555'
const closers: (() => void)[] = []
afterEach(() => {
    for (const close of closers.splice(0)) close()
})

/** Who holds a grant on the tag 'web'. */
const person = (user: string): Caller => {
    const may: Caller['may'] = (_permission, object) => object?.tags?.includes('web') === true
    const need: Caller['need'] = (permission, object) => {
        if (!may(permission, object)) throw new Fault('denied', { summary: 'You may not do that' })
    }
    return { user, via: 'session', viaId: 's1', from: '192.0.2.1', may, need }
}

async function world() {
    const clock = fakeClock()
    const seen = {
        tags: ['web'],
        trouble: undefined as Fault | undefined,
        refused: [] as unknown[],
        forced: [] as boolean[],
    }
    const openConsole = async (_dom: unknown, { force }: { force: boolean }) => {
        if (seen.trouble && !force) throw seen.trouble
        seen.forced.push(force)
        const port = new PassThrough()
        return { output: port, write: async (data: Uint8Array) => void port.write(data), close: async () => port.end() }
    }
    const console = createConsole({
        libvirt: { connection: () => ({ openConsole }) } as unknown as LibvirtLink,
        clock,
        log: fakeLog(),
        vms: {
            resolve: () => ({ uuid: UUID, name: 'web1', active: true, tags: seen.tags, owner: 'root' }),
            activeXml: async () => undefined,
        },
        onUse() {},
    })
    const server = createServer()
    server.on('upgrade', (request, socket, head) => {
        const caller = person(String(request.headers['x-user'] ?? 'ann'))
        console.routes![0]!.upgrade!(request, socket, head, caller).catch((thrown: Fault) =>
            socket.end(`HTTP/1.1 409 Refused\r\nx-code: ${thrown.code}\r\nconnection: close\r\n\r\n`),
        )
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    closers.push(() => server.close())
    const { port } = server.address() as AddressInfo

    const ticketFor = async (user: string, force = false) => {
        const transport = createRouterTransport(router => console.services!(router), {
            router: {
                interceptors: [
                    next => request => {
                        request.contextValues.set(callerKey, person(user))
                        return next(request).catch(thrown => {
                            seen.refused.push(thrown)
                            throw thrown
                        })
                    },
                ],
            },
        })
        return (await createClient(ConsoleService, transport).open({ vm: 'web1', kind: Kind.SERIAL, force })).ticket
    }
    const connect = (ticket: string, user: string, origin?: string) => {
        const headers = { 'x-user': user, ...(origin ? { origin } : {}) }
        const socket = new WebSocket(`ws://127.0.0.1:${port}/console`, ['debvisor.console', `ticket.${ticket}`], {
            headers,
        })
        socket.on('error', () => {})
        closers.push(() => socket.terminate())
        return socket
    }
    return { clock, seen, ticketFor, connect }
}

describe('a serial port', () => {
    it('that somebody has open is a conflict for the next, who may take it over', async () => {
        const { seen, ticketFor, connect } = await world()
        const first = connect(await ticketFor('ann'), 'ann')
        await once(first, 'open')
        await expect(ticketFor('bob')).rejects.toThrow()
        const fix = expect.stringContaining('--force')
        expect(seen.refused).toMatchObject([{ code: 'conflict', detail: 'web1, by ann', fix }])
        const second = connect(await ticketFor('bob', true), 'bob')
        await once(second, 'open')
        expect(seen.forced).toEqual([false, true])
        // The first one leaves: the port is still the second one's.
        first.close()
        await once(first, 'close')
        await expect(ticketFor('ann')).rejects.toThrow()
        second.close()
        await expect
            .poll(() =>
                ticketFor('ann').then(
                    () => 'free',
                    () => 'in use',
                ),
            )
            .toBe('free')
    })

    it('that is held from outside is told to a page by a close code, to others by the answer', async () => {
        const { seen, ticketFor, connect } = await world()
        seen.trouble = new Fault('conflict', { summary: 'The console is in use', detail: 'by virsh' })
        const page = connect(await ticketFor('ann'), 'ann', 'https://node')
        const [code, reason] = await once(page, 'close')
        expect([code, String(reason)]).toEqual([4409, 'The console is in use'])
        const program = connect(await ticketFor('ann'), 'ann')
        const [, answer] = await once(program, 'unexpected-response')
        expect([answer.statusCode, answer.headers['x-code']]).toEqual([409, 'conflict'])
    })

    it('is lost with the tag that gave the right to it', async () => {
        const { clock, seen, ticketFor, connect } = await world()
        const socket = connect(await ticketFor('ann'), 'ann')
        await once(socket, 'open')
        await clock.advance(30_000)
        expect(socket.readyState).toBe(socket.OPEN)
        const closed = once(socket, 'close')
        seen.tags = []
        await clock.advance(15_000)
        expect((await closed)[0]).toBe(1008)
    })
})
