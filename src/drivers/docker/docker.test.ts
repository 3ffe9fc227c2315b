// The Engine's protocol without an Engine: versions, frames in any pieces, refusals, and a link that comes back.

import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { fakeLog } from '../../ports/fake.ts'
import { realClock } from '../../ports/real.ts'
import { refusal } from './errors.ts'
import { frames, jsonLines } from './frames.ts'
import { agree, type DockerLink, type EngineEvent, stayWithDocker } from './link.ts'

async function* inPieces(bytes: Buffer, size: number) {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
const frame = (stream: number, text: string) => {
    const head = Buffer.alloc(8)
    head[0] = stream
    head.writeUInt32BE(Buffer.byteLength(text), 4)
    return Buffer.concat([head, Buffer.from(text)])
}
async function all<T>(from: AsyncIterable<T>): Promise<T[]> {
    const found: T[] = []
    for await (const one of from) found.push(one)
    return found
}

describe('the version', () => {
    it.each([
        ['the newest that both know', '1.43', '1.24', '1.43'],
        ['ours, where the Engine is newer', '1.54', '1.44', '1.45'],
    ])('is %s', (_what, ApiVersion, MinAPIVersion, api) => {
        expect(agree({ Version: '26', ApiVersion, MinAPIVersion })).toEqual({ engine: '26', api })
    })
    it('1.9 is older than 1.41', () => {
        expect(() => agree({ Version: '1.8', ApiVersion: '1.9', MinAPIVersion: '1.0' })).toThrow('too old')
    })
    it('that the Engine has left behind is refused with a fix', () => {
        expect(() => agree({ Version: '40', ApiVersion: '1.60', MinAPIVersion: '1.50' })).toThrow('too new')
    })
})

describe('streams', () => {
    const bytes = Buffer.concat([frame(1, 'out\n'), frame(2, 'err\n'), frame(1, ''), frame(1, 'more')])
    it.each([1, 3, 8, 9, 1000])('frames are the same in pieces of %i bytes', async size => {
        const found = (await all(frames(inPieces(bytes, size)))).map(({ from, data }) => [from, String(data)])
        expect(found).toEqual([
            ['out', 'out\n'],
            ['err', 'err\n'],
            ['out', ''],
            ['out', 'more'],
        ])
    })
    it('what is no frame is refused', async () => {
        await expect(all(frames(inPieces(Buffer.from('plain text, no frame'), 50)))).rejects.toThrow('cannot be read')
    })
    it.each([1, 4, 100])(
        'JSON lines are the same in pieces of %i bytes, characters cut in the middle too',
        async size => {
            const text = Buffer.from('{"a":"ä"}\r\n\n{"a":"ö"}')
            expect(await all(jsonLines(inPieces(text, size)))).toEqual([{ a: 'ä' }, { a: 'ö' }])
        },
    )
})

describe('a refusal', () => {
    it.each([
        [404, 'No such container: web', 'not-found'],
        [409, 'Conflict. The container name "/web" is already in use by container "abc".', 'exists'],
        [500, 'driver failed: Bind for 0.0.0.0:80 failed: port is already allocated', 'conflict'],
        [500, 'write /var/lib/docker/tmp/x: no space left on device', 'exhausted'],
        [500, 'Get "https://r/v2/": dial tcp: lookup r: no such host', 'unavailable'],
        [500, 'unauthorized: authentication required', 'denied'],
        [404, 'manifest for r/app:2 not found: manifest unknown: manifest unknown', 'not-found'],
        [500, 'something that nobody has seen', 'precondition'],
        [418, 'short and stout', 'invalid'],
    ])('%i %s is %s', (status, message, code) => {
        const fault = refusal(status, message)
        expect([fault.code, fault.detail]).toEqual([code, message])
        expect(fault.fix).not.toBe('')
    })
})

describe('the link', () => {
    let server: Server | undefined
    let link: DockerLink | undefined
    let folder = ''
    afterEach(async () => {
        await link?.close()
        server?.closeAllConnections()
        server?.close()
        await rm(folder, { recursive: true, force: true })
    })

    /** The few answers of an Engine that a link needs, where the real one cannot be made to fail so. */
    function engine(how: { silentEvents?: boolean; version?: object } = {}): Server {
        return createServer((request, response) => {
            const path = (request.url ?? '').replace(/^\/v[\d.]+/, '')
            if (path === '/version')
                return response.end(
                    JSON.stringify(how.version ?? { Version: '26', ApiVersion: '1.45', MinAPIVersion: '1.24' }),
                )
            if (path === '/_ping') return response.end('OK')
            if (path === '/events') {
                if (how.silentEvents) return
                response.flushHeaders()
                return response.write('{"Type":"container","Action":"start","Actor":{"ID":"a"}}\n')
            }
            if (path === '/slow') return
            response.writeHead(404).end('{"message":"page not found"}')
        })
    }
    const start = async (made: Server) => {
        server = made
        await new Promise<void>(resolve => made.listen(join(folder, 'sock'), resolve))
    }
    const open = () => {
        const log = fakeLog()
        link = stayWithDocker({
            ...{ socketPath: join(folder, 'sock'), clock: realClock(), log },
            ...{ backoffMs: { first: 10, longest: 20 }, ping: { everyMs: 50, deadlineMs: 200 } },
        })
        return link
    }
    const up = (one: DockerLink) => new Promise<void>(resolve => one.onUp(resolve))
    const down = (one: DockerLink) => new Promise<void>(resolve => one.onDown(resolve))

    it('says why it is away, comes up by itself, hears events, and comes back after a restart', async () => {
        folder = await mkdtemp(join(tmpdir(), 'dv-link-'))
        const one = open()
        await expect(one.json({ path: '/info' })).rejects.toMatchObject({ code: 'unavailable' })
        const heard: EngineEvent[] = []
        one.onEvent(event => heard.push(event))
        await start(engine())
        await up(one)
        await expect.poll(() => heard.length).toBe(1)
        await expect(one.json({ path: '/containers/none' })).rejects.toMatchObject({ code: 'not-found' })
        const fell = down(one)
        server!.closeAllConnections()
        server!.close()
        await fell
        expect(one.up).toBe(false)
        await expect.poll(() => one.why?.summary).toBe('Docker does not run here')
        await start(engine())
        await expect.poll(() => one.up).toBe(true)
    })

    it('gives a request up at its deadline', async () => {
        folder = await mkdtemp(join(tmpdir(), 'dv-link-'))
        await start(engine())
        const one = open()
        await up(one)
        await expect(one.json({ path: '/slow', deadlineMs: 50 })).rejects.toMatchObject({ code: 'deadline' })
        const stop = new AbortController()
        const asked = one.json({ path: '/slow', signal: stop.signal })
        stop.abort()
        await expect(asked).rejects.toMatchObject({ code: 'cancelled' })
    })

    it('stays down before an Engine that is too old, and says so', async () => {
        folder = await mkdtemp(join(tmpdir(), 'dv-link-'))
        await start(engine({ version: { Version: '18', ApiVersion: '1.39', MinAPIVersion: '1.12' } }))
        const one = open()
        await expect.poll(() => one.why?.code).toBe('unsupported')
        await expect(one.json({ path: '/info' })).rejects.toThrow('Docker on this node is too old')
    })
})
