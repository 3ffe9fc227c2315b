// The listener as clients meet it: every protocol on one TLS port, hostile bodies, WebSockets, and the local socket.
import { mkdtemp, rm } from 'node:fs/promises'
import http from 'node:http'
import https from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { connect as tlsConnect } from 'node:tls'
import { create } from '@bufbuild/protobuf'
import { type Client, createClient, type Transport } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket, { WebSocketServer } from 'ws'
import type { Caller } from '../../capabilities/caller.ts'
import { certificateIn } from '../../capabilities/certificate/store.ts'
import { services } from '../../capabilities/table.node.ts'
import { ServerReflection } from '../../gen/proto/apps/rpcd/reflection_pb.js'
import { IdentityService } from '../../gen/proto/capabilities/identity/identity_pb.js'
import { ListResponseSchema, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { pinoLog, realClock, realSystem } from '../../ports/real.ts'
import { type Handler, handlerOf, type Listening, listenLocal, listenTls } from './listen.ts'
import { reflection } from './reflection.ts'
import { panelFiles } from './static.ts'

const log = pinoLog({ level: 'silent' })
const someone = (via: Caller['via'], viaId = ''): Caller => ({
    user: 'ann',
    via,
    viaId,
    from: '127.0.0.1',
    may: () => true,
    need() {},
})
let folder: string
let handler: Handler
let tls: Listening
let local: Listening
let pem: string
const seen: string[] = []
/** What somebody was looked up for. */
const asked: string[] = []
const sockets = new WebSocketServer({ noServer: true })

beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'listen-'))
    const system = realSystem()
    const certificate = await certificateIn(`${folder}/pki`, { system, clock: realClock(), log })
    pem = certificate.certPem
    await system.makeDirectory(`${folder}/panel/assets`)
    await system.writeFile(`${folder}/panel/index.html`, '<title>DebVisor</title>'.padEnd(400, ' '))
    await system.writeFile(`${folder}/panel/assets/app-1.js`, 'export {}')
    await system.writeFile(`${folder}/secret.txt`, 'not for the web')
    handler = handlerOf({
        routes(router) {
            router.service(VmService, {
                list: request => {
                    seen.push(request.search)
                    return create(ListResponseSchema, { vms: [{ name: 'web1' }] })
                },
                async *watch(_request, context) {
                    yield { vms: [{ name: 'web1' }], synced: true }
                    await new Promise(resolve => context.signal.addEventListener('abort', resolve))
                },
            })
            router.service(IdentityService, {
                login: request => {
                    seen.push(`login of ${request.user.length}`)
                    return {}
                },
            })
            reflection(router, services)
        },
        interceptors: [],
        webRoutes: [
            {
                prefix: '/socket',
                summary: 'echo',
                async upgrade(request, socket: Duplex, head) {
                    sockets.handleUpgrade(request, socket, head, ws => ws.on('message', data => ws.send(data)))
                },
            },
        ],
        files: panelFiles(`${folder}/panel`, system),
        authenticate: async request => {
            asked.push(request.url ?? '')
            return request.headers['x-ending']
                ? someone('session', 'ending')
                : someone(request.headers['x-stranger'] ? 'nobody' : request.headers.cookie ? 'session' : 'token')
        },
        onEnd: (caller, listener) => {
            if (caller.viaId === 'ending') listener()
            return () => {}
        },
        openPaths: new Set(['/debvisor.identity.v1.IdentityService/Login']),
        log,
    })
    tls = await listenTls('127.0.0.1:0', certificate, handler)
    local = await listenLocal(`${folder}/rpcd.sock`, handler, someone('root'))
})

afterAll(async () => {
    await Promise.all([tls.close(), local.close()])
    await rm(folder, { recursive: true })
})

const options = () => ({ baseUrl: tls.url, nodeOptions: { ca: pem } })
const transports: [string, () => Transport][] = [
    [
        'Connect over HTTP/1.1, JSON',
        () => createConnectTransport({ ...options(), httpVersion: '1.1', useBinaryFormat: false }),
    ],
    ['Connect over HTTP/2, binary', () => createConnectTransport({ ...options(), httpVersion: '2' })],
    ['gRPC', () => createGrpcTransport({ ...options() })],
    ['gRPC-web over HTTP/1.1', () => createGrpcWebTransport({ ...options(), httpVersion: '1.1' })],
    [
        'Connect over the local socket',
        () =>
            createConnectTransport({
                baseUrl: 'http://localhost',
                httpVersion: '1.1',
                nodeOptions: { socketPath: local.url },
            }),
    ],
]

describe.each(transports)('%s', (_name, transport) => {
    const client = (): Client<typeof VmService> => createClient(VmService, transport())

    it('answers a call', async () => {
        expect((await client().list({ search: 'web' })).vms[0]?.name).toBe('web1')
        expect(seen.at(-1)).toBe('web')
    })

    it('streams until the client leaves', async () => {
        const leave = new AbortController()
        const names: string[] = []
        const end = (async () => {
            for await (const change of client().watch({}, { signal: leave.signal })) {
                names.push(change.vms[0]?.name ?? '')
                leave.abort()
            }
        })()
        await expect(end).rejects.toThrow(/cancel/i)
        expect(names).toEqual(['web1'])
    })
})

interface Answer {
    status: number
    headers: http.IncomingHttpHeaders
    body: string
}

function request(path: string, how: https.RequestOptions = {}, body?: string | Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
        const sent = https.request(`${tls.url}${path}`, { ca: pem, agent: false, ...how }, response => {
            let text = ''
            response.setEncoding('utf8').on('data', chunk => {
                text += chunk
            })
            response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: text }))
        })
        sent.on('error', reject)
        sent.end(body)
    })
}

const LOGIN = '/debvisor.identity.v1.IdentityService/Login'
const LIST = '/debvisor.vm.v1.VmService/List'
const json = { method: 'POST', headers: { 'content-type': 'application/json' } }

describe('plain HTTP', () => {
    it("curl -d '{}' is enough", async () => {
        const answer = await request(LIST, json, '{}')
        expect([answer.status, JSON.parse(answer.body)]).toMatchObject([200, { vms: [{ name: 'web1' }] }])
    })

    it.each([
        ['malformed JSON', json, '{"search": ', 400],
        ['a field that does not exist', json, '{"serach": "x"}', 400],
        [
            'malformed protobuf',
            { method: 'POST', headers: { 'content-type': 'application/proto' } },
            Buffer.from([0xff, 0xff, 0xff]),
            400,
        ],
        ['a wrong content type', { method: 'POST', headers: { 'content-type': 'text/xml' } }, '<a/>', 415],
        ['a GET that is no Connect call', { method: 'GET' }, undefined, 415],
    ])('refuses %s', async (_what, how, body, status) => {
        const calls = seen.length
        expect((await request(LIST, how, body)).status).toBe(status)
        expect(seen.length).toBe(calls)
    })

    it('refuses a body of 100 MB without reading it all', async () => {
        const answer = await request(LIST, json, `{"search": "${'x'.repeat(100 * 1024 * 1024)}"}`).catch(
            (error: NodeJS.ErrnoException) => error.code,
        )
        if (typeof answer === 'object') expect(JSON.parse(answer.body).code).toBe('resource_exhausted')
        else expect(['ECONNRESET', 'EPIPE']).toContain(answer)
        expect(seen.at(-1)?.length ?? 0).toBeLessThan(100)
    })

    it('answers the call that ends its own session, as a logout does', async () => {
        const answer = await request(LIST, { ...json, headers: { ...json.headers, 'x-ending': '1' } }, '{}')
        expect(answer.status).toBe(200)
    })

    it('cuts a stream when its session ends', async () => {
        const client = createClient(
            VmService,
            createConnectTransport({
                ...options(),
                httpVersion: '2',
                interceptors: [
                    next => sent => {
                        sent.header.set('x-ending', '1')
                        return next(sent)
                    },
                ],
            }),
        )
        const end = (async () => {
            for await (const _ of client.watch({}));
        })()
        await expect(end).rejects.toThrow()
    })

    it('says what to do about a message that cannot be read', async () => {
        for (const body of ['{"search": ', '{"serach": "x"}', '{"limit": "ten"}']) {
            const { code, details } = JSON.parse((await request(LIST, json, body)).body)
            expect([code, details[0].debug.code]).toEqual(['invalid_argument', 'invalid'])
            expect(details[0].debug.fix).toContain('API reference')
        }
    })

    it('reads nothing of what a stranger sends, but a login', async () => {
        const stranger = { ...json, headers: { ...json.headers, 'x-stranger': '1' } }
        const refused = await request(LIST, stranger, '{}')
        expect([refused.status, JSON.parse(refused.body)]).toMatchObject([401, { code: 'unauthenticated' }])
        expect((await request(LOGIN, stranger, '{}')).status).toBe(200)
        const large = await request(LOGIN, stranger, 'x'.repeat(70_000)).catch(() => ({ status: 507 }))
        expect(large.status).toBe(507)
    })

    it('counts what a stranger sends without saying how much it is', async () => {
        const headers = { ...json.headers, 'x-stranger': '1', 'transfer-encoding': 'chunked' }
        const of = (length: number) => JSON.stringify({ user: 'x'.repeat(length) })
        expect((await request(LOGIN, { method: 'POST', headers }, of(1000))).status).toBe(200)
        const calls = seen.length
        const large = await request(LOGIN, { method: 'POST', headers }, of(100_000)).catch(() => undefined)
        if (large) expect(JSON.parse(large.body).code).toBe('resource_exhausted')
        expect(seen.length).toBe(calls)
    })

    it('has room for logins from elsewhere while one address sends eight slowly, and cuts those off', async () => {
        const headers = { ...json.headers, 'x-stranger': '1' }
        const slow = Array.from({ length: 8 }, () => {
            const sent = https.request(`${tls.url}${LOGIN}`, {
                ...{ ca: pem, agent: false, method: 'POST', headers: { ...headers, 'content-length': 100 } },
            })
            sent.flushHeaders()
            const end = new Promise<number | string>(resolve => {
                sent.on('response', answer => resolve(answer.resume().statusCode!))
                sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
            })
            return { began: performance.now(), end }
        })
        const here = { method: 'POST', headers }
        await expect.poll(async () => (await request(LOGIN, here, '{}')).status).toBe(507)
        expect((await request(LOGIN, { ...here, localAddress: '127.0.0.2' }, '{}')).status).toBe(200)
        expect(await Promise.all(slow.map(one => one.end))).toEqual(Array(8).fill(408))
        expect(performance.now() - slow[0]!.began).toBeLessThan(9_000)
        await expect.poll(async () => (await request(LOGIN, here, '{}')).status).toBe(200)
    })

    it('refuses a call with a cookie from another site', async () => {
        const headers = { ...json.headers, cookie: 'x=y', origin: 'https://evil.example' }
        expect((await request(LIST, { method: 'POST', headers }, '{}')).status).toBe(403)
        const own = { ...json.headers, cookie: 'x=y', origin: tls.url }
        expect((await request(LIST, { method: 'POST', headers: own }, '{}')).status).toBe(200)
    })
})

describe('the panel', () => {
    it('is served with headers that let nothing else in', async () => {
        const { status, headers, body } = await request('/')
        expect([status, body.trim()]).toEqual([200, '<title>DebVisor</title>'])
        expect(headers['content-security-policy']).toMatch(/default-src 'none'.*frame-ancestors 'none'/)
        expect(headers['content-security-policy']).not.toContain('unsafe')
        expect(headers['x-content-type-options']).toBe('nosniff')
    })

    it('is compressed, and kept by the browser where its name has a hash', async () => {
        expect((await request('/', { headers: { 'accept-encoding': 'gzip' } })).headers['content-encoding']).toBe(
            'gzip',
        )
        expect((await request('/assets/app-1.js')).headers['cache-control']).toContain('immutable')
    })

    it('answers its own routes with the page, and files that are not there with 404', async () => {
        expect((await request('/vm/web1')).body).toContain('DebVisor')
        expect((await request('/assets/missing.js')).status).toBe(404)
    })

    it.each(['/../secret.txt', '/..%2fsecret.txt', '/%2e%2e/secret.txt', '/assets/..%5c..%5csecret.txt'])(
        'does not leave its folder: %s',
        async path => {
            expect((await request(path)).body).not.toContain('not for the web')
        },
    )
})

describe('WebSockets', () => {
    const open = (origin?: string) => {
        const ws = new WebSocket(`${tls.url.replace('https', 'wss')}/socket`, { ca: pem, origin })
        return new Promise<string>((resolve, reject) => {
            ws.on('error', reject)
            ws.on('open', () => ws.send('hello'))
            ws.on('message', data => {
                resolve(String(data))
                ws.close()
            })
        })
    }

    it('work beside HTTP/2 on the same port', async () => {
        expect(await open()).toBe('hello')
    })

    it('are refused for pages of another site', async () => {
        await expect(open('https://evil.example')).rejects.toThrow('403')
    })
})

describe('slow and silent clients', () => {
    it('a connection without a TLS handshake holds nobody up', async () => {
        const { port } = new URL(tls.url)
        const silent = http.request({ host: '127.0.0.1', port, path: '/' })
        silent.on('error', () => {})
        expect((await request('/')).status).toBe(200)
        silent.destroy()
    })

    it('half a request is answered by others meanwhile', async () => {
        const socket = tlsConnect({ port: Number(new URL(tls.url).port), ca: pem, ALPNProtocols: ['http/1.1'] })
        await new Promise(resolve => socket.once('secureConnect', resolve))
        socket.write(
            `POST ${LIST} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{`,
        )
        expect((await request(LIST, json, '{}')).status).toBe(200)
        socket.destroy()
    })
})

describe('reflection', () => {
    async function ask(question: object) {
        const client = createClient(ServerReflection, createGrpcTransport(options()))
        async function* one() {
            yield question
        }
        for await (const answer of client.serverReflectionInfo(one() as never)) return answer.messageResponse
        throw new Error('no answer')
    }

    it('lists every service', async () => {
        const answer = await ask({ messageRequest: { case: 'listServices', value: '' } })
        const names = answer.case === 'listServicesResponse' ? answer.value.service.map(s => s.name) : []
        expect(names).toEqual(expect.arrayContaining(services.map(s => s.typeName)))
    })

    it('gives the file of a symbol with all that it needs', async () => {
        const answer = await ask({
            messageRequest: { case: 'fileContainingSymbol', value: 'debvisor.vm.v1.VmService' },
        })
        expect(
            answer.case === 'fileDescriptorResponse' && answer.value.fileDescriptorProto.length,
        ).toBeGreaterThanOrEqual(3)
    })

    it('says what it does not know', async () => {
        expect((await ask({ messageRequest: { case: 'fileContainingSymbol', value: 'no.such.Thing' } })).case).toBe(
            'errorResponse',
        )
    })
})

it('an address that is taken is a fault with a fix', async () => {
    const certificate = {
        certPem: pem,
        keyPem: (await realSystem().readText(`${folder}/pki/panel.key`))!,
        fingerprint: '',
    }
    await expect(listenTls(new URL(tls.url).host, certificate, handler)).rejects.toMatchObject({
        code: 'unavailable',
        fix: expect.stringContaining('--listen'),
    })
})

it('listens on every address of the machine, where it is told to', async () => {
    const system = realSystem()
    const listener = await listenTls(
        '*:0',
        await certificateIn(`${folder}/any`, { system, clock: realClock(), log }),
        handler,
    )
    expect(listener.url).toMatch(/^https:\/\/(\[::\]|0\.0\.0\.0):\d+$/)
    const port = Number(new URL(listener.url).port)
    await new Promise<void>((resolve, reject) => {
        const socket = tlsConnect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
            socket.destroy()
            resolve()
        }).on('error', reject)
    })
    await listener.close()
})

it('shows another certificate to new connections once it is told to, as before one runs out', async () => {
    const system = realSystem()
    const made = (name: string) => certificateIn(`${folder}/${name}`, { system, clock: realClock(), log })
    const [first, second] = [await made('first'), await made('second')]
    const listener = await listenTls('127.0.0.1:0', first, handler)
    const { hostname, port } = new URL(listener.url)
    const shown = () =>
        new Promise<string>((resolve, reject) => {
            const socket = tlsConnect({ host: hostname, port: Number(port), rejectUnauthorized: false }, () => {
                resolve(socket.getPeerX509Certificate()!.fingerprint256)
                socket.destroy()
            }).on('error', reject)
        })
    expect(await shown()).toBe(first.fingerprint)
    listener.show(second)
    expect(await shown()).toBe(second.fingerprint)
    await listener.close()
})

it('says to everybody that it is there, which is no use of a session', async () => {
    asked.length = 0
    for (const method of ['HEAD', 'GET', 'POST']) {
        const headers = { cookie: 'session=1', origin: tls.url }
        const status = await new Promise(resolve =>
            https
                .request(`${tls.url}/alive`, { ca: pem, method, headers }, answer => {
                    answer.resume()
                    resolve(answer.statusCode)
                })
                .end(),
        )
        if (method === 'POST') expect([status, asked]).toEqual([expect.any(Number), ['/alive']])
        else expect([status, asked]).toEqual([204, []])
    }
})
