// The audit log on the real file system: killed writers, a full disk, and a long log in bounded memory.
import { execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createClient, createRouterTransport } from '@connectrpc/connect'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAudit } from '../../src/capabilities/audit/audit.ts'
import { createTasks } from '../../src/engine/tasks.ts'
import { AuditService } from '../../src/gen/proto/capabilities/audit/audit_pb.js'
import { fakeLog } from '../../src/ports/fake.ts'
import { realClock, realSystem } from '../../src/ports/real.ts'

const run = promisify(execFile)
const words = { who: 'ann', from: 'local', what: 'vm.delete', onId: 'u-1', onName: 'web1' }
let root = ''

beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'dv-audit-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

const parts = (folder: string) => ({
    ...{ system: realSystem(), clock: realClock(), log: fakeLog() },
    ...{ folder: join(folder, 'audit'), key: join(folder, 'audit.key') },
})
function open(folder: string, more: { rotateBytes?: number } = {}) {
    const audit = createAudit({ ...parts(folder), ...more })
    const client = createClient(
        AuditService,
        createRouterTransport(router => audit.services!(router)),
    )
    return { audit, sink: audit.sink, client }
}

test('a writer that is killed again and again loses no record that it promised, and breaks no chain', async () => {
    const folder = join(root, 'killed')
    await mkdir(folder)
    const program = join(root, 'audit-writer.mjs')
    await build({
        entryPoints: [join(import.meta.dirname, 'audit-writer.ts')],
        ...{ outfile: program, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' },
        banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)" },
    })
    const promised = new Set<string>()
    for (let life = 0; life < 12; life++) {
        const child = spawn(process.execPath, [program, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
        let said = ''
        let enough = 0
        await new Promise(resolve => {
            child.stdout.on('data', chunk => {
                said += chunk
                // Not after a fixed time: a slow machine would be killed before its first record.
                if (++enough === 10 + life * 7) child.kill('SIGKILL')
            })
            child.on('close', resolve)
        })
        for (const number of said.split('\n').slice(0, -1)) promised.add(number)
    }
    const { client, audit } = open(folder, { rotateBytes: 100_000 })
    const verified = await client.verify({})
    expect(verified.findings.map(f => f.detail)).toEqual([])
    const numbers = new Set<string>()
    for (let before = 0n; ; ) {
        const { records, more } = await client.list({ limit: 2000, before })
        for (const record of records) numbers.add(String(record.number))
        if (!more) break
        before = records.at(-1)!.number
    }
    expect([...promised].filter(number => !numbers.has(number))).toEqual([])
    expect(verified.records).toBe(BigInt(numbers.size))
    expect(promised.size).toBeGreaterThan(100)
    await audit.close!()
})

test('100,000 records are verified in bounded memory, and one changed byte in the middle is named', async () => {
    const folder = join(root, 'long')
    await mkdir(folder)
    const { client, sink, audit } = open(folder, { rotateBytes: 8 << 20 })
    for (let at = 0; at < 100_000; at += 5000) {
        await Promise.all(Array.from({ length: 5000 }, () => sink.event({ ...words, result: 'done' })))
    }
    const before = process.memoryUsage().rss
    let peak = 0
    const watch = setInterval(() => {
        peak = Math.max(peak, process.memoryUsage().rss)
    }, 20)
    expect(await client.verify({})).toMatchObject({ intact: true, records: 100_000n })
    clearInterval(watch)
    // The log has 50 MB here, and would have 500 with a million records.
    expect(peak - before).toBeLessThan(30 << 20)
    const began = Date.now()
    expect((await client.list({ limit: 10 })).records[0]?.number).toBe(100_000n)
    expect((await client.list({ limit: 10, before: 1000n })).records[0]?.number).toBe(999n)
    expect(Date.now() - began).toBeLessThan(5000)
    const path = join(folder, 'audit/audit-000002.jsonl')
    const log = await readFile(path)
    const victim = log.indexOf('"who":"ann"', log.length / 2)
    log.write('"who":"bob"', victim)
    const lineStart = log.lastIndexOf('\n', victim) + 1
    const number = /"number":(\d+)/.exec(log.toString('utf8', lineStart, log.indexOf('\n', victim)))![1]
    await writeFile(path, log)
    expect((await client.verify({})).findings.map(f => f.detail)).toEqual([`record ${number}`])
    await audit.close!()
}, 180_000)

test('a full disk: changes are refused, no task begins, and both go on when there is room again', async context => {
    const folder = join(root, 'full')
    await mkdir(folder)
    try {
        await run('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder])
    } catch (thrown) {
        context.skip(`a tmpfs cannot be mounted here: ${thrown}`)
    }
    try {
        const { client, sink, audit } = open(folder)
        const { system, clock, log } = parts(folder)
        const tasks = await createTasks({ system, clock, log, folder: join(folder, 'tasks') })
        await sink.event({ ...words, result: 'done' })
        const ballast = join(folder, 'ballast')
        await writeFile(ballast, Buffer.alloc(4 << 20)).catch(() => undefined)
        const refused = async () => {
            for (let i = 0; i < 50; i++) await sink.event({ ...words, result: 'done' })
        }
        await expect(refused()).rejects.toMatchObject({ code: 'unavailable' })
        let ran = 0
        const begin = () =>
            tasks.begin({ kind: 'vm.create', title: 'x'.repeat(3000), owner: 'ann' }, async () => {
                ran++
            })
        let begun = 0
        const fill = async () => {
            for (; begun < 100; begun++) await (await begin()).settled
        }
        await expect(fill()).rejects.toMatchObject({ code: 'exhausted' })
        expect(ran).toBe(begun)
        await truncate(ballast, 0)
        await sink.event({ ...words, result: 'done' })
        expect((await client.verify({})).findings.map(f => f.detail)).toEqual([])
        expect((await (await begin()).settled).state).toBe('done')
        await tasks.close()
        await audit.close!()
        const again = await createTasks({ system, clock, log, folder: join(folder, 'tasks') })
        await again.recover()
        const states = again.list().map(t => t.state)
        expect(states[0]).toBe('done')
        expect(states).not.toContain('running')
        await again.close()
        expect((await readdir(join(folder, 'audit'))).filter(name => name.endsWith('.half'))).toEqual([])
    } finally {
        await run('umount', [folder])
    }
})
