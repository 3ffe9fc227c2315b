// The usual life of a verb that changes something: plan, consent where data dies, the call, the task followed to its end.
import { Code, ConnectError } from '@connectrpc/connect'
import { Fault } from '../base/fault.ts'
import type { Begun } from '../gen/proto/capabilities/debvisor_pb.js'
import { BegunSchema } from '../gen/proto/capabilities/debvisor_pb.js'
import type { VerbContext, View } from './verb.ts'

export interface Change {
    /** The call; with `dryRun` it answers the plan only. */
    call(dryRun: boolean): Promise<Begun>
    /** What has to be typed before data dies: the name of what is lost. Absent: nothing can die by this verb. */
    consent?: string
    /** Asked where nothing dies but somebody would mind, such as pulling a plug. */
    question?: string
    /** What to tell when it is done, where the end of its task does not say all. */
    done?(begun: Begun): string
}

/** With --dry-run and --check shows the plan; else asks what has to be asked, begins, follows, and says what is done. */
export async function carryOut(context: VerbContext, change: Change): Promise<View> {
    if (context.dryRun) return planView(context, await change.call(true))
    let isShown = false
    if (change.consent !== undefined) {
        const preview = await change.call(true)
        const lost = lostBy(preview)
        if (lost.length > 0) {
            context.show(planView(context, preview))
            isShown = true
            await context.confirm(`This destroys ${lost.join(', ')}.`, change.consent)
            await checkStill(change, lost)
        } else if (change.question) await context.confirm(change.question)
    } else if (change.question) await context.confirm(change.question)
    const begun = await change.call(false)
    const ended = begun.task === '' || (await context.follow(begun.task))
    // What was read before the consent is not said again.
    if (!ended || !change.done) return { ...planView(context, begun), ...(isShown ? { findings: [] } : {}) }
    return { kind: 'text', text: `${change.done(begun)}\n`, json: context.json(BegunSchema, begun) }
}

export interface AtOnce {
    /** What would be done; undefined: it is so already. */
    sentence: string | undefined
    destroys?: string
    /** Asked before it is done. */
    question?: string
    /** What has to be typed as the answer. */
    typed?: string
    work(): Promise<View>
}

/** The same for what is no task and whose whole plan is one sentence; without a sentence there is nothing to do. */
export async function carryOutAtOnce(context: VerbContext, change: AtOnce): Promise<View> {
    const { sentence, destroys = '' } = change
    if (context.dryRun) {
        const plan = sentence === undefined ? [] : [{ sentence, destroys }]
        const sentences = plan.map(step => ({ text: step.sentence, destroys }))
        return { kind: 'plan', sentences, findings: [], json: { plan } }
    }
    if (sentence === undefined) return said('Nothing to do.')
    if (change.question) await context.confirm(change.question, change.typed)
    return change.work()
}

/**
 * What is looked up before a change. Who may change it and not look at it goes without: the node checks all the same.
 * A plan has to be seen, so there the refusal stands.
 */
export async function lookedUp<T>(context: VerbContext, look: () => Promise<T>): Promise<T | undefined> {
    try {
        return await look()
    } catch (thrown) {
        const denied = thrown instanceof ConnectError && thrown.code === Code.PermissionDenied
        if (denied && !context.dryRun) return undefined
        throw thrown
    }
}

/** A sentence that says what is done. */
export const said = (text: string): View => ({ kind: 'text', text, json: { done: text } })

const lostBy = (begun: Begun): string[] => begun.plan.map(step => step.destroys).filter(destroys => destroys !== '')

/** While a person thinks, others go on: what was agreed to is what was shown. @throws Fault `conflict` */
async function checkStill(change: Change, agreed: readonly string[]): Promise<void> {
    const now = lostBy(await change.call(true))
    if (now.length === agreed.length && now.every((destroys, i) => destroys === agreed[i])) return
    throw new Fault('conflict', {
        summary: 'It would destroy something else by now than what was agreed to',
        detail: `agreed to ${agreed.join(', ')}; now it is ${now.join(', ') || 'nothing'}`,
        fix: 'Nothing was changed. Run it again, and read the new plan.',
    })
}

export const planView = (context: VerbContext, begun: Begun): View => ({
    kind: 'plan',
    sentences: begun.plan.map(step => ({ text: step.sentence, destroys: step.destroys })),
    findings: begun.findings,
    json: context.json(BegunSchema, begun),
})
