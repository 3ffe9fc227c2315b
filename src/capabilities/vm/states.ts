// libvirt's numbers for states and reasons, as this API's states and libvirt's own words.

import { VIR } from '../../gen/libvirt/constants.ts'
import type { DomainStatsRecord } from '../../gen/libvirt/protocol.ts'
import { State } from '../../gen/proto/capabilities/vm/vm_pb.js'

const STATES: Record<number, State> = {
    [VIR.VIR_DOMAIN_RUNNING]: State.RUNNING,
    [VIR.VIR_DOMAIN_BLOCKED]: State.RUNNING,
    [VIR.VIR_DOMAIN_PAUSED]: State.PAUSED,
    [VIR.VIR_DOMAIN_SHUTDOWN]: State.SHUTTING_DOWN,
    [VIR.VIR_DOMAIN_SHUTOFF]: State.STOPPED,
    [VIR.VIR_DOMAIN_CRASHED]: State.CRASHED,
    [VIR.VIR_DOMAIN_PMSUSPENDED]: State.SLEEPING,
}

export const stateOf = (libvirtState: number): State => STATES[libvirtState] ?? State.STATE_UNSPECIFIED

const PREFIXES: Record<number, string> = {
    [VIR.VIR_DOMAIN_RUNNING]: 'VIR_DOMAIN_RUNNING_',
    [VIR.VIR_DOMAIN_PAUSED]: 'VIR_DOMAIN_PAUSED_',
    [VIR.VIR_DOMAIN_SHUTDOWN]: 'VIR_DOMAIN_SHUTDOWN_',
    [VIR.VIR_DOMAIN_SHUTOFF]: 'VIR_DOMAIN_SHUTOFF_',
    [VIR.VIR_DOMAIN_CRASHED]: 'VIR_DOMAIN_CRASHED_',
    [VIR.VIR_DOMAIN_PMSUSPENDED]: 'VIR_DOMAIN_PMSUSPENDED_',
}

// Flags of calls that share the prefix of a state's reasons.
const NO_REASON = /_(LAST|DEFAULT|ACPI_POWER_BTN|GUEST_AGENT|INITCTL|SIGNAL|PARAVIRT)$/

const REASONS = new Map<string, string>()
for (const [state, prefix] of Object.entries(PREFIXES)) {
    for (const [name, value] of Object.entries(VIR)) {
        if (!name.startsWith(prefix) || NO_REASON.test(name)) continue
        REASONS.set(`${state}:${value}`, name.slice(prefix.length).toLowerCase().replaceAll('_', ' '))
    }
}

/** libvirt's word for why a domain is in its state: booted, shutdown, from snapshot, … */
export const reasonOf = (libvirtState: number, reason: number): string =>
    REASONS.get(`${libvirtState}:${reason}`) ?? 'unknown'

/** State and reason of a record of `connectGetAllDomainStats`. */
export function readRecord(record: DomainStatsRecord): { state: number; reason: number } {
    let state = 0
    let reason = 0
    for (const { field, value } of record.params) {
        if (field === VIR.VIR_DOMAIN_STATS_STATE_STATE) state = Number(value.value)
        else if (field === VIR.VIR_DOMAIN_STATS_STATE_REASON) reason = Number(value.value)
    }
    return { state, reason }
}
