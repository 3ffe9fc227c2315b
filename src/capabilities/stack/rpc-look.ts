// What StackService tells of stacks: lists, one with its ports and history, versions, findings of a file, logs.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { ServiceImpl } from '@connectrpc/connect'
import { Fault } from '../../base/fault.ts'
import { DetailSchema, type Stack, type StackService } from '../../gen/proto/capabilities/stack/stack_pb.js'
import { type Caller, callerOf } from '../caller.ts'
import type { OpsDeps } from './bring-up.ts'
import type { Catalogue } from './catalogue.ts'
import { detailOf, type ReachOf } from './detail.ts'
import { readStackLogs } from './logs.ts'
import { findingsOf } from './prepare.ts'
import { readFile } from './read.ts'
import { containersOf, type KnownContainer, thingsOf } from './seen.ts'
import { composeSchema } from './spec.ts'
import { guardedOf } from './state.ts'
import type { StackDoc } from './store.ts'
import type { Value } from './values.ts'

export interface LookDeps extends OpsDeps {
    catalogue: Catalogue
    /** The line of a stack; undefined where neither we nor Compose know one. */
    lineNamed(name: string): Stack | undefined
    lines(): Stack[]
    watch(signal: AbortSignal): AsyncGenerator<{ names: string[] | undefined; stale: boolean }>
    reach(): Promise<ReachOf>
    readLogs(
        container: KnownContainer,
        asked: { follow: boolean; tail: number; sinceMs?: number; search: string; signal: AbortSignal },
    ): AsyncIterable<{ at?: { seconds: bigint; nanos: number }; error: boolean; text: string }[]>
}

const TAIL_MOST = 5_000

/** A stack that has to be there, and one whose file is kept here. @throws Fault `not-found`, `precondition` */
export function needed({ store, lineNamed }: Pick<LookDeps, 'store' | 'lineNamed'>) {
    const lineNeeded = (name: string): Stack => lineNamed(name) ?? notHere(name)
    const docNeeded = (name: string): StackDoc => {
        const doc = store.get(name)
        if (doc) return doc
        lineNeeded(name)
        throw new Fault('precondition', {
            summary: 'Only Compose knows of this stack',
            detail: name,
            at: 'stack',
            fix: `Take it in first: debvisor stack import ${name} FILE`,
        })
    }
    return { lineNeeded, docNeeded }
}

type Looks = Pick<
    ServiceImpl<typeof StackService>,
    'list' | 'watch' | 'get' | 'getVersion' | 'check' | 'getSchema' | 'listCatalogue' | 'watchLogs'
>

export function lookMethods(deps: LookDeps): Looks {
    const { store, containers } = deps
    const { lineNeeded, docNeeded } = needed(deps)
    const viewOf = (caller: Caller) =>
        caller.may('stack.view') ? () => true : (one: Stack) => caller.may('stack.view', guardedOf(one))

    return {
        async list({ search, tag }, context) {
            await containers.ready()
            const mayView = viewOf(callerOf(context))
            const text = search.toLowerCase()
            const stacks = deps
                .lines()
                .filter(
                    one =>
                        (tag === '' || one.tags.includes(tag)) &&
                        (text === '' || `${one.name}\n${one.services.join('\n')}`.toLowerCase().includes(text)),
                )
                .filter(mayView)
            return { stacks, stale: containers.stale }
        },
        async *watch(_request, context) {
            await containers.ready()
            const caller = callerOf(context)
            // A stack that the caller may no longer see is gone for that caller.
            const shown = new Set<string>()
            for await (const { names, stale } of deps.watch(context.signal)) {
                const mayView = viewOf(caller)
                const lines = names ? names.flatMap(name => deps.lineNamed(name) ?? []) : deps.lines()
                const stacks = lines.filter(mayView)
                const visible = new Set(stacks.map(({ name }) => name))
                const removed = (names ?? []).filter(name => !visible.has(name) && shown.delete(name))
                for (const name of visible) shown.add(name)
                yield { stacks, removed, synced: names === undefined, stale }
            }
        },
        async get({ stack }, context) {
            const line = lineNeeded(stack)
            const doc = store.get(stack)
            const mayChange = callerOf(context).may('stack.update', guardedOf(line))
            const own = containersOf(containers, stack)
            const volumes = await thingsOf(deps.docker, stack).then(
                ({ volumes: all }) => all,
                () => [],
            )
            const detail = await detailOf({ line, doc, containers: own, deps })
            const stored = doc && mayChange ? await store.version(stack, doc.versions[0]!.number) : undefined
            return {
                detail: create(DetailSchema, {
                    ...{ ...detail, volumes, composeFile: stored?.file ?? '' },
                    environment: (stored?.values ?? []).map(shownValue),
                }),
            }
        },
        async getVersion({ stack, version }) {
            const doc = docNeeded(stack)
            const { file, values, number, atMs, by, note } = await store.version(
                stack,
                version || doc.versions[0]!.number,
            )
            return {
                version: { number, at: timestampFromMs(atMs), by, note },
                ...{ composeFile: file, environment: values.map(shownValue) },
            }
        },
        async check({ stack, composeFile }, context) {
            const caller = callerOf(context)
            const line = stack ? deps.lineNamed(stack) : undefined
            if (!caller.may('stack.create')) caller.need('stack.update', line && guardedOf(line))
            const doc = line && store.get(stack)
            const stored = doc && (await store.version(stack, doc.versions[0]!.number))
            const { variables } = readFile(composeFile)
            const source = { name: stack || 'new', file: composeFile, folder: doc?.folder ?? '', key: '', scale: {} }
            // A variable that is not there yet is asked for beside the file.
            const known = new Map((stored?.values ?? []).map(one => [one.name, one]))
            const values = [...new Set([...known.keys(), ...variables])].map(
                name => known.get(name) ?? { name, value: '1', secret: false },
            )
            const findings = await findingsOf(deps, { ...source, values })
            return { findings: findings.map(({ line: at, ...finding }) => ({ line: at, finding })), variables }
        },
        getSchema: () => ({ json: JSON.stringify(composeSchema()) }),
        async listCatalogue() {
            const entries = await deps.catalogue.list()
            return {
                entries: entries.map(({ name, title, summary, tested, file, variables }) => ({
                    ...{ name, title, summary, tested, composeFile: file },
                    variables: variables.map(({ default: defaultValue, ...one }) => ({ ...one, defaultValue })),
                })),
            }
        },
        async *watchLogs({ stack, services, follow, tail, search, since }, context) {
            const { signal } = context
            const asked = { stack, services, follow, signal }
            const read = (one: KnownContainer, how: { signal: AbortSignal; sinceMs?: number }) =>
                deps.readLogs(one, {
                    ...{ follow, search, tail: how.sinceMs ? 0 : tail || TAIL_MOST, signal: how.signal },
                    sinceMs: how.sinceMs ?? (since ? Number(since.seconds) * 1000 : undefined),
                })
            for await (const lines of readStackLogs({ containers, read }, asked))
                yield { lines: lines.map(({ at, ...line }) => ({ ...line, at: at as never })) }
        },
    }
}

const shownValue = ({ name, value, secret }: Value) => ({ name, value: secret ? '' : value, secret })

function notHere(name: string): never {
    throw new Fault('not-found', {
        summary: 'There is no such stack',
        detail: JSON.stringify(name.slice(0, 80)),
        at: 'stack',
        fix: 'List them with: debvisor stack list',
    })
}
