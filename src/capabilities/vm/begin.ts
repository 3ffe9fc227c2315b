// From a validated change to the answer of its call: the plan alone for a dry run, else a task that carries it out.
import { create } from '@bufbuild/protobuf'
import { Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import type { Anchor, RunningTask, Tasks } from '../../engine/task.ts'
import { type Begun, BegunSchema } from '../../gen/proto/capabilities/debvisor_pb.js'
import type { Inventory, VmEntry } from './inventory.ts'

export interface PlanStep {
    sentence: string
    /** What dies by it, such as `volume:default/web1.qcow2`. */
    destroys?: string
}

/** A change of one VM that was found possible; nothing of it has happened. */
export interface Change {
    /** Such as `vm.start`. */
    kind: string
    title: string
    plan: PlanStep[]
    findings?: Finding[]
    cancellable?: boolean
    anchor?: Anchor
    /** It only stops something: it is carried out even when its record cannot be written. */
    stops?: boolean
    work(task: RunningTask): Promise<void>
}

export interface BeginOptions {
    tasks: Tasks
    owner: string
    dryRun: boolean
}

/** Begins the change, or only says what it would do. */
export async function begin(entry: VmEntry, change: Change, options: BeginOptions): Promise<Begun> {
    const { kind, title, plan, cancellable, anchor, stops } = change
    const answer = create(BegunSchema, {
        object: entry.uuid,
        plan: plan.map(step => ({ sentence: step.sentence, destroys: step.destroys ?? '' })),
        findings: change.findings ?? [],
    })
    if (options.dryRun) return answer
    const on = { kind: 'vm', id: entry.uuid, name: entry.name }
    const { task } = await options.tasks.begin(
        { kind, title, owner: options.owner, on, cancellable, anchor, stops },
        async running => {
            for (const finding of change.findings ?? [])
                running.say([finding.summary, finding.detail].filter(Boolean).join(': '))
            await change.work(running)
        },
    )
    answer.task = task.id
    return answer
}

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
