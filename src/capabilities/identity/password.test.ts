// Which passwords are refused, and that hashing neither cuts nor starves.
import { describe, expect, test } from 'vitest'
import { checkPassword, createPasswords } from './password.ts'

const CHEAP = { n: 16, r: 1, p: 1 }
const good = 'glacier tulip 7 marzipan'

describe('which passwords are taken', () => {
    test.each([
        good,
        'correct horse battery',
        'ünïcödé wörds hérè',
        '密码很长而且没有人能够猜到它',
        'x'.repeat(1000) + good,
        ' leading and trailing ',
        'Tr0ub4dor&3Tr0ub',
        'anna loves fjords',
    ])('%j', password => expect(() => checkPassword(password, 'anna')).not.toThrow())

    test.each([
        ['', 'of at least 12'],
        ['short', 'it has 5 of at least 12'],
        ['elevenchars', 'it has 11 of at least 12'],
        ['🦊🦊🦊🐻🐻🐻🐼🐼🐼🐨🐨', 'it has 11 of at least 12'],
        [`${good}${'x'.repeat(1024)}`, 'longer than 1024'],
        ['y'.repeat(5_000_000), 'longer than 1024'],
        [`${good}\0`, 'NUL'],
        [`${good}\ud800`, 'not valid Unicode'],
        ['password1234', 'first that anyone would try'],
        ['PassWordPassWord', 'first that anyone would try'],
        ['ｐａｓｓｗｏｒｄ１２３４', 'first that anyone would try'],
        ['anna-anna-anna', 'little more than the user name'],
        ['anna12345678', 'little more than the user name'],
        ['aaaaaaaaaaaa', 'repeats'],
        ['abcabcabcabcab', 'repeats'],
        ['123456789012', 'run'],
        ['abcdefghijklm', 'run'],
        ['9876543210987', 'run'],
    ])('not %.40j: %s', (password, reason) => {
        try {
            checkPassword(password, 'anna')
            expect.unreachable()
        } catch (thrown) {
            expect(thrown).toMatchObject({ code: 'invalid', at: 'password', detail: expect.stringContaining(reason) })
            if (password.length > 6) expect((thrown as Error).message).not.toContain(password.slice(0, 20))
        }
    })
})

describe('hashing', () => {
    test('nothing is cut: the last of 1024 characters counts, a NUL too', async () => {
        const passwords = createPasswords(CHEAP)
        const long = `${'ab1'.repeat(341)}!`
        const hash = await passwords.hash(long, 'x')
        expect(await passwords.fits(long, hash, 'x')).toBe(true)
        expect(await passwords.fits(`${long.slice(0, -1)}?`, hash, 'x')).toBe(false)
        expect(await passwords.fits(long.slice(0, -1), hash, 'x')).toBe(false)
        expect(await passwords.fits(`${long}\0`, hash, 'x')).toBe(false)
    })

    test('the same text typed in two ways of Unicode is the same password', async () => {
        const passwords = createPasswords(CHEAP)
        const hash = await passwords.hash('caf\u00e9 caf\u00e9 caf\u00e9', 'x')
        expect(await passwords.fits('cafe\u0301 cafe\u0301 cafe\u0301', hash, 'x')).toBe(true)
        expect(await passwords.fits('cafe cafe cafe', hash, 'x')).toBe(false)
    })

    test('two of the same password have nothing in common; no hash fits nothing', async () => {
        const passwords = createPasswords(CHEAP)
        const [a, b] = await Promise.all([passwords.hash(good, 'x'), passwords.hash(good, 'x')])
        expect(a.hash).not.toBe(b.hash)
        expect(await passwords.fits(good, undefined, 'x')).toBe(false)
        expect(await passwords.fits('', undefined, 'x')).toBe(false)
        expect(await passwords.fits('', { ...a, hash: '' }, 'x')).toBe(false)
    })

    test('the real cost: at least 32 MiB, kept with the hash', async () => {
        const hash = await createPasswords().hash(good, 'x')
        expect(128 * hash.n * hash.r).toBeGreaterThanOrEqual(32 * 1024 * 1024)
    })

    test('an unknown user takes as long as a wrong password', async () => {
        const passwords = createPasswords({ n: 2 ** 13, r: 8, p: 1 })
        const hash = await passwords.hash(good, 'x')
        const time = async (of: typeof hash | undefined) => {
            const began = performance.now()
            for (let i = 0; i < 5; i++) await passwords.fits('wrong wrong wrong', of, 'x')
            return performance.now() - began
        }
        await time(hash)
        const [known, unknown] = [await time(hash), await time(undefined)]
        expect(unknown).toBeGreaterThan(known / 3)
        expect(known).toBeGreaterThan(unknown / 3)
    })

    test('a flood from one address fills its own places only', async () => {
        const passwords = createPasswords(CHEAP)
        const hash = await passwords.hash(good, 'x')
        const flood = Array.from({ length: 60 }, () => passwords.fits('no', hash, 'flood'))
        const other = passwords.fits(good, hash, 'calm')
        const results = await Promise.allSettled(flood)
        expect(await other).toBe(true)
        const refused = results.filter(r => r.status === 'rejected')
        expect(refused.length).toBe(60 - 2 - 25)
        for (const r of refused) expect(r.reason).toMatchObject({ code: 'exhausted' })
    })
})
