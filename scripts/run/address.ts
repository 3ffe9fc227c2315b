// Where the daemon listens, and the address that a person can open: 0.0.0.0 and [::] are none.
import { readFileSync } from 'node:fs'
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'

/** LISTEN=address or address:port; loopback and 8443 unless told otherwise. */
export function listenAddress(given = process.env.LISTEN || '127.0.0.1'): string {
    const hasPort = /:\d+$/.test(given) && !given.endsWith('::') && !/^[0-9a-f:]+$/i.test(given)
    return hasPort ? given : `${wrapped(given)}:8443`
}

const wrapped = (address: string) => (address.includes(':') && !address.startsWith('[') ? `[${address}]` : address)

/** The interface of the IPv4 default route, or undefined. */
export function defaultInterface(): string | undefined {
    try {
        const rows = readFileSync('/proc/net/route', 'utf8').split('\n').slice(1)
        return rows.map(row => row.split('\t')).find(([, destination]) => destination === '00000000')?.[0]
    } catch {
        return undefined
    }
}

/**
 * The URL with an address that can be opened: that of the interface with the default route, else of any other, else
 * loopback. A URL that names an address already stays.
 */
export function reachableUrl(
    url: string,
    interfaces: NodeJS.Dict<NetworkInterfaceInfo[]> = networkInterfaces(),
    first = defaultInterface(),
): string {
    const at = new URL(url)
    if (at.hostname !== '0.0.0.0' && at.hostname !== '[::]') return url
    const names = Object.keys(interfaces).sort((a, b) => Number(b === first) - Number(a === first))
    const outer = names.flatMap(name => interfaces[name] ?? []).filter(({ internal }) => !internal)
    const known =
        outer.find(({ family }) => family === 'IPv4') ??
        (at.hostname === '[::]' ? outer.find(({ address }) => !address.startsWith('fe80')) : undefined)
    return url.replace(at.hostname, wrapped(known?.address ?? '127.0.0.1'))
}
