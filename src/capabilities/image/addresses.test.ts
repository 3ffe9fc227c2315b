// The table of addresses that images are fetched from, and of those that they are not.
import { expect, test } from 'vitest'
import { checkNetworks, whyRefused } from './addresses.ts'

const rules = { own: ['192.0.2.2', 'fd00::2', 'fe80::1'], refused: ['10.9.0.0/16', 'fd09::/32'] }

test.each([
    '127.0.0.1',
    '127.255.255.254',
    '0.0.0.0',
    '0.1.2.3',
    '169.254.169.254',
    '224.0.0.1',
    '255.255.255.255',
    '240.0.0.1',
    '192.0.2.2',
    '10.9.1.1',
    '::',
    '::1',
    'fe80::1',
    'fe80::1%eth0',
    'ff02::1',
    'fd00::2',
    'fd09::77',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::127.0.0.1',
    '64:ff9b::127.0.0.1',
    '64:ff9b::a9fe:a9fe',
    '::ffff:0:127.0.0.1',
    '::ffff:0:a9fe:a9fe',
    '::ffff:0:10.9.3.3',
    '64:ff9b:1::127.0.0.1',
    '64:ff9b:1:7f00:0:100::',
    '64:ff9b:1::8.8.8.8',
    '2002:7f00:1::',
    '2002:c000:202::1',
    '::ffff:10.9.3.3',
    'localhost',
    '',
    '1.2.3',
])('%s is refused', address => {
    expect(whyRefused(address, rules)).toMatch(/^it is/)
})

test.each([
    '192.0.2.3',
    '10.8.0.1',
    '172.16.3.4',
    '192.168.1.1',
    '8.8.8.8',
    '2001:db8::1',
    'fd00::3',
    '::ffff:8.8.8.8',
    '64:ff9b::8.8.8.8',
    '::ffff:0:8.8.8.8',
])('%s is allowed', address => {
    expect(whyRefused(address, rules)).toBeUndefined()
})

test('an allowance of a test covers that address alone', () => {
    const allowed = { own: [], allowed: ['127.0.0.1'] }
    expect(whyRefused('127.0.0.1', allowed)).toBeUndefined()
    expect(whyRefused('127.0.0.2', allowed)).toMatch(/^it is/)
})

test('a refused network that is none is said at the start, and not passed over', () => {
    const good = ['10.1.0.0/16', '192.0.2.7/32', 'fd00::/8', '::/0']
    expect(checkNetworks(good)).toEqual(good)
    for (const bad of ['10.1.0.0', '10.1.0.0/33', 'fd00::/129', 'example.org/24', '10.1.0.0/-1', '10.1.0.0/16/8', ''])
        expect(() => checkNetworks([bad])).toThrow('not a network')
    expect(whyRefused('10.1.2.3', { own: [], refused: checkNetworks(good.slice(0, 1)) })).toMatch(/management network/)
})
