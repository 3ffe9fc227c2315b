// What libvirt says of VMs, as the parts of inventory entries: states of all at once, and one VM's definitions.
import { createHash } from 'node:crypto'
import { type DomainRef, type Libvirt, uuidFromBytes, VIR } from '../../drivers/libvirt/libvirt.ts'
import { readRecord } from './states.ts'
import { pendingChanges, type Summary } from './xml/read-summary.ts'

export const NOWAIT = VIR.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT

/** The revision of a definition: 16 hexadecimal digits. */
export const revisionOf = (inactiveXml: string): string =>
    createHash('sha256').update(inactiveXml).digest('hex').slice(0, 16)

/** What is known beforehand of a VM that is read, from the bulk calls. */
export interface Known {
    state: number
    reason: number
    autostart: boolean
    persistent: boolean
}

/** State, autostart and permanence of all VMs, in four calls however many there are. */
export async function readStates(connection: Libvirt): Promise<Map<string, { dom: DomainRef; known: Known }>> {
    const list = async (flags: number) => {
        const { domains } = await connection.call('connectListAllDomains', { need_results: 1, flags })
        return domains
    }
    const autostart = new Set((await list(VIR.VIR_CONNECT_LIST_DOMAINS_AUTOSTART)).map(d => uuidFromBytes(d.uuid)))
    const transient = new Set((await list(VIR.VIR_CONNECT_LIST_DOMAINS_TRANSIENT)).map(d => uuidFromBytes(d.uuid)))
    const { retStats } = await connection.call('connectGetAllDomainStats', {
        doms: [],
        stats: VIR.VIR_DOMAIN_STATS_STATE,
        flags: NOWAIT,
    })
    return new Map(
        retStats.map(record => {
            const uuid = uuidFromBytes(record.dom.uuid)
            const { state, reason } = readRecord(record)
            const known = { state, reason, autostart: autostart.has(uuid), persistent: !transient.has(uuid) }
            return [uuid, { dom: record.dom, known }]
        }),
    )
}

/** What of an entry comes from its definitions. */
export function entryOf(next: Summary, now: Summary | undefined) {
    const { metadata } = next
    const shown = now ?? next
    const both = (a: string[], b: string[] = []) => (b.length === 0 ? a : [...new Set([...a, ...b])])
    return {
        memoryBytes: shown.memoryBytes,
        maxMemoryBytes: shown.maxMemoryBytes,
        vcpus: shown.vcpus,
        maxVcpus: shown.maxVcpus,
        firmware: next.firmware,
        description: next.description,
        tags: metadata.tags,
        owner: metadata.owner,
        template: metadata.template,
        startOrder: metadata.startOrder,
        startDelaySeconds: metadata.startDelaySeconds,
        ordered: metadata.ordered,
        seed: metadata.seed,
        networks: both(next.networks, now?.networks),
        macs: both(next.macs, now?.macs),
        paths: both(next.paths, now?.paths),
        disks: both(next.disks, now?.disks),
        pending: now !== undefined && pendingChanges(now, next).length > 0,
        agentConnected: now?.agentConnected ?? false,
    }
}
