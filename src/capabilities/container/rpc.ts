// ContainerService over the parts that do the work: requests become plans, entries become messages; no decisions.
import { create } from '@bufbuild/protobuf'
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect'
import type { Finding } from '../../base/finding.ts'
import {
    type Container,
    ContainerSchema,
    type ContainerService,
    PortSchema,
} from '../../gen/proto/capabilities/container/container_pb.js'
import type { Begun } from '../../gen/proto/capabilities/debvisor_pb.js'
import { type Caller, callerOf, type Guarded } from '../caller.ts'
import { begin, type Change, pathOf } from './begin.ts'
import { detailOf } from './detail.ts'
import type { EngineContainer } from './engine-types.ts'
import type { ContainerEntry } from './entry.ts'
import { type Exposures, type Gate, planExpose, type ReachOf } from './exposures.ts'
import type { FigureStore } from './figures.ts'
import type { Files } from './files.ts'
import type { ImageDeps } from './images.ts'
import { readLogs } from './logs.ts'
import { bodyOf, planCreate, volumeMarks, volumesIn } from './make.ts'
import { planKill, planPause, planRestart, planStart, planStop, planUnpause } from './power.ts'
import { planPrune } from './prune.ts'
import { planRemove, planRename, planUpdate } from './settings.ts'
import type { Terminals } from './terminal.ts'

type Impl = ServiceImpl<typeof ContainerService>

export interface RpcDeps extends ImageDeps {
    exposures: Exposures
    gate: Gate
    /** A stack whose file is kept here has the say about its containers. */
    isManaged(stack: string): boolean
    figures: FigureStore
    files: Files
    terminals: Terminals
    /** Refuses tags on which grants rest. @throws Fault `denied` */
    checkTags(caller: Caller, tags: readonly string[]): void
    findings(): Finding[]
}

export const guardedOf = ({ id, tags, owner }: ContainerEntry): Guarded => ({ id, tags, owner })

/** What reaches into the node is for who may reach into the node. @throws Fault `denied` */
export function needHost(caller: Caller, entry: ContainerEntry): void {
    if (entry.marks.length > 0) caller.need('container.host', guardedOf(entry))
}

const viewOf = (caller: Caller): ((entry: ContainerEntry) => boolean) =>
    caller.may('container.view') ? () => true : entry => caller.may('container.view', guardedOf(entry))

export function containerMethods(deps: RpcDeps): Impl {
    const { docker, inventory, figures, tasks, exposures, gate } = deps

    /** As they are sent: with their load, and who reaches their ports now. */
    const lineBy =
        (reachOf: ReachOf) =>
        (entry: ContainerEntry): Container => {
            const { addresses, bridges, line } = entry
            const load = figures.load(entry.id)
            const ports = line.ports.map(port => {
                if (!port.address) return port
                const { words, open } = reachOf({ ...port, addresses, bridges })
                return create(PortSchema, { ...port, reach: words, open })
            })
            return create(ContainerSchema, {
                ...{ ...line, ports, exposed: exposures.has(entry.id) },
                ...(load ? { cpu: load.cpu, memoryBytes: BigInt(Math.round(load.memoryBytes)) } : {}),
            })
        }
    /** A method that plans a change of a container and begins it. */
    const method =
        <R extends { container: string; dryRun: boolean }>(
            plan: (entry: ContainerEntry, request: R, caller: Caller) => Change | Promise<Change>,
        ) =>
        async (request: R, context: HandlerContext): Promise<Begun> => {
            const caller = callerOf(context)
            const change = await plan(inventory.resolve(request.container), request, caller)
            return begin(change, { tasks, owner: caller.user, dryRun: request.dryRun })
        }

    return {
        getEngine: () => ({
            up: docker.up,
            version: docker.version?.engine ?? '',
            apiVersion: docker.version?.api ?? '',
            findings: deps.findings(),
        }),
        async list({ search, states, tag, stack }, context) {
            await inventory.ready()
            const mayView = viewOf(callerOf(context))
            const text = search.toLowerCase()
            const found = inventory
                .list()
                .filter(
                    ({ line }) =>
                        (states.length === 0 || states.includes(line.state)) &&
                        (tag === '' || line.tags.includes(tag)) &&
                        (stack === '' || line.stack === stack) &&
                        (text === '' || `${line.name}\n${line.image}\n${line.stack}`.toLowerCase().includes(text)),
                )
                .filter(mayView)
            return { containers: found.map(lineBy(await gate.reach())), stale: inventory.stale }
        },
        async *watch(_request, context) {
            await inventory.ready()
            const caller = callerOf(context)
            // A container that the caller may no longer see is gone for that caller.
            const shown = new Set<string>()
            for await (const change of inventory.watch(context.signal)) {
                const mayView = viewOf(caller)
                const visible = change.changed.filter(mayView)
                const hidden = change.changed.filter(entry => !mayView(entry)).map(({ id }) => id)
                const removed = [...change.removed, ...hidden].filter(id => shown.delete(id))
                for (const { id } of visible) shown.add(id)
                const { synced, stale, touched } = change
                const containers = visible.map(lineBy(await gate.reach()))
                yield { containers, removed, synced, stale, touched }
            }
        },
        async get({ container }, context) {
            const entry = inventory.resolve(container)
            const seen = await docker.json<EngineContainer>({ path: pathOf(entry, 'json') })
            const may = callerOf(context).may('container.exec', guardedOf(entry))
            return { detail: detailOf(lineBy(await gate.reach())(entry), seen, may) }
        },
        async listProcesses({ container }) {
            const entry = inventory.resolve(container)
            const { Titles, Processes } = await docker.json<{ Titles: string[]; Processes: string[][] | null }>({
                path: pathOf(entry, 'top'),
            })
            return { titles: Titles, processes: (Processes ?? []).map(values => ({ values })) }
        },
        getFigures: ({ container }) => ({ history: figures.history(inventory.resolve(container).id) }),
        async *watchFigures({ container }, context) {
            const { id } = inventory.resolve(container)
            for await (const one of figures.watch(id, context.signal)) yield { figures: one }
        },
        async *watchLogs(request, context) {
            const { follow, tail, since, until, search, container } = request
            const asked = { follow, tail, since, until, search, signal: context.signal }
            for await (const lines of readLogs(docker, inventory.resolve(container), asked)) yield { lines }
        },

        async create(request, context) {
            const caller = callerOf(context)
            const made = bodyOf(request, caller.user)
            made.marks.push(...(await volumeMarks(deps, volumesIn(request.mounts))))
            if (made.marks.length > 0) caller.need('container.host')
            if (request.ports.some(({ lan }) => lan)) caller.need('container.expose')
            deps.checkTags(caller, request.tags)
            const change = await planCreate(deps, request, made)
            return begin(change, { tasks, owner: caller.user, dryRun: request.dryRun })
        },
        start: method(entry => planStart(deps, entry)),
        stop: method((entry, { deadlineSeconds }) => planStop(deps, entry, deadlineSeconds)),
        restart: method((entry, { deadlineSeconds }) => planRestart(deps, entry, deadlineSeconds)),
        kill: method((entry, { signal }) => planKill(deps, entry, signal)),
        pause: method(entry => planPause(deps, entry)),
        unpause: method(entry => planUnpause(deps, entry)),
        rename: method((entry, { name }) => planRename(deps, entry, name)),
        update: method((entry, request) => planUpdate(deps, entry, request)),
        expose: method((entry, { lan }) => planExpose(deps, entry, lan)),
        remove: method((entry, { force, volumes }) => planRemove(deps, entry, { force, volumes })),
        async prune(request, context) {
            const change = await planPrune(deps, request)
            return begin(change, { tasks, owner: callerOf(context).user, dryRun: request.dryRun })
        },

        openTerminal(request, context) {
            const caller = callerOf(context)
            const entry = inventory.resolve(request.container)
            needHost(caller, entry)
            return deps.terminals.issue(entry, request, caller.user)
        },
        async beginDownload({ container, path }, context) {
            const caller = callerOf(context)
            const entry = inventory.resolve(container)
            needHost(caller, entry)
            return deps.files.beginDownload(entry, path, caller.user)
        },
        async beginUpload({ container, folder, name, sizeBytes, mode }, context) {
            const caller = callerOf(context)
            const entry = inventory.resolve(container)
            needHost(caller, entry)
            const file = { folder, name, sizeBytes: Number(sizeBytes), mode: mode || 0o644 }
            return deps.files.beginUpload(entry, file, caller.user)
        },
    }
}
