// What LISTEN means, and that nobody is sent to 0.0.0.0.
import type { NetworkInterfaceInfo } from 'node:os'
import { expect, it } from 'vitest'
import { listenAddress, reachableUrl } from './address.ts'

it.each([
    ['127.0.0.1', '127.0.0.1:8443'],
    ['0.0.0.0:9000', '0.0.0.0:9000'],
    ['::', '[::]:8443'],
    ['fd00::1', '[fd00::1]:8443'],
    ['[fd00::1]:9000', '[fd00::1]:9000'],
])('LISTEN=%s listens on %s', (given, meant) => {
    expect(listenAddress(given)).toBe(meant)
})

const one = (address: string, internal = false) =>
    ({ address, internal, family: address.includes(':') ? 'IPv6' : 'IPv4' }) as NetworkInterfaceInfo
const interfaces = {
    lo: [one('127.0.0.1', true)],
    docker0: [one('172.17.0.1')],
    eth0: [one('fe80::1'), one('fd00::5'), one('10.1.2.3')],
}

it.each([
    ['https://0.0.0.0:8443', 'https://10.1.2.3:8443'],
    ['https://[::]:8443', 'https://10.1.2.3:8443'],
    ['https://127.0.0.1:8443', 'https://127.0.0.1:8443'],
    ['https://[fd00::1]:8443', 'https://[fd00::1]:8443'],
])('%s is opened at %s', (url, opened) => {
    expect(reachableUrl(url, interfaces, 'eth0')).toBe(opened)
})

it('takes any address without a default route, IPv6 where there is no other, and loopback at last', () => {
    expect(reachableUrl('https://0.0.0.0:1', interfaces, 'none')).toBe('https://172.17.0.1:1')
    expect(reachableUrl('https://[::]:1', { eth0: [one('fe80::1'), one('fd00::5')] }, 'eth0')).toBe(
        'https://[fd00::5]:1',
    )
    expect(reachableUrl('https://0.0.0.0:1', { lo: interfaces.lo }, 'eth0')).toBe('https://127.0.0.1:1')
})
