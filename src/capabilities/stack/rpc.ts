// StackService over the parts that do the work: who may, requests to plans, what is kept to messages.
import { randomBytes } from 'node:crypto'
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect'
import { Fault } from '../../base/fault.ts'
import type { Tasks } from '../../engine/task.ts'
import type { Begun } from '../../gen/proto/capabilities/debvisor_pb.js'
import type { StackService, Variable } from '../../gen/proto/capabilities/stack/stack_pb.js'
import { beginChange, type Change } from '../begin.ts'
import { type Caller, callerOf, type Guarded } from '../caller.ts'
import { prepareNewest, sourceOf } from './bring-up.ts'
import { filledIn } from './catalogue.ts'
import { exposedFile } from './expose.ts'
import { serviceOf } from './model.ts'
import {
    checkName,
    type NewFile,
    planCreate,
    planDown,
    planImport,
    planPull,
    planRemove,
    planUpNewest,
    planVersion,
    scaled,
} from './ops.ts'
import { type Prepared, prepare } from './prepare.ts'
import { type LookDeps, lookMethods, needed } from './rpc-look.ts'
import { containersOf } from './seen.ts'
import { guardedOf } from './state.ts'
import { nameTaken, type StackDoc } from './store.ts'
import type { createTurns } from './turns.ts'
import type { Value } from './values.ts'

type Impl = ServiceImpl<typeof StackService>

export interface StackRpcDeps extends LookDeps {
    tasks: Tasks
    turns: ReturnType<typeof createTurns>
    /** Refuses tags on which grants rest. @throws Fault `denied` */
    checkTags(caller: Caller, tags: readonly string[]): void
}

export function stackMethods(deps: StackRpcDeps): Impl {
    const { store, tasks, turns, containers } = deps

    const { lineNeeded, docNeeded } = needed(deps)

    function begin(name: string, change: Change, { caller, dryRun }: { caller: Caller; dryRun: boolean }) {
        if (!dryRun) turns.need(name)
        const on = { kind: 'stack', id: name, name }
        return beginChange(on, turns.held(name, change), { tasks, owner: caller.user, dryRun })
    }

    /** What a file asks for beyond itself needs more than the right to write it. @throws Fault `denied` */
    function judge(caller: Caller, prepared: Prepared, object?: Guarded): void {
        if (prepared.allMarks.length > 0) caller.need('container.host', object)
        if (prepared.opens) caller.need('stack.expose', object)
        // A right on one stack is none on what others own.
        if (prepared.others.networks.length + prepared.others.volumes.length > 0) caller.need('container.create')
        deps.checkTags(caller, [...prepared.tags, ...prepared.ownTags])
    }

    /** A new version of a stack: prepared, judged where more of a file is new than a number, and begun. */
    async function renew(
        context: HandlerContext,
        doc: StackDoc,
        {
            made,
            base,
            title,
            dryRun,
            judged = true,
        }: {
            made: NewFile
            base: number
            title: string
            dryRun: boolean
            judged?: boolean
        },
    ): Promise<Begun> {
        const caller = callerOf(context)
        const prepared = await prepare(deps, sourceOf(doc, made))
        if (judged) judge(caller, prepared, guardedOf(lineNeeded(doc.name)))
        const newest = doc.versions[0]!.number
        if (newest !== base)
            throw new Fault('conflict', {
                summary: 'The stack has been changed since',
                detail: `${doc.name}: version ${newest} is the newest, and ${base} was changed`,
                fix: 'Look at the newest version, and make the change there.',
                at: 'base',
            })
        return begin(doc.name, await planVersion(deps, doc, { base, made, prepared, title }), { caller, dryRun })
    }

    /** A method about a stack whose file is kept here. */
    const method =
        <R extends { stack: string; dryRun: boolean }>(plan: (doc: StackDoc, request: R) => Promise<Change>) =>
        async (request: R, context: HandlerContext): Promise<Begun> => {
            const doc = docNeeded(request.stack)
            return begin(doc.name, await plan(doc, request), { caller: callerOf(context), dryRun: request.dryRun })
        }

    return {
        ...lookMethods(deps),

        async create({ name, composeFile, environment, catalogue, up, dryRun }, context) {
            const caller = callerOf(context)
            checkName(name)
            if (deps.lineNamed(name)) throw nameTaken(name)
            const entry = catalogue ? await deps.catalogue.get(catalogue) : undefined
            const given = environment.map(one => keptValue(one, []))
            const made: NewFile = {
                ...{ file: composeFile || entry?.file || '', scale: {}, by: caller.user, up },
                values: entry ? filledIn(entry, given) : given,
                note: entry ? `From the catalogue: ${entry.title}` : 'Created',
            }
            const doc = { name, owner: caller.user, catalogue, folder: '', key: newKey() }
            const prepared = await prepare(deps, sourceOf(doc, made))
            judge(caller, prepared)
            return begin(name, await planCreate(deps, doc, { made, prepared }), { caller, dryRun })
        },
        async import({ name, composeFile, environment, dryRun }, context) {
            const caller = callerOf(context)
            const line = lineNeeded(name)
            if (line.managed) throw nameTaken(name)
            checkName(name)
            const folder = containersOf(containers, name).find(one => one.composed?.folder)?.composed?.folder ?? ''
            const doc = {
                name,
                owner: caller.user,
                catalogue: '',
                folder: folder.startsWith('/') ? folder : '',
                key: newKey(),
            }
            const made: NewFile = {
                ...{ file: composeFile, scale: {}, by: caller.user, up: false, note: 'Taken in' },
                values: environment.map(one => keptValue(one, [])),
            }
            const prepared = await prepare(deps, sourceOf(doc, made))
            judge(caller, prepared)
            return begin(name, await planImport(deps, doc, { made, prepared }), { caller, dryRun })
        },
        async update({ stack, base, composeFile, environment, up, note, dryRun }, context) {
            const doc = docNeeded(stack)
            const { number } = doc.versions[0]!
            const before = await store.version(stack, number)
            const made: NewFile = {
                ...{ file: composeFile || before.file, scale: before.scale, by: callerOf(context).user, up },
                ...{
                    values: environment.map(one => keptValue(one, before.values)),
                    note: note.slice(0, 200) || 'Changed',
                },
            }
            return renew(context, doc, { made, base: base || number, title: `Change stack ${stack}`, dryRun })
        },
        up: method((doc, { pull }) => planUpNewest(deps, doc, { pull })),
        pull: method(doc => planPull(deps, doc)),
        down: async ({ stack, dryRun }, context) => {
            const { name } = lineNeeded(stack)
            return begin(name, await planDown(deps, name), { caller: callerOf(context), dryRun })
        },
        async scale({ stack, service, count, dryRun }, context) {
            const doc = docNeeded(stack)
            const { stored, prepared } = await prepareNewest(deps, doc)
            const scale = scaled(prepared, stored.scale, { service, count })
            const note = `${service}: ${count} ${count === 1 ? 'container' : 'containers'}`
            const made = { ...stored, scale, by: callerOf(context).user, note, up: true }
            const title = `Give ${service} of ${stack} ${count} ${count === 1 ? 'container' : 'containers'}`
            return renew(context, doc, { made, base: stored.number, title, dryRun, judged: false })
        },
        async expose({ stack, service, lan, dryRun }, context) {
            const doc = docNeeded(stack)
            const { stored, prepared } = await prepareNewest(deps, doc)
            if (service) serviceOf(prepared.model, service)
            const file = exposedFile(stored.file, service, lan)
            const what = service ? `the ports of ${service}` : 'all ports'
            const note = `${lan ? 'Open' : 'Close'} ${what} to other machines`
            const made = { ...stored, file, by: callerOf(context).user, note, up: true }
            return renew(context, doc, { made, base: stored.number, title: `${note}: ${stack}`, dryRun, judged: false })
        },
        async rollback({ stack, version, dryRun }, context) {
            const doc = docNeeded(stack)
            const { number } = doc.versions[0]!
            const older = await store.version(stack, version)
            const note = `Rollback to version ${version}`
            const made = { ...older, by: callerOf(context).user, note, up: true }
            const title = `Bring ${stack} back to version ${version}`
            return renew(context, doc, { made, base: number, title, dryRun })
        },
        remove: method((doc, { volumes }: { stack: string; volumes: string[]; dryRun: boolean }) =>
            planRemove(deps, doc.name, volumes),
        ),
    }
}

const newKey = (): string => randomBytes(16).toString('hex')

/** A secret that is kept has its value from before. */
function keptValue({ name, value, secret, kept }: Variable, before: readonly Value[]): Value {
    if (!kept) return { name, value, secret }
    const old = before.find(one => one.name === name)
    if (old) return { ...old, secret: old.secret || secret }
    throw new Fault('invalid', {
        summary: 'A variable that is to be kept was not there',
        detail: name.slice(0, 80),
        at: 'environment',
        fix: 'Give it a value.',
    })
}
