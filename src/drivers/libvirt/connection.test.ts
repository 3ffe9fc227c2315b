// A connection against a daemon of the test's own: what it sends, and how it bears what a daemon may do.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PROCEDURES } from '../../gen/libvirt/protocol.ts'
import { MAX_IN_FLIGHT } from './calls.ts'
import { Connection, type ConnectionOptions } from './connection.ts'
import { watchEvents } from './events.ts'
import { type Frame, KIND, packHeader, STATUS, splitFrames } from './framing.ts'
import { openLibvirt, VIR } from './libvirt.ts'
import { stayConnected } from './link.ts'
import { silentLog, testClock } from './testing.ts'
import { encode } from './xdr.ts'

const KEEPALIVE = 0x6b656570
const dom = { name: 'a', uuid: Buffer.alloc(16, 1), id: -1 }

interface Daemon {
    socketPath: string
    /** Calls that are not answered by the daemon itself. */
    calls: { name: string; frame: Frame }[]
    reply(frame: Frame, payload?: Buffer): Buffer
    send(...parts: Buffer[]): void
    drop(): void
    authTypes: number[]
    /** Says nothing at all, as a stopped process. */
    hung: boolean
    answersPings: boolean
    /** Resolves when so many calls wait for the test. */
    waitForCalls(count: number): Promise<void>
}

let folder: string
let server: Server
let daemon: Daemon

const nameOf = (frame: Frame): string =>
    Object.entries(PROCEDURES).find(
        ([, procedure]) => procedure.program === frame.program && procedure.number === frame.procedure,
    )?.[0] ?? 'unknown'

function answerItself(socket: Socket, name: string, frame: Frame): boolean {
    const answers: Record<string, () => Buffer> = {
        authList: () => encode('AuthListRet', { types: daemon.authTypes }),
        authPolkit: () => encode('AuthPolkitRet', { complete: 1 }),
        connectOpen: () => Buffer.alloc(0),
        connectSupportsFeature: () => encode('ConnectSupportsFeatureRet', { supported: 1 }),
        connectClose: () => Buffer.alloc(0),
    }
    const answer = answers[name]
    if (answer) socket.write(daemon.reply(frame, answer()))
    return answer !== undefined
}

beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'dv-connection-'))
    const sockets = new Set<Socket>()
    let onCall = (): void => undefined
    daemon = {
        socketPath: join(folder, 'sock'),
        calls: [],
        authTypes: [0],
        hung: false,
        answersPings: true,
        reply: ({ program, procedure, serial }, payload = Buffer.alloc(0)) =>
            Buffer.concat([
                packHeader({ program, procedure, kind: KIND.reply, serial, status: STATUS.ok }, payload.length),
                payload,
            ]),
        send: (...parts) => {
            for (const socket of sockets) socket.write(Buffer.concat(parts))
        },
        drop: () => {
            for (const socket of sockets) socket.destroy()
        },
        waitForCalls: count =>
            new Promise(resolve => {
                onCall = () => {
                    if (daemon.calls.length >= count) resolve()
                }
                onCall()
            }),
    }
    server = createServer(socket => {
        sockets.add(socket)
        socket.on('error', () => undefined)
        socket.on(
            'data',
            splitFrames(frame => {
                if (daemon.hung) return
                if (frame.program === KEEPALIVE) {
                    const header = { ...frame, procedure: 2 }
                    if (daemon.answersPings && frame.procedure === 1) socket.write(packHeader(header, 0))
                    return
                }
                const name = nameOf(frame)
                if (answerItself(socket, name, frame)) return
                daemon.calls.push({ name, frame })
                onCall()
            }) as (chunk: Buffer) => void,
        )
    })
    await new Promise<void>(resolve => server.listen(daemon.socketPath, resolve))
})

afterEach(() => {
    daemon.drop()
    server.close()
    rmSync(folder, { recursive: true, force: true })
})

const open = (more: Partial<ConnectionOptions> = {}): Promise<Connection> =>
    Connection.open({ socketPath: daemon.socketPath, clock: testClock, log: silentLog, ...more })

const xml = (text: string): Buffer => encode('DomainGetXMLDescRet', { xml: text })

describe('opening', () => {
    it('makes the one empty polkit call when the daemon asks for it', async () => {
        daemon.authTypes = [2]
        const connection = await open()
        expect(connection.ended).toBeUndefined()
    })

    it('refuses SASL with what to do', async () => {
        daemon.authTypes = [1]
        await expect(open()).rejects.toMatchObject({ code: 'unsupported', fix: expect.stringContaining('polkit') })
    })

    it('meets its deadline with a daemon that accepts and says nothing', async () => {
        daemon.hung = true
        const began = performance.now()
        await expect(open({ openDeadlineMs: 100 })).rejects.toMatchObject({
            code: 'unavailable',
            summary: 'libvirtd does not answer',
        })
        expect(performance.now() - began).toBeLessThan(1000)
    })

    it('says that there is no daemon', async () => {
        await expect(open({ socketPath: join(folder, 'none') })).rejects.toMatchObject({
            code: 'unavailable',
            fix: expect.stringContaining('systemctl start'),
        })
    })

    it('gives up a daemon that speaks something else', async () => {
        const connection = await open()
        const ended = new Promise(resolve => connection.onClose(resolve))
        daemon.send(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'))
        await expect(ended).resolves.toMatchObject({ code: 'unavailable' })
    })
})

describe('calls', () => {
    it(`keep at most ${MAX_IN_FLIGHT} in flight, and take turns`, async () => {
        const connection = await open()
        const answers = Array.from({ length: 6 }, () => connection.call('domainGetXMLDesc', { dom }))
        await daemon.waitForCalls(MAX_IN_FLIGHT)
        const pinged = new Promise(resolve => setImmediate(() => setImmediate(resolve)))
        await pinged
        expect(daemon.calls.length).toBe(MAX_IN_FLIGHT)
        // Out of order: each answer finds its call by the serial.
        daemon.send(daemon.reply(daemon.calls[3]!.frame, xml('three')))
        await expect(answers[3]).resolves.toEqual({ xml: 'three' })
        await daemon.waitForCalls(5)
        for (const i of [0, 1, 2, 4]) daemon.send(daemon.reply(daemon.calls[i]!.frame, xml(String(i))))
        await daemon.waitForCalls(6)
        daemon.send(daemon.reply(daemon.calls[5]!.frame, xml('five')))
        expect(await Promise.all(answers)).toEqual(['0', '1', '2', 'three', '4', 'five'].map(text => ({ xml: text })))
    })

    it('lose only themselves when their answer cannot be read', async () => {
        const connection = await open()
        const [bad, good] = [connection.call('domainGetXMLDesc', { dom }), connection.call('domainGetXMLDesc', { dom })]
        await daemon.waitForCalls(2)
        daemon.send(daemon.reply(daemon.calls[0]!.frame, Buffer.from('0fffffff', 'hex')))
        daemon.send(daemon.reply(daemon.calls[1]!.frame, xml('fine')))
        await expect(bad).rejects.toMatchObject({ code: 'internal' })
        await expect(good).resolves.toEqual({ xml: 'fine' })
    })

    it('are refused before anything is sent when their arguments do not fit', async () => {
        const connection = await open()
        await expect(connection.call('domainGetXMLDesc', { dom, flag: 1 } as never)).rejects.toMatchObject({
            code: 'invalid',
            at: 'flag',
        })
        expect(daemon.calls.length).toBe(0)
    })

    it('say what is known when their deadline passes', async () => {
        const connection = await open()
        const deadlineMs = 50
        const change = connection.call('domainCreate', { dom }, { deadlineMs })
        const look = connection.call('domainGetXMLDesc', { dom }, { deadlineMs })
        const more = [1, 2].map(() => connection.call('domainGetXMLDesc', { dom }, { deadlineMs: 1000 }))
        const queuedChange = connection.call('domainCreate', { dom }, { deadlineMs })
        await expect(change).rejects.toMatchObject({ code: 'unknown' })
        await expect(look).rejects.toMatchObject({ code: 'deadline' })
        await expect(queuedChange).rejects.toMatchObject({ code: 'deadline' })
        // The daemon still works on what was sent: its place is free only when it has answered.
        expect(daemon.calls.length).toBe(MAX_IN_FLIGHT)
        for (const { frame } of daemon.calls.slice(2)) daemon.send(daemon.reply(frame, xml('late')))
        expect((await Promise.all(more)).length).toBe(2)
        expect(daemon.calls.length).toBe(MAX_IN_FLIGHT)
        expect(daemon.calls.filter(({ name }) => name === 'domainCreate').length).toBe(1)
    })

    it('that may hang do so on a connection of their own, and take no place from the others', async () => {
        const libvirt = await openLibvirt({ socketPath: daemon.socketPath, clock: testClock, log: silentLog })
        const first = libvirt.call('domainGetXMLDesc', { dom })
        await daemon.waitForCalls(1)
        daemon.send(daemon.reply(daemon.calls[0]!.frame, xml('')))
        await first
        const hanging = Array.from({ length: MAX_IN_FLIGHT + 2 }, () => libvirt.call('domainSuspend', { dom }))
        await daemon.waitForCalls(MAX_IN_FLIGHT + 3)
        const look = libvirt.call('domainGetXMLDesc', { dom })
        await daemon.waitForCalls(MAX_IN_FLIGHT + 4)
        // The test's daemon tells everybody: by its serial this is for the shared connection alone.
        const { frame } = daemon.calls.at(-1)!
        expect(daemon.calls.filter(call => call.frame.serial === frame.serial)).toHaveLength(1)
        daemon.send(daemon.reply(frame, xml('still here')))
        await expect(look).resolves.toEqual({ xml: 'still here' })
        const ends = Promise.allSettled(hanging)
        daemon.drop()
        for (const end of await ends) expect(end).toMatchObject({ status: 'rejected', reason: { code: 'unknown' } })
    })

    it('end the connection when every place is held by one that is late', async () => {
        const connection = await open()
        const ended = new Promise(resolve => connection.onClose(resolve))
        const deadlineMs = 50
        const late = Array.from({ length: MAX_IN_FLIGHT }, () =>
            connection.call('domainGetXMLDesc', { dom }, { deadlineMs }),
        )
        const waiting = connection.call('domainGetXMLDesc', { dom }, { deadlineMs: 5_000 })
        const ends = await Promise.allSettled([...late, waiting])
        const codes = ends.map(end => end.status === 'rejected' && (end.reason as { code: string }).code)
        expect(codes).toEqual([...late.map(() => 'deadline'), 'unavailable'])
        await expect(ended).resolves.toMatchObject({ summary: 'libvirtd does not answer' })
    })

    it('are all answered at once when the connection dies: a sent change with unknown', async () => {
        const connection = await open()
        const change = connection.call('domainCreate', { dom })
        const looks = Array.from({ length: 3 }, () => connection.call('domainGetXMLDesc', { dom }))
        const queuedChange = connection.call('domainCreate', { dom })
        await daemon.waitForCalls(4)
        daemon.drop()
        await expect(change).rejects.toMatchObject({ code: 'unknown' })
        for (const look of looks) await expect(look).rejects.toMatchObject({ code: 'unavailable' })
        await expect(queuedChange).rejects.toMatchObject({ code: 'unavailable' })
        await expect(connection.call('connectGetLibVersion')).rejects.toMatchObject({ code: 'unavailable' })
    })
})

describe('keepalive', () => {
    it('answers pings', async () => {
        const connection = await open()
        const before = connection.seen.pings
        daemon.send(
            packHeader({ program: KEEPALIVE, procedure: 1, kind: KIND.message, serial: 0, status: STATUS.ok }, 0),
        )
        const call = connection.call('domainGetXMLDesc', { dom })
        await daemon.waitForCalls(1)
        daemon.send(daemon.reply(daemon.calls[0]!.frame, xml('')))
        await call
        expect(connection.seen.pings).toBe(before + 1)
    })

    it('ends a connection whose daemon has gone silent', async () => {
        const connection = await open({ keepalive: { intervalMs: 10, count: 3 } })
        const ended = new Promise(resolve => connection.onClose(resolve))
        const change = connection.call('domainCreate', { dom })
        daemon.hung = true
        await expect(ended).resolves.toMatchObject({ code: 'unavailable', detail: expect.stringContaining('pings') })
        await expect(change).rejects.toMatchObject({ code: 'unknown' })
    })
})

describe('events', () => {
    const lifecycle = (callbackID: number, event: number): Buffer => {
        const payload = encode('DomainEventCallbackLifecycleMsg', { callbackID, msg: { dom, event, detail: 0 } })
        const { program, number } = PROCEDURES.domainEventCallbackLifecycle
        const header = { program, procedure: number, kind: KIND.message, serial: 0, status: STATUS.ok }
        return Buffer.concat([packHeader(header, payload.length), payload])
    }
    const registered = encode('ConnectDomainEventCallbackRegisterAnyRet', { callbackID: 17 })

    it('reach a listener even right behind the answer that registers it, and by their own id only', async () => {
        const connection = await open()
        const heard: unknown[] = []
        const watching = watchEvents(connection)('domain', 'lifecycle', event => heard.push(event))
        await daemon.waitForCalls(1)
        daemon.send(daemon.reply(daemon.calls[0]!.frame, registered), lifecycle(17, 2), lifecycle(16, 5))
        const off = await watching
        expect(heard).toEqual([{ callbackID: 17, dom, event: 2, detail: 0 }])
        const ending = off()
        await daemon.waitForCalls(2)
        expect(daemon.calls[1]!.name).toBe('connectDomainEventCallbackDeregisterAny')
        daemon.send(lifecycle(17, 3), daemon.reply(daemon.calls[1]!.frame))
        await ending
        expect(heard.length).toBe(1)
    })

    it('whose registration is answered after its deadline do not reach who was told that it failed', async () => {
        const after: typeof testClock.after = (ms, call) => testClock.after(ms >= 30_000 ? 30 : ms, call)
        const connection = await open({ clock: { ...testClock, after } })
        const watch = watchEvents(connection)
        const [early, late]: unknown[][] = [[], []]
        await expect(watch('domain', 'lifecycle', event => early!.push(event))).rejects.toMatchObject({
            code: 'deadline',
        })
        daemon.send(daemon.reply(daemon.calls[0]!.frame, registered), lifecycle(17, 2))
        await expect.poll(() => connection.seen.events).toBe(1)
        await watch('domain', 'lifecycle', event => late!.push(event))
        daemon.send(lifecycle(17, 3))
        await expect.poll(() => late!.length).toBe(1)
        expect(early).toEqual([])
        // libvirtd takes each kind once a client.
        expect(daemon.calls.length).toBe(1)
    })

    it('that cannot be read cost neither the connection nor the next event', async () => {
        const connection = await open()
        const heard: unknown[] = []
        connection.onEvent((name, payload) => heard.push([name, payload]))
        const { program, number } = PROCEDURES.domainEventCallbackLifecycle
        const header = { program, procedure: number, kind: KIND.message, serial: 0, status: STATUS.ok }
        const call = connection.call('domainGetXMLDesc', { dom })
        await daemon.waitForCalls(1)
        daemon.send(packHeader(header, 0), lifecycle(1, 4), daemon.reply(daemon.calls[0]!.frame, xml('')))
        await call
        expect(heard.length).toBe(1)
        expect(connection.ended).toBeUndefined()
    })
})

describe('a link', () => {
    const failed = (frame: Frame, code: number): Buffer => {
        const { program, procedure, serial } = frame
        const error = { code, domain: 0, message: 'no', level: 2, dom: null, str1: null, str2: null, str3: null }
        const payload = encode('NetMessageError', { ...error, int1: 0, int2: 0, net: null })
        const header = { program, procedure, kind: KIND.reply, serial, status: STATUS.error }
        return Buffer.concat([packHeader(header, payload.length), payload])
    }
    const register = /^connect\w+Event\w*RegisterAny$/
    /** Answers registrations as they come: the first by `first`. */
    async function answerAll(first: number, isOver: () => boolean): Promise<void> {
        let at = 0
        await expect
            .poll(
                () => {
                    for (; at < daemon.calls.length; at++) {
                        const { name, frame } = daemon.calls[at]!
                        if (!register.test(name)) continue
                        const reply = encode('ConnectDomainEventCallbackRegisterAnyRet', { callbackID: at })
                        daemon.send(at === 0 ? failed(frame, first) : daemon.reply(frame, reply))
                    }
                    return isOver()
                },
                { interval: 5, timeout: 5_000 },
            )
            .toBe(true)
    }
    const connect = () => stayConnected({ socketPath: daemon.socketPath, clock: testClock, log: silentLog })

    it('comes up beside a daemon that is too old for a kind of event', async () => {
        const link = connect()
        await answerAll(VIR.VIR_ERR_INVALID_ARG, () => link.up)
        await link.close()
    })

    it('does not come up when a registration fails otherwise, and tries anew', async () => {
        const link = connect()
        await answerAll(VIR.VIR_ERR_INTERNAL_ERROR, () => link.up)
        const { name, frame } = daemon.calls[0]!
        const same = daemon.calls.filter(call => call.name === name && call.frame.payload.equals(frame.payload))
        expect(same).toHaveLength(2)
        await link.close()
    })
})
