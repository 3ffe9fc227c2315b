// Identity over the wire, on a store in memory: logging in, rights, tokens, grants and what may not be done.
import { beforeEach, describe, expect, test } from 'vitest'
import { type MemoryStore, memoryStores } from '../../drivers/etcd/memory.ts'
import { type FakeClock, fakeClock, fakeLog, fakeSystem } from '../../ports/fake.ts'
import { addUser, becomeAdmin, faultOf, logIn, PASSWORD, type TestNode, testNode } from './testing/node.ts'

const VM = '11111111-2222-4333-8444-555555555555'
let clock: FakeClock
let store: MemoryStore
let node: TestNode
let system: ReturnType<typeof fakeSystem>

beforeEach(async () => {
    clock = fakeClock()
    store = memoryStores().open()
    system = fakeSystem({ writable: ['/state'] })
    node = await testNode({ store, system, clock, log: fakeLog() })
})
const root = () => node.as({ root: true })

describe('the first login', () => {
    const secretOf = (link: { path: string } | undefined) => link!.path.slice('/#/first/'.length)

    test('makes an administrator, once', async () => {
        const link = await node.identity.firstLogin()
        expect(link!.path).toMatch(/^\/#\/first\/[A-Za-z0-9_-]{43}$/)
        const client = node.as()
        const answer = await client.firstLogin({ secret: secretOf(link), user: 'admin', password: PASSWORD })
        expect(answer.user).toMatchObject({ name: 'admin', role: 'admin' })
        expect(client.setCookie()).toMatch(
            /^__Host-debvisor=[0-9a-f]{16}\.[A-Za-z0-9_-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=43200$/,
        )
        const me = await node.as({ cookie: client.cookie() }).whoAmI({})
        expect(me).toMatchObject({ via: 'session', permissions: ['*'] })
        const again = node.as().firstLogin({ secret: secretOf(link), user: 'eve', password: PASSWORD })
        expect(await faultOf(again)).toBe('unauthenticated')
        expect(await store.get('/debvisor/identity/first-login')).toBeUndefined()
        expect(await node.identity.firstLogin()).toBeUndefined()
        expect(await faultOf(root().newFirstLogin({}))).toBe('precondition')
        expect(node.events.map(e => e.what)).toEqual(['first-login', 'first-login-failed'])
    })

    test('is over after 15 minutes, and by a newer link', async () => {
        const first = await node.identity.firstLogin()
        const second = await root().newFirstLogin({})
        const redeem = (secret: string) => node.as().firstLogin({ secret, user: 'admin', password: PASSWORD })
        expect(await faultOf(redeem(secretOf(first)))).toBe('unauthenticated')
        await clock.advance(15 * 60_000)
        expect(await faultOf(redeem(secretOf(second)))).toBe('unauthenticated')
        expect((await root().listUsers({})).users).toEqual([])
    })

    test('of ten that hold the link, one wins', async () => {
        const secret = secretOf(await node.identity.firstLogin())
        const tries = Array.from({ length: 10 }, (_, i) =>
            node.as({ from: `192.0.2.${i}` }).firstLogin({ secret, user: `admin${i}`, password: PASSWORD }),
        )
        const results = await Promise.allSettled(tries)
        expect(results.filter(r => r.status === 'fulfilled')).toHaveLength(1)
        expect((await root().listUsers({})).users).toHaveLength(1)
    })

    test('a bad password or name does not use it up', async () => {
        const secret = secretOf(await node.identity.firstLogin())
        expect(await faultOf(node.as().firstLogin({ secret, user: 'admin', password: 'short' }))).toBe('invalid')
        expect(await faultOf(node.as().firstLogin({ secret, user: '../x', password: PASSWORD }))).toBe('invalid')
        expect(await faultOf(node.as().firstLogin({ secret, user: 'root', password: PASSWORD }))).toBe('invalid')
        await node.as().firstLogin({ secret, user: 'admin', password: PASSWORD })
    })

    test('is not held up by those who guess its link, not even from the same address', async () => {
        const secret = secretOf(await node.identity.firstLogin())
        const redeem = (guess: string) => node.as().firstLogin({ secret: guess, user: 'admin', password: PASSWORD })
        for (let i = 0; i < 30; i++) await faultOf(redeem('x'.repeat(43)))
        expect(await faultOf(redeem('x'.repeat(43)))).toBe('exhausted')
        // Guesses are counted, and so do not fill the audit record.
        expect(node.events.filter(e => e.what === 'first-login-failed').length).toBeLessThan(25)
        expect((await redeem(secret)).user?.name).toBe('admin')
    })

    test('its secret is nowhere in the store or on the disk', async () => {
        const secret = secretOf(await node.identity.firstLogin())
        await clock.advance(1000)
        const kept = JSON.stringify((await store.list('/')).entries)
        const disk = Buffer.from(system.files.get('/state/identity/identity.json')!).toString()
        expect(kept).toContain('first-login')
        expect(kept).not.toContain(secret)
        expect(disk).not.toContain(secret)
    })
})

describe('logging in', () => {
    beforeEach(async () => void (await becomeAdmin(node)))

    test('an unknown user and a wrong password get the same answer, a short and a huge password too', async () => {
        const answers = new Set<string>()
        for (const [i, asked] of [
            { user: 'admin', password: 'wrong wrong wrong' },
            { user: 'nobody-there', password: PASSWORD },
            { user: '../../x\0', password: PASSWORD },
            { user: 'x'.repeat(100_000), password: PASSWORD },
            { user: 'admin', password: '' },
            { user: 'admin', password: 'x'.repeat(1_000_000) },
            { user: '', password: '' },
        ].entries()) {
            try {
                await node.as({ from: `198.51.100.${i}` }).login(asked)
                expect.unreachable()
            } catch (thrown) {
                answers.add(String(thrown))
            }
        }
        expect([...answers]).toEqual([expect.stringContaining('User name or password is wrong')])
        const failed = node.events.filter(e => e.what === 'login-failed')
        expect(failed.map(e => e.user)).toEqual(['admin', '', '', '', 'admin', 'admin', ''])
    })

    test('five wrong from one address hold it up, for known and unknown users alike; others go on', async () => {
        for (const user of ['admin', 'ghost']) {
            const from = user === 'admin' ? '198.51.100.1' : '198.51.100.2'
            for (let i = 0; i < 5; i++) {
                expect(await faultOf(node.as({ from }).login({ user, password: 'wrong' }))).toBe('unauthenticated')
            }
            expect(await faultOf(node.as({ from }).login({ user, password: PASSWORD }))).toBe('exhausted')
            expect(await faultOf(node.as({ from }).login({ user, password: PASSWORD }))).toBe('exhausted')
        }
        expect(node.events.filter(e => e.what === 'login-held-up')).toHaveLength(2)
        await logIn(node, 'admin', '198.51.100.3')
        await clock.advance(1000)
        await logIn(node, 'admin', '198.51.100.1')
    })

    test('the user name may be typed in capitals and with spaces about it', async () => {
        const client = node.as()
        expect((await client.login({ user: ' Admin ', password: PASSWORD })).user?.name).toBe('admin')
    })

    test('a session ends after 12 hours, however much it is used', async () => {
        const cookie = await logIn(node, 'admin')
        for (let h = 0; h < 23; h++) {
            await clock.advance(30 * 60_000)
            expect(node.caller({ cookie })?.user).toBe('admin')
        }
        await clock.advance(30 * 60_000)
        expect(node.caller({ cookie })).toBeUndefined()
    })

    test('a session ends after an hour without use; use is written once a minute at most', async () => {
        const cookie = await logIn(node, 'admin')
        await clock.advance(59 * 60_000)
        const before = (await store.list('/')).revision
        for (let i = 0; i < 100; i++) expect(node.caller({ cookie })?.user).toBe('admin')
        await clock.advance(1000)
        expect((await store.list('/')).revision).toBe(before + 1)
        await clock.advance(59 * 60_000)
        expect(node.caller({ cookie })?.user).toBe('admin')
        await clock.advance(60 * 60_000)
        expect(node.caller({ cookie })).toBeUndefined()
    })

    test('logging out ends the session and clears the cookie', async () => {
        const cookie = await logIn(node, 'admin')
        const client = node.as({ cookie })
        await client.logout({})
        expect(client.setCookie()).toMatch(/^__Host-debvisor=; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=0$/)
        expect(node.caller({ cookie })).toBeUndefined()
        expect(await faultOf(node.as({ cookie }).whoAmI({}))).toBe('unauthenticated')
        expect(node.events.at(-1)).toMatchObject({ what: 'logout', user: 'admin', via: 'session' })
    })

    test('broken, doubled and foreign cookies are nobody', async () => {
        const cookie = await logIn(node, 'admin')
        const [name, value = ''] = cookie.split('=')
        expect(node.caller({ cookie: `other=1; ${cookie}; more=2` })?.user).toBe('admin')
        for (const bad of [
            '',
            'x',
            `${name}=`,
            `${name}=${value.slice(0, -1)}`,
            `${name}=${value}x`,
            `${name}=${value.replace(/.$/, c => (c === 'A' ? 'B' : 'A'))}`,
            `${cookie}; ${cookie}`,
            `debvisor=${value}`,
            `${name}=../../${value}`,
        ]) {
            expect(node.caller({ cookie: bad })).toBeUndefined()
        }
    })

    test('sessions are listed, ended one by one, and all at once', async () => {
        const [a, b] = [await logIn(node, 'admin', '192.0.2.1'), await logIn(node, 'admin', '192.0.2.2')]
        const other = await addUser(node, 'bob', 'viewer')
        const { sessions } = await node.as({ cookie: a }).listSessions({})
        expect(sessions).toHaveLength(3)
        expect(sessions.filter(s => s.current).map(s => s.from)).toEqual(['192.0.2.1'])
        const second = sessions.find(s => s.from === '192.0.2.2')!
        expect(await faultOf(node.as({ cookie: other }).revokeSessions({ id: second.id }))).toBe('not-found')
        expect(await faultOf(node.as({ cookie: other }).revokeSessions({ user: 'admin' }))).toBe('denied')
        expect(await faultOf(node.as({ cookie: other }).listSessions({ user: 'admin' }))).toBe('denied')
        expect(await node.as({ cookie: a }).revokeSessions({ id: second.id })).toMatchObject({
            ended: 1,
            pending: false,
        })
        expect(node.caller({ cookie: b })).toBeUndefined()
        expect(await node.as({ cookie: a }).revokeSessions({})).toMatchObject({ ended: 2 })
        expect(node.caller({ cookie: a })).toBeUndefined()
        expect(node.caller({ cookie: other })?.user).toBe('bob')
        expect(await root().revokeSessions({ user: 'bob' })).toMatchObject({ ended: 1 })
        expect(node.caller({ cookie: other })).toBeUndefined()
    })

    test('a stream is told when its session ends', async () => {
        const cookie = await addUser(node, 'bob', 'viewer')
        let ended = 0
        node.identity.onEnd(node.caller({ cookie })!, () => ended++)
        await root().updateUser({ name: 'bob', fullName: 'Bob' })
        expect(ended).toBe(0)
        await root().updateUser({ name: 'bob', locked: true })
        expect(ended).toBe(1)
        const again = await logIn(node, 'admin')
        node.identity.onEnd(node.caller({ cookie: again })!, () => ended++)
        await clock.advance(61 * 60_000)
        expect(ended).toBe(2)
    })

    test('fifty sessions of one user at most', async () => {
        const first = await logIn(node, 'admin')
        for (let i = 0; i < 52; i++) {
            await clock.advance(1000)
            await logIn(node, 'admin')
        }
        expect(node.caller({ cookie: first })).toBeUndefined()
        expect((await root().listSessions({ user: 'admin' })).sessions).toHaveLength(50)
    })
})

describe('users', () => {
    let admin = ''
    beforeEach(async () => {
        admin = await becomeAdmin(node)
    })

    test('a change of role and a lock act at once on what is open, and lifting a lock opens nothing again', async () => {
        const cookie = await addUser(node, 'bob', 'operator')
        const { secret } = await node.as({ cookie }).createToken({ name: 'ci' })
        const caller = node.caller({ cookie })!
        expect(caller.may('vm.power')).toBe(true)
        await root().updateUser({ name: 'bob', role: 'viewer' })
        expect([caller.may('vm.power'), caller.may('vm.view')]).toEqual([false, true])
        expect(node.caller({ bearer: secret })!.may('vm.power')).toBe(false)
        await root().updateUser({ name: 'bob', locked: true })
        expect(caller.may('vm.view')).toBe(false)
        expect(node.caller({ cookie })).toBeUndefined()
        expect(node.caller({ bearer: secret })).toBeUndefined()
        expect(await faultOf(node.as().login({ user: 'bob', password: PASSWORD }))).toBe('denied')
        expect(await faultOf(node.as().login({ user: 'bob', password: 'wrong' }))).toBe('unauthenticated')
        await root().updateUser({ name: 'bob', locked: false })
        expect(node.caller({ cookie })).toBeUndefined()
        expect(node.caller({ bearer: secret })?.user).toBe('bob')
        await logIn(node, 'bob')
    })

    test('the last administrator stays one', async () => {
        const me = node.as({ cookie: admin })
        expect(await faultOf(me.updateUser({ name: 'admin', role: 'viewer' }))).toBe('precondition')
        expect(await faultOf(me.updateUser({ name: 'admin', locked: true }))).toBe('precondition')
        expect(await faultOf(me.deleteUser({ name: 'admin' }))).toBe('precondition')
        await addUser(node, 'second', 'admin')
        await me.updateUser({ name: 'second', locked: true })
        expect(await faultOf(me.updateUser({ name: 'admin', role: '' }))).toBe('precondition')
        await me.updateUser({ name: 'second', locked: false })
        await me.updateUser({ name: 'admin', role: 'viewer' })
        expect(await faultOf(me.listUsers({}))).toBe('denied')
        expect(await faultOf(root().deleteUser({ name: 'second' }))).toBe('precondition')
    })

    test('two administrators who lower one another at the same moment: one stays', async () => {
        await addUser(node, 'second', 'admin')
        for (let round = 0; round < 10; round++) {
            await Promise.allSettled([
                root().updateUser({ name: 'admin', role: 'viewer' }),
                round % 2 ? root().deleteUser({ name: 'second' }) : root().updateUser({ name: 'second', locked: true }),
            ])
            const { users } = await root().listUsers({})
            expect(users.filter(u => u.role === 'admin' && !u.locked)).toHaveLength(1)
            await root().updateUser({ name: 'admin', role: 'admin' })
            await root().deleteUser({ name: 'second' })
            await addUser(node, 'second', 'admin')
        }
    })

    test('one made anew under an old name inherits nothing', async () => {
        const cookie = await addUser(node, 'bob', 'operator')
        const { secret } = await node.as({ cookie }).createToken({ name: 'ci' })
        await root().addGrant({ user: 'bob', role: 'operator', vm: VM })
        const left = (await store.list('/debvisor/identity/')).entries
        await root().deleteUser({ name: 'bob' })
        expect(node.caller({ cookie })).toBeUndefined()
        // As if the clearing away had failed.
        for (const entry of left.filter(e => /sessions|tokens|grants/.test(e.key)))
            await store.put(entry.key, entry.value)
        await root().createUser({ name: 'bob', role: '', password: PASSWORD })
        await clock.advance(1000)
        expect(node.caller({ cookie })).toBeUndefined()
        expect(node.caller({ bearer: secret })).toBeUndefined()
        const fresh = node.caller({ cookie: await logIn(node, 'bob') })!
        expect(fresh.may('vm.power', { id: VM })).toBe(false)
        expect((await root().listGrants({})).grants).toEqual([])
        await clock.advance(10 * 60_000)
        expect((await store.list('/debvisor/identity/grants/')).entries).toEqual([])
        expect((await store.list('/debvisor/identity/tokens/')).entries).toEqual([])
    })

    test.each([
        '',
        'Bob',
        'root',
        'outside',
        '../x',
        'a/b',
        'bob<script>',
        'bób',
        'x'.repeat(33),
        '1bob',
        'bob ',
        'bob\n',
        'b"; drop',
    ])('no user can be named %j', async name => {
        expect(await faultOf(root().createUser({ name, role: 'viewer', password: PASSWORD }))).toBe('invalid')
        expect((await root().listUsers({})).users).toHaveLength(1)
    })

    test('bad roles, names and passwords are refused and change nothing; a taken name exists', async () => {
        const make = (more: object) => root().createUser({ name: 'bob', role: 'viewer', password: PASSWORD, ...more })
        expect(await faultOf(make({ role: 'god' }))).toBe('invalid')
        expect(await faultOf(make({ fullName: 'a\nb' }))).toBe('invalid')
        expect(await faultOf(make({ password: 'bob bob bob 12' }))).toBe('invalid')
        await make({})
        expect(await faultOf(make({}))).toBe('exists')
        expect(await faultOf(root().updateUser({ name: 'ghost', fullName: 'x' }))).toBe('not-found')
        expect(await faultOf(root().updateUser({ name: 'ghost', password: PASSWORD }))).toBe('not-found')
        expect(await faultOf(root().deleteUser({ name: 'ghost' }))).toBe('not-found')
        const results = await Promise.allSettled(Array.from({ length: 8 }, () => make({ name: 'carl' })))
        expect(results.filter(r => r.status === 'fulfilled')).toHaveLength(1)
    })

    test('a new password ends every other session, not the one it was set in; tokens stay', async () => {
        const [here, there] = [await logIn(node, 'admin'), await logIn(node, 'admin')]
        const { secret } = await node.as({ cookie: here }).createToken({ name: 'ci' })
        const next = 'seven green bicycles'
        const me = node.as({ cookie: here })
        expect(await faultOf(me.changePassword({ oldPassword: 'wrong', newPassword: next }))).toBe('invalid')
        expect(await faultOf(me.changePassword({ oldPassword: PASSWORD, newPassword: 'short' }))).toBe('invalid')
        await me.changePassword({ oldPassword: PASSWORD, newPassword: next })
        expect(node.caller({ cookie: here })?.user).toBe('admin')
        expect(node.caller({ cookie: there })).toBeUndefined()
        expect(node.caller({ cookie: admin })).toBeUndefined()
        expect(node.caller({ bearer: secret })?.user).toBe('admin')
        expect(await faultOf(node.as().login({ user: 'admin', password: PASSWORD }))).toBe('unauthenticated')
        await node.as().login({ user: 'admin', password: next })
    })

    test('guessing the old password is limited too', async () => {
        const me = node.as({ cookie: admin })
        const guess = () => me.changePassword({ oldPassword: 'wrong', newPassword: 'seven green bicycles' })
        for (let i = 0; i < 5; i++) expect(await faultOf(guess())).toBe('invalid')
        expect(await faultOf(guess())).toBe('exhausted')
    })

    test('nothing secret is in the store, on the disk, in the events or the answers', async () => {
        const cookie = await addUser(node, 'bob', 'operator')
        const { secret } = await node.as({ cookie }).createToken({ name: 'ci' })
        await clock.advance(1000)
        const seen = [
            JSON.stringify((await store.list('/')).entries),
            Buffer.from(system.files.get('/state/identity/identity.json')!).toString(),
            JSON.stringify(node.events),
            JSON.stringify([await root().listUsers({}), await root().listSessions({ user: 'bob' })], (_, v) =>
                typeof v === 'bigint' ? String(v) : v,
            ),
        ].join()
        // Its last part may have underscores of its own.
        const [, , ...last] = secret.split('_')
        for (const hidden of [PASSWORD, last.join('_'), cookie.split('.')[1]!]) expect(seen).not.toContain(hidden)
        expect(system.modes.get('/state/identity/identity.json')).toBe(0o600)
        expect(system.modes.get('/state/identity')).toBe(0o700)
    })
})

describe('tokens', () => {
    let cookie = ''
    beforeEach(async () => {
        await becomeAdmin(node)
        cookie = await addUser(node, 'bob', 'operator')
    })
    const bob = () => node.as({ cookie })

    test('a scope narrows, and never widens what the owner may', async () => {
        const { secret } = await bob().createToken({ name: 'ci', scope: ['vm.view', 'identity.*', 'vm.raw'] })
        const caller = node.caller({ bearer: secret })!
        expect(node.caller({ bearer: `Bearer ${secret}` })?.viaId).toBe(caller.viaId)
        expect(['vm.view', 'vm.power', 'identity.manage', 'vm.raw'].map(p => caller.may(p))).toEqual([
            true,
            false,
            false,
            false,
        ])
        expect(() => caller.need('vm.power')).toThrow(/scope does not hold vm.power/)
        expect(() => caller.need('identity.manage')).toThrow(/needs the permission identity.manage/)
        const me = await node.as({ bearer: secret }).whoAmI({})
        expect(me).toMatchObject({ via: 'token', permissions: ['vm.view', 'identity.*'] })
    })

    test('it expires; 90 days if not said, 366 at most', async () => {
        const { token, secret } = await bob().createToken({ name: 'ci' })
        expect(Number(token!.expires!.seconds) * 1000 - clock.now()).toBe(90 * 86_400_000)
        for (const days of [367, 4_000_000_000])
            expect(await faultOf(bob().createToken({ name: 'ci', days }))).toBe('invalid')
        await clock.advance(1)
        const short = await bob().createToken({ name: 'short', days: 1 })
        await clock.advance(86_400_000)
        expect(node.caller({ bearer: short.secret })).toBeUndefined()
        expect(node.caller({ bearer: secret })?.user).toBe('bob')
        expect((await root().listTokens({ user: 'bob' })).tokens.map(t => t.name)).toEqual(['ci', 'short'])
    })

    test('it can make no other, which would outlive its revocation, nor set passwords', async () => {
        const { secret } = await bob().createToken({ name: 'ci', scope: ['vm.*', 'image.view'], days: 10 })
        const other = await bob().createToken({ name: 'other' })
        const api = node.as({ bearer: secret })
        expect(await faultOf(api.createToken({ name: 'x', scope: ['vm.view'], days: 1 }))).toBe('denied')
        expect(await faultOf(node.as({ bearer: other.secret }).createToken({ name: 'x' }))).toBe('denied')
        const admin = await node.as({ cookie: await logIn(node, 'admin') }).createToken({ name: 'all' })
        expect(await faultOf(node.as({ bearer: admin.secret }).createToken({ name: 'x', user: 'bob' }))).toBe('denied')
        expect((await bob().listTokens({})).tokens.map(t => t.name)).toEqual(['ci', 'other'])
        const change = { oldPassword: PASSWORD, newPassword: 'seven green bicycles' }
        expect(await faultOf(api.changePassword(change))).toBe('denied')
        expect(await faultOf(api.revokeSessions({}))).toBe('denied')
        expect(await faultOf(api.revokeToken({ id: other.token!.id }))).toBe('denied')
        await api.revokeToken({ id: (await api.listTokens({})).tokens.find(t => t.name === 'ci')!.id })
        expect(node.caller({ bearer: secret })).toBeUndefined()
    })

    test("an administrator's scoped token cannot make itself an administrator", async () => {
        const admin = await logIn(node, 'admin')
        const { secret } = await node.as({ cookie: admin }).createToken({ name: 'hr', scope: ['identity.*', '*.view'] })
        const api = node.as({ bearer: secret })
        expect(await faultOf(api.createUser({ name: 'eve', role: 'admin', password: PASSWORD }))).toBe('denied')
        expect(await faultOf(api.updateUser({ name: 'bob', role: 'admin' }))).toBe('denied')
        expect(await faultOf(api.updateUser({ name: 'bob', fullName: 'x' }))).toBe('denied')
        expect(await faultOf(api.updateUser({ name: 'bob', password: 'seven green bicycles' }))).toBe('denied')
        expect(await faultOf(api.addGrant({ user: 'bob', role: 'operator', vm: VM }))).toBe('denied')
        await api.createUser({ name: 'vic', role: 'viewer', password: PASSWORD })
        const whole = await node.as({ cookie: admin }).createToken({ name: 'all' })
        const all = node.as({ bearer: whole.secret })
        await all.updateUser({ name: 'bob', role: 'viewer' })
        expect(await faultOf(all.updateUser({ name: 'admin', password: 'seven green bicycles' }))).toBe('denied')
    })

    test('for others by those who may manage, and root says whose', async () => {
        expect(await faultOf(bob().createToken({ name: 'x', user: 'admin' }))).toBe('denied')
        expect(await faultOf(root().createToken({ name: 'x' }))).toBe('invalid')
        expect(await faultOf(root().createToken({ name: 'x', user: 'ghost' }))).toBe('not-found')
        const { secret, token } = await root().createToken({ name: 'x', user: 'bob' })
        expect(node.caller({ bearer: secret })?.user).toBe('bob')
        expect(
            await faultOf(node.as({ cookie: await addUser(node, 'vic', 'viewer') }).revokeToken({ id: token!.id })),
        ).toBe('not-found')
        await root().revokeToken({ id: token!.id })
        expect(node.caller({ bearer: secret })).toBeUndefined()
        expect(await faultOf(root().revokeToken({ id: token!.id }))).toBe('not-found')
    })

    test.each([{ name: '' }, { name: 'a\nb' }, { name: 'x'.repeat(101) }, { scope: ['!vm.view'] }, { scope: ['vm'] }])(
        'not with %j',
        async wrong => {
            expect(await faultOf(bob().createToken({ name: 'x', ...wrong }))).toBe('invalid')
            expect((await bob().listTokens({})).tokens).toEqual([])
        },
    )

    test('broken ones are nobody, and a good cookie beside a bad token does not help', async () => {
        const { secret } = await bob().createToken({ name: 'ci' })
        const [, id, tail] = secret.split(/_(.{16})_/)
        for (const bad of [
            '',
            'x',
            'dvt_',
            `dvt_${id}_`,
            `${secret}x`,
            `dvt_${'0'.repeat(16)}_${tail}`,
            secret.slice(0, -1),
        ]) {
            expect(node.caller({ bearer: bad })).toBeUndefined()
            expect(node.caller({ bearer: bad, cookie })).toBeUndefined()
        }
    })
})

describe('grants', () => {
    let cookie = ''
    beforeEach(async () => {
        await becomeAdmin(node)
        cookie = await addUser(node, 'gast', '')
    })

    test('on a VM by its UUID, on all with a tag, and only there', async () => {
        const caller = node.caller({ cookie })!
        await root().addGrant({ user: 'gast', role: 'operator', vm: VM.toUpperCase() })
        await root().addGrant({ user: 'gast', role: 'viewer', tag: 'web' })
        expect(caller.may('vm.power', { id: VM })).toBe(true)
        expect(caller.may('console.open', { id: VM })).toBe(true)
        expect(caller.may('vm.raw', { id: VM })).toBe(false)
        expect(caller.may('vm.power')).toBe(false)
        expect(caller.may('vm.view', { id: 'other', tags: ['web'] })).toBe(true)
        expect(caller.may('vm.power', { id: 'other', tags: ['web'] })).toBe(false)
        expect(caller.may('vm.view', { id: 'other', tags: ['db'] })).toBe(false)
        expect(node.identity.tagsWithGrants()).toEqual(new Set(['web']))
        const { grants } = await root().listGrants({ user: 'gast' })
        expect(grants.map(g => g.vm || g.tag).sort()).toEqual([VM, 'web'])
        expect((await node.as({ cookie }).whoAmI({})).grants).toHaveLength(2)
        for (const { id } of grants) await root().removeGrant({ id })
        expect(caller.may('vm.view', { id: VM, tags: ['web'] })).toBe(false)
        expect(node.identity.tagsWithGrants().size).toBe(0)
    })

    test("a token's scope narrows grants too; the owner of a task may follow and cancel it", async () => {
        await root().addGrant({ user: 'gast', role: 'operator', vm: VM })
        const { secret } = await node.as({ cookie }).createToken({ name: 'x', scope: ['vm.view'] })
        const api = node.caller({ bearer: secret })!
        expect(api.may('vm.view', { id: VM })).toBe(true)
        expect(api.may('vm.power', { id: VM })).toBe(false)
        const caller = node.caller({ cookie })!
        expect(caller.may('task.cancel', { id: 't1', owner: 'gast' })).toBe(true)
        expect(caller.may('task.cancel', { id: 't1', owner: 'admin' })).toBe(false)
        expect(caller.may('vm.delete', { id: 'x', owner: 'gast' })).toBe(false)
        expect(api.may('task.cancel', { id: 't1', owner: 'gast' })).toBe(false)
        expect(api.may('task.view', { id: 't1', owner: 'gast' })).toBe(false)
    })

    test('wrong ones are refused, the same one exists', async () => {
        const add = (more: object) => root().addGrant({ user: 'gast', role: 'viewer', vm: VM, ...more })
        expect(await faultOf(add({ role: 'admin' }))).toBe('invalid')
        expect(await faultOf(add({ role: 'auditor' }))).toBe('invalid')
        expect(await faultOf(add({ role: '' }))).toBe('invalid')
        expect(await faultOf(add({ vm: '' }))).toBe('invalid')
        expect(await faultOf(add({ tag: 'web' }))).toBe('invalid')
        expect(await faultOf(add({ vm: 'web1' }))).toBe('invalid')
        expect(await faultOf(add({ vm: '', tag: 'a b' }))).toBe('invalid')
        expect(await faultOf(add({ vm: '', tag: 'x'.repeat(64) }))).toBe('invalid')
        expect(await faultOf(add({ user: 'ghost' }))).toBe('not-found')
        expect(await faultOf(root().removeGrant({ id: '../users/admin' }))).toBe('not-found')
        await add({})
        expect(await faultOf(add({}))).toBe('exists')
    })

    test('a denial says what lacks and who has it, and the same for what is hidden and what is not there', () => {
        const caller = node.caller({ cookie })!
        const refusal = (id: string) => {
            try {
                caller.need('vm.power', { id })
            } catch (thrown) {
                return thrown
            }
        }
        expect(refusal(VM)).toMatchObject({
            code: 'denied',
            detail: 'it needs the permission vm.power',
            fix: expect.stringContaining('admin, operator'),
        })
        expect(String(refusal(VM))).toBe(String(refusal('not-there')))
        expect(node.events.at(-1)).toMatchObject({ what: 'denied', user: 'gast', detail: 'vm.power', on: 'not-there' })
    })
})

test('who may call what: nobody nothing, viewers nothing of users, auditors look only', async () => {
    await becomeAdmin(node)
    expect(await faultOf(node.as().whoAmI({}))).toBe('unauthenticated')
    expect(await faultOf(node.as().listUsers({}))).toBe('unauthenticated')
    const viewer = node.as({ cookie: await addUser(node, 'vic', 'viewer') })
    expect(await faultOf(viewer.listUsers({}))).toBe('denied')
    expect(await faultOf(viewer.newFirstLogin({}))).toBe('denied')
    const auditor = node.as({ cookie: await addUser(node, 'aud', 'auditor') })
    expect((await auditor.listUsers({})).users.map(u => u.name)).toEqual(['admin', 'aud', 'vic'])
    expect((await auditor.listSessions({ user: 'vic' })).sessions).toHaveLength(1)
    expect(await faultOf(auditor.createUser({ name: 'x', password: PASSWORD }))).toBe('denied')
    expect((await viewer.listRoles({})).roles.map(r => r.name)).toEqual([
        'admin',
        'operator',
        'host-operator',
        'viewer',
        'auditor',
    ])
    expect(node.identity.root().may('anything.at-all')).toBe(true)
})

describe('a user whose document cannot be read', () => {
    test('gives no access, and keeps tokens and grants for when it can be read again', async () => {
        await becomeAdmin(node)
        const cookie = await addUser(node, 'bob', '')
        const { secret } = await node.as({ cookie }).createToken({ name: 'ci' })
        await root().addGrant({ user: 'bob', role: 'viewer', vm: VM })
        const key = '/debvisor/identity/users/bob'
        const before = (await store.get(key))!.value
        const left = async () =>
            (await store.list('/debvisor/identity/')).entries.filter(({ key }) => /tokens|grants|sessions/.test(key))
                .length
        const all = await left()
        await store.put(key, JSON.stringify({ ...JSON.parse(before), role: { of: 'a newer version' } }))
        await clock.advance(11 * 60_000)
        expect(node.caller({ bearer: secret })).toBeUndefined()
        expect(await left()).toBe(all)
        await store.put(key, before)
        await clock.advance(1_000)
        expect(node.caller({ bearer: secret })?.may('vm.view', { id: VM })).toBe(true)
        await store.remove(key)
        await clock.advance(11 * 60_000)
        // What is left are the sessions of the administrator.
        expect(await left()).toBe(1)
    })
})
