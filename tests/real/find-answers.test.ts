// Where answers come from when nobody is asked: by a real curl from a real server on this machine, and what is refused.
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { asFault } from '../../src/base/fault.ts'
import { AUTOMATIC, findAnswers } from '../../src/capabilities/install/find-answers.ts'
import { realSystem } from '../../src/ports/real.ts'
import { tool } from './world-cache.ts'

const TEXT = 'profile: zfs\n'
const SHA = createHash('sha256').update(TEXT).digest('hex')
const servers: Server[] = []
let http = ''
let https = ''
let folder = ''

const listen = async (server: Server) => {
    servers.push(server)
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
}

beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dv-answers-'))
    const [key, cert] = [join(folder, 'key'), join(folder, 'cert')]
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
    await tool(
        ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'].concat(subject, [
            '-keyout',
            key,
            '-out',
            cert,
            '-days',
            '2',
        ]),
    )
    const tls = { key: await readFile(key), cert: await readFile(cert) }
    https = `https://localhost:${await listen(createTlsServer(tls, (_, answer) => void answer.end(TEXT)))}`
    http = `http://127.0.0.1:${await listen(
        createServer(({ url }, answer) => {
            if (url === '/answers.yaml') answer.end(TEXT)
            else if (url === '/large') answer.end('x'.repeat(1024 ** 2))
            else if (url === '/elsewhere') answer.writeHead(302, { location: '/answers.yaml' }).end()
            else if (url === '/file') answer.writeHead(302, { location: 'file:///etc/passwd' }).end()
            else answer.writeHead(404).end()
        }),
    )}`
})
afterAll(async () => {
    for (const server of servers) server.close()
    await rm(folder, { recursive: true, force: true })
})

const machine = realSystem()
const find = (...words: string[]) =>
    findAnswers({ machine, pause: () => Promise.reject(new Error('nothing is waited for here')) }, words)
const refusal = async (...words: string[]) => {
    const thrown = await find(...words).then(() => 'nothing', asFault)
    return typeof thrown === 'string' ? thrown : `${thrown.code}: ${thrown.message}`
}

it('by an address with the checksum that was meant, also through a redirect', async () => {
    const found = await find(AUTOMATIC, `debvisor.answers=${http}/answers.yaml`, `debvisor.sha256=${SHA}`)
    expect(found).toEqual({ text: TEXT, from: `${http}/answers.yaml` })
    expect((await find(AUTOMATIC, `debvisor.answers=${http}/elsewhere`, `debvisor.sha256=${SHA}`)).text).toBe(TEXT)
})

it.each([
    ['another boot entry', () => ['quiet', `debvisor.answers=${http}/answers.yaml`], /^denied: Nobody chose/],
    ['no answers at all', () => [AUTOMATIC], /^not-found: There are no answers/],
    [
        'HTTP without a checksum',
        () => [AUTOMATIC, `debvisor.answers=${http}/answers.yaml`],
        /^invalid: .*without a checksum/,
    ],
    [
        'another checksum',
        () => [AUTOMATIC, `debvisor.answers=${http}/answers.yaml`, 'debvisor.sha256=00'],
        /^conflict: /,
    ],
    ['a file that is not there', () => [AUTOMATIC, `debvisor.answers=${http}/x`, `debvisor.sha256=${SHA}`], /404/],
    ['a megabyte', () => [AUTOMATIC, `debvisor.answers=${http}/large`, `debvisor.sha256=${SHA}`], /^unavailable: /],
    [
        'a redirect to a file',
        () => [AUTOMATIC, `debvisor.answers=${http}/file`, `debvisor.sha256=${SHA}`],
        /^unavailable: /,
    ],
    [
        'a certificate of nobody known',
        () => [AUTOMATIC, `debvisor.answers=${https}/answers.yaml`],
        /^unavailable: .*certificate/,
    ],
    [
        'an address with a password',
        () => [AUTOMATIC, 'debvisor.answers=https://ann:sesame@example.org/x'],
        /^invalid: /,
    ],
    ['another protocol', () => [AUTOMATIC, 'debvisor.answers=ftp://example.org/x'], /^invalid: /],
    ['no address', () => [AUTOMATIC, 'debvisor.answers=node1.yaml'], /^invalid: /],
])('refuses %s', async (_, words, refused) => {
    const told = await refusal(...words())
    expect(told).toMatch(refused)
    expect(told).not.toContain('sesame')
})
