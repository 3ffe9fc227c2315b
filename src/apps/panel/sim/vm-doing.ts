// What every change of a simulated machine is: a plan, or a task that does it.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code, type HandlerContext } from '@connectrpc/connect'
import { type Begun, BegunSchema } from '../../../gen/proto/capabilities/debvisor_pb.js'
import { State, type Vm } from '../../../gen/proto/capabilities/vm/vm_pb.js'
import { notFound, refuse, userOf } from './access.ts'
import type { SimVm, World } from './world.ts'

/** `destroys` as the real node writes it: `volume:pool/name`, `vm:name`, … */
interface Step {
    sentence: string
    destroys: string
}

export interface Doing {
    kind: string
    title: string
    sentence: string | (string | Step)[]
    dryRun: boolean
    durationMs?: number
    finding?: string
    effect: () => { summary: string; detail?: string; fix?: string } | undefined
}

/** The parts that the methods of the machines' service share. */
export function vmDoing(world: World) {
    const need = (ref: string): SimVm => world.find(ref) ?? notFound('virtual machine', ref)
    const line = (one: SimVm): Vm => one.detail.vm!

    const fresh = (one: SimVm, revision: string): void => {
        if (revision !== '' && revision !== one.detail.revision)
            refuse(Code.Aborted, {
                code: 'conflict',
                summary: 'Someone else changed it meanwhile',
                detail: line(one).name,
                fix: 'Load it again and repeat your change.',
            })
    }

    function doing(one: SimVm | undefined, context: HandlerContext, what: Doing): Begun {
        const plan = [what.sentence]
            .flat()
            .map(step => (typeof step === 'string' ? { sentence: step, destroys: '' } : step))
        const findings = what.finding
            ? [{ severity: 'info', code: 'next-start', at: '', summary: what.finding, detail: '', fix: '' }]
            : []
        const object = one ? line(one).uuid : ''
        if (what.dryRun) return create(BegunSchema, { plan, object, findings })
        const owner = userOf(context)
        const vm = one && line(one)
        world.record({ who: owner, what: what.kind, onId: object, onName: vm?.name ?? '' })
        const task = world.begin({
            kind: what.kind,
            title: what.title,
            owner,
            on: vm && { kind: 'vm', id: vm.uuid, name: vm.name },
            durationMs: what.durationMs,
            log: plan.map(step => step.sentence),
            effect: () => {
                const problem = what.effect()
                if (one) world.touch(one)
                return problem
            },
        })
        return create(BegunSchema, { task: task.id, plan, object, findings })
    }

    const on = (one: SimVm): boolean =>
        [State.RUNNING, State.PAUSED, State.SHUTTING_DOWN, State.SLEEPING].includes(line(one).state)
    const become = (one: SimVm, state: State): void => {
        const vm = line(one)
        if (!on(one) && state === State.RUNNING) vm.started = timestampFromMs(Date.now())
        vm.state = state
        vm.cpu = state === State.RUNNING ? 0.2 : 0
        if (state === State.STOPPED) {
            vm.started = undefined
            vm.pending = false
            one.detail.pendingChanges = []
        }
    }
    return { need, line, fresh, doing, on, become }
}
