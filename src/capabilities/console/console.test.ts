// Consoles without a VM: tickets, where displays listen, pictures, and bytes at the pace of the slower side.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PassThrough } from 'node:stream'
import { inflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import WebSocket, { WebSocketServer } from 'ws'
import type { Clock } from '../../ports/ports.ts'
import { bridge } from '../bridge.ts'
import { createTickets } from '../tickets.ts'
import { vncAddress } from './graphics.ts'
import { pictureOf } from './png.ts'

function clockAt(start: number) {
    let nowMs = start
    const clock: Clock = { now: () => nowMs, ticks: () => nowMs, after: () => () => {}, every: () => () => {} }
    return { clock, pass: (ms: number) => (nowMs += ms) }
}

describe('a ticket', () => {
    type Ticket = typeof ticket
    const ticket = { user: 'ann', vm: 'u-1', kind: 'vnc' as const, force: false }

    it('is good once', () => {
        const tickets = createTickets<Ticket>(clockAt(0).clock)
        const secret = tickets.issue(ticket)
        expect(tickets.redeem(secret)).toMatchObject(ticket)
        expect(() => tickets.redeem(secret)).toThrow('not valid')
    })

    it('is good for 30 seconds', () => {
        const { clock, pass } = clockAt(0)
        const tickets = createTickets<Ticket>(clock)
        const [early, late] = [tickets.issue(ticket), tickets.issue(ticket)]
        pass(29_999)
        expect(tickets.redeem(early).vm).toBe('u-1')
        pass(1)
        expect(() => tickets.redeem(late)).toThrow('not valid')
    })

    it('cannot be guessed: an empty or wrong one is refused', () => {
        const tickets = createTickets<Ticket>(clockAt(0).clock)
        tickets.issue(ticket)
        for (const guess of ['', 'x', 'a'.repeat(43)]) expect(() => tickets.redeem(guess)).toThrow('not valid')
    })

    it('there are not more than a hundred of one user, and that holds up nobody else', () => {
        const { clock, pass } = clockAt(0)
        const tickets = createTickets<Ticket>(clock)
        for (let i = 0; i < 100; i++) tickets.issue(ticket)
        expect(() => tickets.issue(ticket)).toThrow('too many consoles')
        expect(tickets.issue({ ...ticket, user: 'bob' })).toHaveLength(43)
        pass(30_000)
        expect(tickets.issue(ticket)).toHaveLength(43)
    })
})

describe('where a display listens', () => {
    const domain = (graphics: string) => `<domain><devices>${graphics}</devices></domain>`

    it.each([
        [
            'a socket of our own',
            "<graphics type='vnc' socket='/v/1.sock'><listen type='socket' socket='/v/1.sock'/></graphics>",
            { path: '/v/1.sock' },
        ],
        [
            'a socket of libvirt',
            "<graphics type='vnc'><listen type='socket' socket='/l/vnc.sock'/></graphics>",
            { path: '/l/vnc.sock' },
        ],
        [
            'a port',
            "<graphics type='vnc' port='5901' listen='127.0.0.1'><listen type='address' address='127.0.0.1'/></graphics>",
            { host: '127.0.0.1', port: 5901 },
        ],
        [
            'a port on every address',
            "<graphics type='vnc' port='5901'><listen type='address' address='0.0.0.0'/></graphics>",
            { host: '127.0.0.1', port: 5901 },
        ],
        [
            'a port on every IPv6 address',
            "<graphics type='vnc' port='5901'><listen type='address' address='::'/></graphics>",
            { host: '::1', port: 5901 },
        ],
        [
            'VNC beside SPICE',
            "<graphics type='spice' port='5900'/><graphics type='vnc' socket='/v/1.sock'/>",
            { path: '/v/1.sock' },
        ],
    ])('%s', (_what, graphics, address) => {
        expect(vncAddress(domain(graphics), 'web1')).toEqual(address)
    })

    it.each([
        ['nowhere', ''],
        ['by SPICE alone', "<graphics type='spice' port='5900'/>"],
        ['on a port that is not given yet', "<graphics type='vnc' port='-1' autoport='yes'/>"],
    ])('%s: says so', (_what, graphics) => {
        expect(() => vncAddress(domain(graphics), 'web1')).toThrow('no VNC display: web1')
    })
})

describe('a screenshot', () => {
    it('becomes a PNG with the same pixels', async () => {
        const pixels = Buffer.from([255, 0, 0, 0, 255, 0, 0, 0, 255, 1, 2, 3])
        const { png, width, height } = await pictureOf(Buffer.concat([Buffer.from('P6\n2 2\n255\n'), pixels]))
        const file = Buffer.from(png)
        expect([width, height, file.subarray(1, 4).toString()]).toEqual([2, 2, 'PNG'])
        const start = file.indexOf('IDAT') + 4
        const raw = inflateSync(file.subarray(start, start + file.readUInt32BE(start - 8)))
        expect([...raw]).toEqual([0, 255, 0, 0, 0, 255, 0, 0, 0, 0, 255, 1, 2, 3])
    })

    it('that is a PNG already stays what it is', async () => {
        const made = await pictureOf(Buffer.concat([Buffer.from('P6\n3 1\n255\n'), Buffer.alloc(9)]))
        expect(await pictureOf(Buffer.from(made.png))).toEqual({ ...made, png: Buffer.from(made.png) })
    })

    it.each(['', 'P5\n2 2\n255\nxxxx', 'P6\n200 200\n255\nx'])('what is no picture is refused: %j', async text => {
        await expect(pictureOf(Buffer.from(text))).rejects.toThrow('not a picture')
    })
})

describe('the bridge', () => {
    async function joined() {
        const server = createServer()
        const sockets = new WebSocketServer({ server })
        server.listen(0, '127.0.0.1')
        await once(server, 'listening')
        const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
        const [near] = (await once(sockets, 'connection')) as [WebSocket]
        const [toGuest, fromGuest] = [new PassThrough(), new PassThrough()]
        const { Duplex } = await import('node:stream')
        const guest = Duplex.from({ readable: fromGuest, writable: toGuest })
        const ended = bridge(near, guest)
        if (client.readyState !== client.OPEN) await once(client, 'open')
        return { client, near, guest, toGuest, fromGuest, ended, close: () => server.close() }
    }

    it('carries bytes both ways, unchanged', async () => {
        const { client, toGuest, fromGuest, close, ended } = await joined()
        const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
        fromGuest.write(every)
        expect((await once(client, 'message'))[0]).toEqual(every)
        client.send(every)
        expect((await once(toGuest, 'data'))[0]).toEqual(every)
        client.close()
        await ended
        close()
    })

    it('ends for both when the guest ends', async () => {
        const { client, fromGuest, close, ended } = await joined()
        fromGuest.end()
        expect((await once(client, 'close'))[0]).toBe(1000)
        await ended
        close()
    })

    it('lets go of the guest when the browser is gone', async () => {
        const { client, guest, close, ended } = await joined()
        client.terminate()
        await ended
        expect(guest.destroyed).toBe(true)
        close()
    })

    it('stops reading the guest while the browser does not read', async () => {
        const { client, near, fromGuest, close, ended } = await joined()
        client.pause()
        const chunk = Buffer.alloc(1024 * 1024)
        let sent = 0
        while (sent < 64 && fromGuest.write(chunk)) sent++
        for (; sent < 64; sent++) fromGuest.write(chunk)
        await new Promise(resolve => setImmediate(resolve))
        expect(near.bufferedAmount).toBeLessThan(16 * 1024 * 1024)
        client.terminate()
        await ended
        close()
    })
})
