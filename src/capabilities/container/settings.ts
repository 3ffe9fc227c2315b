// What a container is called, what limits it has, what happens when it ends, and its removal.
import { Fault } from '../../base/fault.ts'
import { formatBytes } from '../../base/units.ts'
import type { UpdateRequest } from '../../gen/proto/capabilities/container/container_pb.js'
import { type Change, type ContainerDeps, notNow, onContainer, pathOf } from './begin.ts'
import type { EngineContainer } from './engine-types.ts'
import type { ContainerEntry } from './entry.ts'

/** What Docker takes: 2 to 128 characters here, so that no name is mistaken for an id. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}$/
export const RESTARTS = ['no', 'always', 'unless-stopped', 'on-failure'] as const
/** runc refuses less. */
const LEAST_MEMORY_BYTES = 6 * 1024 * 1024

/** @throws Fault `invalid` */
export function checkName(name: string, at = 'name'): void {
    if (NAME.test(name) && !/^[0-9a-f]{12,}$/.test(name)) return
    throw new Fault('invalid', {
        summary: 'That cannot be the name of a container',
        detail: JSON.stringify(name.slice(0, 140)),
        at,
        fix: 'Use 2 to 128 letters, digits, dots, dashes and underscores, beginning with a letter or digit.',
    })
}

/** @throws Fault `invalid` */
export function checkRestart(restart: string): void {
    if ((RESTARTS as readonly string[]).includes(restart)) return
    throw new Fault('invalid', {
        summary: 'Docker knows no such restart policy',
        detail: JSON.stringify(restart.slice(0, 40)),
        at: 'restart',
        fix: `Use one of ${RESTARTS.join(', ')}.`,
    })
}

const LABEL_KEY = /^[a-zA-Z0-9][a-zA-Z0-9._/-]{0,199}$/
const THEIRS = /^(debvisor\.|com\.docker\.compose\.)/

/** By labels of DebVisor and Compose things belong to people and stacks. @throws Fault `invalid` */
export function checkLabels(labels: Record<string, string>): void {
    const wrong = Object.keys(labels).filter(key => !LABEL_KEY.test(key) || THEIRS.test(key))
    if (wrong.length === 0) return
    throw new Fault('invalid', {
        summary: wrong.length === 1 ? 'That label cannot be set' : 'These labels cannot be set',
        detail: wrong.map(key => JSON.stringify(key.slice(0, 80))).join(', '),
        at: 'labels',
        fix: 'Use letters, digits, dots, dashes and slashes; those of debvisor and Compose are theirs.',
    })
}

export interface Limits {
    cpuLimit?: number
    memoryLimitBytes?: bigint
    processLimit?: number
}

/** The limits as the Engine takes them; what is not given is left out. @throws Fault `invalid` */
export function engineLimits({ cpuLimit, memoryLimitBytes, processLimit }: Limits): Record<string, number> {
    const limits: Record<string, number> = {}
    if (cpuLimit !== undefined) {
        if (!Number.isFinite(cpuLimit) || cpuLimit < 0 || (cpuLimit > 0 && cpuLimit < 0.01) || cpuLimit > 1024)
            throw badLimit('cpu_limit', String(cpuLimit), 'Give cores, such as 0.5 or 2; 0 for no limit.')
        limits.NanoCpus = Math.round(cpuLimit * 1e9)
    }
    if (memoryLimitBytes !== undefined) {
        const sizeBytes = Number(memoryLimitBytes)
        if (!Number.isSafeInteger(sizeBytes) || (sizeBytes > 0 && sizeBytes < LEAST_MEMORY_BYTES))
            throw badLimit('memory_limit_bytes', String(sizeBytes), 'Give at least 6 MiB; 0 for no limit.')
        limits.Memory = sizeBytes
        // Without it the container may swap as much again.
        limits.MemorySwap = sizeBytes === 0 ? -1 : sizeBytes
    }
    if (processLimit !== undefined) limits.PidsLimit = processLimit === 0 ? -1 : processLimit
    return limits
}

const badLimit = (at: string, detail: string, fix: string) =>
    new Fault('invalid', { summary: 'That cannot be a limit', detail, at, fix })

/** @throws Fault `invalid` for limits that no container can have, or where nothing is to be changed */
export function planUpdate(deps: ContainerDeps, entry: ContainerEntry, request: UpdateRequest): Change {
    const { line, name } = entry
    const limits = engineLimits(request)
    const plan: Change['plan'] = []
    const say = (what: string, before: string, now: string) =>
        before !== now && plan.push({ sentence: `Change the ${what} of ${name} from ${before} to ${now}` })
    if (request.cpuLimit !== undefined) say('CPU limit', coresWord(line.cpuLimit), coresWord(request.cpuLimit))
    if (request.memoryLimitBytes !== undefined)
        say('memory limit', bytesWord(line.memoryLimitBytes), bytesWord(request.memoryLimitBytes))
    if (request.processLimit !== undefined)
        say('process limit', countWord(line.processLimit), countWord(request.processLimit))
    if (request.restart !== undefined) {
        checkRestart(request.restart)
        say('restart policy', line.restart, request.restart)
    }
    return {
        kind: 'container.update',
        title: `Change ${name}`,
        on: onContainer(entry),
        plan,
        async work() {
            if (plan.length === 0) return
            const { restart } = request
            const body = { ...limits, ...(restart === undefined ? {} : { RestartPolicy: { Name: restart } }) }
            await deps.docker.json({ method: 'POST', path: pathOf(entry, 'update'), body })
            await deps.inventory.refresh(entry.id)
        },
    }
}

const coresWord = (cores: number): string => (cores === 0 ? 'none' : `${cores} cores`)
const bytesWord = (bytes: bigint): string => (bytes === 0n ? 'none' : formatBytes(Number(bytes)))
const countWord = (count: number): string => (count === 0 ? 'none' : String(count))

/** @throws Fault `invalid`, `exists` */
export function planRename(deps: ContainerDeps, entry: ContainerEntry, name: string): Change {
    checkName(name)
    const other = deps.inventory.list().find(one => one.name === name)
    if (other && other.id !== entry.id) throw nameTaken(name)
    if (entry.line.stack)
        throw notNow(
            entry,
            'The container belongs to a stack, which names it',
            `Change the stack ${entry.line.stack} instead.`,
        )
    return {
        kind: 'container.rename',
        title: `Rename ${entry.name} to ${name}`,
        on: onContainer(entry),
        plan: other ? [] : [{ sentence: `Rename ${entry.name} to ${name}` }],
        async work() {
            if (other) return
            await deps.docker.json({ method: 'POST', path: pathOf(entry, 'rename'), query: { name } })
            await deps.inventory.refresh(entry.id)
        },
    }
}

export const nameTaken = (name: string): Fault =>
    new Fault('exists', {
        summary: 'There is a container of that name',
        detail: name,
        at: 'name',
        fix: 'Choose another name, or remove the other container.',
    })

/** @throws Fault `precondition` for one that runs, unless forced */
export async function planRemove(
    deps: ContainerDeps,
    entry: ContainerEntry,
    { force, volumes }: { force: boolean; volumes: boolean },
): Promise<Change> {
    if (entry.running && !force) throw notNow(entry, 'The container runs', 'Stop it first, or remove it by force.')
    const seen = await deps.docker.json<EngineContainer>({ path: pathOf(entry, 'json') })
    // Docker names those of nobody by 64 digits; which of them are shared it sees to itself.
    const unnamed = seen.Mounts.filter(({ Type, Name }) => Type === 'volume' && /^[0-9a-f]{64}$/.test(Name ?? ''))
    const named = seen.Mounts.filter(mount => mount.Type === 'volume' && !unnamed.includes(mount))
    const plan: Change['plan'] = []
    if (entry.running) plan.push({ sentence: `Kill ${entry.name}: what it has not written is lost` })
    plan.push({
        sentence: `Remove ${entry.name} with all that it wrote outside its volumes`,
        destroys: `container:${entry.name}`,
    })
    for (const { Name, Destination } of volumes ? unnamed : [])
        plan.push({
            sentence: `Remove its unnamed volume at ${Destination}`,
            destroys: `container-volume:${Name!.slice(0, 12)}`,
        })
    const kept = (volumes ? named : [...named, ...unnamed]).map(({ Name, Destination }) =>
        /^[0-9a-f]{64}$/.test(Name ?? '') ? `${Destination} (unnamed)` : Name,
    )
    if (kept.length > 0) plan.push({ sentence: `Keep its volumes: ${kept.join(', ')}` })
    return {
        kind: 'container.remove',
        stops: true,
        title: `Remove ${entry.name}`,
        on: onContainer(entry),
        plan,
        async work() {
            const query = { force, v: volumes }
            await deps.docker.json({ method: 'DELETE', path: pathOf(entry), query, deadlineMs: 120_000, own: true })
            await deps.inventory.refresh(entry.id)
        },
    }
}
