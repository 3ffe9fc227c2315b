// The second factor over the wire: set up, asked for at login, recovery codes, policy; and that no code is good twice.
import { generateSync } from 'otplib'
import { beforeEach, describe, expect, test } from 'vitest'
import { redact } from '../../base/redact.ts'
import { type MemoryStore, memoryStores } from '../../drivers/etcd/memory.ts'
import { type FakeClock, fakeClock, fakeLog, fakeSystem } from '../../ports/fake.ts'
import { stepOf } from './otp.ts'
import { addUser, becomeAdmin, faultOf, logIn, PASSWORD, type TestNode, testNode } from './testing/node.ts'

let clock: FakeClock
let store: MemoryStore
let node: TestNode
let system: ReturnType<typeof fakeSystem>
let log: ReturnType<typeof fakeLog>

beforeEach(async () => {
    clock = fakeClock()
    store = memoryStores().open()
    system = fakeSystem({ writable: ['/state'] })
    log = fakeLog()
    node = await testNode({ store, system, clock, log })
})
const root = () => node.as({ root: true })
const codeOf = (secret: string): string => generateSync({ secret, epoch: Math.floor(clock.now() / 1000) })
const next = () => clock.advance(30_000)
const login = (user: string, oneTimePassword: string, from?: string) =>
    node.as({ from }).login({ user, password: PASSWORD, oneTimePassword })

/** Sets a second factor up and answers its secret and recovery codes. */
async function enrol(cookie: string): Promise<{ secret: string; codes: string[] }> {
    const client = node.as({ cookie })
    const { secret } = await client.beginFactor({ password: PASSWORD })
    const { recoveryCodes } = await client.confirmFactor({ oneTimePassword: codeOf(secret) })
    return { secret, codes: recoveryCodes }
}

describe('one-time passwords', () => {
    // RFC 6238, appendix B: the last six digits of the SHA-1 column.
    const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
    test.each([
        [59, '287082'],
        [1111111109, '081804'],
        [1111111111, '050471'],
        [1234567890, '005924'],
        [2000000000, '279037'],
    ])('of RFC 6238 at %d s', (atS, code) => {
        expect(stepOf(code, { secret, nowMs: atS * 1000, after: 0 })).toBe(Math.floor(atS / 30))
    })

    test('of half a minute ago still count, older and used ones do not', () => {
        const at = 1111111109
        const step = Math.floor(at / 30)
        expect(stepOf('081 804', { secret, nowMs: (at + 30) * 1000, after: 0 })).toBe(step)
        expect(stepOf('081804', { secret, nowMs: (at + 90) * 1000, after: 0 })).toBeUndefined()
        expect(stepOf('081804', { secret, nowMs: at * 1000, after: step })).toBeUndefined()
        // Of a clock that was ahead when the last one was taken.
        expect(stepOf('081804', { secret, nowMs: at * 1000, after: step + 500 })).toBeUndefined()
        for (const junk of ['', '81804', '0818045', 'abcdef', '08180４'])
            expect(stepOf(junk, { secret, nowMs: at * 1000, after: 0 })).toBeUndefined()
    })
})

describe('setting up', () => {
    test('takes the password, then the first code; until then a login asks for nothing', async () => {
        const cookie = await addUser(node, 'ann', 'operator')
        const ann = node.as({ cookie })
        expect(await faultOf(ann.beginFactor({ password: 'not this one at all' }))).toBe('invalid')
        const { secret, uri } = await ann.beginFactor({ password: PASSWORD })
        expect(uri).toMatch(/^otpauth:\/\/totp\/DebVisor[^?]*:ann\?/)
        expect(new URL(uri).searchParams.get('secret')).toBe(secret)
        await logIn(node, 'ann')
        expect(await faultOf(ann.confirmFactor({ oneTimePassword: '000000' }))).toBe('invalid')
        const { recoveryCodes } = await ann.confirmFactor({ oneTimePassword: codeOf(secret) })
        expect(new Set(recoveryCodes).size).toBe(10)
        for (const code of recoveryCodes) expect(code).toMatch(/^([a-z2-9]{4}-){3}[a-z2-9]{4}$/)
        expect(await ann.whoAmI({})).toMatchObject({ user: { factor: true }, recoveryCodesLeft: 10 })
        expect(await faultOf(ann.beginFactor({ password: PASSWORD }))).toBe('exists')
        expect((await root().listUsers({})).users).toMatchObject([{ name: 'ann', factor: true }])
    })

    test('is over after ten minutes', async () => {
        const ann = node.as({ cookie: await addUser(node, 'ann', 'operator') })
        const { secret } = await ann.beginFactor({ password: PASSWORD })
        await clock.advance(10 * 60_000 + 1)
        expect(await faultOf(ann.confirmFactor({ oneTimePassword: codeOf(secret) }))).toBe('precondition')
    })

    test('is for people who are logged in: neither for a token nor for root', async () => {
        const ann = node.as({ cookie: await addUser(node, 'ann', 'operator') })
        const token = await ann.createToken({ name: 'ci' })
        expect(await faultOf(node.as({ bearer: token.secret }).beginFactor({ password: PASSWORD }))).toBe('denied')
        expect(await faultOf(root().beginFactor({ password: PASSWORD }))).toBe('denied')
    })

    test('guesses at the password there are held up like those at a login', async () => {
        const ann = node.as({ cookie: await addUser(node, 'ann', 'operator') })
        for (let i = 0; i < 5; i++)
            expect(await faultOf(ann.beginFactor({ password: `guess number ${i}` }))).toBe('invalid')
        expect(await faultOf(ann.beginFactor({ password: PASSWORD }))).toBe('exhausted')
    })
})

describe('a login', () => {
    test('asks for the code only after the password, and takes each code once', async () => {
        const { secret } = await enrol(await addUser(node, 'ann', 'operator'))
        const wrong = node.as().login({ user: 'ann', password: 'not this one at all', oneTimePassword: codeOf(secret) })
        await expect(wrong).rejects.toThrow(/User name or password is wrong/)
        await expect(login('ann', '')).rejects.toThrow(/A one-time password is needed/)
        // The one that set it up is used.
        await expect(login('ann', codeOf(secret))).rejects.toThrow(/The one-time password is wrong/)
        await next()
        const code = codeOf(secret)
        await login('ann', code)
        await expect(login('ann', code)).rejects.toThrow(/The one-time password is wrong/)
        await next()
        await login('ann', codeOf(secret))
    })

    test('of two at the same moment with one code, one is let in', async () => {
        const { secret } = await enrol(await addUser(node, 'ann', 'operator'))
        await next()
        const tries = [login('ann', codeOf(secret)), login('ann', codeOf(secret), '192.0.2.9')]
        const results = await Promise.allSettled(tries)
        expect(results.filter(r => r.status === 'fulfilled')).toHaveLength(1)
    })

    test('wrong codes are held up, and told to the audit log', async () => {
        const { secret } = await enrol(await addUser(node, 'ann', 'operator'))
        await next()
        node.events.length = 0
        for (let i = 0; i < 5; i++) expect(await faultOf(login('ann', '000000'))).toBe('unauthenticated')
        expect(await faultOf(login('ann', codeOf(secret)))).toBe('exhausted')
        expect(node.events.filter(e => e.what === 'login-failed' && e.detail === 'second factor')).toHaveLength(5)
    })

    test('a recovery code is good once, however it is typed, and new ones end the old', async () => {
        const { secret, codes } = await enrol(await addUser(node, 'ann', 'operator'))
        await login('ann', codes[0]!.toUpperCase().replaceAll('-', ' '))
        expect(await faultOf(login('ann', codes[0]!))).toBe('unauthenticated')
        const client = node.as()
        await client.login({ user: 'ann', password: PASSWORD, oneTimePassword: codes[1]! })
        const ann = node.as({ cookie: client.cookie() })
        expect((await ann.whoAmI({})).recoveryCodesLeft).toBe(8)
        await next()
        const renewed = await ann.renewRecoveryCodes({ password: PASSWORD, oneTimePassword: codeOf(secret) })
        expect(await faultOf(login('ann', codes[2]!))).toBe('unauthenticated')
        await login('ann', renewed.recoveryCodes[0]!)
    })

    test('after a restart of the daemon a used code is still used', async () => {
        const { secret } = await enrol(await addUser(node, 'ann', 'operator'))
        await next()
        const code = codeOf(secret)
        await login('ann', code)
        await node.identity.close()
        node = await testNode({ store, system, clock, log })
        expect(await faultOf(login('ann', code))).toBe('unauthenticated')
        await next()
        await login('ann', codeOf(secret))
    })

    test('with the store away codes work, and recovery codes, which could not be crossed out, do not', async () => {
        const { secret, codes } = await enrol(await addUser(node, 'ann', 'operator'))
        await next()
        store.cut()
        await login('ann', codeOf(secret))
        expect(await faultOf(login('ann', codeOf(secret)))).toBe('unauthenticated')
        expect(['unavailable', 'unknown']).toContain(await faultOf(login('ann', codes[0]!)))
    })
})

describe('taking away', () => {
    test('one’s own: by password and code; then a login asks for nothing', async () => {
        const cookie = await addUser(node, 'ann', 'operator')
        const { secret } = await enrol(cookie)
        const ann = node.as({ cookie })
        await next()
        const wrong = { password: 'not this one at all', oneTimePassword: codeOf(secret) }
        expect(await faultOf(ann.removeFactor(wrong))).toBe('invalid')
        expect(await faultOf(ann.removeFactor({ password: PASSWORD, oneTimePassword: '' }))).toBe('invalid')
        await ann.removeFactor({ password: PASSWORD, oneTimePassword: codeOf(secret) })
        await logIn(node, 'ann')
    })

    test('another’s: by an administrator or root, not by a token, not by others', async () => {
        const admin = node.as({ cookie: await becomeAdmin(node) })
        await enrol(await addUser(node, 'ann', 'operator'))
        const olga = node.as({ cookie: await addUser(node, 'olga', 'operator') })
        expect(await faultOf(olga.resetFactor({ user: 'ann' }))).toBe('denied')
        const token = await admin.createToken({ name: 'ci' })
        expect(await faultOf(node.as({ bearer: token.secret }).resetFactor({ user: 'ann' }))).toBe('denied')
        await admin.resetFactor({ user: 'ann' })
        await logIn(node, 'ann')
        expect(await faultOf(admin.resetFactor({ user: 'ann' }))).toBe('precondition')
        expect(await faultOf(root().resetFactor({ user: 'nobody' }))).toBe('not-found')
    })

    test('a new password of an administrator leaves it as it is', async () => {
        await enrol(await addUser(node, 'ann', 'operator'))
        await root().updateUser({ name: 'ann', password: 'another long password 9' })
        const call = node.as().login({ user: 'ann', password: 'another long password 9' })
        await expect(call).rejects.toThrow(/A one-time password is needed/)
    })
})

describe('the policy', () => {
    test('who lacks what their role needs may do nothing but set it up, at once and in sessions that stand', async () => {
        const admin = node.as({ cookie: await becomeAdmin(node) })
        const cookie = await addUser(node, 'ann', 'operator')
        const ann = node.as({ cookie })
        const token = await ann.createToken({ name: 'ci' })
        expect(node.caller({ cookie })!.may('vm.view')).toBe(true)
        expect((await admin.setFactorPolicy({ roles: ['operator'] })).roles).toEqual(['operator'])
        expect(node.caller({ cookie })!.may('vm.view')).toBe(false)
        expect(node.caller({ bearer: token.secret })!.may('vm.view')).toBe(false)
        expect(() => node.caller({ cookie })!.need('vm.view')).toThrow(/Your role needs a second factor/)
        expect(await ann.whoAmI({})).toMatchObject({ factorRequired: true })
        await enrol(cookie)
        expect(node.caller({ cookie })!.may('vm.view')).toBe(true)
        expect(node.caller({ bearer: token.secret })!.may('vm.view')).toBe(true)
        expect(await ann.whoAmI({})).toMatchObject({ factorRequired: false })
        // Others are not concerned.
        expect((await admin.getFactorPolicy({})).roles).toEqual(['operator'])
    })

    test('is set by administrators, for roles that there are; root of the node is never locked out', async () => {
        const admin = node.as({ cookie: await becomeAdmin(node) })
        const olga = node.as({ cookie: await addUser(node, 'olga', 'operator') })
        expect(await faultOf(olga.setFactorPolicy({ roles: ['admin'] }))).toBe('denied')
        expect(await faultOf(admin.setFactorPolicy({ roles: ['wizard'] }))).toBe('invalid')
        await admin.setFactorPolicy({ roles: ['admin'] })
        expect(await faultOf(admin.setFactorPolicy({ roles: [] }))).toBe('denied')
        await root().setFactorPolicy({ roles: [] })
        await admin.listUsers({})
    })
})

test('no secret and no code stands in a log, an event or what the audit log would be told', async () => {
    const { secret, codes } = await enrol(await addUser(node, 'ann', 'operator'))
    await next()
    const code = codeOf(secret)
    await login('ann', code)
    await login('ann', codes[0]!)
    const said = JSON.stringify([log.lines, node.events])
    for (const hidden of [secret, code, codes[0]!, codes[0]!.replaceAll('-', '')]) expect(said).not.toContain(hidden)
    expect(redact({ password: 'a', oneTimePassword: code })).toEqual({
        password: '[hidden]',
        oneTimePassword: '[hidden]',
    })
    // Recovery codes are kept as hashes only.
    const kept = JSON.stringify(await store.list('/debvisor/identity/'))
    for (const one of codes) expect(kept).not.toContain(one.replaceAll('-', ''))
})
