// Memory of a VM that exists: at the next start, by its balloon at once, and plugged in where it was made with room.
import type { Finding } from '../../base/finding.ts'
import { formatBytes } from '../../base/units.ts'
import { type Libvirt, VIR } from '../../drivers/libvirt/libvirt.ts'
import type { UpdateRequest } from '../../gen/proto/capabilities/vm/vm_pb.js'
import type { VmEntry } from './inventory.ts'
import type { Part, Present } from './settings-parts.ts'
import { checkMemory, type HostFacts } from './spec.ts'
import { finding } from './spec-finding.ts'
import { type Element, renderXml } from './xml/document.ts'
import {
    DIMM_STEP_BYTES,
    dimmElement,
    hotplugMemoryBytes,
    numaCells,
    setHotplugMemory,
    setMemory,
} from './xml/edit-memory.ts'
import { readSummary, type Summary } from './xml/read-summary.ts'

const LIVE = VIR.VIR_DOMAIN_AFFECT_LIVE

interface MemoryWanted {
    memoryBytes: number
    maxMemoryBytes: number
    hotplugMemoryBytes: number
}

function memoryWanted(request: UpdateRequest, summary: Summary, domain: Element): MemoryWanted {
    const memoryBytes = Number(request.memoryBytes ?? BigInt(summary.memoryBytes))
    // More memory than the ceiling raises the ceiling with it, unless one is given.
    const maxMemoryBytes = Number(request.maxMemoryBytes ?? BigInt(Math.max(summary.maxMemoryBytes, memoryBytes)))
    const room = hotplugMemoryBytes(domain)
    // A ceiling that has come up to the room leaves none.
    const left = room > maxMemoryBytes ? room : 0
    return { memoryBytes, maxMemoryBytes, hotplugMemoryBytes: Number(request.hotplugMemoryBytes ?? BigInt(left)) }
}

const asks = (request: UpdateRequest): boolean =>
    [request.memoryBytes, request.maxMemoryBytes, request.hotplugMemoryBytes].some(value => value !== undefined)

/** All that is wrong or worth knowing with the memory that an update asks for. */
export function checkMemoryUpdate(request: UpdateRequest, present: Present, host: HostFacts): Finding[] {
    if (!asks(request)) return []
    const { summary, domain, running } = present
    const wanted = memoryWanted(request, summary, domain)
    const found = checkMemory(wanted, host)
    if (numaCells(domain).length > 1)
        found.push(
            finding('error', 'memory-cells', {
                at: 'memory_bytes',
                summary: 'The memory of the VM is divided among NUMA cells',
                detail: `it has ${numaCells(domain).length}, and DebVisor cannot know how to divide it anew`,
                fix: 'Change them with virsh edit, or leave the memory as it is.',
            }),
        )
    if (running && missing(wanted, running) > 0 && canPlug(wanted, running))
        found.push(
            finding('info', 'memory-online', {
                at: 'memory_bytes',
                summary: 'The guest has to take the memory that is plugged in',
                detail: 'Windows does by itself; Linux where its kernel is told to, which Debian’s is not',
                fix: 'In a Linux guest: `chmem --enable` with the size, or memhp_default_state=online at its boot.',
            }),
        )
    else if (running && missing(wanted, running) % DIMM_STEP_BYTES !== 0)
        found.push(
            finding('info', 'memory-step', {
                at: 'memory_bytes',
                summary: 'Memory is plugged in by steps of 128 MiB',
                detail: `${formatBytes(missing(wanted, running))} more than it was started with`,
                fix: 'Raise it by a multiple of 128 MiB where it shall not wait for the next start.',
            }),
        )
    return found
}

/** By how much what is wanted exceeds what the running guest can be given by its balloon. */
function missing(wanted: MemoryWanted, running: Element): number {
    return Math.max(0, wanted.memoryBytes - readSummary(running.toString()).maxMemoryBytes)
}

/** True where what is missing can be plugged into what runs. */
const canPlug = (wanted: MemoryWanted, running: Element): boolean =>
    missing(wanted, running) % DIMM_STEP_BYTES === 0 && wanted.memoryBytes <= hotplugMemoryBytes(running)

/** What an update changes of the memory; undefined where that is nothing. */
export function memoryPart(request: UpdateRequest, present: Present): Part | undefined {
    const { summary, domain, running } = present
    const wanted = memoryWanted(request, summary, domain)
    const { memoryBytes, maxMemoryBytes } = wanted
    const room = wanted.hotplugMemoryBytes !== hotplugMemoryBytes(domain)
    const size = memoryBytes !== summary.memoryBytes || maxMemoryBytes !== summary.maxMemoryBytes
    if (!asks(request) || (!size && !room)) return undefined
    const plugged = running !== undefined && missing(wanted, running) > 0 && canPlug(wanted, running)
    const said = [`Memory: ${formatBytes(memoryBytes)}, at most ${formatBytes(maxMemoryBytes)}`]
    if (plugged) said.push(`${formatBytes(missing(wanted, running))} of it plugged in now`)
    if (room)
        said.push(
            wanted.hotplugMemoryBytes > 0
                ? `with room for ${formatBytes(wanted.hotplugMemoryBytes)}`
                : 'without room for more',
        )
    return {
        sentence: said.join(', '),
        edit: tree => {
            setMemory(tree, memoryBytes, maxMemoryBytes)
            if (room) setHotplugMemory(tree, wanted.hotplugMemoryBytes)
        },
        laterFinding: plugged
            ? room || maxMemoryBytes > memoryBytes
            : maxMemoryBytes !== summary.maxMemoryBytes || room,
        live: size ? (connection, entry) => giveMemory(connection, entry, { memoryBytes, plugged }) : undefined,
    }
}

/** Plugs in what the balloon cannot give, then sets the balloon: it gives and takes below what the guest has. */
async function giveMemory(
    connection: Libvirt,
    entry: VmEntry,
    wanted: { memoryBytes: number; plugged: boolean },
): Promise<void> {
    const { dom } = entry
    let most = entry.maxMemoryBytes
    if (wanted.plugged && wanted.memoryBytes > most) {
        const xml = renderXml(dimmElement(wanted.memoryBytes - most))
        await connection.call('domainAttachDeviceFlags', { dom, xml, flags: VIR.VIR_DOMAIN_DEVICE_MODIFY_LIVE })
        most = wanted.memoryBytes
    }
    const memory = BigInt(Math.ceil(Math.min(wanted.memoryBytes, most) / 1024))
    await connection.call('domainSetMemoryFlags', { dom, memory, flags: LIVE })
}
