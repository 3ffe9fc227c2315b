// Containers without Docker: names, wishes, marks, tars and lines, each with what is refused.
import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { CreateRequestSchema } from '../../gen/proto/capabilities/container/container_pb.js'
import { mountOf, publishOf } from './cli-words.ts'
import { wordsOf } from './entry.ts'
import { readCounters } from './figures.ts'
import { linesOf } from './logs.ts'
import { bodyOf } from './make.ts'
import { marksOf, reachesHost } from './marks.ts'
import { referenceOf } from './reference.ts'
import { checkName } from './settings.ts'
import { firstFile, paddingOf, tarHead, tarTail } from './tar.ts'

async function* from(...parts: Buffer[]) {
    yield* parts
}

describe('the name of an image', () => {
    const digest = `sha256:${'a'.repeat(64)}`
    it.each([
        ['nginx', 'docker.io', 'nginx:latest'],
        ['nginx:1.27', 'docker.io', 'nginx:1.27'],
        ['team/app', 'docker.io', 'team/app:latest'],
        ['localhost/app', 'localhost', 'localhost/app:latest'],
        ['registry:5000/app', 'registry:5000', 'registry:5000/app:latest'],
        ['r.example.org:5000/a/b_c/d-e:v1.2', 'r.example.org:5000', 'r.example.org:5000/a/b_c/d-e:v1.2'],
        [`nginx@${digest}`, 'docker.io', `nginx@${digest}`],
    ])('%s', (text, registry, whole) => {
        expect(referenceOf(text)).toMatchObject({ registry, text: whole })
    })
    it.each([
        '',
        'Nginx',
        'a b',
        'nginx:',
        'nginx@sha256:1',
        '/a',
        'a//b',
        '../a',
        'a:b:c',
        'r/a?x=1',
        `${'a'.repeat(300)}`,
    ])('is not %j', text => expect(() => referenceOf(text)).toThrow('not the name of an image'))
})

describe('the name of a container', () => {
    it.each(['web', 'web-1', 'a.b_c', 'Web9'])('%s', name => expect(() => checkName(name)).not.toThrow())
    it.each(['', 'a', '-a', 'a b', 'ä', '../x', '<b>', 'a'.repeat(129), 'abcdef012345'])('is not %j', name =>
        expect(() => checkName(name)).toThrow('cannot be the name'),
    )
})

describe('a wish', () => {
    const wish = (more: object) =>
        bodyOf(create(CreateRequestSchema, { name: 'web', image: 'nginx:1.27', ...more } as never), 'ann')
    it('is published on the loopback alone, unless it says otherwise', () => {
        const { body, findings } = wish({
            ports: [
                { host: 80, container: 80 },
                { container: 53, protocol: 'udp', lan: true },
            ],
        })
        expect((body.HostConfig as { PortBindings: unknown }).PortBindings).toEqual({
            '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '80' }],
            '53/udp': [{ HostIp: '0.0.0.0', HostPort: '' }],
        })
        expect(findings).toMatchObject([{ code: 'published', detail: 'a free port for 53' }])
    })
    it('names its maker, and no limit is no limit', () => {
        const { body, marks } = wish({ tags: ['shop', 'shop'] })
        expect(body.Labels).toEqual({ 'debvisor.owner': 'ann', 'debvisor.tags': 'shop' })
        expect(body.HostConfig).not.toHaveProperty('Memory')
        expect(marks).toEqual([])
    })
    it.each([
        [{ privileged: true }, ['privileged']],
        [{ hostNetwork: true }, ['host-network']],
        [{ capabilities: ['CAP_NET_ADMIN', 'sys_time'] }, ['capability:NET_ADMIN', 'capability:SYS_TIME']],
        [{ mounts: [{ type: 'bind', source: '/etc', target: '/e' }] }, ['host-path:/etc']],
        [{ mounts: [{ source: 'data', target: '/d' }] }, []],
    ])('%j is marked %j', (more, marks) => expect(wish(more).marks).toEqual(marks))
    it.each([
        [{ mounts: [{ type: 'bind', source: '/srv/../etc', target: '/e' }] }, 'mounts'],
        [{ mounts: [{ source: 'data', target: '/' }] }, 'mounts'],
        [{ memoryLimitBytes: 1n }, 'limits'],
        [{ cpuLimit: Number.NaN }, 'limits'],
        [{ labels: { 'com.docker.compose.project': 'shop' } }, 'labels'],
        [{ environment: [{ name: 'A=B', value: '' }] }, 'environment'],
        [{ tags: ['stack:shop'] }, 'tags'],
        [{ hostNetwork: true, networks: ['back'] }, 'host_network'],
        [{ networks: ['container:of-another'] }, 'networks'],
        [{ networks: ['../back'] }, 'networks'],
    ])('number %# of these is refused', (more, at) => {
        expect(() => wish(more)).toThrow(expect.objectContaining({ code: 'invalid', at }))
    })
})

it('what Docker made by hand can reach is marked as well', () => {
    expect(
        marksOf({
            ...{ PidMode: 'host', IpcMode: 'host', UTSMode: 'host', UsernsMode: 'host', VolumesFrom: ['other'] },
            ...{ SecurityOpt: ['apparmor=unconfined'], Devices: [{ PathOnHost: '/dev/kvm' }], DeviceRequests: [{}] },
            Mounts: [{ Type: 'volume', VolumeOptions: { DriverConfig: {} } }],
        }),
    ).toEqual([
        ...['device', 'device:/dev/kvm', 'host-ipc', 'host-name', 'host-pid', 'host-users', 'unconfined'],
        ...['volume-options', 'volumes-of-others'],
    ])
    expect(reachesHost({ Driver: 'local', Options: { type: 'none', o: 'bind', device: '/etc' } })).toBe(true)
    expect(reachesHost({ Driver: 'local', Options: null })).toBe(false)
})

it('tags of a label are words; what is none, and what only stacks give, is left out', () => {
    expect(wordsOf(' a, b ,a,,c d,stack:x,é')).toEqual(['a', 'b', 'é'])
})

describe('a tar', () => {
    const file = { sizeBytes: 5, mode: 0o644, modifiedMs: 0 }
    it.each(['a.txt', 'ä.txt', 'x'.repeat(150)])('carries a file called %s there and back', async name => {
        const tar = Buffer.concat([tarHead({ ...file, name }), Buffer.from('hello'), tarTail(5)])
        expect(tar.length % 512).toBe(0)
        const pieces = Array.from({ length: Math.ceil(tar.length / 100) }, (_, i) =>
            tar.subarray(i * 100, i * 100 + 100),
        )
        const back: Buffer[] = []
        for await (const piece of firstFile(from(...pieces))) back.push(piece)
        expect(String(Buffer.concat(back))).toBe('hello')
    })
    it('pads to whole blocks', () => expect([0, 1, 511, 512].map(paddingOf)).toEqual([0, 511, 1, 0]))
    it('without a plain file is refused', async () => {
        const link = tarHead({ ...file, name: 'l', sizeBytes: 0 })
        link.write('2', 156)
        await expect(firstFile(from(link)).next()).rejects.toThrow('not a plain file')
        await expect(firstFile(from(Buffer.alloc(1024))).next()).rejects.toThrow('not a plain file')
    })
})

it('lines are put together from frames, apart by stream, and never grow without end', async () => {
    const out = (text: string) => ({ from: 'out' as const, data: Buffer.from(text) })
    const err = (text: string) => ({ from: 'err' as const, data: Buffer.from(text) })
    const long = 'x'.repeat(100_000)
    async function* frames() {
        yield [out('2026-11-27T08:00:00.5Z one\n2026-11-27T08:00:01Z tw'), err('2026-11-27T08:00:02Z bad\r\n')]
        yield [out('o\n\n')]
        yield [out(long)]
        yield [out('tail')]
    }
    const lines = []
    for await (const part of linesOf(frames())) lines.push(...part)
    expect(lines.slice(0, 4).map(({ text, error }) => [text, error])).toEqual([
        ['one', false],
        ['bad', true],
        ['two', false],
        ['', false],
    ])
    expect(lines[0]?.at).toMatchObject({ nanos: 500_000_000 })
    expect(
        lines
            .slice(4)
            .map(({ text }) => text)
            .join(''),
    ).toBe(`${long}tail`)
    expect(Math.max(...lines.map(({ text }) => text.length))).toBeLessThanOrEqual(32 * 1024)
})

it('memory in use leaves out files that can be forgotten, by both kinds of control groups', () => {
    const stats = (kinds: Record<string, number>) => ({
        read: '',
        cpu_stats: { cpu_usage: { total_usage: 5 } },
        memory_stats: { usage: 100, limit: 1000, stats: kinds },
        networks: { eth0: { rx_bytes: 1, tx_bytes: 2 }, eth1: { rx_bytes: 10, tx_bytes: 20 } },
        blkio_stats: {
            io_service_bytes_recursive: [
                { op: 'Read', value: 3 },
                { op: 'write', value: 4 },
            ],
        },
    })
    for (const kind of ['total_inactive_file', 'inactive_file'])
        expect(readCounters(stats({ [kind]: 40 }), 0)).toMatchObject({
            ...{ cpuNs: 5, memoryBytes: 60, rxBytes: 11, txBytes: 22, readBytes: 3, writeBytes: 4 },
        })
    expect(readCounters({ read: '' }, 0)).toBeUndefined()
})

describe('the command line', () => {
    it.each([
        ['80', { host: 0, container: 80, protocol: 'tcp', lan: false }],
        ['8080:80', { host: 8080, container: 80, protocol: 'tcp', lan: false }],
        ['lan:53:53/udp', { host: 53, container: 53, protocol: 'udp', lan: true }],
    ])('publishes %s', (text, port) => expect(publishOf(text)).toEqual(port))
    it.each(['', 'web', '1:2:3', '80/icmp', '0.0.0.0:80:80'])('does not publish %j', text =>
        expect(() => publishOf(text)).toThrow('not a port'),
    )
    it('tells volumes from paths of the node', () => {
        expect(mountOf('data:/d:ro')).toEqual({ type: 'volume', source: 'data', target: '/d', readOnly: true })
        expect(mountOf('/srv:/d')).toMatchObject({ type: 'bind', source: '/srv' })
        expect(() => mountOf('data')).toThrow('not a mount')
    })
})
