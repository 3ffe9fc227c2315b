// Addresses and subnets: what parses, what does not, round trips, overlaps, and free ones.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as cidr from './cidr.ts'

const subnet = (text: string) => cidr.parseCidr(text)!

describe('addresses', () => {
    test.each([
        '1.2.3',
        '1.2.3.4.5',
        '256.1.1.1',
        '01.2.3.4',
        '1.2.3.4 ',
        '-1.2.3.4',
        '1e1.0.0.1',
        '',
        ':',
        ':::',
        '1::2::3',
        '1:2:3:4:5:6:7',
        '1:2:3:4:5:6:7:8:9',
        '1:2:3:4:5:6:7::8',
        'g::1',
        '12345::',
        'fe80::1%eth0',
        '::1.2.3',
        '::256.0.0.1',
    ])('%j is none', text => {
        expect(cidr.parseAddress(text)).toBeUndefined()
    })

    test.each([
        ['::', '::'],
        ['::1', '::1'],
        ['1::', '1::'],
        ['FD00:0:0:1::', 'fd00:0:0:1::'],
        ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
        ['1:0:3:4:5:6:7:8', '1:0:3:4:5:6:7:8'],
        ['::ffff:1.2.3.4', '::ffff:102:304'],
        ['255.255.255.255', '255.255.255.255'],
    ])('%s is written %s', (text, written) => {
        const address = cidr.parseAddress(text)!
        expect(cidr.formatAddress(address.version, address.value)).toBe(written)
    })

    test('any address comes back as it went', () => {
        fc.assert(
            fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), text => {
                const { version, value } = cidr.parseAddress(text)!
                const written = cidr.formatAddress(version, value)
                expect(cidr.parseAddress(written)).toEqual({ version, value })
            }),
        )
    })
})

describe('subnets', () => {
    test.each([
        '10.0.0.1',
        '10.0.0.1/',
        '10.0.0.1/33',
        '10.0.0.1/-1',
        '10.0.0.1/08',
        '10.0.0.1/24/1',
        '/24',
        'fd00::/129',
        '10.0.0.1/24x',
    ])('%j is none', text => {
        expect(cidr.parseCidr(text)).toBeUndefined()
    })

    test('first, last and usable addresses', () => {
        const net = subnet('10.20.30.40/22')
        const text = (value: bigint) => cidr.formatAddress(4, value)
        expect([net.first, net.last].map(text)).toEqual(['10.20.28.0', '10.20.31.255'])
        const { first, last } = cidr.usable(net)
        expect([first, last].map(text)).toEqual(['10.20.28.1', '10.20.31.254'])
        expect(cidr.prefixOfNetmask('255.255.252.0')).toBe(22)
        expect(cidr.prefixOfNetmask('0.0.0.0')).toBe(0)
        expect(cidr.prefixOfNetmask('255.255.255.255')).toBe(32)
        expect(cidr.prefixOfNetmask('255.0.255.0')).toBeUndefined()
    })

    test('two overlap exactly when one contains the other', () => {
        const any = fc
            .tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 }))
            .map(([ip, prefix]) => subnet(`${ip}/${prefix}`))
        fc.assert(
            fc.property(any, any, (a, b) => {
                const inside =
                    cidr.contains(a, { version: 4, value: b.first }) || cidr.contains(b, { version: 4, value: a.first })
                expect(cidr.overlaps(a, b)).toBe(inside)
                expect(cidr.overlaps(b, a)).toBe(inside)
            }),
        )
        expect(cidr.overlaps(subnet('10.0.0.0/8'), subnet('::/0'))).toBe(false)
    })

    test('a free one overlaps with nothing that is taken, until there is none', () => {
        const taken: cidr.Subnet[] = [subnet('10.20.0.0/14'), subnet('192.168.0.0/17')]
        for (let i = 0; i < 200; i++) {
            const free = cidr.freeSubnet(taken)
            if (!free) break
            const found = subnet(free)
            expect(taken.some(other => cidr.overlaps(other, found))).toBe(false)
            expect(cidr.isPrivate(found)).toBe(true)
            taken.push(found)
        }
        expect(cidr.freeSubnet(taken)).toBeUndefined()
        expect(cidr.freeSubnet([])).toBe('10.20.0.1/24')
    })
})
