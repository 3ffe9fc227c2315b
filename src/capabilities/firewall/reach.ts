// Who reaches a published port, by the rules and the exposed ports on the disk; for those who may not ask the kernel. Pure.
import { exposedIn, exposedKey } from './exposed.ts'
import { STACK_BRIDGES } from './rules.ts'

export interface Reached {
    /** For people. */
    words: string
    /** Other machines can reach it. */
    open: boolean
}

/** A port that a container publishes. */
export interface Published {
    /** On the node. */
    host: number
    protocol: string
    /** Where the node listens. */
    address: string
    /** IPv4 addresses of the container, and the interfaces of its networks. */
    addresses: readonly string[]
    bridges: readonly string[]
}

const RULE =
    /^(?:ip6? saddr (\{[^}]*\}|@cluster[46]) )?meta l4proto (tcp|udp) ct original proto-dst (\d+)(?:-(\d+))? accept/
const EXPOSED = /^(?:ip6? saddr (\{[^}]*\}|@cluster[46]) )?accept comment "stacks"/

/** Whether an address is this machine's own. */
export const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1'

/** By the rules as `rulesText` writes them; without any, nothing is closed. */
export function reachBy(on: { rules: string | undefined; exposed: string | undefined }): (port: Published) => Reached {
    const lines = (on.rules ?? '').split('\n').map(line => line.trim())
    const opened = lines.flatMap(line => {
        const [found, source = '', protocol, from, to = from] = RULE.exec(line) ?? []
        return found ? [{ source, protocol, from: Number(from), to: Number(to) }] : []
    })
    const whom = lines.flatMap(line => {
        const found = EXPOSED.exec(line)
        return found ? [found[1] ?? ''] : []
    })
    const exposed = exposedIn(on.exposed)
    return ({ host, protocol, address, addresses, bridges }) => {
        if (isLoopback(address)) return { words: 'this node only', open: false }
        if (on.rules === undefined) return { words: 'everybody: this node has no firewall of its own', open: true }
        const byDocument = opened
            .filter(one => one.protocol === protocol && host >= one.from && host <= one.to)
            .map(({ source }) => source)
        // What listens on IPv6 is passed on by a program, as another connection: only the document opens that.
        const isExposed =
            !address.includes(':') &&
            (bridges.some(name => name.startsWith(STACK_BRIDGES)) ||
                addresses.some(one => exposed.has(exposedKey({ protocol, port: host, address: one }))))
        const parts = [
            ...(byDocument.length > 0 ? [`${people(byDocument)}: the document opens it`] : []),
            ...(isExposed && whom.length > 0 ? [`${people(whom)}: exposed, as firewall.stacks says`] : []),
        ]
        if (parts.length > 0) return { words: parts.join('; '), open: true }
        const why = isExposed ? 'firewall.stacks names nobody' : 'closed by the firewall'
        return { words: `nobody outside: ${why}`, open: false }
    }
}

function people(sources: readonly string[]): string {
    if (sources.includes('')) return 'everybody'
    const named = sources.map(source => (source.startsWith('@') ? 'the cluster' : source.slice(1, -1).trim()))
    return [...new Set(named)].join(', ')
}
