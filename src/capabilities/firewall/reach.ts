// Who reaches a port of this machine, by the rules that are on the disk; for those who may not ask the kernel. Pure.

export interface Reached {
    /** For people. */
    words: string
    /** Other machines can reach it. */
    open: boolean
}

const RULE =
    /^(?:ip6? saddr (\{[^}]*\}|@cluster[46]) )?meta l4proto (tcp|udp) ct original proto-dst (\d+)(?:-(\d+))? accept/
const EXPOSED = /^(?:ip6? saddr (\{[^}]*\}|@cluster[46]) )?accept comment "stacks"/

/**
 * By the rules as `rulesText` writes them; without any, nothing is closed. `stack`: a stack says that the port is for
 * others, so it is reached by whom the document lets reach such ports.
 */
export function reachOf(
    rules: string | undefined,
    { port, protocol, stack }: { port: number; protocol: string; stack: boolean },
): Reached {
    if (rules === undefined) return { words: 'everybody: this node has no firewall of its own', open: true }
    const sources = rules.split('\n').flatMap(text => {
        const line = text.trim()
        const exposed = stack ? EXPOSED.exec(line) : undefined
        if (exposed) return [exposed[1] ?? '']
        const [, source = '', kind, from, to = from] = RULE.exec(line) ?? []
        return kind === protocol && port >= Number(from) && port <= Number(to) ? [source] : []
    })
    if (sources.length === 0) return { words: 'nobody: closed by the firewall', open: false }
    if (sources.includes('')) return { words: 'everybody', open: true }
    const words = [
        ...new Set(sources.map(source => (source.startsWith('@') ? 'the cluster' : source.slice(1, -1).trim()))),
    ]
    return { words: words.join(', '), open: true }
}
