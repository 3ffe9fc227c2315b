// The audit log: records in order and on disk, any tampering found and named, torn lines told from it, the service.
import { createClient, createRouterTransport } from '@connectrpc/connect'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { Fault, problemOf } from '../../base/fault.ts'
import { diskFull, type MemoryDisk, memoryDisk } from '../../engine/memory.ts'
import type { TaskRecord } from '../../engine/task.ts'
import { AuditService } from '../../gen/proto/capabilities/audit/audit_pb.js'
import { fakeClock, fakeLog } from '../../ports/fake.ts'
import { type AuditDeps, createAudit } from './audit.ts'
import { verifyChain } from './verify.ts'
import { openWriter } from './writer.ts'

// The properties take a second alone, and many on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 60_000 })

const FOLDER = '/state/audit'
const LOG = `${FOLDER}/audit.jsonl`
const HEAD = `${FOLDER}/audit.head`
const KEY = '/state/pki/audit.key'
const words = { who: 'ann', from: '10.0.0.7', what: 'vm.delete', onId: 'u-1', onName: 'web1' }

function world(disk: MemoryDisk = memoryDisk(), more: Partial<AuditDeps> = {}) {
    const clock = fakeClock()
    const log = fakeLog()
    const audit = createAudit({ system: disk.system, clock, log, folder: FOLDER, key: KEY, ...more })
    const client = createClient(
        AuditService,
        createRouterTransport(router => audit.services!(router)),
    )
    return { disk, audit, sink: audit.sink, client, clock, log }
}

/** A closed log with `count` records, and its lines. */
async function written(count: number, more: Partial<AuditDeps> = {}) {
    const { disk, audit, sink } = world(memoryDisk(), more)
    await Promise.all(Array.from({ length: count }, (_, i) => sink.event({ ...words, detail: { i }, result: 'done' })))
    await audit.close!()
    return { disk, lines: disk.text(LOG).split('\n').slice(0, -1) }
}

/** What verify says of this log when nothing of the writer's memory is left: key and head file alone. */
async function verdict(disk: MemoryDisk, log: string) {
    const cut = disk.cut()
    cut.put(LOG, log)
    const { openHead, GENESIS } = await import('./chain.ts')
    const key = Buffer.from(cut.text(KEY).trim(), 'hex')
    const headFile = openHead(cut.text(HEAD), key)
    const sizeBytes = Buffer.byteLength(log)
    const snapshot = { head: headFile ?? GENESIS, headFile, rotated: [], path: LOG, sizeBytes, writtenBytes: sizeBytes }
    return (await verifyChain({ system: cut.system, key, snapshot })).findings.map(f => `${f.code} ${f.detail}`)
}

describe('writing', () => {
    test('records keep the order of the calls, share writes, and close their intents', async () => {
        const { sink, client, disk } = world()
        const numbers = await Promise.all(Array.from({ length: 50 }, () => sink.intent(words)))
        expect(numbers).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
        expect(disk.appends).toBeLessThanOrEqual(2)
        await sink.close(7, { result: 'failed', detail: 'no', task: 't1' })
        const { records, more } = await client.list({ limit: 2 })
        expect(more).toBe(true)
        expect(records[0]).toMatchObject({
            number: 51n,
            result: 'failed',
            closes: 7n,
            who: 'ann',
            onName: 'web1',
            task: 't1',
        })
        expect(records[1]).toMatchObject({ number: 50n, result: 'intent', closes: 0n })
        expect(await client.verify({})).toMatchObject({ intact: true, records: 51n })
        expect((await disk.system.look(LOG))?.mode).toBe(0o600)
        expect((await disk.system.look(KEY))?.mode).toBe(0o600)
    })

    test('secrets never reach the file', async () => {
        const { sink, disk } = world()
        await sink.event({
            ...words,
            detail: { user: 'ann', password: 'hunter2', deep: [{ token: 'abc' }] },
            result: 'done',
        })
        expect(disk.text(LOG)).not.toMatch(/hunter2|abc/)
        expect(disk.text(LOG)).toContain('[hidden]')
    })

    test('the chain goes on after a restart and over rotated files', async () => {
        const disk = memoryDisk()
        for (let life = 0; life < 5; life++) {
            const { sink, audit } = world(disk, { rotateBytes: 4000 })
            for (let i = 0; i < 20; i++) await sink.event({ ...words, detail: { life, i }, result: 'done' })
            await audit.close!()
        }
        const files = (await disk.system.list(FOLDER)).filter(n => n.endsWith('.jsonl'))
        expect(files.length).toBeGreaterThan(5)
        const { client } = world(disk)
        expect(await client.verify({})).toMatchObject({ intact: true, records: 100n })
        const seen: bigint[] = []
        for (let before = 0n; ; ) {
            const { records, more } = await client.list({ limit: 7, before })
            seen.push(...records.map(r => r.number))
            before = records.at(-1)!.number
            if (!more) break
        }
        expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => BigInt(100 - i)))
        await disk.system.remove(`${FOLDER}/${files[2]}`)
        const { intact, findings } = await world(disk).client.verify({})
        expect(intact).toBe(false)
        expect(findings.map(f => f.code)).toEqual(['removed'])
    })

    test('a full disk refuses with unavailable, and the log is whole and mended afterwards', async () => {
        const { sink, disk, client } = world()
        await sink.event({ ...words, result: 'done' })
        disk.trouble = { fault: diskFull(), after: 100 }
        await expect(sink.intent(words)).rejects.toMatchObject({ code: 'unavailable' })
        await expect(sink.intent(words)).rejects.toMatchObject({ code: 'unavailable' })
        disk.trouble = undefined
        expect(await sink.intent(words)).toBe(3)
        const answer = await client.verify({})
        expect(answer.findings).toEqual([])
        expect((await client.list({})).records.map(r => r.what)).toEqual(['vm.delete', 'audit.repair', 'vm.delete'])
    })

    test('a log that cannot be opened refuses, until it can', async () => {
        const { sink, disk, audit } = world()
        disk.trouble = { fault: diskFull() }
        await audit.start!()
        await expect(sink.intent(words)).rejects.toMatchObject({ code: 'unavailable' })
        disk.trouble = undefined
        expect(await sink.intent(words)).toBe(1)
    })
})

describe('a power cut', () => {
    test('wherever it tears the last write: the next start mends it, says so, and nothing counts as tampering', async () => {
        const { disk } = await written(3)
        const before = disk.text(LOG)
        const head = disk.text(HEAD)
        const { sink, audit } = world(disk)
        await Promise.all([sink.intent(words), sink.intent(words)])
        await audit.close!()
        const after = disk.text(LOG)
        for (let length = before.length; length <= after.length; length += 13) {
            const cut = disk.cut()
            cut.put(LOG, after.slice(0, length))
            cut.put(HEAD, head)
            const next = world(cut)
            await next.audit.start!()
            await next.sink.event({ ...words, result: 'done' })
            const { intact, findings } = await next.client.verify({})
            expect(findings.map(f => f.detail)).toEqual([])
            expect(intact).toBe(true)
            const torn = !['', '}'].includes(after.slice(0, length).at(-1)!.trim())
            const { records } = await next.client.list({ what: 'audit.repair' })
            expect(records.length).toBe(torn ? 1 : 0)
        }
    })

    test('a tail that was cut, and not torn, is said at the start and for ever', async () => {
        const { disk, lines } = await written(5)
        disk.put(LOG, `${lines.slice(0, 3).join('\n')}\n`)
        const { client, sink } = world(disk)
        await sink.event({ ...words, result: 'done' })
        const { findings } = await client.verify({})
        expect(findings.map(f => f.code).sort()).toEqual(['gap', 'removed'])
        expect(findings.find(f => f.code === 'removed')?.detail).toBe('records 4 to 5, behind 3')
    })
})

describe('tampering while the daemon runs', () => {
    test('a cut tail, even with its head file put back, is found', async () => {
        const { sink, client, disk } = world()
        for (let i = 0; i < 3; i++) await sink.event({ ...words, result: 'done' })
        await client.verify({})
        const log = disk.text(LOG)
        const head = disk.text(HEAD)
        for (let i = 0; i < 2; i++) await sink.event({ ...words, result: 'done' })
        await client.verify({})
        disk.put(LOG, log)
        disk.put(HEAD, head)
        expect((await client.verify({})).findings.map(f => `${f.code} ${f.detail}`)).toContain(
            'truncated records 4 to 5',
        )
    })

    test('a line that is put in, and a head file that is removed, are found', async () => {
        const { sink, client, disk } = world()
        await sink.event({ ...words, result: 'done' })
        await client.verify({})
        disk.put(LOG, `${disk.text(LOG)}{"number":2}\n`)
        expect((await client.verify({})).findings.map(f => f.code)).toContain('edited')
        await disk.system.remove(HEAD)
        expect((await client.verify({})).findings.map(f => f.code)).toContain('head')
    })
})

describe('any tampering is found (properties)', () => {
    const COUNT = 12
    const log = written(COUNT)
    const whole = (lines: string[]) => lines.map(l => `${l}\n`).join('')
    const index = fc.nat(COUNT - 1)

    test('the log itself is intact', async () => {
        const { disk, lines } = await log
        expect(await verdict(disk, whole(lines))).toEqual([])
    })

    test('any byte changed, removed or put in', async () => {
        const { disk, lines } = await log
        const bytes = Buffer.from(whole(lines))
        const kind = fc.constantFrom('change', 'remove', 'insert')
        await fc.assert(
            fc.asyncProperty(
                fc.nat(bytes.length - 1),
                fc.integer({ min: 0, max: 255 }),
                kind,
                async (at, byte, how) => {
                    const middle = how === 'remove' ? [] : [byte]
                    const rest = bytes.subarray(how === 'insert' ? at : at + 1)
                    const edited = Buffer.concat([bytes.subarray(0, at), Buffer.from(middle), rest])
                    // An empty line more says nothing and hides nothing.
                    const same =
                        edited.toString('latin1').replace(/\n+/g, '\n').replace(/^\n/, '') === bytes.toString('latin1')
                    const cut = disk.cut()
                    const found = await verdictOfBytes(cut, edited)
                    expect(found.length > 0).toBe(!same)
                },
            ),
            { numRuns: 300 },
        )
    })

    test('any record removed: its number is said', async () => {
        const { disk, lines } = await log
        for (let at = 0; at < COUNT; at++) {
            const found = await verdict(disk, whole(lines.filter((_, i) => i !== at)))
            expect(found.join()).toMatch(new RegExp(`(removed|truncated) record ${at + 1}(,|$)`))
        }
    })

    test('any two records swapped', async () => {
        const { disk, lines } = await log
        await fc.assert(
            fc.asyncProperty(index, index, async (a, b) => {
                fc.pre(a < b)
                const swapped = [...lines]
                ;[swapped[a], swapped[b]] = [lines[b]!, lines[a]!]
                const found = await verdict(disk, whole(swapped))
                expect(found.join()).toContain(`reordered record ${a + 1} `)
                expect(found.join()).not.toContain('removed')
            }),
        )
    })

    test('any truncation, at a line or within one: the missing records are said', async () => {
        const { disk, lines } = await log
        const text = whole(lines)
        await fc.assert(
            fc.asyncProperty(fc.nat(text.length - 1), async length => {
                const kept = text.slice(0, length)
                const records = kept.split('\n').length - 1
                const found = (await verdict(disk, kept)).join()
                const complete = kept.split('\n').at(-1) === lines[records]
                if (complete) expect(found).toContain('unended')
                else expect(found).toMatch(new RegExp(`(truncated|edited) records? ${records + 1}`))
            }),
        )
    })

    test('any record repeated', async () => {
        const { disk, lines } = await log
        await fc.assert(
            fc.asyncProperty(index, index, async (from, to) => {
                const found = await verdict(disk, whole(lines.toSpliced(to, 0, lines[from]!)))
                expect(found.length).toBeGreaterThan(0)
            }),
        )
    })

    test('a record sealed with another key', async () => {
        const { disk, lines } = await log
        const other = await written(COUNT)
        const found = await verdict(disk, whole(lines.with(4, other.lines[4]!)))
        expect(found).toEqual(['edited record 5 is sealed with another key'])
    })

    async function verdictOfBytes(disk: MemoryDisk, bytes: Buffer) {
        const { openHead, GENESIS } = await import('./chain.ts')
        const key = Buffer.from(disk.text(KEY).trim(), 'hex')
        const headFile = openHead(disk.text(HEAD), key)
        const sizes = { sizeBytes: bytes.length, writtenBytes: bytes.length }
        const system = {
            ...disk.system,
            readStream: async function* () {
                yield bytes
            },
        }
        const snapshot = { head: headFile ?? GENESIS, headFile, rotated: [], path: LOG, ...sizes }
        return (await verifyChain({ system, key, snapshot })).findings
    }
})

describe('the end of a task', () => {
    const ended = (id: string, more: Partial<TaskRecord> = {}): TaskRecord => ({
        ...{ id, kind: 'vm.create', title: 'Create web1', state: 'done', progress: 1, phase: '', owner: 'ann' },
        ...{ on: { kind: 'vm', id: 'u-1', name: 'web1' }, startedMs: 1, endedMs: 2, cancellable: false, undo: [] },
        ...more,
    })
    const problem = problemOf(new Fault('exhausted', { summary: 'The pool is full', detail: 'default' }))
    const call = { who: 'ann', from: '10.0.0.7', via: 'token 0f', what: 'vm.Create', onName: 'web1' }

    test('is a record that closes the intent of the call, which never stands as done before', async () => {
        const { audit, sink, client } = world()
        const number = await sink.intent(call)
        await sink.begun(number, 't1', 'u-1')
        audit.taskEnded(ended('t1', { state: 'failed', problem }))
        await expect.poll(async () => (await client.list({})).records.length).toBe(3)
        const { records } = await client.list({})
        expect(records.map(r => [r.result, Number(r.closes), r.task])).toEqual([
            ['failed', 1, 't1'],
            ['begun', 1, 't1'],
            ['intent', 0, ''],
        ])
        expect(records[0]).toMatchObject({
            who: 'ann',
            from: '10.0.0.7',
            via: 'token 0f',
            what: 'vm.Create',
            onId: 'u-1',
        })
        expect(JSON.parse(records[0]!.detail)).toMatchObject({ state: 'failed', code: 'exhausted', detail: 'default' })
        expect((await client.verify({})).intact).toBe(true)
    })

    test('that comes before the call has said that it began closes it all the same', async () => {
        const { audit, sink, client } = world()
        const number = await sink.intent(call)
        audit.taskEnded(ended('t1'))
        await sink.begun(number, 't1')
        await expect
            .poll(async () => (await client.list({})).records.map(r => r.result))
            .toEqual(['done', 'begun', 'intent'])
        expect((await client.list({})).records.map(r => Number(r.closes))).toEqual([1, 1, 0])
    })

    test('of a task that no call of this life began is recorded by its id, at the latest when the log is closed', async () => {
        const disk = memoryDisk()
        const { audit, client, clock } = world(disk)
        audit.taskEnded(ended('t0', { state: 'interrupted', problem }))
        await clock.advance(2_000)
        await expect.poll(async () => (await client.list({})).records.length).toBe(1)
        audit.taskEnded(ended('t2'))
        await audit.close()
        const { records } = await world(disk).client.list({})
        expect(records.map(r => [r.what, r.task, r.result, Number(r.closes)])).toEqual([
            ['vm.create', 't2', 'done', 0],
            ['vm.create', 't0', 'failed', 0],
        ])
    })
})

describe('listing', () => {
    test('filters by who, what, object and time', async () => {
        const { sink, client, clock } = world()
        await sink.event({ ...words, result: 'done' })
        await clock.advance(60_000)
        await sink.event({ ...words, who: 'bob', what: 'network.create', onName: 'lab', result: 'failed' })
        await clock.advance(60_000)
        await sink.event({ ...words, what: 'vm.start', onId: 'u-2', onName: 'db1', result: 'done' })
        const list = async (request: Parameters<typeof client.list>[0]) =>
            (await client.list(request)).records.map(r => Number(r.number))
        expect(await list({})).toEqual([3, 2, 1])
        expect(await list({ who: 'bob' })).toEqual([2])
        expect(await list({ what: 'vm' })).toEqual([3, 1])
        expect(await list({ what: 'vm.start' })).toEqual([3])
        expect(await list({ what: 'VM.Start' })).toEqual([3])
        expect(await list({ what: 'vm.star' })).toEqual([])
        expect(await list({ on: 'db1' })).toEqual([3])
        expect(await list({ on: 'u-1' })).toEqual([2, 1])
        const at = BigInt(Math.floor(clock.now() / 1000))
        expect(await list({ since: { seconds: at - 70n } })).toEqual([3, 2])
        expect(await list({ until: { seconds: at - 70n } })).toEqual([1])
        expect(await list({ before: 3n, limit: 1 })).toEqual([2])
    })
})

test('writers refuse nothing for long: many records while the head file is slow', async () => {
    const disk = memoryDisk()
    const log = fakeLog()
    const writer = await openWriter({ system: disk.system, now: () => 1, log, folder: FOLDER, keyPath: KEY })
    const entry = {
        who: '',
        from: '',
        what: 'x',
        onId: '',
        onName: '',
        result: 'done',
        detail: '',
        closes: 0,
        task: '',
    } as const
    for (let i = 0; i < 200; i++) await writer.write(entry)
    expect(disk.writes).toBeLessThan(220)
    await writer.close()
    expect(disk.text(HEAD)).toContain('"number":200')
})
