// Many at once: 200 clients, 50 watch streams and 20 consoles without an error and in bounded memory; and slow senders.
import { setMaxListeners } from 'node:events'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { request } from 'node:https'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { type Client, Code, ConnectError, createClient, type Interceptor } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { AuditService } from '../../src/gen/proto/capabilities/audit/audit_pb.js'
import { ConsoleService, Kind } from '../../src/gen/proto/capabilities/console/console_pb.js'
import { IdentityService } from '../../src/gen/proto/capabilities/identity/identity_pb.js'
import { ImageService } from '../../src/gen/proto/capabilities/image/image_pb.js'
import { NetworkService } from '../../src/gen/proto/capabilities/network/network_pb.js'
import { NodeService } from '../../src/gen/proto/capabilities/node/node_pb.js'
import { TaskService } from '../../src/gen/proto/capabilities/task/task_pb.js'
import { VmService } from '../../src/gen/proto/capabilities/vm/vm_pb.js'
import { type Person, personOf, rssBytes } from './reliability-world.ts'
import { bareDomain, writeDomain } from './vm-core-world.ts'
import { until } from './world.ts'
import { type DaemonWorld, startDaemon } from './world-daemon.ts'

const CLIENTS = 200
const WATCHERS = 50
const VNCS = 17
const SERIALS = 3
/** A whole minute always: the heap of Node finds its size in the first half, or a little later on a busy machine. */
const SECONDS = 60
const VMS = 60
const PASSWORD = 'a horse that is correct'
/** So long the daemon waits for the body of a call. */
const BODY_DEADLINE_MS = 30_000
/**
 * What 270 callers and the 350 slow senders may cost in all, and what may still be added in the second half. About 50 MB
 * of it lives; V8 collects the heap when it is three times what lived at the last time (80 to 280 MB seen), not before.
 */
const GROWTH_BYTES = 350e6
const LATE_GROWTH_BYTES = 100e6
/** Each client asks again after this long, so that a test of two cores measures the daemon and not itself. */
const PAUSE_MS = 500

let daemon: DaemonWorld
let admin: Person
let vms: Client<typeof VmService>
/** They begin before the load and are there all the while. */
let senders: ReturnType<typeof sendSlowly>

beforeAll(async () => {
    daemon = await startDaemon()
    admin = await personOf(daemon, 'tester')
    vms = admin.client(VmService)
    for (let i = 0; i < VMS; i++)
        await daemon.libvirt.virsh(['define', await writeDomain(daemon.libvirt, bareDomain(`vm${i}`))])
    for (let i = 0; i < SERIALS; i++) {
        const disks = [{ sizeBytes: 16n << 20n }]
        await daemon.done(await vms.create({ name: `run${i}`, memoryBytes: 64n << 20n, vcpus: 1, disks, start: true }))
    }
    await until('all VMs in the list', 20_000, async () => (await vms.list({})).vms.length === VMS + SERIALS)
    senders = sendSlowly()
})
afterAll(async () => daemon?.stop())

describe('load', () => {
    it(`of ${CLIENTS} clients, ${WATCHERS} watch streams and ${VNCS + SERIALS} consoles for ${SECONDS} s`, async () => {
        const errors: string[] = []
        const counts = { calls: 0, changes: 0, consoleBytes: 0, slowestMs: 0 }
        const ended = new AbortController()
        setMaxListeners(0, ended.signal)
        const complain = (what: string) => (thrown: unknown) => {
            if (!ended.signal.aborted) errors.push(`${what}: ${thrown}`)
        }
        const rssBefore = await rssBytes(daemon.pid)

        const consoles = await openConsoles(counts, complain)
        const watchers = Array.from({ length: WATCHERS }, async (_, i) => {
            const transport = admin.transport()
            const synced = { vms: false }
            if (i % 5 === 4) {
                for await (const _ of createClient(TaskService, transport).watch({}, ended)) counts.changes++
                return
            }
            for await (const change of createClient(VmService, transport).watch({}, ended)) {
                if (change.synced) synced.vms = true
                counts.changes += change.vms.length
            }
            if (!synced.vms) throw new Error('a watch never came in step')
        }).map(watcher => watcher.catch(complain('watch')))
        const clients = Array.from({ length: CLIENTS }, async (_, i) => {
            const transport = admin.transport({ json: i % 2 === 0, httpVersion: i % 4 < 2 ? '2' : '1.1' })
            const calls = [
                () => createClient(VmService, transport).list({}),
                () => createClient(VmService, transport).get({ vm: `run${i % SERIALS}` }),
                () => createClient(TaskService, transport).list({}),
                () => createClient(NodeService, transport).getLoad({}),
                () => createClient(ImageService, transport).listVolumes({}),
            ]
            await pause(Math.random() * PAUSE_MS)
            for (let turn = i; !ended.signal.aborted; turn++) {
                const began = performance.now()
                await calls[turn % calls.length]!().catch(complain(`client ${i}`))
                counts.calls++
                counts.slowestMs = Math.max(counts.slowestMs, performance.now() - began)
                await pause(PAUSE_MS)
            }
        })
        const changer = (async () => {
            for (let turn = 0; !ended.signal.aborted; turn++) {
                const vm = `run${turn % SERIALS}`
                await daemon.done(await vms.suspend({ vm })).catch(complain('suspend'))
                await daemon.done(await vms.resume({ vm })).catch(complain('resume'))
                await daemon.done(await vms.update({ vm: `vm${turn % VMS}`, description: `turn ${turn}` }))
            }
        })().catch(complain('changes'))

        await pause(SECONDS * 500)
        const rssHalfway = await rssBytes(daemon.pid)
        await pause(SECONDS * 500)
        const rssDuring = await rssBytes(daemon.pid)
        ended.abort()
        await Promise.all([...clients, ...watchers, changer])
        for (const socket of consoles) socket.close()

        const words = `${counts.calls} calls (slowest ${counts.slowestMs.toFixed(0)} ms), ${counts.changes} changes seen`
        const mb = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`
        process.stdout.write(
            `measured: ${words}, ${counts.consoleBytes} bytes of consoles; RSS ${mb(rssBefore)} → ${mb(rssHalfway)} → ${mb(rssDuring)}\n`,
        )
        expect([...new Set(errors)].slice(0, 10)).toEqual([])
        expect(counts.calls).toBeGreaterThan(CLIENTS * 2)
        expect(counts.changes).toBeGreaterThan(WATCHERS * VMS * 0.7)
        // Each display has shown at least one picture of 64 × 64 pixels.
        expect(counts.consoleBytes).toBeGreaterThan(VNCS * 64 * 64)
        expect(rssDuring - rssBefore).toBeLessThan(GROWTH_BYTES)
        expect(rssDuring - rssHalfway).toBeLessThan(LATE_GROWTH_BYTES)
        expect((await vms.list({})).vms).toHaveLength(VMS + SERIALS)
    })

    /** Opens displays and serial ports; each display goes through RFB's first words, so that it is really there. */
    async function openConsoles(
        counts: { consoleBytes: number },
        complain: (what: string) => (thrown: unknown) => void,
    ): Promise<WebSocket[]> {
        const ca = await daemon.certificate()
        const tickets = admin.client(ConsoleService)
        const open = async (vm: string, kind: Kind) => {
            const { path, ticket } = await tickets.open({ vm, kind })
            const socket = new WebSocket(
                `${daemon.url.replace('https', 'wss')}${path}`,
                ['debvisor.console', `ticket.${ticket}`],
                { ca, headers: { authorization: `Bearer ${admin.token}` } },
            )
            socket.on('message', data => {
                counts.consoleBytes += (data as Buffer).length
            })
            await new Promise<void>((resolve, reject) => {
                socket.once('open', resolve)
                socket.once('error', reject)
            })
            socket.on('error', complain(`console of ${vm}`))
            socket.on('close', code => complain(`console of ${vm}`)(`closed with ${code}`))
            if (kind === Kind.VNC) look(socket)
            return socket
        }
        const sockets: WebSocket[] = []
        for (let i = 0; i < VNCS; i++) sockets.push(await open(`run${i % SERIALS}`, Kind.VNC))
        for (let i = 0; i < SERIALS; i++) sockets.push(await open(`run${i}`, Kind.SERIAL))
        return sockets
    }
})

describe('the audit record', () => {
    it('has what virsh did as done from outside, and nothing of what was done here', async () => {
        const audit = daemon.client(AuditService)
        const { records } = await audit.list({ who: 'outside', limit: 2000 })
        const seen = new Set(records.map(record => `${record.what} ${record.onName}`))
        for (let i = 0; i < VMS; i++) expect(seen).toContain(`vm.defined vm${i}`)
        expect([...seen].filter(words => !/^vm\.defined vm\d+$/.test(words))).toEqual([])
        const { records: made } = await audit.list({ what: 'vm.create', on: 'run0' })
        expect(made.map(record => record.result)).toEqual(['done', 'begun', 'intent'])
        expect(made[0]).toMatchObject({ who: 'tester', closes: made[2]!.number, via: made[2]!.via })
        expect(made[0]!.via).toMatch(/^token [0-9a-f]{16}$/)
    })
})

describe('a right that is taken away', () => {
    /** Someone who is logged in with a password: the cookie of a new session. */
    async function logIn(user: string): Promise<string> {
        const ca = await daemon.certificate()
        const body = JSON.stringify({ user, password: PASSWORD })
        return new Promise((resolve, reject) => {
            const headers = { 'content-type': 'application/json' }
            const path = `${daemon.url}/debvisor.identity.v1.IdentityService/Login`
            // From another address: the slow senders have all places for logins of theirs.
            request(path, { method: 'POST', ca, agent: false, headers, localAddress: '127.0.0.2' }, answer => {
                answer.resume()
                const [cookie] = answer.headers['set-cookie'] ?? []
                if (cookie) resolve(cookie.split(';')[0]!)
                else reject(new Error(`no session for ${user}: ${answer.statusCode}`))
            })
                .on('error', reject)
                .end(body)
        })
    }

    /** A watch of the networks (no filter, so that the gate alone guards it) and a console, and how each ends. */
    async function open(cookie: string) {
        const ca = await daemon.certificate()
        const withCookie: Interceptor = next => sent => {
            sent.header.set('cookie', cookie)
            return next(sent)
        }
        const transport = createConnectTransport({
            ...{ baseUrl: daemon.url, httpVersion: '2', nodeOptions: { ca }, interceptors: [withCookie] },
        })
        const seen = { networks: false }
        const watch = (async () => {
            for await (const change of createClient(NetworkService, transport).watch({}))
                if (change.synced) seen.networks = true
        })().then(
            () => 'ended',
            thrown => Code[ConnectError.from(thrown).code],
        )
        const { path, ticket } = await createClient(ConsoleService, transport).open({ vm: 'run0', kind: Kind.VNC })
        const socket = new WebSocket(
            `${daemon.url.replace('https', 'wss')}${path}`,
            ['debvisor.console', `ticket.${ticket}`],
            { ca, headers: { cookie } },
        )
        const console = new Promise<number>(resolve => socket.on('close', resolve))
        await new Promise<void>((resolve, reject) => socket.once('open', resolve).on('error', reject))
        await until('the watch in step', 10_000, async () => seen.networks)
        return Promise.race([
            Promise.all([watch, console]),
            pause(25_000).then(() => ['the watch or the console goes on', socket.readyState]),
        ])
    }

    it('ends the watch and the console that it had opened, with its session or its role', {
        timeout: 90_000,
    }, async () => {
        const identity = daemon.client(IdentityService)
        await identity.createUser({ name: 'carol', role: 'operator', password: PASSWORD })
        const revoked = open(await logIn('carol'))
        // The moment at which both are open is inside: revoking earlier would refuse them at the door.
        await Promise.race([
            revoked,
            until('the console to be open', 20_000, async () => (await consolesOf('carol')) === 1),
        ])
        await identity.revokeSessions({ user: 'carol' })
        const [watch, console] = await revoked
        expect(watch).not.toContain('goes on')
        expect(console).toBe(1006)
        const lowered = open(await logIn('carol'))
        await Promise.race([
            lowered,
            until('the console to be open', 20_000, async () => (await consolesOf('carol')) === 2),
        ])
        await identity.updateUser({ name: 'carol', role: '' })
        expect(await lowered).toEqual(['PermissionDenied', 1008])
    })

    /** How many consoles they have opened so far; the calls for a ticket are `console.Open`. */
    const consolesOf = async (who: string) => {
        const { records } = await daemon.client(AuditService).list({ who, what: 'console' })
        return records.filter(record => record.what === 'console.open').length
    }
})

describe('slow senders', () => {
    it('are told from those who have sent all and listen: a watch goes on', { timeout: 60_000 }, async () => {
        const ended = new AbortController()
        const ends = [{}, { json: true }, { httpVersion: '1.1' as const }].map(async how => {
            const watch = createClient(VmService, admin.transport(how)).watch({}, ended)
            try {
                for await (const change of watch) expect(change.stale).toBe(false)
            } catch (thrown) {
                if (!ended.signal.aborted) return `${JSON.stringify(how)}: ${thrown}`
            }
            return ended.signal.aborted ? 'went on' : `${JSON.stringify(how)}: ended`
        })
        await pause(BODY_DEADLINE_MS + 4000)
        ended.abort()
        expect(await Promise.all(ends)).toEqual(['went on', 'went on', 'went on'])
    })

    it('are cut off by deadlines, and nobody else waits for them', { timeout: 180_000 }, async () => {
        const ends = await senders
        process.stdout.write(`measured: ${ends.map(one => `${one.kind}: ${one.seconds.toFixed(0)} s`).join(', ')}\n`)
        for (const { kind, seconds } of ends) expect(seconds, kind).toBeLessThan(130)
        const answers: number[] = []
        for (let i = 0; i < 10; i++) {
            const asked = performance.now()
            await vms.list({})
            answers.push(performance.now() - asked)
        }
        expect(Math.max(...answers)).toBeLessThan(3000)
    })
})

/** Opens 25 slow senders of each kind; resolves with how long the daemon bore the last of each. */
async function sendSlowly(): Promise<{ kind: string; seconds: number }[]> {
    const { hostname, port } = new URL(daemon.url)
    const ca = await daemon.certificate()
    const at = { host: hostname, port: Number(port) }
    const tls = () => connectTls({ ...at, ca, servername: '', checkServerIdentity: () => undefined })
    const head = `POST /debvisor.vm.v1.VmService/List HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${admin.token}\r\n`
    const rest = 'Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n'
    const body = `${head}${rest}`
    const spaces = ' '.repeat(1000)
    const first = (line: string, headers = '') => `${line} HTTP/1.1\r\nHost: x\r\n${headers}`
    const login = first('POST /debvisor.identity.v1.IdentityService/Login', rest)
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
    // Keeps its half of the connection when the other side has said its last word.
    const halfOpen = { allowHalfOpen: true }
    const stubborn = () => connectTls({ ...at, ca, servername: '', checkServerIdentity: () => undefined, ...halfOpen })
    const post = {
        ':method': 'POST',
        ':path': '/debvisor.vm.v1.VmService/List',
        authorization: `Bearer ${admin.token}`,
    }
    const kinds = {
        'never says a word': () => sender(connectTcp(at), ''),
        'begins no request': () => sender(tls(), ''),
        'sends its header byte by byte': () => sender(tls(), head.repeat(50)),
        'sends its body byte by byte': () => sender(tls(), spaces, body),
        'asks once and falls silent': () => sender(tls(), '', first('GET /', '\r\n')),
        'asks once, then byte by byte': () => sender(tls(), head.repeat(50), first('GET /', '\r\n')),
        'is refused and sends on': () => sender(tls(), spaces, first('POST /debvisor.vm.v1.VmService/List', rest)),
        'puts what nobody wants': () => sender(tls(), spaces, first('PUT /nothing', rest)),
        'logs in byte by byte': () => sender(tls(), spaces, login),
        'asks for a WebSocket that is not there': () => sender(stubborn(), spaces, first('GET /nothing', upgrade)),
        'asks by HTTP/2 and takes no answer': () =>
            caller(connectHttp2(daemon.url, { ca, settings: { initialWindowSize: 0 } }), { ':path': '/' }),
        'opens HTTP/2 and calls nothing': () => caller(connectHttp2(daemon.url, { ca })),
        'calls by HTTP/2 and sends no body': () =>
            caller(connectHttp2(daemon.url, { ca }), { ...post, 'content-type': 'application/json' }),
        'calls by gRPC and sends no body': () =>
            caller(connectHttp2(daemon.url, { ca }), { ...post, 'content-type': 'application/grpc' }),
    }
    const began = performance.now()
    return Promise.all(
        Object.entries(kinds).map(async ([kind, make]) => {
            const ends = await Promise.all(Array.from({ length: 25 }, make))
            return { kind, seconds: (Math.max(...ends) - began) / 1000 }
        }),
    )
}

/** Sends `first` at once and `rest` one byte a second; resolves with the moment at which the other side hangs up. */
function sender(socket: Socket | TLSSocket, rest: string, first = ''): Promise<number> {
    return new Promise(resolve => {
        let at = 0
        if (first) socket.write(first)
        const timer = setInterval(() => {
            if (at < rest.length) socket.write(rest[at++]!)
        }, 1000)
        socket.on('data', () => {})
        socket.on('error', () => {})
        socket.on('close', () => {
            clearInterval(timer)
            resolve(performance.now())
        })
    })
}

/** Begins a call where its headers are given, a POST without a body; resolves when call or connection ends. */
function caller(session: ClientHttp2Session, headers?: Record<string, string>): Promise<number> {
    return new Promise(resolve => {
        session.on('error', () => {})
        session.on('close', () => resolve(performance.now()))
        if (!headers) return
        const stream = session.request(headers, { endStream: headers[':method'] !== 'POST' })
        stream.on('error', () => {})
        stream.resume()
        stream.on('close', () => session.close())
    })
}

/** Speaks RFB as far as pictures: version, no security, a shared display, then a whole picture every three seconds. */
function look(socket: WebSocket): void {
    const picture = Buffer.from([3, 0, 0, 0, 0, 0, 0, 64, 0, 64])
    // What is sent as soon as so many bytes have come in all.
    const steps: [number, Buffer][] = [
        [12, Buffer.from('RFB 003.008\n')],
        [14, Buffer.from([1])],
        [18, Buffer.from([1])],
        [18 + 24, picture],
    ]
    let bytes = 0
    socket.on('message', data => {
        bytes += (data as Buffer).length
        while (steps[0] && bytes >= steps[0][0]) socket.send(steps.shift()![1])
    })
    const timer = setInterval(() => {
        if (steps.length === 0 && socket.readyState === WebSocket.OPEN) socket.send(picture)
    }, 3000)
    socket.on('close', () => clearInterval(timer))
}

const pause = (delayMs: number) => new Promise<void>(resolve => setTimeout(resolve, delayMs))
