// A confirmation of the daemon's own: by password and second factor, of one session, for five minutes, counted like logins.
import { generateSync } from 'otplib'
import { beforeEach, describe, expect, test } from 'vitest'
import { memoryStores } from '../../drivers/etcd/memory.ts'
import { type FakeClock, fakeClock, fakeLog, fakeSystem } from '../../ports/fake.ts'
import { CONFIRMED_MS } from './confirmed.ts'
import { addUser, becomeAdmin, faultOf, PASSWORD, type TestNode, testNode } from './testing/node.ts'

let clock: FakeClock
let node: TestNode

beforeEach(async () => {
    clock = fakeClock()
    node = await testNode({
        ...{ store: memoryStores().open(), clock, log: fakeLog() },
        system: fakeSystem({ writable: ['/state'] }),
    })
})
const codeOf = (secret: string): string => generateSync({ secret, epoch: Math.floor(clock.now() / 1000) })
const holds = (cookie: string, token: string): boolean => passes({ cookie }, token)
const passes = (who: Parameters<TestNode['caller']>[0], token: string, permission?: string): boolean => {
    try {
        node.identity.needConfirmation(node.caller(who)!, token, permission)
        return true
    } catch (thrown) {
        expect(thrown).toMatchObject({ code: 'denied', at: 'confirmation' })
        return false
    }
}
const confirm = async (cookie: string, password = PASSWORD, oneTimePassword = '') =>
    (await node.as({ cookie }).confirm({ password, oneTimePassword })).confirmationToken

describe('a confirmation', () => {
    test('is good for five minutes, in the session that it was given in', async () => {
        const cookie = await addUser(node, 'ann', 'operator')
        const other = await addUser(node, 'ben', 'operator')
        const token = await confirm(cookie)
        expect([holds(cookie, token), holds(other, token), holds(cookie, ''), holds(cookie, `${token}x`)]).toEqual([
            ...[true, false, false, false],
        ])
        const again = node.as()
        await again.login({ user: 'ann', password: PASSWORD })
        expect(holds(again.cookie(), token)).toBe(false)
        await clock.advance(CONFIRMED_MS)
        expect(holds(cookie, token)).toBe(true)
        await clock.advance(1)
        expect(holds(cookie, token)).toBe(false)
    })

    test('takes the password of who is logged in, and says what was wrong without ending the session', async () => {
        const cookie = await addUser(node, 'ann', 'operator')
        for (let i = 0; i < 5; i++) expect(await faultOf(confirm(cookie, 'not this one at all'))).toBe('denied')
        expect(await faultOf(confirm(cookie))).toBe('exhausted')
        expect((await node.as({ cookie }).whoAmI({})).user?.name).toBe('ann')
        await clock.advance(1001)
        expect(holds(cookie, await confirm(cookie))).toBe(true)
    })

    test('ends with a new password', async () => {
        const cookie = await addUser(node, 'ann', 'operator')
        const token = await confirm(cookie)
        await node.as({ cookie }).changePassword({ oldPassword: PASSWORD, newPassword: 'seven green bicycles' })
        expect(holds(cookie, token)).toBe(false)
    })

    test('of who has a second factor takes a code of it, once, and no recovery code', async () => {
        const cookie = await addUser(node, 'ann', 'operator')
        const ann = node.as({ cookie })
        const { secret } = await ann.beginFactor({ password: PASSWORD })
        const { recoveryCodes } = await ann.confirmFactor({ oneTimePassword: codeOf(secret) })
        await clock.advance(30_000)
        for (const code of ['', '000000', recoveryCodes[0]])
            expect(await faultOf(confirm(cookie, PASSWORD, code))).toBe('denied')
        expect((await ann.whoAmI({})).recoveryCodesLeft).toBe(10)
        const code = codeOf(secret)
        expect(holds(cookie, await confirm(cookie, PASSWORD, code))).toBe(true)
        expect(await faultOf(confirm(cookie, PASSWORD, code))).toBe('denied')
        expect(await faultOf(node.as().login({ user: 'ann', password: PASSWORD, oneTimePassword: code }))).toBe(
            'unauthenticated',
        )
    })

    test('comes with a login, for the session that it makes', async () => {
        await addUser(node, 'ann', 'operator')
        const one = node.as()
        const { confirmation } = await one.login({ user: 'ann', password: PASSWORD })
        expect(holds(one.cookie(), confirmation!.confirmationToken)).toBe(true)
        const two = node.as()
        await two.login({ user: 'ann', password: PASSWORD })
        expect(holds(two.cookie(), confirmation!.confirmationToken)).toBe(false)
    })

    test('is not asked of a token that was made for just that, but of every other one', async () => {
        const cookie = await becomeAdmin(node)
        const ask = async (scope: string[], permission: string) => {
            const { secret } = await node.as({ cookie }).createToken({ name: 'ci', scope })
            return passes({ bearer: secret }, '', permission)
        }
        expect(await ask(['vm.view', 'vm.delete'], 'vm.delete')).toBe(true)
        for (const scope of [[], ['*'], ['vm.*'], ['*.delete'], ['vm.view']])
            expect(await ask(scope, 'vm.delete')).toBe(false)
        expect(await ask(['identity.manage'], 'identity.manage')).toBe(false)
        expect(await ask(['vm.delete'], '')).toBe(false)
    })

    test('of root’s service counts here, and root of the node is never asked', async () => {
        const cookie = await becomeAdmin(node)
        node.identity.adoptConfirmation(node.caller({ cookie })!, 'given by rootd')
        expect(holds(cookie, 'given by rootd')).toBe(true)
        expect(node.identity.needConfirmation(node.caller({ root: true })!, '')).toBeUndefined()
        expect(await faultOf(node.as({ root: true }).confirm({ password: PASSWORD }))).toBe('denied')
    })
})
