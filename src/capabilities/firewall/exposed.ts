// Published ports of single containers that somebody opened: a file of its own beside the rules, which loads it too. It
// lies in memory: after a boot nothing is open until whoever knows the containers has said so again.
import { Fault } from '../../base/fault.ts'
import type { System } from '../../ports/ports.ts'
import { EXPOSED_FILE, EXPOSED_SETS, TABLE } from './rules.ts'

/** A port of the node, and the container behind it: another one that comes to the port is not meant. */
export interface ExposedPort {
    protocol: string
    port: number
    /** IPv4, of the container. */
    address: string
}

const MOST = 4096
const TOOL_MS = 30_000
const ADDRESS = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/

const isAddress = (text: string) =>
    ADDRESS.exec(text)
        ?.slice(1)
        .every(part => Number(part) <= 255) ?? false

/** For `nft --file`: these ports and no others. @throws Fault `invalid` */
export function exposedText(ports: readonly ExposedPort[]): string {
    const wrong = ports.find(
        ({ protocol, port, address }) =>
            !Object.hasOwn(EXPOSED_SETS, protocol) ||
            !Number.isInteger(port) ||
            port < 1 ||
            port > 65535 ||
            !isAddress(address),
    )
    if (wrong || ports.length > MOST)
        throw new Fault('invalid', {
            summary: 'That cannot be opened to other machines',
            detail: wrong ? JSON.stringify(wrong).slice(0, 120) : `${ports.length} ports`,
            fix: `Use ports of TCP and UDP with an IPv4 address each, ${MOST} at most.`,
            at: 'ports',
        })
    const lines = ['# Written by DebVisor for containers that were exposed: a change made here is overwritten.']
    for (const [protocol, set] of Object.entries(EXPOSED_SETS)) {
        lines.push(`flush set inet ${TABLE} ${set}`)
        const own = ports.filter(one => one.protocol === protocol).map(one => `${one.port} . ${one.address}`)
        const elements = [...new Set(own)].sort().join(', ')
        if (elements) lines.push(`add element inet ${TABLE} ${set} { ${elements} }`)
    }
    return `${lines.join('\n')}\n`
}

export const exposedKey = ({ protocol, port, address }: ExposedPort): string => `${protocol} ${port} ${address}`

/** What such a file opens, as `exposedKey` writes it. */
export function exposedIn(text: string | undefined): Set<string> {
    const keys = new Set<string>()
    for (const [protocol, set] of Object.entries(EXPOSED_SETS)) {
        const elements = new RegExp(`^add element inet ${TABLE} ${set} \\{ (.*) \\}$`, 'm').exec(text ?? '')?.[1] ?? ''
        for (const [, port, address] of elements.matchAll(/(\d+) \. ([\d.]+)/g))
            keys.add(exposedKey({ protocol, port: Number(port), address: address! }))
    }
    return keys
}

/** From now on these are open, and no others; also when the rules are loaded anew. @throws Fault */
export async function expose(system: System, ports: readonly ExposedPort[], file = EXPOSED_FILE): Promise<void> {
    const text = exposedText(ports)
    // First the file: who loads the rules meanwhile loads what is wanted.
    await system.writeFile(file, text, 0o644)
    const argv = ['/usr/sbin/nft', '--file', file] as const
    const { exitCode, stderr } = await system.run({ argv: [...argv], deadlineMs: TOOL_MS })
    if (exitCode === 0) return
    throw new Fault('precondition', {
        summary: 'The firewall did not take the ports',
        detail: /No such file/.test(stderr) ? 'the rules that are loaded know of no exposed containers' : '',
        fix: 'Bring the node to its document: debvisor node apply. Then try again.',
    })
}
