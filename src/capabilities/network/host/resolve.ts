// Which cards of this machine the document means, and what of it cannot be as things are. Pure.
import type { Finding } from '../../../base/finding.ts'
import { nowCalled } from './names.ts'
import type { HostSeen } from './observe.ts'
import { fileOf, type Profile } from './profiles.ts'
import { type NetworkSpec, vlanName } from './spec.ts'

/** The NIC that `primary` means: the one it was before, the one of the default route, the first with a cable. */
export function primaryOf(spec: NetworkSpec, seen: HostSeen): string | undefined {
    const bridge = spec.bridges.find(({ ports }) => ports === 'primary')
    if (!bridge) return undefined
    const elsewhere = new Set([
        ...spec.bonds.flatMap(one => one.members),
        ...spec.bridges.flatMap(({ ports }) => (ports === 'primary' ? [] : ports)),
    ])
    const free = (name: string) => seen.cards.includes(name) && !elsewhere.has(name)
    const before = seen.cards.find(name => {
        const text = seen.etc[fileOf(name)]?.content ?? seen.run[fileOf(name)]?.content
        return text?.split('\n').includes(`controller=${bridge.name}`) && free(name)
    })
    if (before) return before
    for (const { device } of seen.routes) {
        if (free(device)) return device
        const port = seen.links.find(link => link.master === device && free(link.name))
        if (port) return port.name
    }
    return seen.links.find(link => link.carrier && free(link.name))?.name
}

/** NICs, by the document, of everything that is not made here. */
export function cardsOf(spec: NetworkSpec, primary: string | undefined): { name: string; at: string }[] {
    const made = new Set([...spec.bridges, ...spec.bonds].map(one => one.name).concat(spec.vlans.map(vlanName)))
    const all = [
        ...spec.bridges.flatMap(({ ports }, i) =>
            ports === 'primary'
                ? primary
                    ? [{ name: primary, at: `network.bridges[${i}].ports` }]
                    : []
                : ports.map((name, j) => ({ name, at: `network.bridges[${i}].ports[${j}]` })),
        ),
        ...spec.bonds.flatMap(({ members }, i) =>
            members.map((name, j) => ({ name, at: `network.bonds[${i}].members[${j}]` })),
        ),
        ...spec.vlans.map(({ on }, i) => ({ name: on, at: `network.vlans[${i}].on` })),
        ...spec.nics
            .map((one, i) => ({ ...one, at: `network.nics[${i}].name` }))
            .filter(({ ipv4, ipv6, mtu }) => ipv4 !== 'off' || ipv6 !== 'off' || mtu),
    ]
    return all.filter(({ name }, i) => !made.has(name) && all.findIndex(one => one.name === name) === i)
}

/** What keeps the document from being carried out on this machine. */
export function troubles(
    spec: NetworkSpec,
    primary: string | undefined,
    seen: HostSeen,
    profiles: readonly Profile[],
): Finding[] {
    const findings: Finding[] = []
    const error = (code: string, at: string, words: Pick<Finding, 'summary' | 'detail' | 'fix'>) =>
        void findings.push({ severity: 'error', code, at, ...words })
    const there = seen.cards.length > 0 ? `There are: ${seen.cards.join(', ')}.` : 'This machine has none.'
    const index = spec.bridges.findIndex(({ ports }) => ports === 'primary')
    if (index >= 0 && !primary)
        error('no-primary', `network.bridges[${index}].ports`, {
            summary: 'There is no primary NIC',
            detail: 'none has the default route, and none that is free has a cable',
            fix: `Name the ports of the bridge. ${there}`,
        })
    for (const { name, at } of cardsOf(spec, primary)) {
        const now = nowCalled(spec, name, seen)
        if (seen.cards.includes(name) && !now) continue
        if (now)
            error('nic-renamed', at, {
                summary: 'A NIC gets its name with the next boot',
                detail: `${name} is called ${now} now`,
                fix: 'Restart the machine, then apply again.',
            })
        else error('nic-missing', at, { summary: 'There is no such NIC', detail: name, fix: there })
    }
    for (const one of profiles) {
        const link = seen.links.find(({ name }) => name === one.name)
        if (!link) continue
        const at = atOf(spec, one.name, primary)
        const device = seen.manager?.devices.find(({ name }) => name === one.name)
        const foreign = /^unmanaged|externally/.test(device?.state ?? '')
        const below = one.kind === 'ethernet'
        if (!below && link.kind !== one.kind)
            error('name-in-use', at, {
                summary: 'Something else on this machine has that name',
                detail: `${one.name} is a ${link.kind || 'card'}`,
                fix: 'Choose another name, or remove what has it.',
            })
        else if (!below && foreign)
            error('made-by-others', at, {
                summary: 'An interface of that name was made by somebody else',
                detail: `${one.name} does not belong to NetworkManager: libvirt, Docker or ifupdown may have made it`,
                fix: 'Choose another name, or remove it there.',
            })
        else if (below && device?.state.startsWith('unmanaged'))
            error('not-managed', at, {
                summary: 'A NIC is looked after by something else than NetworkManager',
                detail: `${one.name}${seen.ifupdown.includes(one.name) ? ' stands in /etc/network/interfaces' : ' is unmanaged'}`,
                fix: seen.ifupdown.includes(one.name)
                    ? 'Take it out of there at the console, restart NetworkManager, then apply again.'
                    : `Let NetworkManager have it: nmcli device set ${one.name} managed yes`,
            })
        if (one.mtu && link.maxMtu > 0 && one.mtu > link.maxMtu)
            error('mtu-card', at, {
                summary: 'A NIC cannot take packets that large',
                detail: `${one.name} takes ${link.maxMtu}, and ${one.mtu} is asked for`,
                fix: 'Use a smaller mtu.',
            })
    }
    return findings
}

function atOf(spec: NetworkSpec, name: string, primary: string | undefined): string {
    for (const key of ['bridges', 'bonds', 'nics'] as const) {
        const i = spec[key].findIndex(one => one.name === name)
        if (i >= 0) return `network.${key}[${i}]`
    }
    const i = spec.vlans.findIndex(one => vlanName(one) === name)
    return i >= 0 ? `network.vlans[${i}]` : (cardsOf(spec, primary).find(one => one.name === name)?.at ?? 'network')
}
