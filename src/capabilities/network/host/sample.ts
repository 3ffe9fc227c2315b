// The network section that `init` writes: what the machine has now, with br0 over its primary NIC.
import type { Probe } from '../../../ports/ports.ts'
import { type HostSeen, seeCards } from './observe.ts'

/** Undefined where it cannot be told: then the network is left as it is. */
export async function networkSample(probe: Probe): Promise<Record<string, unknown> | undefined> {
    const seen = await seeCards({ phase: 'boot', root: probe, machine: probe }).catch(() => undefined)
    if (!seen) return undefined
    return sampleOf(seen, (await probe.readText('/etc/resolv.conf').catch(() => '')) ?? '')
}

/** Pure. */
export function sampleOf(seen: HostSeen, resolv: string): Record<string, unknown> | undefined {
    const linkOf = (name: string | undefined) => seen.links.find(link => link.name === name)
    const [best] = seen.routes
    const carrier = seen.links.find(link => link.carrier && seen.cards.includes(link.name))
    const top = linkOf(best?.device) ?? linkOf(carrier?.master) ?? carrier
    if (!top) return undefined
    const ports = seen.links
        .filter(link => link.master === top.name && seen.cards.includes(link.name))
        .map(link => link.name)
    const isCard = seen.cards.includes(top.name)
    // A bond, or a bridge on one, is a person's to describe.
    if (!isCard && !(top.isBridge && ports.length > 0)) return undefined
    const fixed = (six: boolean) =>
        top.global
            .filter(({ address, leased }) => !leased && address.includes(':') === six)
            .map(({ address }) => address)
    const gateway = (six: boolean) =>
        seen.routes.find(one => one.device === top.name && one.gateway && one.gateway.includes(':') === six)?.gateway
    const told = (six: boolean, otherwise: string) => {
        const addresses = fixed(six)
        const router = gateway(six)
        return addresses.length > 0 ? { addresses, ...(router ? { gateway: router } : {}) } : otherwise
    }
    const words = (key: string) =>
        [...resolv.matchAll(new RegExp(`^${key}\\s+(.+)$`, 'gm'))].flatMap(([, text]) => text!.trim().split(/\s+/))
    const servers = words('nameserver').filter(one => !one.startsWith('127.') && !one.includes('%'))
    const isFixed = fixed(false).length > 0
    return {
        bridges: [
            {
                name: isCard ? 'br0' : top.name,
                ports: isCard ? [top.name] : ports,
                ipv4: told(false, 'dhcp'),
                ipv6: told(true, 'auto'),
            },
        ],
        nics: seen.cards.flatMap(name => {
            const mac = linkOf(name)?.cardMac
            return mac ? [{ name, mac }] : []
        }),
        ...(isFixed && servers.length > 0
            ? { dns: { servers, search: words('search').filter(one => one !== '.') } }
            : {}),
    }
}
