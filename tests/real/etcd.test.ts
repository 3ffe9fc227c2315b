// The store over a real etcd: revisions, lost races, watches, and what happens when it is killed, stopped and restarted.
import { execFileSync } from 'node:child_process'
import { Etcd3 } from 'etcd3'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openEtcd } from '../../src/drivers/etcd/etcd.ts'
import { memoryStores } from '../../src/drivers/etcd/memory.ts'
import type { Change, Snapshot, Store } from '../../src/drivers/etcd/store.ts'
import type { Clock, Log } from '../../src/ports/ports.ts'
import { type EtcdWorld, freePorts, startEtcd, until } from './world.ts'

const clock: Clock = {
    now: () => Date.now(),
    ticks: () => performance.now(),
    after(delayMs, call) {
        const timer = setTimeout(call, delayMs)
        return () => clearTimeout(timer)
    },
    every(periodMs, call) {
        const timer = setInterval(call, periodMs)
        return () => clearInterval(timer)
    },
}
const log: Log = { info() {}, warn() {}, error() {}, debug() {}, child: () => log }
const code = (code: string) => expect.objectContaining({ code })

const unhandled: unknown[] = []
process.on('unhandledRejection', reason => unhandled.push(reason))

let world: EtcdWorld
let prefix = ''
let count = 0
const opened: Store[] = []
function open(endpoints = world.endpoints): Store {
    const store = openEtcd({ endpoints, clock, log, heartbeatMs: 500 })
    opened.push(store)
    return store
}

beforeAll(async () => {
    world = await startEtcd()
})
beforeEach(() => {
    prefix = `/debvisor/test${++count}/`
})
afterAll(async () => {
    for (const store of opened) await store.close()
    await world.stop()
    expect(unhandled).toEqual([])
})

/** What a watcher has heard, as the map that it would keep. */
function follow(store: Store, below: string) {
    const seen = new Map<string, string>()
    const heard = { resyncs: 0, seen, end: () => {} }
    heard.end = store.watch(below, {
        resync(snapshot: Snapshot) {
            heard.resyncs++
            seen.clear()
            for (const entry of snapshot.entries) seen.set(entry.key, entry.value)
        },
        change(changes: Change[]) {
            for (const c of changes) c.kind === 'put' ? seen.set(c.entry.key, c.entry.value) : seen.delete(c.key)
        },
    })
    return heard
}

const kinds: [string, () => Store][] = [
    ['etcd', () => open()],
    ['memory', () => memoryStores().open()],
]
describe.each(kinds)('the rules of a store, in %s', (_, make) => {
    test('revisions, checks and several writes at once', async () => {
        const store = make()
        expect(await store.get(`${prefix}a`)).toBeUndefined()
        const first = await store.put(`${prefix}a`, 'one', 0)
        expect(await store.get(`${prefix}a`)).toEqual({ key: `${prefix}a`, value: 'one', revision: first })
        await expect(store.put(`${prefix}a`, 'two', 0)).rejects.toEqual(code('conflict'))
        const second = await store.put(`${prefix}a`, 'two', first)
        await expect(store.remove(`${prefix}a`, first)).rejects.toEqual(code('conflict'))
        await expect(
            store.commit({
                checks: [{ key: `${prefix}a`, revision: first }],
                writes: [{ put: `${prefix}b`, value: 'x' }],
            }),
        ).rejects.toEqual(code('conflict'))
        await store.commit({
            checks: [{ key: `${prefix}a`, revision: second }],
            writes: [{ put: `${prefix}b`, value: 'ü' }, { remove: `${prefix}a` }],
        })
        const { entries, revision } = await store.list(prefix)
        expect(entries).toEqual([{ key: `${prefix}b`, value: 'ü', revision }])
        expect(await store.remove(`${prefix}nothing`)).toBeGreaterThan(0)
    })

    test('a prefix that must not have been written since', async () => {
        const store = make()
        const guard = (since: number, key: string) =>
            store.commit({ checks: [{ prefix: `${prefix}u/`, since }], writes: [{ put: key, value: '1' }] })
        const empty = await store.list(`${prefix}u/`)
        await guard(empty.revision, `${prefix}u/a`)
        await expect(guard(empty.revision, `${prefix}u/b`)).rejects.toEqual(code('conflict'))
        await guard((await store.list(`${prefix}u/`)).revision, `${prefix}u/b`)
        expect((await store.list(`${prefix}u/`)).entries.map(e => e.key)).toEqual([`${prefix}u/a`, `${prefix}u/b`])
    })

    test('of twenty that race for one key, one wins', async () => {
        const store = make()
        const results = await Promise.allSettled(
            Array.from({ length: 20 }, (_, i) => store.put(`${prefix}race`, String(i), 0)),
        )
        expect(results.filter(r => r.status === 'fulfilled')).toHaveLength(1)
        for (const r of results) if (r.status === 'rejected') expect(r.reason).toEqual(code('conflict'))
    })

    test('a watch tells what was, then what comes', async () => {
        const store = make()
        await store.put(`${prefix}a`, '1')
        const heard = follow(store, prefix)
        await until('the first read', 5_000, async () => heard.resyncs === 1)
        await store.put(`${prefix}b`, '2')
        await store.remove(`${prefix}a`)
        await until('both changes', 5_000, async () => heard.seen.has(`${prefix}b`) && !heard.seen.has(`${prefix}a`))
        heard.end()
        expect(heard.resyncs).toBe(1)
    })
})

test('a list far above the 4 MB of one answer is whole, of one moment, and in order; a watch begins with it', async () => {
    const store = open()
    const value = 'x'.repeat(10_000)
    const keys = Array.from({ length: 1200 }, (_, i) => `${prefix}${String(i).padStart(5, '0')}`)
    for (let i = 0; i < keys.length; i += 100)
        await store.commit({ checks: [], writes: keys.slice(i, i + 100).map(key => ({ put: key, value })) })
    // What is written between two pages is not in it.
    let writing = true
    const writes = (async () => {
        for (let i = 0; writing; i++)
            await store.put(`${prefix}late${String(i).padStart(6, '0')}`, 'x').catch(() => undefined)
    })()
    const { entries, revision } = await store.list(prefix)
    writing = false
    await writes
    expect(entries.slice(0, 1200).map(entry => entry.key)).toEqual(keys)
    expect(Math.max(...entries.map(entry => entry.revision))).toBe(revision)
    const heard = follow(store, prefix)
    await until('the first read', 10_000, async () => heard.resyncs === 1 && heard.seen.size >= 1200)
    heard.end()
})

describe('when etcd is away', () => {
    test('killed: calls fail fast and say so; back again: all heals, and the watch has missed nothing', async () => {
        const store = open()
        await store.put(`${prefix}a`, '1')
        const heard = follow(store, prefix)
        await until('the first read', 5_000, async () => heard.seen.size === 1)
        const turns: boolean[] = []
        store.onTurn(up => turns.push(up))
        await world.kill()
        await until('it is known to be away', 5_000, async () => !store.up())
        const began = performance.now()
        await expect(store.get(`${prefix}a`)).rejects.toEqual(code('unavailable'))
        await expect(store.put(`${prefix}a`, '2')).rejects.toEqual(code('unavailable'))
        expect(performance.now() - began).toBeLessThan(200)
        await world.restart()
        await until('it is known to be back', 5_000, async () => store.up())
        await store.put(`${prefix}b`, '2')
        await until('the watch goes on', 5_000, async () => heard.seen.has(`${prefix}b`))
        expect(heard.resyncs).toBeGreaterThan(1)
        expect(turns).toEqual([false, true])
        heard.end()
    })

    test('a call in flight when it freezes ends as unknown within its deadline', async () => {
        const store = open()
        await store.put(`${prefix}a`, '1')
        const pid = execFileSync('pgrep', ['-f', `${world.folder}/data`])
            .toString()
            .trim()
            .split('\n')[0]!
        process.kill(Number(pid), 'SIGSTOP')
        try {
            const began = performance.now()
            await expect(store.put(`${prefix}a`, '2', 1)).rejects.toEqual(code('unknown'))
            expect(performance.now() - began).toBeLessThan(4_000)
            await until('it is known to be away', 5_000, async () => !store.up())
        } finally {
            process.kill(Number(pid), 'SIGCONT')
        }
        await until('it is known to be back', 5_000, async () => store.up())
        expect((await store.get(`${prefix}a`))?.value).toBe('1')
    })

    test('the first of two members does not exist: the other is asked', async () => {
        const [port] = await freePorts(1)
        const store = open([`http://127.0.0.1:${port}`, ...world.endpoints])
        await store.put(`${prefix}a`, '1')
        expect((await store.get(`${prefix}a`))?.value).toBe('1')
    })

    test('none exists: unavailable, with what to do', async () => {
        const [port] = await freePorts(1)
        const store = open([`http://127.0.0.1:${port}`])
        await expect(store.put(`${prefix}a`, '1')).rejects.toEqual(
            expect.objectContaining({ code: 'unavailable', fix: expect.stringContaining('systemctl status etcd') }),
        )
    })

    test('compaction between two reads does not stop a watch', async () => {
        const store = open()
        const heard = follow(store, prefix)
        await until('the first read', 5_000, async () => heard.resyncs === 1)
        await world.kill()
        await world.restart()
        const other = open()
        for (let i = 0; i < 5; i++) await other.put(`${prefix}k`, String(i))
        const { revision } = await other.list(prefix)
        const raw = new Etcd3({ hosts: world.endpoints[0]! })
        await raw.kv.compact({ revision })
        raw.close()
        await until('the last value', 5_000, async () => heard.seen.get(`${prefix}k`) === '4')
        heard.end()
    })
})
