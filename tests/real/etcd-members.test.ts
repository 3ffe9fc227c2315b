// The store over three members: one dies, then the majority, then all are back.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openEtcd } from '../../src/drivers/etcd/etcd.ts'
import type { Store } from '../../src/drivers/etcd/store.ts'
import { fakeLog } from '../../src/ports/fake.ts'
import { realClock } from '../../src/ports/real.ts'
import { freePorts, until } from './world.ts'

interface Member {
    client: string
    argv: string[]
    process?: ChildProcess
}

let folder = ''
const members: Member[] = []
let store: Store

function run(member: Member): void {
    member.process = spawn('etcd', member.argv, { stdio: 'ignore' })
}
async function kill(member: Member, signal: 'SIGKILL' | 'SIGSTOP' = 'SIGKILL'): Promise<void> {
    const { process: going } = member
    if (!going || going.exitCode !== null || going.signalCode !== null) return
    const gone = new Promise(resolve => going.once('exit', resolve))
    going.kill(signal)
    if (signal === 'SIGKILL') await gone
}

beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dv-etcd-three-'))
    const ports = await freePorts(6)
    const names = ['one', 'two', 'three']
    const peer = (i: number) => `http://127.0.0.1:${ports[i + 3]}`
    const cluster = names.map((name, i) => `${name}=${peer(i)}`).join(',')
    for (const [i, name] of names.entries()) {
        const client = `http://127.0.0.1:${ports[i]}`
        members.push({
            client,
            argv: [
                ...['--name', name, '--data-dir', join(folder, name), '--unsafe-no-fsync'],
                ...['--listen-client-urls', client, '--advertise-client-urls', client],
                ...['--listen-peer-urls', peer(i), '--initial-advertise-peer-urls', peer(i)],
                ...['--initial-cluster', cluster, '--initial-cluster-state', 'new'],
                ...['--heartbeat-interval', '50', '--election-timeout', '500'],
            ],
        })
    }
    for (const member of members) run(member)
    store = openEtcd({
        endpoints: members.map(member => member.client),
        clock: realClock(),
        log: fakeLog(),
        heartbeatMs: 500,
    })
    await until('the first write', 20_000, () => store.put('/debvisor/m/first', '1').then(Boolean, () => false))
})
afterAll(async () => {
    await store?.close()
    await Promise.all(members.map(member => kill(member)))
    await rm(folder, { recursive: true, force: true })
})

test('of three members one dies, another freezes: it goes on or says that it cannot, and heals', async () => {
    const seen = new Map<string, string>()
    store.watch('/debvisor/m/', {
        resync(snapshot) {
            seen.clear()
            for (const entry of snapshot.entries) seen.set(entry.key, entry.value)
        },
        change(changes) {
            for (const c of changes) if (c.kind === 'put') seen.set(c.entry.key, c.entry.value)
        },
    })
    await until('the first read', 5_000, () => seen.size === 1)

    for (const member of members) {
        await kill(member)
        const key = `/debvisor/m/without-${members.indexOf(member)}`
        await until('a write without it', 10_000, () => store.put(key, '1').then(Boolean, () => false))
        await until('the watch goes on', 10_000, () => seen.has(key))
        run(member)
        await until('it is back', 10_000, async () => {
            const answer = await fetch(`${member.client}/health`).catch(() => undefined)
            return (await answer?.text())?.includes('true') === true
        })
    }

    await kill(members[0]!)
    await kill(members[1]!, 'SIGSTOP')
    await until('without a majority it is known to be away', 15_000, () => !store.up())
    await expect(store.put('/debvisor/m/lost', '1')).rejects.toEqual(expect.objectContaining({ code: 'unavailable' }))
    members[1]!.process!.kill('SIGCONT')
    await until('it is back', 15_000, () => store.up())
    await until('a write', 10_000, () => store.put('/debvisor/m/last', '1').then(Boolean, () => false))
    await until('the watch goes on', 10_000, () => seen.has('/debvisor/m/last'))
    expect(seen.has('/debvisor/m/lost')).toBe(false)
})
