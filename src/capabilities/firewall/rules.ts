// The rules of nftables, as text: one table of our own, replaced at once, before the chains of Docker, libvirt and Calico.

/** A port that is open, or a range of them. */
export interface Open {
    port: number | string
    protocol: 'tcp' | 'udp'
    from: 'any' | 'cluster' | readonly string[]
    why: string
}

export interface Rules {
    cluster: readonly string[]
    open: readonly Open[]
    /** Who reaches what stacks and containers publish for others; stacks have bridges of their own. */
    stacks: Open['from']
    /** Bridges of the host, on which VMs are neighbours of the network outside. */
    bridges: readonly string[]
}

export const TABLE = 'debvisor'
/** Of Docker's networks that stacks have made; what they publish for this machine alone is on its loopback. */
export const STACK_BRIDGES = 'br-dv'
const STACKS = `${STACK_BRIDGES}*`

/** Ports of single containers that somebody opened, filled by a file of their own (exposed.ts). */
export const EXPOSED_FILE = '/run/debvisor-exposed.nft'
export const EXPOSED_SETS = { tcp: 'exposed_tcp', udp: 'exposed_udp' } as const
/** By a pattern: one that matches nothing is no error. */
const EXPOSED_PATTERN = EXPOSED_FILE.replace(/t$/, '[t]')

/**
 * Interfaces behind which this machine's own containers, pods and VMs of NAT networks are. Docker names a bridge br- and
 * twelve digits: a host's own bridge must not be called so.
 */
const INSIDE = ['docker0', 'br-*', 'virbr*', 'cali*', 'tunl0', 'vxlan.calico', 'cni0']

const quoted = (words: readonly string[]) => words.map(word => `"${word}"`).join(', ')
const isSix = (cidr: string) => cidr.includes(':')

/** A file for `nft --file`. `mark` is the comment of the table: by it one sees which rules are loaded. */
export function rulesText({ cluster, open, stacks, bridges }: Rules, mark: string): string {
    const inside = `{ ${quoted(INSIDE)} }`
    return `${[
        '# Written by DebVisor from /etc/debvisor/node.yaml: a change made here is overwritten.',
        // Making it first lets the removal succeed where there is none; all of a file happens at once.
        `table inet ${TABLE}`,
        `delete table inet ${TABLE}`,
        `table inet ${TABLE} {`,
        `    comment "${mark}"`,
        ...setOf(
            'cluster4',
            'ipv4_addr',
            cluster.filter(one => !isSix(one)),
        ),
        ...setOf('cluster6', 'ipv6_addr', cluster.filter(isSix)),
        ...Object.values(EXPOSED_SETS).map(name => `    set ${name} { type inet_service . ipv4_addr; }`),
        '    chain needed {',
        '        icmp type { echo-request, destination-unreachable, time-exceeded, parameter-problem } accept',
        '        icmpv6 type { echo-request, destination-unreachable, packet-too-big, time-exceeded } accept',
        '        icmpv6 type { parameter-problem, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept',
        '        icmpv6 type { mld-listener-query, mld-listener-report, mld2-listener-report } accept',
        '        meta l4proto igmp accept',
        '        udp sport 67 udp dport 68 accept',
        '        ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept',
        '        iifname "virbr*" meta l4proto { tcp, udp } th dport { 53, 67, 69, 547 } accept',
        '    }',
        '    # By the port that the other side asked for, whatever Docker or Kubernetes made of it since.',
        '    chain opened {',
        ...linesOf(open).map(line => `        ${line}`),
        '    }',
        '    # What stacks and containers publish for other machines.',
        '    chain stacks {',
        ...sourcesOf(stacks).map(source => `        ${source}accept comment "stacks"`),
        '    }',
        '    chain input {',
        '        type filter hook input priority filter - 10; policy drop;',
        '        ct state established,related accept',
        '        iifname "lo" accept',
        '        jump needed',
        `        iifname ${inside} ct status dnat accept`,
        '        jump opened',
        '        counter',
        '    }',
        '    chain forward {',
        '        type filter hook forward priority filter - 10; policy drop;',
        '        ct state established,related accept',
        `        iifname ${inside} accept`,
        ...bridges.map(name => `        iifname "${name}" oifname "${name}" accept`),
        '        # libvirt decides itself who reaches a network of its own.',
        '        oifname "virbr*" ct status & dnat != dnat accept',
        '        oifname "cali*" ip saddr @cluster4 accept',
        '        oifname "cali*" ip6 saddr @cluster6 accept',
        '        ct status dnat jump opened',
        `        oifname "${STACKS}" ct status dnat jump stacks`,
        // With the container's address: what comes to the port after it is another one.
        ...Object.entries(EXPOSED_SETS).map(
            ([protocol, set]) =>
                `        ct status dnat meta l4proto ${protocol} ct original proto-dst . ip daddr @${set} jump stacks`,
        ),
        '        counter',
        '    }',
        '}',
        `include "${EXPOSED_PATTERN}"`,
        '',
    ].join('\n')}`
}

function setOf(name: string, type: string, elements: readonly string[]): string[] {
    const filled = elements.length > 0 ? [`        elements = { ${[...elements].sort().join(', ')} }`] : []
    return [
        `    set ${name} {`,
        ...[`        type ${type}`, '        flags interval', '        auto-merge', ...filled],
        '    }',
    ]
}

/** A rule a family; none for nobody. Each once, in the order of the ports. */
function linesOf(open: readonly Open[]): string[] {
    const sorted = [...open].sort(
        (a, b) =>
            Number.parseInt(String(a.port), 10) - Number.parseInt(String(b.port), 10) ||
            (a.protocol < b.protocol ? -1 : 1),
    )
    const lines = sorted.flatMap(({ port, protocol, from, why }) => {
        const rule = (source: string) =>
            `${source}meta l4proto ${protocol} ct original proto-dst ${port} accept comment "${why}"`
        return sourcesOf(from).map(rule)
    })
    return [...new Set(lines)]
}

/** The beginning of a rule a family; one that is empty for everybody, and none for nobody. */
function sourcesOf(from: Open['from']): string[] {
    if (from === 'any') return ['']
    if (from === 'cluster') return ['ip saddr @cluster4 ', 'ip6 saddr @cluster6 ']
    const four = from.filter(one => !isSix(one))
    const six = from.filter(isSix)
    return [
        ...(four.length > 0 ? [`ip saddr { ${four.join(', ')} } `] : []),
        ...(six.length > 0 ? [`ip6 saddr { ${six.join(', ')} } `] : []),
    ]
}
