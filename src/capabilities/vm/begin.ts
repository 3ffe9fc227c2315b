// Changes of one VM: the plan alone for a dry run, else a task; and the refusals that many of them share.
import { Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import type { Begun } from '../../gen/proto/capabilities/debvisor_pb.js'
import { type BeginOptions, beginChange, type Change } from '../begin.ts'
import type { Inventory, VmEntry } from './inventory.ts'

export type { BeginOptions, Change, PlanStep } from '../begin.ts'

export const begin = ({ uuid, name }: VmEntry, change: Change, options: BeginOptions): Promise<Begun> =>
    beginChange({ kind: 'vm', id: uuid, name }, change, options)

/** The refusal of a state that does not allow what was asked. */
export const notNow = (entry: VmEntry, summary: string, fix: string): Fault =>
    new Fault('precondition', { summary, detail: entry.name, fix, at: 'vm' })

/** What a running VM takes only when it starts again. */
export const nextStart = (entry: VmEntry, what: string): Finding => ({
    severity: 'info',
    code: 'next-start',
    at: what,
    summary: 'It takes effect at the next start',
    detail: `${what} of ${entry.name}`,
    fix: 'Shut the VM down and start it: a reboot from inside does not do.',
})

/** The VM as it is now: what was planned of it may be a while ago. @throws Fault `not-found` */
export const entryNow = async (deps: { inventory: Inventory }, { uuid }: Pick<VmEntry, 'uuid'>): Promise<VmEntry> =>
    (await deps.inventory.refresh(uuid)) ?? deps.inventory.resolve(uuid)

/** What only a persistent domain allows. @throws Fault `precondition` */
export function needPersistent(entry: VmEntry): void {
    if (entry.persistent) return
    throw notNow(
        entry,
        'The VM has no definition that stays',
        'It was started without being defined (virsh create): define it first, with virsh dumpxml and virsh define.',
    )
}
