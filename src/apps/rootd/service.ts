// The verbs of debvisor-rootd: typed, few, and none of them is handed steps; what is applied was planned here.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { ConnectRouter, Interceptor } from '@connectrpc/connect'
import { asFault, Fault, problemOf } from '../../base/fault.ts'
import type { ExposedPort } from '../../capabilities/firewall/exposed.ts'
import { connectError } from '../../capabilities/problem.ts'
import { consentsTo } from '../../engine/consent.ts'
import { isEmpty, type Plan } from '../../engine/plan.ts'
import { DOCUMENT, type Provision, planHash } from '../../engine/provision.ts'
import { driftLines } from '../../engine/render.ts'
import { RootdService } from '../../gen/proto/apps/rootd/rootd_pb.js'
import { type Verified, VerifiedSchema } from '../../gen/proto/capabilities/node/provision_pb.js'
import type { Log } from '../../ports/ports.ts'
import type { Confirmations, Person } from './confirm.ts'
import { type InspectDeps, inspectMethods } from './inspect.ts'
import { createJobs } from './job.ts'
import type { Shells } from './shell.ts'
import { eventsOf, planMessage, problemMessage, recordMessage } from './words.ts'

export interface RootdDeps extends InspectDeps {
    provision: Provision<unknown>
    confirmations: Confirmations
    shells: Pick<Shells, 'issue' | 'resize'>
    /** Has these ports of containers open, and no others. */
    expose(ports: readonly ExposedPort[]): Promise<void>
    /** A document for this machine. */
    draft(profile: string): Promise<string>
    schema: object
    titles: Readonly<Record<string, string>>
    log: Log
}

const PROFILES = ['ceph', 'zfs', 'mixed']

export function createRootd(deps: RootdDeps): { routes(router: ConnectRouter): void; close(): Promise<void> } {
    const { provision, confirmations, shells, titles, clock, log } = deps
    let verified: Verified | undefined
    const jobs = createJobs({
        ...{ clock, log },
        // The last look of an apply is a look like any other.
        ended: ({ left }) => {
            verified = verifiedOf(left)
        },
    })

    const verifiedOf = (plan: Plan): Verified =>
        create(VerifiedSchema, {
            at: timestampFromMs(clock.now()),
            converged: isEmpty(plan),
            drift: driftLines(plan).slice(0, 500),
            findings: [...plan.errors, ...plan.findings],
        })

    /** A look costs a machine some work: one at a time, so that many askers are no load. */
    let turn: Promise<unknown> = Promise.resolve()
    function look<T>(work: () => Promise<T>): Promise<T> {
        const mine = turn.then(work)
        turn = mine.catch(() => undefined)
        return mine
    }

    /** The plan with the consents that the targets mean, as the disks are now. */
    async function planWith(text: string, destroy: readonly string[]) {
        const bare = await provision.plan(text)
        const consents = consentsTo(destroy, bare.fingerprints)
        return { consents, plan: consents.length > 0 ? await provision.plan(text, consents) : bare }
    }

    function checkHash(plan: Plan, hash: string): void {
        if (planHash(plan) === hash) return
        throw new Fault('conflict', {
            summary: 'The plan would be another one by now than the one that was read',
            detail: 'the node or the document has changed since',
            fix: 'Nothing was done. Read the plan anew, then decide again.',
            at: 'hash',
        })
    }

    const personOf = (person: { user: string; from: string; viaId: string } | undefined): Person => {
        if (person?.user) return person
        throw new Fault('invalid', { summary: 'The request does not say who asks', at: 'person' })
    }

    const toFault: Interceptor = next => async request => {
        try {
            return await next(request)
        } catch (thrown) {
            if (asFault(thrown).code === 'internal')
                log.error('a call failed unexpectedly', { method: request.method.name, err: thrown })
            throw connectError(thrown)
        }
    }

    const routes = (router: ConnectRouter) =>
        router.service(
            RootdService,
            {
                ...inspectMethods(deps),
                async getDocument() {
                    const text = await provision.load().catch(thrown => {
                        if (asFault(thrown).code === 'not-found') return undefined
                        throw thrown
                    })
                    return { path: DOCUMENT, exists: text !== undefined, text: text ?? '' }
                },
                async draftDocument({ profile }) {
                    if (!PROFILES.includes(profile))
                        throw new Fault('invalid', {
                            summary: 'There is no such profile',
                            detail: JSON.stringify(profile.slice(0, 40)),
                            fix: `Use one of ${PROFILES.join(', ')}.`,
                            at: 'profile',
                        })
                    return { text: await deps.draft(profile) }
                },
                getSchema: () => ({ json: JSON.stringify(deps.schema) }),
                checkDocument: ({ text }) => ({
                    findings: provision.read(text).findings.map(({ line, ...finding }) => ({ line, finding })),
                }),
                async plan({ text, destroy }) {
                    const { plan } = await look(() => planWith(text, destroy))
                    return { plan: planMessage(plan, titles) }
                },
                async confirm({ person, password, oneTimePassword: code }) {
                    const asked = personOf(person)
                    const { token, expiresMs } = await confirmations.confirm(asked, { password, code })
                    log.info('a person has confirmed', { user: asked.user, from: asked.from })
                    return { confirmationToken: token, expires: timestampFromMs(expiresMs) }
                },
                async checkConfirmation({ person, confirmationToken }) {
                    await confirmations.need(personOf(person), confirmationToken)
                    return {}
                },
                async openShell({ person, confirmationToken }) {
                    const asked = personOf(person)
                    await confirmations.need(asked, confirmationToken)
                    return shells.issue(asked)
                },
                async resizeShell({ shell, columns, rows }) {
                    await shells.resize(shell, { columns, rows })
                    return {}
                },
                async exposePorts({ ports }) {
                    await look(() => deps.expose(ports))
                    return {}
                },
                async apply({ person, wish }) {
                    const asked = personOf(person)
                    const { text = '', hash = '', destroy = [], confirmationToken = '' } = wish ?? {}
                    await confirmations.need(asked, confirmationToken)
                    const { plan, consents } = await look(() => planWith(text, destroy))
                    checkHash(plan, hash)
                    const { leaveWithheld, retry } = wish!
                    const id = await jobs.begin(hooks =>
                        provision.apply(text, {
                            ...{ by: asked.user, consents, basis: plan.basis, leaveWithheld, retry },
                            ...hooks,
                        }),
                    )
                    return { apply: id }
                },
                cancelApply({ apply }) {
                    jobs.cancel(apply)
                    return {}
                },
                async *watchApply({ apply, after }, { signal }) {
                    const running = jobs.watch(apply, after, signal)
                    if (running) for await (const event of running) yield { event }
                    else {
                        const { entries, record } = await provision.past(apply)
                        // Its numbers are not those that were told while it ran: the end is said in any case.
                        for (const event of eventsOf(entries, record))
                            if (event.number > after || event.kind === 'end') yield { event }
                    }
                },
                async verify() {
                    try {
                        verified = verifiedOf(await look(async () => provision.plan(await provision.load())))
                    } catch (thrown) {
                        const problem = problemMessage(problemOf(asFault(thrown)))
                        return { verified: create(VerifiedSchema, { at: timestampFromMs(clock.now()), problem }) }
                    }
                    return { verified }
                },
                async getStatus() {
                    const { holder, last, document } = await provision.status()
                    return {
                        document: document ?? '',
                        now: holder?.what ?? '',
                        nowSince: holder && timestampFromMs(holder.sinceMs),
                        last: last && recordMessage(last),
                        verified,
                    }
                },
                listApplies: async () => ({ applies: (await provision.history()).map(recordMessage) }),
                async getApply({ apply }) {
                    const { record, document, entries } = await provision.past(apply)
                    return { record: recordMessage(record), document, events: eventsOf(entries, record) }
                },
                async planRollback({ apply }) {
                    const { id, plan, document } = await look(() => provision.planRollback(apply || undefined))
                    return { apply: id, plan: planMessage(plan, titles), document: document ?? '' }
                },
                async rollback({ person, wish }) {
                    const asked = personOf(person)
                    await confirmations.need(asked, wish?.confirmationToken ?? '')
                    const { id, plan } = await look(() => provision.planRollback(wish?.apply || undefined))
                    checkHash(plan, wish?.hash ?? '')
                    const wanted = { by: asked.user, basis: plan.basis }
                    return { apply: await jobs.begin(hooks => provision.rollback(id, { ...wanted, ...hooks })) }
                },
            },
            { interceptors: [toFault] },
        )
    return { routes, close: jobs.close }
}
