// Identity of two nodes on a real etcd: what one changes the other knows; etcd killed, access goes on and nothing
// revoked comes back; restarted, all heals.
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateSync } from 'otplib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
    addUser,
    faultOf,
    logIn,
    PASSWORD,
    type TestNode,
    testNode,
} from '../../src/capabilities/identity/testing/node.ts'
import { openEtcd } from '../../src/drivers/etcd/etcd.ts'
import type { Store } from '../../src/drivers/etcd/store.ts'
import { fakeLog } from '../../src/ports/fake.ts'
import { realClock, realSystem } from '../../src/ports/real.ts'
import { type EtcdWorld, startEtcd, until } from './world.ts'

interface Node extends TestNode {
    folder: string
    store: Store
    stop(): Promise<void>
}

const unhandled: unknown[] = []
process.on('unhandledRejection', reason => unhandled.push(reason))

let world: EtcdWorld
let folder = ''
let a: Node
let b: Node
let admin = ''

async function start(name: string): Promise<Node> {
    const clock = realClock()
    const log = fakeLog()
    const store = openEtcd({ endpoints: world.endpoints, clock, log, heartbeatMs: 500 })
    const stateFolder = join(folder, name)
    const node = await testNode({ store, system: realSystem(), clock, log, stateFolder })
    const stop = async () => {
        await node.identity.close()
        await store.close()
    }
    return Object.assign(node, { folder: stateFolder, store, stop })
}
const root = (node: Node) => node.as({ root: true })

beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dv-identity-'))
    world = await startEtcd()
    ;[a, b] = [await start('a'), await start('b')]
})
afterAll(async () => {
    await a?.stop()
    await b?.stop()
    await world.stop()
    await rm(folder, { recursive: true, force: true })
    expect(unhandled).toEqual([])
})

test('of ten on two nodes that hold the same link, one becomes administrator', async () => {
    const secret = (await b.identity.firstLogin())!.path.slice('/#/first/'.length)
    const results = await Promise.allSettled(
        Array.from({ length: 10 }, (_, i) => {
            const from = `192.0.2.${i}`
            return (i % 2 ? a : b).as({ from }).firstLogin({ secret, user: `admin${i}`, password: PASSWORD })
        }),
    )
    expect(results.filter(r => r.status === 'fulfilled')).toHaveLength(1)
    const { entries } = await a.store.list('/debvisor/identity/users/')
    expect(entries).toHaveLength(1)
    await until('a knows the winner', 1_000, async () => (await root(a).listUsers({})).users.length === 1)
    const winner = (await root(a).listUsers({})).users[0]!
    expect(winner.role).toBe('admin')
    admin = await addUser(a, 'admin', 'admin')
    await root(a).deleteUser({ name: winner.name })
})

test('a change on one node counts on the other within a second', async () => {
    const cookie = await addUser(a, 'bob', 'operator')
    await until('b knows the session', 1_000, () => b.caller({ cookie })?.may('vm.power') === true)
    await root(b).updateUser({ name: 'bob', role: 'viewer' })
    await until('a knows the role', 1_000, () => a.caller({ cookie })?.may('vm.power') === false)
    await root(a).updateUser({ name: 'bob', locked: true })
    await until('b knows the lock', 1_000, () => b.caller({ cookie }) === undefined)
    await root(a).deleteUser({ name: 'bob' })
    await until('b knows the end', 1_000, async () => (await root(b).listUsers({})).users.length === 1)
})

test('two administrators lower one another on two nodes: one stays', async () => {
    for (let round = 0; round < 5; round++) {
        await root(a).createUser({ name: 'second', role: 'admin', password: PASSWORD })
        await Promise.allSettled([
            root(a).updateUser({ name: 'admin', role: 'viewer' }),
            root(b).updateUser({ name: 'second', role: 'viewer' }),
        ])
        const { entries } = await a.store.list('/debvisor/identity/users/')
        expect(entries.filter(e => JSON.parse(e.value).role === 'admin')).toHaveLength(1)
        await root(a).updateUser({ name: 'admin', role: 'admin' })
        await root(a).deleteUser({ name: 'second' })
    }
    admin = await logIn(a, 'admin')
})

test('etcd killed: access goes on, changes say so, what is revoked stays so over a restart; back, all heals', async () => {
    await addUser(a, 'carl', 'operator')
    const revokedBefore = await logIn(a, 'carl')
    const { secret: tokenStays } = await a.as({ cookie: admin }).createToken({ name: 'stays' })
    const goes = await a.as({ cookie: admin }).createToken({ name: 'goes' })
    const { sessions } = await a.as({ cookie: revokedBefore }).listSessions({})
    await root(a).revokeSessions({ id: sessions.find(s => s.current)!.id })
    const session = await logIn(a, 'carl')
    await until('b knows both', 1_000, () => !!b.caller({ cookie: session }) && !!b.caller({ bearer: tokenStays }))

    await world.kill()
    await until('a knows that etcd is away', 5_000, () => !a.store.up() && !b.store.up())
    expect(a.caller({ cookie: admin })?.may('vm.power')).toBe(true)
    expect(a.caller({ bearer: tokenStays })?.user).toBe('admin')
    expect(a.caller({ cookie: revokedBefore })).toBeUndefined()
    const began = performance.now()
    const offline = await logIn(a, 'carl')
    expect(performance.now() - began).toBeLessThan(500)
    expect(await faultOf(a.as().login({ user: 'carl', password: 'wrong' }))).toBe('unauthenticated')
    expect(await faultOf(root(a).createUser({ name: 'dora', role: '', password: PASSWORD }))).toBe('unavailable')
    expect(await faultOf(root(a).updateUser({ name: 'carl', locked: true }))).toBe('unavailable')
    expect(await faultOf(a.as({ cookie: admin }).createToken({ name: 'x' }))).toBe('unavailable')
    const me = a.as({ cookie: admin })
    expect(await me.revokeToken({ id: goes.token!.id })).toMatchObject({ pending: true })
    const carls = (await root(a).listSessions({ user: 'carl' })).sessions
    const target = carls.find(s => a.caller({ cookie: session })?.viaId === s.id)!
    expect(await root(a).revokeSessions({ id: target.id })).toMatchObject({ pending: true })

    const holds = (node: Node) => {
        expect(node.caller({ cookie: admin })?.user).toBe('admin')
        expect(node.caller({ bearer: tokenStays })?.user).toBe('admin')
        expect(node.caller({ cookie: offline })?.user).toBe('carl')
        expect(node.caller({ bearer: goes.secret })).toBeUndefined()
        expect(node.caller({ cookie: session })).toBeUndefined()
        expect(node.caller({ cookie: revokedBefore })).toBeUndefined()
    }
    holds(a)
    await a.stop()
    a = await start('a')
    holds(a)
    expect(((await stat(join(a.folder, 'identity.json'))).mode & 0o777).toString(8)).toBe('600')
    expect(await readFile(join(a.folder, 'identity.json'), 'utf8')).not.toContain(PASSWORD)

    await world.restart()
    await until('a and b know that etcd is back', 5_000, () => a.store.up() && b.store.up())
    await until('b hears of what happened', 3_000, () => {
        const [ended, made] = [b.caller({ bearer: goes.secret }), b.caller({ cookie: offline })]
        return ended === undefined && made !== undefined && b.caller({ cookie: session }) === undefined
    })
    holds(a)
    holds(b)
    await root(b).updateUser({ name: 'carl', locked: true })
    await until('a hears of changes again', 1_000, () => a.caller({ cookie: offline }) === undefined)
})

test('a node that was away while a user was locked does not let them in when it starts', async () => {
    await root(b).updateUser({ name: 'carl', locked: false })
    const cookie = await logIn(b, 'carl')
    await until('a knows the session', 1_000, () => a.caller({ cookie })?.user === 'carl')
    await a.stop()
    await root(b).updateUser({ name: 'carl', locked: true })
    a = await start('a')
    expect(a.caller({ cookie })).toBeUndefined()
})

test('a second factor that one node set up is asked for by the other, which takes no code that the first has taken', async () => {
    const cookie = await addUser(a, 'fay', 'operator')
    const fay = a.as({ cookie })
    const { secret } = await fay.beginFactor({ password: PASSWORD })
    const codeAt = (ms: number) => generateSync({ secret, epoch: Math.floor(ms / 1000) })
    // The one before: the next login has the present one without waiting half a minute.
    const { recoveryCodes } = await fay.confirmFactor({ oneTimePassword: codeAt(Date.now() - 30_000) })
    await until('b knows of it', 1_000, () => b.caller({ cookie })?.user === 'fay')
    const login = (node: Node, oneTimePassword: string) =>
        node.as().login({ user: 'fay', password: PASSWORD, oneTimePassword })
    await expect(login(b, '')).rejects.toThrow(/A one-time password is needed/)
    const now = codeAt(Date.now())
    const both = await Promise.allSettled([login(a, now), login(b, now)])
    expect(both.filter(one => one.status === 'fulfilled')).toHaveLength(1)
    const recovered = await Promise.allSettled([login(a, recoveryCodes[0]!), login(b, recoveryCodes[0]!)])
    expect(recovered.filter(one => one.status === 'fulfilled')).toHaveLength(1)
    await root(b).setFactorPolicy({ roles: ['viewer'] })
    const vera = await addUser(a, 'vera', 'viewer')
    await until('a knows the policy', 1_000, () => a.caller({ cookie: vera })?.may('vm.view') === false)
    await root(a).setFactorPolicy({ roles: [] })
    await until('a knows the policy', 1_000, () => a.caller({ cookie: vera })?.may('vm.view') === true)
    const kept = await readFile(join(a.folder, 'identity.json'), 'utf8')
    for (const code of recoveryCodes) expect(kept).not.toContain(code.replaceAll('-', ''))
    await root(a).resetFactor({ user: 'fay' })
    await logIn(a, 'fay')
})

test('being asked writes nothing to etcd', async () => {
    await logIn(a, 'admin')
    const { revision } = await a.store.list('/')
    for (let i = 0; i < 500; i++) expect(a.caller({ cookie: admin })?.may('vm.view')).toBe(true)
    for (let i = 0; i < 20; i++) await a.as({ cookie: admin }).listSessions({})
    expect((await a.store.list('/')).revision).toBe(revision)
})
