// The document of this machine over the API: what rootd does is asked of it, and an apply of it is followed as a task.
import { type Client, Code, ConnectError, type ConnectRouter, type HandlerContext } from '@connectrpc/connect'
import { Fault, type FaultCode } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import { type Anchor, DAEMON_STOPS, type RunningTask, type Tasks } from '../../engine/task.ts'
import type { RootdService } from '../../gen/proto/apps/rootd/rootd_pb.js'
import { type ApplyEvent, ProvisionService } from '../../gen/proto/capabilities/node/provision_pb.js'
import type { Clock, Log } from '../../ports/ports.ts'
import { type Caller, callerOf } from '../caller.ts'
import type { Capability } from '../capability.ts'
import { faultOfProblem, sentFault } from '../problem.ts'

/** The root service of the node: handed in, as the way to it is the app's. */
export type RootService = Client<typeof RootdService>

export interface ConfigureDeps {
    root: RootService
    /** Where it is looked for, for people. */
    rootPath: string
    tasks: Tasks
    clock: Clock
    log: Log
    hostname: string
    /** The one-time password of a person was taken: it is no good for a login any more. */
    spend(user: string, code: string): void
    /** Root's service has confirmed who they are: that counts for what this daemon does, too. */
    adoptConfirmation(caller: Caller, token: string): void
}

/** Kind of the task and of its anchor: the apply lives in rootd, whatever becomes of this daemon. */
const APPLY = 'node.apply'
const ROLLBACK = 'node.rollback'
const RETRY_MS = 1_000
/** So long a rootd that is started again may take to come back. */
const AWAY_MS = 60_000

const NOTHING: Finding = {
    severity: 'info',
    code: 'nothing-to-do',
    at: '',
    summary: 'There was nothing to do',
    detail: 'the node is what the document says',
    fix: '',
}

export function createConfigure(deps: ConfigureDeps): Capability {
    const { root, tasks, clock, log } = deps
    const askedBy = (context: HandlerContext) => {
        const { user, from, viaId } = callerOf(context)
        return { user, from, viaId }
    }
    /** A call of rootd, whose troubles become Faults of ours. */
    async function ask<T>(call: Promise<T>): Promise<T> {
        try {
            return await call
        } catch (thrown) {
            throw rootFault(thrown, deps.rootPath)
        }
    }

    async function begin(kind: string, title: string, owner: string, apply: string) {
        if (apply === '') return { findings: [NOTHING] }
        const { task } = await tasks.begin(
            {
                ...{ kind, title, owner, cancellable: true },
                on: { kind: 'node', id: '', name: deps.hostname },
                anchor: { kind: APPLY, apply },
            },
            running => follow(apply, running),
        )
        return { task: task.id, object: apply }
    }

    /** Until the apply has ended, through restarts of rootd. @throws what it ended with */
    async function follow(apply: string, task: RunningTask): Promise<void> {
        const quit = new AbortController()
        const onAbort = () => {
            // The daemon ends, and the apply goes on: the next life of the daemon follows it again.
            if ((task.signal.reason as Fault | undefined)?.summary === DAEMON_STOPS) return quit.abort()
            root.cancelApply({ apply }).catch(thrown => log.warn('An apply could not be cancelled', { err: thrown }))
        }
        if (task.signal.aborted) onAbort()
        task.signal.addEventListener('abort', onAbort)
        let after = 0
        let awayTicks: number | undefined
        let end: ApplyEvent | undefined
        try {
            while (!quit.signal.aborted && !end) {
                try {
                    for await (const { event } of root.watchApply({ apply, after }, { signal: quit.signal })) {
                        if (!event) continue
                        awayTicks = undefined
                        after = Math.max(after, event.number)
                        if (event.kind === 'end') end = event
                        else tell(event, task)
                    }
                } catch (thrown) {
                    // The connection broke: the apply does not care, and is found again.
                    const sent = sentFault(thrown)
                    if (sent) throw sent
                }
                if (end) return ended(end, task)
                awayTicks ??= clock.ticks()
                if (clock.ticks() - awayTicks > AWAY_MS) throw lost()
                await new Promise<void>(resolve => clock.after(RETRY_MS, resolve))
            }
            throw new Fault('cancelled', { summary: DAEMON_STOPS })
        } finally {
            task.signal.removeEventListener('abort', onAbort)
        }
    }
    tasks.onAnchor(APPLY, (anchor: Anchor, task) => follow(String(anchor.apply), task))

    return {
        name: 'configure',
        services: (router: ConnectRouter) =>
            router.service(ProvisionService, {
                getDocument: request => ask(root.getDocument(request)),
                draftDocument: request => ask(root.draftDocument(request)),
                getSchema: request => ask(root.getSchema(request)),
                checkDocument: request => ask(root.checkDocument(request)),
                plan: (request, { signal }) => ask(root.plan(request, { signal })),
                async confirm({ password, oneTimePassword }, context) {
                    const person = askedBy(context)
                    const answer = await ask(root.confirm({ person, password, oneTimePassword }))
                    if (oneTimePassword !== '') deps.spend(person.user, oneTimePassword)
                    deps.adoptConfirmation(callerOf(context), answer.confirmationToken)
                    return answer
                },
                async apply(wish, context) {
                    const { apply } = await ask(root.apply({ person: askedBy(context), wish }))
                    return begin(APPLY, 'Make the node what its document says', callerOf(context).user, apply)
                },
                async *watchApply(request, { signal }) {
                    try {
                        yield* root.watchApply(request, { signal })
                    } catch (thrown) {
                        throw rootFault(thrown, deps.rootPath)
                    }
                },
                verify: (request, { signal }) => ask(root.verify(request, { signal })),
                getStatus: request => ask(root.getStatus(request)),
                listApplies: request => ask(root.listApplies(request)),
                getApply: request => ask(root.getApply(request)),
                planRollback: (request, { signal }) => ask(root.planRollback(request, { signal })),
                async rollback(wish, context) {
                    const { apply } = await ask(root.rollback({ person: askedBy(context), wish }))
                    return begin(ROLLBACK, 'Take back what an apply did', callerOf(context).user, apply)
                },
            }),
    }
}

function tell(event: ApplyEvent, task: RunningTask): void {
    const { kind, text, step, of, tookMs, problem } = event
    if (kind === 'pass' && step > 1) task.say(`Pass ${step}: ${text}`)
    if (kind === 'step') task.progress(of > 0 ? (step - 1) / of : -1, text)
    if (kind === 'done') task.say(`${text}: done${tookMs > 1000 ? ` (${Math.round(tookMs / 1000)} s)` : ''}`)
    if (kind === 'failed')
        task.say(`${text}: FAILED: ${[problem?.summary, problem?.detail].filter(Boolean).join(': ')}`)
    if (kind === 'skipped') task.say(`Left out: ${event.resource}, for ${text}`)
}

/** @throws the Fault of an end that is not good */
function ended({ state, problem }: ApplyEvent, task: RunningTask): void {
    task.say(`It ended: ${state}`)
    if (state === 'done') return
    if (problem) throw faultOfProblem(problem)
    if (state === 'cancelled') throw new Fault('cancelled', { summary: 'The apply was cancelled' })
    if (state === 'interrupted') {
        throw new Fault('unknown', {
            summary: 'The root service ended while it changed the node',
            detail: 'the step that it was at may or may not have taken effect',
            fix: 'Nothing is half made that cannot be finished: read the plan anew, and apply again.',
        })
    }
    throw new Fault('precondition', {
        summary: 'Not all of the document could be carried out',
        detail: 'what was done stays',
        fix: 'Read in the log of this task what failed, mend the cause, then apply again.',
    })
}

const lost = () =>
    new Fault('unknown', {
        summary: 'The root service of the node is away, and how the apply went on is not known',
        fix: 'Look at it (systemctl status debvisor-rootd), then at the history of applies.',
    })

const AWAY: ReadonlySet<Code> = new Set([Code.Unavailable, Code.Unknown, Code.Internal, Code.Aborted])

/** What rootd said; or, where it said nothing, that it is not there and what to do about that. */
export function rootFault(thrown: unknown, path: string): unknown {
    const sent = sentFault(thrown)
    // Its callers are logged in here: what it does not know is no matter of a login.
    if (sent) return sent.code === 'unauthenticated' ? new Fault('denied' satisfies FaultCode, sent) : sent
    if (!(thrown instanceof ConnectError) || !AWAY.has(thrown.code)) return thrown
    return new Fault('unavailable', {
        summary: 'The root service of this node does not run',
        detail: `nobody answers at ${path}`,
        fix: 'On a node: systemctl start debvisor-rootd.socket. Without systemd ("make run") there is none; there use the command line as root: debvisor node plan',
        cause: thrown,
    })
}
