// What the guest agent knows of a VM, with short deadlines; DHCP leases where no agent answers.
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { VIR } from '../../drivers/libvirt/libvirt.ts'
import { fromParams } from '../../drivers/libvirt/typed-params.ts'
import type { DomainInterface } from '../../gen/libvirt/protocol.ts'
import {
    type GetGuestResponse,
    GetGuestResponseSchema,
    type GuestFilesystemSchema,
} from '../../gen/proto/capabilities/vm/vm_pb.js'
import type { VmDeps } from './deps.ts'
import type { VmEntry } from './inventory.ts'

type GuestDeps = Pick<VmDeps, 'libvirt'>

// An agent that is there answers in milliseconds; one that hangs must not hold up a page.
const AGENT_MS = 3_000
const AGENT_SECONDS = 3

/** Never throws for an agent that is silent: it then tells what the leases tell. */
export async function readGuest(deps: GuestDeps, entry: VmEntry): Promise<GetGuestResponse> {
    if (!entry.active) return create(GetGuestResponseSchema)
    const facts = entry.agentConnected ? await askAgent(deps, entry) : undefined
    if (facts) return facts
    const leases = await interfaces(deps, entry, VIR.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE).catch(() => [])
    return create(GetGuestResponseSchema, { interfaces: leases.map(found => ({ ...found, source: 'lease' })) })
}

async function askAgent(deps: GuestDeps, entry: VmEntry): Promise<GetGuestResponse | undefined> {
    const connection = deps.libvirt.connection()
    try {
        // The daemon waits for an agent as long as this says, and holds the domain meanwhile.
        await connection.call('domainAgentSetResponseTimeout', { dom: entry.dom, timeout: AGENT_SECONDS, flags: 0 })
        const types =
            VIR.VIR_DOMAIN_GUEST_INFO_OS | VIR.VIR_DOMAIN_GUEST_INFO_HOSTNAME | VIR.VIR_DOMAIN_GUEST_INFO_FILESYSTEM
        const [found, info] = await Promise.all([
            interfaces(deps, entry, VIR.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT),
            connection.callAlone(
                'domainGetGuestInfo',
                { dom: entry.dom, types, flags: 0 },
                { deadlineMs: 2 * AGENT_MS },
            ),
        ])
        const values = fromParams(info.params)
        const text = (key: string) => String(values[key] ?? '')
        return create(GetGuestResponseSchema, {
            agent: true,
            hostname: text('hostname'),
            os: text('os.pretty-name') || text('os.name'),
            interfaces: found.map(one => ({ ...one, source: 'agent' })),
            filesystems: filesystems(values),
        })
    } catch {
        return undefined
    }
}

async function interfaces(deps: GuestDeps, entry: VmEntry, source: number) {
    const { ifaces } = await deps.libvirt
        .connection()
        .callAlone('domainInterfaceAddresses', { dom: entry.dom, source, flags: 0 }, { deadlineMs: 2 * AGENT_MS })
    return ifaces.map((found: DomainInterface) => ({
        name: found.name,
        mac: (found.hwaddr ?? '').toLowerCase(),
        addresses: found.addrs.map(({ addr, prefix }) => (prefix > 0 ? `${addr}/${prefix}` : addr)),
    }))
}

/** `fs.0.mountpoint`, `fs.0.fstype`, … as records. */
export function filesystems(
    values: Record<string, string | number | bigint | boolean>,
): MessageInitShape<typeof GuestFilesystemSchema>[] {
    const count = Math.min(Number(values['fs.count'] ?? 0), 256)
    return Array.from({ length: count }, (_, i) => {
        const value = (name: string) => values[`fs.${i}.${name}`]
        return {
            mountpoint: String(value('mountpoint') ?? ''),
            type: String(value('fstype') ?? ''),
            totalBytes: BigInt(value('total-bytes') ?? 0),
            usedBytes: BigInt(value('used-bytes') ?? 0),
        }
    })
}
