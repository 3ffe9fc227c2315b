// Containers whose published ports somebody opened to other machines: remembered by id, and carried out by the firewall.
import { asFault, Fault, type FaultCode } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import type { Clock, Log, System } from '../../ports/ports.ts'
import { type Change, onContainer } from './begin.ts'
import type { ContainerEntry } from './entry.ts'
import type { Inventory } from './inventory.ts'

/** A port of the node that is open, and the container behind it. */
export interface ExposedPort {
    protocol: string
    port: number
    address: string
}

export interface Reach {
    /** For people: who can reach it. */
    words: string
    open: boolean
}

/** Who reaches a published port, as the firewall is now. */
export type ReachOf = (
    port: { host: number; protocol: string; address: string } & Pick<ContainerEntry, 'addresses' | 'bridges'>,
) => Reach

/** The firewall of the node, as far as containers ask it. */
export interface Gate {
    /** There is one; otherwise everything is open anyway. */
    present(): Promise<boolean>
    /** Has these ports open, and no others. @throws Fault */
    expose(ports: readonly ExposedPort[]): Promise<void>
    reach(): Promise<ReachOf>
}

export interface Exposures {
    has(id: string): boolean
    /** Resolves when the firewall has it so; what could not be opened is not remembered. @throws Fault */
    set(entry: Pick<ContainerEntry, 'id' | 'name'>, lan: boolean): Promise<void>
    findings(): Finding[]
    /** Follows the containers: whose address changes, who is gone. */
    start(): void
    close(): void
}

interface Deps {
    inventory: Inventory
    gate: Gate
    system: Pick<System, 'readText' | 'writeFile'>
    clock: Clock
    log: Log
    /** File of the daemon's own state. */
    path: string
}

const AGAIN_MS = 15_000
const PROTOCOLS = ['tcp', 'udp']

/** Ports that could be reached from elsewhere: the node listens for others, over IPv4. */
export const outwardPorts = ({ line }: Pick<ContainerEntry, 'line'>) =>
    line.ports.filter(
        ({ address, protocol }) =>
            address !== '' && !address.startsWith('127.') && !address.includes(':') && PROTOCOLS.includes(protocol),
    )

const elementsOf = (entry: ContainerEntry): ExposedPort[] =>
    entry.running
        ? outwardPorts(entry).flatMap(({ host: port, protocol }) =>
              port > 0 ? entry.addresses.map(address => ({ protocol, port, address })) : [],
          )
        : []

export function createExposures({ inventory, gate, system, clock, log, path }: Deps): Exposures {
    let names = new Map<string, string>()
    /** What the firewall was told last; undefined: it is not known. */
    let told: string | undefined
    let trouble: Finding | undefined
    let again = () => {}
    const ending = new AbortController()
    const loaded = (async () => {
        const text = await system.readText(path)
        try {
            names = new Map(JSON.parse(text ?? '[]') as [string, string][])
        } catch {
            // Closed is the safe side: who opened something sees it closed.
            log.error('the list of exposed containers cannot be read: all are closed', { path })
        }
    })()
    const keep = () => system.writeFile(path, `${JSON.stringify([...names])}\n`, 0o600)

    /** One at a time: an older wish never comes after a newer one. */
    let turn: Promise<unknown> = Promise.resolve()
    function settle(): Promise<void> {
        const mine = turn.then(carryOut)
        turn = mine.catch(() => undefined)
        return mine
    }

    async function carryOut(): Promise<void> {
        await loaded
        if (inventory.stale && told === undefined) throw notYet
        // While Docker is away nothing is known of who is gone.
        const gone = inventory.stale ? [] : [...names.keys()].filter(id => !inventory.byId(id))
        if (gone.length > 0) {
            for (const id of gone) names.delete(id)
            await keep()
        }
        const present = await gate.present()
        const ports = [...names.keys()].flatMap(id => {
            const entry = inventory.byId(id)
            return entry ? elementsOf(entry) : []
        })
        const wanted = JSON.stringify([present, ports])
        if (wanted === told) return
        if (present) await gate.expose(ports)
        told = wanted
        trouble = undefined
    }

    /** As `settle`, for nobody who waits: tried again until it is so. */
    function follow(): void {
        settle().catch(thrown => {
            if (thrown === notYet) return
            const { code, summary, detail, fix } = asFault(thrown)
            if (trouble?.detail !== detail) log.warn('ports of containers could not be opened or closed', { detail })
            trouble = findingOf(code, `${summary}${detail ? `: ${detail}` : ''}`, fix)
            again()
            if (!ending.signal.aborted) again = clock.after(AGAIN_MS, follow)
        })
    }

    return {
        has: id => names.has(id),
        async set({ id, name }, lan) {
            await loaded
            if (names.has(id) === lan) return settle()
            if (lan) names.set(id, name)
            else names.delete(id)
            await keep()
            try {
                await settle()
            } catch (thrown) {
                if (lan) {
                    names.delete(id)
                    await keep()
                }
                follow()
                throw thrown
            }
            inventory.note([id])
        },
        findings: () => (trouble ? [trouble] : []),
        start() {
            void (async () => {
                for await (const _change of inventory.watch(ending.signal)) follow()
            })().catch(thrown => log.error('the exposed containers are not followed any more', { err: thrown }))
        },
        close() {
            ending.abort()
            again()
        },
    }
}

const notYet = new Fault('unavailable', {
    summary: 'Docker does not answer, and its containers are not known yet',
    fix: 'Look at: debvisor container engine',
})

const findingOf = (code: FaultCode, detail: string, fix: string): Finding => ({
    ...{ severity: 'error', code: `expose-${code}`, at: 'firewall', detail, fix },
    summary: 'Ports of containers could not be opened or closed to other machines',
})

/** @throws Fault `precondition` where nothing of it can be opened, or where a stack has the say */
export async function planExpose(
    { exposures, gate, isManaged }: { exposures: Exposures; gate: Gate; isManaged(stack: string): boolean },
    entry: ContainerEntry,
    lan: boolean,
): Promise<Change> {
    const { name, line } = entry
    if (lan || isManaged(line.stack)) checkExpose(entry, { managed: isManaged(line.stack) })
    const ports = [...new Set(outwardPorts(entry).map(({ host, protocol }) => `${host || 'a free port'}/${protocol}`))]
    const title = lan ? `Open the ports of ${name} to other machines` : `Close the ports of ${name} to other machines`
    const sentence = lan
        ? `Let other machines reach ${ports.join(', ')} of ${name}: those that firewall.stacks in node.yaml names`
        : `Close ${ports.join(', ')} of ${name} to other machines, but for whom the document itself lets in`
    return {
        ...{ kind: 'container.expose', title, on: onContainer(entry) },
        plan: exposures.has(entry.id) === lan ? [] : [{ sentence }],
        findings: (await gate.present()) ? (lan ? [] : openStill(entry, await gate.reach())) : [noFirewall],
        work: () => exposures.set(entry, lan),
    }
}

/** What stays open when the container itself is closed: by the document, or by a network of a stack that it is on. */
function openStill(entry: ContainerEntry, reachOf: ReachOf): Finding[] {
    const open = outwardPorts(entry).flatMap(({ host, protocol, address }) => {
        const reach = reachOf({ host, protocol, address, addresses: [], bridges: entry.bridges })
        return reach.open ? [`${host}/${protocol}: ${reach.words}`] : []
    })
    if (open.length === 0) return []
    return [
        {
            ...{ severity: 'warning', code: 'open-still', at: 'firewall', detail: open.join('; ') },
            summary: 'These ports stay open for another reason',
            fix: "Take the port out of firewall.open in node.yaml, or the container off the stack's network.",
        },
    ]
}

const noFirewall: Finding = {
    ...{ severity: 'warning', code: 'no-firewall', at: 'firewall', detail: '' },
    summary: 'This node has no firewall of its own: everybody reaches these ports, whatever is said here',
    fix: 'Turn it on in node.yaml: firewall.',
}

/** @throws Fault `precondition` where it has no port that could be opened, or a stack has the say */
function checkExpose(entry: ContainerEntry, { managed }: { managed: boolean }): void {
    const refuse = (summary: string, fix: string) =>
        new Fault('precondition', { summary, detail: entry.name, fix, at: 'container' })
    const { stack, service, ports } = entry.line
    if (managed)
        throw refuse(
            'The container belongs to a stack, whose file says who reaches its ports',
            `Use: debvisor stack expose ${stack} ${service}`,
        )
    const published = ports.filter(({ address }) => address !== '')
    if (published.length === 0)
        throw refuse('The container publishes no port', 'Make it anew with one: --publish lan:8080:80')
    if (outwardPorts(entry).length > 0) return
    const { host, container } = published[0]!
    throw refuse(
        'Its ports are published to this node only, and Docker cannot change that any more',
        `Make it anew with --publish lan:${host || container}:${container}. What is in its volumes stays.`,
    )
}
