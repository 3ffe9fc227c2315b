// An entry of the inventory as a line of the list, and whether two entries say the same.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { type Vm, VmSchema } from '../../gen/proto/capabilities/vm/vm_pb.js'
import type { VmEntry } from './inventory.ts'

/** The line of the list for a VM. */
export function lineOf(entry: VmEntry): Vm {
    return create(VmSchema, {
        uuid: entry.uuid,
        name: entry.name,
        state: entry.state,
        reason: entry.reason,
        memoryBytes: BigInt(entry.memoryBytes),
        maxMemoryBytes: BigInt(entry.maxMemoryBytes),
        vcpus: entry.vcpus,
        maxVcpus: entry.maxVcpus,
        description: entry.description,
        tags: [...entry.tags],
        autostart: entry.autostart || entry.ordered,
        template: entry.template,
        persistent: entry.persistent,
        firmware: entry.firmware,
        started: entry.startedMs === undefined ? undefined : timestampFromMs(entry.startedMs),
        pending: entry.pending,
        networks: [...entry.networks],
        cpu: entry.cpu,
        owner: entry.owner,
        changes: entry.changes,
    })
}

/** True for equal texts in equal order. */
export const sameTexts = (a: readonly string[], b: readonly string[]): boolean =>
    a === b || (a.length === b.length && a.every((text, i) => text === b[i]))

/** True where two entries of a VM say the same. */
export function sameEntry(a: VmEntry, b: VmEntry): boolean {
    for (const key of Object.keys(b) as (keyof VmEntry)[]) {
        const [was, is] = [a[key], b[key]]
        if (was === is) continue
        if (key === 'dom') {
            if (a.dom.id !== b.dom.id || a.dom.name !== b.dom.name) return false
        } else if (!Array.isArray(was) || !Array.isArray(is) || !sameTexts(was, is)) return false
    }
    return true
}
