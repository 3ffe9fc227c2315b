// The limits on tries: how they grow, whom they hold up, and whom they do not.
import { describe, expect, test } from 'vitest'
import { fakeClock } from '../../ports/fake.ts'
import { addressGroup, createAttempts } from './attempts.ts'

const held = expect.objectContaining({ code: 'exhausted' })
function setUp(known: (user: string, group: string) => boolean = () => false) {
    const clock = fakeClock()
    const attempts = createAttempts(clock, known)
    const fail = (user: string, from: string) => attempts.begin(user, from).failed()
    const free = (user: string, from: string) => {
        try {
            attempts.begin(user, from).dropped()
            return true
        } catch (thrown) {
            expect(thrown).toEqual(held)
            return false
        }
    }
    return { clock, attempts, fail, free }
}

describe('limits on tries', () => {
    test('five for a user from one address, then 1 s, doubling to 15 min', async () => {
        const { clock, fail, free } = setUp()
        for (let i = 0; i < 4; i++) fail('anna', '192.0.2.1')
        expect(free('anna', '192.0.2.1')).toBe(true)
        const waits = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
        for (const seconds of waits) {
            fail('anna', '192.0.2.1')
            await clock.advance(seconds * 1000 - 1)
            expect(free('anna', '192.0.2.1')).toBe(false)
            await clock.advance(1)
            expect(free('anna', '192.0.2.1')).toBe(true)
        }
    })

    test('neither other addresses nor other users are held up by them', () => {
        const { fail, free } = setUp()
        for (let i = 0; i < 5; i++) fail('anna', '192.0.2.1')
        expect(free('anna', '192.0.2.1')).toBe(false)
        expect(free('anna', '192.0.2.2')).toBe(true)
        expect(free('bob', '192.0.2.1')).toBe(true)
    })

    test('twenty from one address, whoever for', () => {
        const { fail, free } = setUp()
        for (let i = 0; i < 20; i++) fail(`user${i}`, '192.0.2.1')
        expect(free('someone-else', '192.0.2.1')).toBe(false)
        expect(free('someone-else', '192.0.2.2')).toBe(true)
    })

    test('many addresses against one user: new addresses wait a minute at most, known ones never', async () => {
        const { clock, fail, free } = setUp((user, group) => user === 'anna' && group === '192.0.2.77')
        for (let i = 0; i < 60; i++) {
            fail('anna', `198.51.100.${i}`)
            await clock.advance(60_000)
        }
        fail('anna', '198.51.100.99')
        expect(free('anna', '198.51.100.200')).toBe(false)
        expect(free('anna', '192.0.2.77')).toBe(true)
        await clock.advance(60_000)
        expect(free('anna', '198.51.100.200')).toBe(true)
    })

    test('a login clears the pair, but not the address', () => {
        const { attempts, fail, free } = setUp()
        for (let i = 0; i < 4; i++) fail('anna', '192.0.2.1')
        attempts.begin('anna', '192.0.2.1').succeeded()
        for (let i = 0; i < 4; i++) fail('anna', '192.0.2.1')
        expect(free('anna', '192.0.2.1')).toBe(true)
        for (let i = 0; i < 12; i++) fail(`u${i}`, '192.0.2.1')
        expect(free('anna', '192.0.2.1')).toBe(false)
    })

    test('tries at the same moment count before their answer is known', () => {
        const { attempts } = setUp()
        const open = Array.from({ length: 5 }, () => attempts.begin('anna', '192.0.2.1'))
        expect(() => attempts.begin('anna', '192.0.2.1')).toThrow(held)
        for (const one of open) one.dropped()
        attempts.begin('anna', '192.0.2.1').dropped()
    })

    test('one tries again after an hour as if nothing had been', async () => {
        const { clock, fail, free } = setUp()
        for (let i = 0; i < 5; i++) fail('anna', '192.0.2.1')
        await clock.advance(3_700_000)
        for (let i = 0; i < 4; i++) fail('anna', '192.0.2.1')
        expect(free('anna', '192.0.2.1')).toBe(true)
    })

    test('thirty thousand addresses do not fill the memory, nor free one that is locked', () => {
        const { fail, free } = setUp()
        for (let i = 0; i < 20; i++) fail(`a${i}`, '192.0.2.1')
        for (let i = 0; i < 30_000; i++) fail(`u${i}`, `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)
        expect(free('anna', '192.0.2.1')).toBe(false)
    })

    test('a lock is told once', () => {
        const { attempts, fail } = setUp()
        for (let i = 0; i < 5; i++) fail('anna', '192.0.2.1')
        expect(attempts.firstOfLock('anna', '192.0.2.1')).toBe(true)
        expect(attempts.firstOfLock('anna', '192.0.2.1')).toBe(false)
    })
})

test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:DB8:0001:0002::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['local', 'local'],
])('%s counts as %s', (from, group) => expect(addressGroup(from)).toBe(group))
