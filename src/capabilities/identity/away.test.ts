// Two nodes on one store, the store away, restarts, lost answers: access goes on, and nothing revoked comes back.
import { beforeEach, describe, expect, test } from 'vitest'
import { Fault } from '../../base/fault.ts'
import { type MemoryStore, type MemoryStores, memoryStores } from '../../drivers/etcd/memory.ts'
import { type FakeClock, type FakeSystem, fakeClock, fakeLog, fakeSystem } from '../../ports/fake.ts'
import { addUser, becomeAdmin, faultOf, logIn, PASSWORD, type TestNode, testNode } from './testing/node.ts'

let clock: FakeClock
let stores: MemoryStores
let a: { store: MemoryStore; system: FakeSystem; node: TestNode }
let b: typeof a
let admin = ''

async function makeNode(store = stores.open(), system = fakeSystem({ writable: ['/state'] })): Promise<typeof a> {
    return { store, system, node: await testNode({ store, system, clock, log: fakeLog() }) }
}
/** The same machine after the daemon was killed: what is on its disk stays. */
async function restart(of: typeof a, cut = false): Promise<typeof a> {
    const store = stores.open()
    if (cut) store.cut()
    return makeNode(store, of.system)
}

beforeEach(async () => {
    clock = fakeClock()
    stores = memoryStores()
    a = await makeNode()
    b = await makeNode()
    admin = await becomeAdmin(a.node)
    await clock.advance(10)
})

test('what changes on one node counts on the other', async () => {
    const cookie = await addUser(a.node, 'bob', 'operator')
    await clock.advance(10)
    const there = b.node.caller({ cookie })!
    expect(there.may('vm.power')).toBe(true)
    await a.node.as({ root: true }).updateUser({ name: 'bob', role: 'viewer' })
    await clock.advance(10)
    expect(there.may('vm.power')).toBe(false)
    await b.node.as({ root: true }).revokeSessions({ user: 'bob' })
    await clock.advance(10)
    expect(a.node.caller({ cookie })).toBeUndefined()
})

test('the last administrator is kept across nodes that have not heard of one another yet', async () => {
    await addUser(a.node, 'second', 'admin')
    await clock.advance(10)
    await Promise.allSettled([
        a.node.as({ root: true }).updateUser({ name: 'admin', locked: true }),
        b.node.as({ root: true }).deleteUser({ name: 'second' }),
    ])
    await clock.advance(10)
    const { users } = await a.node.as({ root: true }).listUsers({})
    expect(users.filter(u => u.role === 'admin' && !u.locked)).toHaveLength(1)
})

describe('while the store is away', () => {
    test('sessions, tokens and logins go on; changes are refused', async () => {
        const { secret } = await a.node.as({ cookie: admin }).createToken({ name: 'ci' })
        a.store.cut()
        expect(a.node.caller({ cookie: admin })?.may('vm.power')).toBe(true)
        expect(a.node.caller({ bearer: secret })?.user).toBe('admin')
        const cookie = await logIn(a.node, 'admin')
        expect(a.node.caller({ cookie })?.user).toBe('admin')
        const me = a.node.as({ cookie })
        for (const call of [
            () => me.createUser({ name: 'bob', role: 'viewer', password: PASSWORD }),
            () => me.updateUser({ name: 'admin', fullName: 'x' }),
            () => me.deleteUser({ name: 'admin' }),
            () => me.createToken({ name: 'x' }),
            () => me.addGrant({ user: 'admin', role: 'viewer', tag: 'web' }),
            () => me.changePassword({ oldPassword: PASSWORD, newPassword: 'seven green bicycles' }),
            () => a.node.as({ root: true }).newFirstLogin({}),
            () => a.node.as().firstLogin({ secret: 'x', user: 'eve', password: PASSWORD }),
        ]) {
            expect(await faultOf(call())).toBe('unavailable')
        }
        expect(await faultOf(a.node.as().login({ user: 'admin', password: 'wrong' }))).toBe('unauthenticated')
        expect((await me.listUsers({})).users).toHaveLength(1)
    })

    test('a login made then is known everywhere afterwards, and ends with the password', async () => {
        a.store.cut()
        const [stays, goes] = [await logIn(a.node, 'admin'), await logIn(a.node, 'admin')]
        expect(b.node.caller({ cookie: stays })).toBeUndefined()
        await a.node.as({ cookie: goes }).logout({})
        a.store.heal()
        await clock.advance(10)
        expect(b.node.caller({ cookie: stays })?.user).toBe('admin')
        expect(b.node.caller({ cookie: goes })).toBeUndefined()
        a.store.cut()
        const late = await logIn(a.node, 'admin')
        await b.node.as({ root: true }).updateUser({ name: 'admin', password: 'seven green bicycles' })
        expect(a.node.caller({ cookie: late })?.user).toBe('admin')
        a.store.heal()
        await clock.advance(10)
        for (const { node } of [a, b]) {
            expect(node.caller({ cookie: late })).toBeUndefined()
            expect(node.caller({ cookie: stays })).toBeUndefined()
        }
    })

    test('what is revoked then is refused at once, after a restart, and everywhere once it is back', async () => {
        const session = await logIn(a.node, 'admin')
        const made = await a.node.as({ cookie: admin }).createToken({ name: 'ci' })
        await clock.advance(1000)
        a.store.cut()
        const me = a.node.as({ cookie: admin })
        const { sessions } = await me.listSessions({})
        const other = sessions.find(s => !s.current)!
        expect(await me.revokeSessions({ id: other.id })).toMatchObject({ ended: 1, pending: true })
        expect(await me.revokeToken({ id: made.token!.id })).toMatchObject({ pending: true })
        const gone = (node: TestNode) => [node.caller({ cookie: session }), node.caller({ bearer: made.secret })]
        expect(gone(a.node)).toEqual([undefined, undefined])
        // Killed, and started while the store is still away.
        a = await restart(a, true)
        expect(gone(a.node)).toEqual([undefined, undefined])
        expect(a.node.caller({ cookie: admin })?.user).toBe('admin')
        expect(gone(b.node).every(Boolean)).toBe(true)
        a.store.heal()
        await clock.advance(10)
        expect(gone(a.node)).toEqual([undefined, undefined])
        expect(gone(b.node)).toEqual([undefined, undefined])
    })

    test('a session made then survives a restart, and is carried over later', async () => {
        a.store.cut()
        const cookie = await logIn(a.node, 'admin')
        a = await restart(a, true)
        expect(a.node.caller({ cookie })?.user).toBe('admin')
        a.store.heal()
        await clock.advance(10)
        expect(b.node.caller({ cookie })?.user).toBe('admin')
    })

    test('a node that starts with the store away denies what was revoked before', async () => {
        const cookie = await addUser(a.node, 'bob', 'operator')
        await b.node.as({ root: true }).updateUser({ name: 'bob', locked: true })
        await clock.advance(1000)
        a = await restart(a, true)
        expect(a.node.caller({ cookie })).toBeUndefined()
        expect(await faultOf(a.node.as().login({ user: 'bob', password: PASSWORD }))).toBe('denied')
    })

    test('a node that was down when a user was locked hears of it before it lets anyone in', async () => {
        const cookie = await addUser(a.node, 'bob', 'operator')
        await clock.advance(1000)
        await a.node.identity.close()
        await a.store.close()
        await b.node.as({ root: true }).updateUser({ name: 'bob', locked: true })
        a = await restart(a)
        expect(a.node.caller({ cookie })).toBeUndefined()
    })

    test('a copy on disk that is torn, empty or foreign lets nobody in, and does not stop the start', async () => {
        await clock.advance(1000)
        const whole = Buffer.from(a.system.files.get('/state/identity/identity.json')!).toString()
        for (const text of [whole.slice(0, -20), '', 'null', '[]', '{"version":2}', '{"version":1,"entries":[null]}']) {
            const system = fakeSystem({ writable: ['/state'], files: { '/state/identity/identity.json': text } })
            const store = stores.open()
            store.cut()
            const { node } = await makeNode(store, system)
            expect(node.caller({ cookie: admin })).toBeUndefined()
            expect(await faultOf(node.as().login({ user: 'admin', password: PASSWORD }))).toBe('unauthenticated')
            store.heal()
            await clock.advance(10)
            expect(node.caller({ cookie: admin })?.user).toBe('admin')
        }
    })
})

describe('when an answer is lost', () => {
    test('a login counts once', async () => {
        a.store.loseNextAnswer()
        const cookie = await logIn(a.node, 'admin')
        expect(a.node.caller({ cookie })?.user).toBe('admin')
        await clock.advance(20_000)
        expect((await b.node.as({ root: true }).listSessions({ user: 'admin' })).sessions).toHaveLength(2)
        expect((await a.node.as({ root: true }).listSessions({ user: 'admin' })).sessions).toHaveLength(2)
    })

    test('a session whose making and ending both lost their answers stays ended everywhere', async () => {
        a.store.loseNextAnswer()
        const cookie = await logIn(a.node, 'admin')
        a.store.cut()
        await a.node.as({ cookie }).logout({})
        a.store.heal()
        await clock.advance(20_000)
        for (const { node } of [a, b]) expect(node.caller({ cookie })).toBeUndefined()
        expect((await b.node.as({ root: true }).listSessions({ user: 'admin' })).sessions).toHaveLength(1)
    })

    test('a login that reaches the store after its logout is ended again', async () => {
        const cookie = await logIn(a.node, 'admin')
        await clock.advance(10)
        const { entries } = await a.store.list('/debvisor/identity/sessions/')
        const made = entries.find(e => cookie.includes(JSON.parse(e.value).id))!
        await a.node.as({ cookie }).logout({})
        await clock.advance(60_000)
        await b.store.put(made.key, made.value)
        await clock.advance(1)
        expect(a.node.caller({ cookie })).toBeUndefined()
        await clock.advance(20_000)
        expect(b.node.caller({ cookie })).toBeUndefined()
        expect(await b.store.get(made.key)).toBeUndefined()
    })

    test('a revocation holds here at once, and elsewhere when it is repeated', async () => {
        const { token, secret } = await a.node.as({ cookie: admin }).createToken({ name: 'ci' })
        a.store.loseNextAnswer()
        expect(await a.node.as({ cookie: admin }).revokeToken({ id: token!.id })).toMatchObject({ pending: true })
        expect(a.node.caller({ bearer: secret })).toBeUndefined()
        await clock.advance(20_000)
        expect(b.node.caller({ bearer: secret })).toBeUndefined()
    })

    test('a new user is unknown, not failed', async () => {
        a.store.loseNextAnswer()
        const call = a.node.as({ root: true }).createUser({ name: 'bob', role: 'viewer', password: PASSWORD })
        expect(await faultOf(call)).toBe('unknown')
        await clock.advance(10)
        expect((await a.node.as({ root: true }).listUsers({})).users.map(u => u.name)).toEqual(['admin', 'bob'])
    })
})

test('a use that is written late does not bring a revoked session back', async () => {
    const store = stores.open()
    // A node that hears of everything a second late.
    const slow: MemoryStore = {
        ...store,
        watch: (prefix, watcher) =>
            store.watch(prefix, {
                resync: snapshot => watcher.resync(snapshot),
                change: changes => void clock.after(1000, () => watcher.change(changes)),
            }),
    }
    const late = await makeNode(slow)
    const cookie = await logIn(a.node, 'admin')
    await clock.advance(2 * 60_000)
    const { sessions } = await a.node.as({ root: true }).listSessions({ user: 'admin' })
    const id = sessions.find(session => cookie.includes(session.id))!.id
    await a.node.as({ root: true }).revokeSessions({ id })
    // It still lets them in, for this second, and wants to write that.
    expect(late.node.caller({ cookie })?.user).toBe('admin')
    await clock.advance(10)
    const { entries } = await b.store.list('/debvisor/identity/sessions/')
    expect(entries.some(entry => entry.key.endsWith(id))).toBe(false)
    await clock.advance(1000)
    expect(late.node.caller({ cookie })).toBeUndefined()
})

test('a document that nobody can read gives no access and harms no other', async () => {
    await addUser(a.node, 'bob', 'operator')
    await a.store.put('/debvisor/identity/users/eve', '{"name":"eve","role":"admin"}')
    await a.store.put('/debvisor/identity/users/bob', 'not json')
    await a.store.put('/debvisor/identity/strange/thing', '{}')
    await clock.advance(10)
    expect((await a.node.as({ root: true }).listUsers({})).users.map(u => u.name)).toEqual(['admin'])
    expect(await faultOf(a.node.as().login({ user: 'eve', password: PASSWORD }))).toBe('unauthenticated')
})

test('what is ended is on the disk also where the store refuses to hear of it', async () => {
    const { secret, token } = await a.node.as({ cookie: admin }).createToken({ name: 'ci' })
    const commit = a.store.commit
    a.store.commit = async () => {
        throw new Fault('exhausted', { summary: 'The state store is full' })
    }
    expect(await faultOf(a.node.as({ cookie: admin }).revokeToken({ id: token!.id }))).toBe('exhausted')
    a.store.commit = commit
    // At once, before any save that was put off.
    const after = await restart(a, true)
    expect(after.node.caller({ bearer: secret })).toBeUndefined()
})
