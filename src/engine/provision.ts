// A node by its document: read it, plan it, apply it, verify it, take it back. The command line, first boot and rootd use it.
import type { z } from 'zod'
import { Fault } from '../base/fault.ts'
import { type Applied, type ApplyDeps, type ApplyWish, apply } from './apply.ts'
import type { Basics, UnitWant } from './basics.ts'
import { type Consent, openConsents } from './consent.ts'
import { type Check, type Read, readDocument } from './document.ts'
import { type ApplyRecord, entriesOf, keptBy, listApplies, type Noted } from './history.ts'
import { holderOf } from './lock.ts'
import { makePlan, type Plan } from './plan.ts'
import { type Resource, resource } from './resource.ts'
import { namesOf } from './see-basics.ts'
import { hashOf, survey } from './survey.ts'

export const DOCUMENT = '/etc/debvisor/node.yaml'

export interface ProvisionDeps<T> extends ApplyDeps {
    schema: z.ZodType<T>
    checks: readonly Check<T>[]
}

export type Wish = Omit<ApplyWish, 'document' | 'text' | 'accepted'>

/** Of all that a plan would do and what it rests on: who approves a plan says this. */
export const planHash = ({ basis, groups, errors, fingerprints }: Plan): string =>
    hashOf([basis, groups, errors, fingerprints])

export interface Provision<T> {
    /** The text of the document. @throws Fault `not-found` where there is none */
    load(path?: string): Promise<string>
    read(text: string): Read<T>
    /** As it would be with these consents. @throws Fault `invalid` with the findings when the document has errors */
    plan(text: string, consents?: readonly Consent[]): Promise<Plan>
    /** Applies the text, and keeps it as the node's document. */
    apply(text: string, wish: Wish): Promise<Applied>
    /** One change beside the document, such as another disk for a failed one; the text is the document or ''. */
    planOne(one: Resource, text: string, consents?: readonly Consent[]): Promise<Plan>
    /** Carries it out under the same lock, with journal and consents; it writes the document itself, where it must. */
    applyOne(one: Resource, text: string, wish: Wish): Promise<Applied>
    /** Newest first; one that nobody carries out any more, and that has no end, is `interrupted`. */
    history(): Promise<ApplyRecord[]>
    /** One apply with its document and its journal. @throws Fault `not-found` */
    past(id: string): Promise<{ record: ApplyRecord; document: string; entries: Noted[] }>
    /** What a rollback of an apply would do; the last one unless told. */
    planRollback(id?: string): Promise<{ plan: Plan; id: string; document?: string }>
    /** Brings back the files that the apply replaced, and the document before it; never packages or pools. */
    rollback(id: string, wish: Wish): Promise<Applied>
    status(): Promise<{
        holder?: { pid: number; what: string; sinceMs: number }
        last?: ApplyRecord
        document?: string
    }>
}

export function createProvision<T>(deps: ProvisionDeps<T>): Provision<T> {
    const { touch, schema, checks } = deps
    const { root } = touch
    const look = { phase: touch.phase, root: touch.root, machine: touch.machine }
    const read = (text: string) => readDocument(text, schema, checks)
    const checked = (text: string): T => {
        const { document, findings } = read(text)
        if (document !== undefined) return document
        const errors = findings.filter(finding => finding.severity === 'error')
        throw new Fault('invalid', {
            summary: errors.length === 1 ? 'The document has a mistake' : 'The document has mistakes',
            detail: errors
                .map(
                    ({ line, at, summary, detail }) =>
                        `line ${line}: ${at ? `${at}: ` : ''}${summary}${detail ? ` (${detail})` : ''}`,
                )
                .join('; '),
            fix: errors[0]?.fix ?? '',
            at: DOCUMENT,
            findings: errors,
        })
    }

    async function rollbackOf(id?: string) {
        const applies = await listApplies(root)
        const at = id ? applies.findIndex(one => one.id === id) : 0
        const chosen = applies[at]
        if (!chosen) {
            if (id) throw noSuchApply(id)
            throw new Fault('not-found', {
                summary: 'There is nothing to take back',
                detail: 'no document was applied here',
                fix: 'See: debvisor node history',
            })
        }
        const current = await root.readText(DOCUMENT)
        const units = current === undefined ? [] : unitsOf(deps.resources, checked(current))
        const before = applies[at + 1]
        const document = before ? (await keptBy(root, before.id)).document : undefined
        return { id: chosen.id, document, one: await rollbackResource(root, chosen.id, units) }
    }

    async function history(): Promise<ApplyRecord[]> {
        // Asked before and after: one that ends, or begins, meanwhile is not taken for one that was cut off.
        const before = await holderOf(touch.machine)
        const applies = await listApplies(root)
        const held = before ?? (await holderOf(touch.machine))
        return applies.map((one, at) =>
            one.state === 'running' && !(held && at === 0) ? { ...one, state: 'interrupted' } : one,
        )
    }

    /** As it would be with these consents, and those that are kept. */
    async function planWith(resources: readonly Resource[], document: unknown, more: readonly Consent[]) {
        const kept = (await openConsents(root)).agreed()
        const agreed = new Map([...more.map(one => [one.target, one.fingerprint] as const), ...kept])
        return makePlan(resources, await survey(resources, document, look), agreed)
    }

    return {
        read,
        async load(path = DOCUMENT) {
            const text = await root.readText(path)
            if (text !== undefined) return text
            throw new Fault('not-found', {
                summary: 'There is no document',
                detail: path,
                fix: 'Write one from what this machine is: debvisor node init',
            })
        },
        plan: async (text, more = []) => planWith(deps.resources, checked(text), more),
        planOne: async (one, text, more = []) => planWith([one], checked(text), more),
        async applyOne(one, text, wish) {
            const document = checked(text)
            const steps = (await planWith([one], document, wish.consents ?? [])).groups.flatMap(group => group.steps)
            const write = steps.find(step => step.do === 'write' && step.path === DOCUMENT)
            // The history keeps the document as it is afterwards: a rollback of the next apply comes back to it.
            const after = write?.do === 'write' && typeof write.content === 'string' ? write.content : text
            return apply({ ...deps, resources: [one] }, { ...wish, document, text: after })
        },
        async apply(text, wish) {
            const document = checked(text)
            const accepted = async () => {
                if ((await root.readText(DOCUMENT)) === text) return
                await root.makeDirectory('/etc/debvisor', 0o755)
                await root.writeFile(DOCUMENT, text, 0o644)
            }
            return apply(deps, { ...wish, document, text, accepted })
        },
        history,
        async past(id) {
            const record = (await history()).find(one => one.id === id)
            if (!record) throw noSuchApply(id)
            return { record, document: (await keptBy(root, id)).document, entries: await entriesOf(root, id) }
        },
        async planRollback(id) {
            const { one, ...rest } = await rollbackOf(id)
            return { plan: makePlan([one], await survey([one], {}, look), new Map()), ...rest }
        },
        async rollback(id, wish) {
            const { one, document } = await rollbackOf(id)
            const applied = await apply({ ...deps, resources: [one] }, { ...wish, document: {}, text: document ?? '' })
            if (document !== undefined && applied.failed.length === 0) await root.writeFile(DOCUMENT, document, 0o644)
            return applied
        },
        async status() {
            const [holder, [last], document] = await Promise.all([
                holderOf(touch.machine),
                history(),
                root.readText(DOCUMENT),
            ])
            return { holder, last, document: document === undefined ? undefined : hashOf(document).slice(0, 12) }
        },
    }
}

const noSuchApply = (id: string) =>
    new Fault('not-found', { summary: 'There is no such apply', detail: id, fix: 'See: debvisor node history' })

const unitsOf = (resources: readonly Resource[], document: unknown): UnitWant[] =>
    resources.flatMap(one => {
        const want = one.want(document)
        return want === undefined ? [] : (one.basics?.(want).units ?? [])
    })

/** The files that an apply replaced, as they were, and a restart of what reads them. */
async function rollbackResource(
    root: ApplyDeps['touch']['root'],
    id: string,
    units: readonly UnitWant[],
): Promise<Resource> {
    const { kept, read } = await keptBy(root, id)
    const { users, groups } = await namesOf(root)
    const files = await Promise.all(
        kept.map(async ({ path, copy, mode, uid, gid, secret }) => ({
            ...{
                path,
                mode,
                secret,
                for: 'as it was before',
                owner: `${users.get(uid) ?? uid}:${groups.get(gid) ?? gid}`,
            },
            content: copy === undefined ? undefined : await read(copy),
        })),
    )
    const paths = new Set(files.map(file => file.path))
    const basics: Basics = {
        files,
        units: units
            .map(unit => ({ ...unit, reads: unit.reads?.filter(path => paths.has(path)) ?? [] }))
            .filter(({ reads }) => reads.length > 0)
            .map(({ unit, reads, reloads, disrupts }) => ({ unit, reads, reloads, disrupts, active: true })),
    }
    return resource({
        name: 'rollback',
        phases: ['image', 'boot'],
        want: () => basics,
        basics: () => basics,
    }) as Resource
}
