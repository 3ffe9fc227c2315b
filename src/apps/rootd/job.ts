// The one apply that runs: it outlives whoever asked for it, and all may watch it from the beginning.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { asFault, Fault, problemOf } from '../../base/fault.ts'
import type { Applied, ApplyEvent as EngineEvent } from '../../engine/apply.ts'
import { isEmpty } from '../../engine/plan.ts'
import { summaryOf } from '../../engine/render.ts'
import { type ApplyEvent, ApplyEventSchema } from '../../gen/proto/capabilities/node/provision_pb.js'
import type { Clock, Log } from '../../ports/ports.ts'
import { saidText } from './words.ts'

/** Words of tools beyond that many are left to the journal. */
const SAID_MOST = 2000

interface Job {
    id: string
    events: ApplyEvent[]
    said: number
    over: boolean
    abort: AbortController
    wake: Set<() => void>
    settled: Promise<void>
}

export interface Jobs {
    /**
     * Answers once the apply has begun, with its id; '' when there was nothing to do.
     * @throws what refuses it before its first step
     */
    begin(
        work: (hooks: { signal: AbortSignal; onEvent(event: EngineEvent): void }) => Promise<Applied>,
    ): Promise<string>
    /** The events of the apply that runs, or ran last in this life; undefined for any other. */
    watch(id: string, after: number, signal: AbortSignal): AsyncIterable<ApplyEvent> | undefined
    cancel(id: string): void
    /** Stops between two steps what runs, and waits for it. */
    close(): Promise<void>
}

export function createJobs(deps: { clock: Clock; log: Log; ended(applied: Applied): void }): Jobs {
    const { clock, log } = deps
    let last: Job | undefined

    const tell = (job: Job, event: Omit<Partial<ApplyEvent>, '$typeName' | 'number' | 'at'>) => {
        if (event.kind === 'said' && ++job.said > SAID_MOST) return
        const number = job.events.length + 1
        job.events.push(create(ApplyEventSchema, { ...event, number, at: timestampFromMs(clock.now()) } as never))
        for (const wake of [...job.wake]) wake()
    }

    async function* watch(job: Job, after: number, signal: AbortSignal): AsyncIterable<ApplyEvent> {
        let at = after
        while (!signal.aborted) {
            while (at < job.events.length) yield job.events[at++]!
            if (job.over) return
            await new Promise<void>(resolve => {
                const wake = () => {
                    job.wake.delete(wake)
                    signal.removeEventListener('abort', wake)
                    resolve()
                }
                job.wake.add(wake)
                signal.addEventListener('abort', wake)
            })
        }
    }

    return {
        async begin(work) {
            if (last && !last.over) {
                throw new Fault('conflict', {
                    summary: 'The node is being changed already',
                    detail: `the apply ${last.id || 'that was just asked for'} runs`,
                    fix: 'Wait for it to end, or cancel it.',
                })
            }
            const job: Job = {
                ...{ id: '', events: [], said: 0, over: false, abort: new AbortController(), wake: new Set() },
                settled: Promise.resolve(),
            }
            const before = last
            last = job
            return new Promise<string>((resolve, reject) => {
                const onEvent = (event: EngineEvent) => {
                    if (event.kind === 'begin') {
                        job.id = event.id
                        log.info('an apply begins', { apply: job.id })
                        resolve(job.id)
                    } else tell(job, eventOf(event))
                }
                const end = (state: string, thrown?: unknown) => {
                    job.over = true
                    const problem = thrown === undefined ? undefined : problemOf(asFault(thrown))
                    // Refused before it began: what ran before it is still what can be watched.
                    if (!job.id && last === job) last = before
                    log.info('an apply ended', {
                        apply: job.id,
                        state,
                        ...(problem ? { problem: problem.summary } : {}),
                    })
                    tell(job, { kind: 'end', state, ...(problem ? { problem: problem as never } : {}) })
                }
                job.settled = work({ signal: job.abort.signal, onEvent }).then(
                    applied => {
                        end(applied.failed.length > 0 || !isEmpty(applied.left) ? 'failed' : 'done')
                        deps.ended(applied)
                        resolve(applied.id)
                    },
                    thrown => {
                        end(asFault(thrown).code === 'cancelled' ? 'cancelled' : 'failed', thrown)
                        reject(thrown)
                    },
                )
            })
        },
        watch: (id, after, signal) => (last && last.id === id && id !== '' ? watch(last, after, signal) : undefined),
        cancel(id) {
            if (!last || last.over || last.id !== id) {
                throw new Fault('precondition', { summary: 'That apply does not run', detail: id, at: 'apply' })
            }
            last.abort.abort(new Fault('cancelled', { summary: 'The apply was cancelled' }))
        },
        async close() {
            last?.abort.abort(new Fault('cancelled', { summary: 'The root service is stopping' }))
            await last?.settled
        },
    }
}

function eventOf(event: Exclude<EngineEvent, { kind: 'begin' }>): Omit<Partial<ApplyEvent>, '$typeName'> {
    switch (event.kind) {
        case 'pass':
            return { kind: 'pass', text: summaryOf(event.plan), step: event.pass }
        case 'said':
            return { kind: 'said', text: saidText(event) }
        case 'skipped':
            return { kind: 'skipped', resource: event.resource, text: event.why }
        case 'step':
            return { kind: 'step', resource: event.resource, text: event.step.say, step: event.at, of: event.of }
        case 'done':
            return { kind: 'done', resource: event.resource, text: event.step.say, tookMs: event.tookMs }
        case 'failed':
            return {
                ...{ kind: 'failed', resource: event.resource, text: event.step.say },
                problem: event.problem as never,
            }
    }
}
