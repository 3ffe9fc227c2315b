// The stack capability: what is kept, what Compose runs, and the service, made from what the daemon hands over.
import type { Fault } from '../../base/fault.ts'
import type { DockerLink } from '../../drivers/docker/link.ts'
import type { RunningTask, Tasks } from '../../engine/task.ts'
import { type Stack, StackService } from '../../gen/proto/capabilities/stack/stack_pb.js'
import type { Clock, Log, System } from '../../ports/ports.ts'
import type { Caller, Guarded } from '../caller.ts'
import type { Capability } from '../capability.ts'
import { needTags } from '../granting-tags.ts'
import { createCatalogue } from './catalogue.ts'
import { createCompose } from './compose.ts'
import type { ReachOf } from './detail.ts'
import type { HostReach } from './marks.ts'
import { type StackRpcDeps, stackMethods } from './rpc.ts'
import { type Containers, containersOf } from './seen.ts'
import { guardedOf, lineOf } from './state.ts'
import { openStore } from './store.ts'
import { createTurns } from './turns.ts'

export interface StackParts {
    docker: DockerLink
    containers: Containers
    tasks: Tasks
    system: System
    clock: Clock
    log: Log
    /** Where stacks are kept. */
    folder: string
    /** Of docker-compose. */
    program: string
    socketPath: string
    catalogueFolder: string
    pull(reference: string, task: RunningTask): Promise<void>
    readLogs: StackRpcDeps['readLogs']
    marksOf(host: HostReach): string[]
    volumeMarks(names: string[]): Promise<string[]>
    /** Who reaches published ports, as the firewall is now. */
    reach(): Promise<ReachOf>
    dockerFault(message: string): Fault
    /** Tags on which grants rest: only an administrator may set them. */
    tagsWithGrants(): ReadonlySet<string>
}

export interface StackCapability extends Capability {
    /** What grants on it rest on; undefined where there is no such stack. */
    guarded(name: string): (Guarded & { name: string }) | undefined
    /** Its file is kept here. */
    isManaged(name: string): boolean
}

export async function createStack(parts: StackParts): Promise<StackCapability> {
    const { containers, system, log, folder } = parts
    const store = await openStore({ system, log, folder })
    const compose = createCompose({ ...parts, scratch: `${folder}/.scratch` })

    const lineNamed = (name: string): Stack | undefined => {
        const doc = store.get(name)
        const own = containersOf(containers, name)
        return doc || own.length > 0 ? lineOf(name, doc, own) : undefined
    }
    const names = (): string[] => [
        ...new Set([
            ...store.list().map(({ name }) => name),
            ...containers.list().flatMap(({ line }) => (line.stack ? [line.stack] : [])),
        ]),
    ]

    /** The names that changed; undefined: all there are, at the beginning and after Docker was away. */
    async function* watch(signal: AbortSignal): AsyncGenerator<{ names: string[] | undefined; stale: boolean }> {
        let dirty = new Set<string>()
        let wake = () => {}
        let trouble: unknown
        /** Of containers that are gone nothing is told but their id. */
        const stackOf = new Map(containers.list().map(({ id, line }) => [id, line.stack]))
        let stale = containers.stale
        let fresh = false
        const off = store.onChange(name => {
            dirty.add(name)
            wake()
        })
        const stop = new AbortController()
        const end = () => {
            stop.abort()
            wake()
        }
        signal.addEventListener('abort', end)
        void (async () => {
            for await (const change of containers.watch(stop.signal)) {
                for (const id of change.removed) {
                    const stack = stackOf.get(id)
                    stackOf.delete(id)
                    if (stack) dirty.add(stack)
                }
                for (const { id, line } of change.changed) {
                    stackOf.set(id, line.stack)
                    if (line.stack) dirty.add(line.stack)
                }
                fresh ||= change.stale !== stale
                stale = change.stale
                wake()
            }
        })().catch(thrown => {
            trouble = thrown
            wake()
        })
        try {
            yield { names: undefined, stale }
            while (!signal.aborted && trouble === undefined) {
                if (dirty.size === 0 && !fresh) {
                    await new Promise<void>(resolve => {
                        wake = resolve
                        if (signal.aborted) resolve()
                    })
                    continue
                }
                const changed = [...dirty]
                dirty = new Set()
                fresh = false
                yield { names: changed, stale }
            }
            if (trouble !== undefined) throw trouble
        } finally {
            off()
            signal.removeEventListener('abort', end)
            stop.abort()
        }
    }

    const checkTags = (caller: Caller, tags: readonly string[]) => needTags(caller, tags, parts.tagsWithGrants())

    const deps: StackRpcDeps = {
        ...{ ...parts, store, compose, lineNamed, watch, checkTags, turns: createTurns() },
        lines: () =>
            names()
                .sort()
                .flatMap(name => lineNamed(name) ?? []),
        folderOf: name => `${folder}/${name}`,
        catalogue: createCatalogue({ probe: system, folder: parts.catalogueFolder, log }),
    }

    return {
        name: 'stack',
        isManaged: name => store.get(name) !== undefined,
        guarded(name) {
            const line = lineNamed(name)
            return line && { ...guardedOf(line), name }
        },
        services: router => void router.service(StackService, stackMethods(deps)),
    }
}
