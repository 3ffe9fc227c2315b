// What of a service is another one than it was brought up with, in a few words; no value that may be a secret is said. Pure.
import { isDeepStrictEqual } from 'node:util'
import { contentIn, LABEL_FILES } from './effective.ts'
import type { Model, ModelContent, ModelPort, ModelService } from './model.ts'
import { type Value, withoutSecrets } from './values.ts'

/** A file with its variables put in. */
export interface Side {
    model: Model
    values: readonly Value[]
}

/** Of these the value is said: what they hold is told in lists as well. */
const SAID = new Set(
    ['image', 'restart', 'user', 'hostname', 'container_name', 'network_mode', 'privileged'].concat([
        'pid',
        'read_only',
        'init',
        'runtime',
        'mem_limit',
        'cpus',
        'shm_size',
        'stop_grace_period',
    ]),
)
/** How many there are is no part of what a container is made of. */
const PASSED = new Set(['scale'])
const MOST = 120

type Fields = Record<string, unknown>

/** Such as `image: a → b` and `environment: PORT`; empty where nothing is. */
export function changesOf(service: string, before: Side, now: Side): string[] {
    const [old, fresh] = [before, now].map(({ model }) => (model.services[service] ?? {}) as Fields) as [Fields, Fields]
    const keys = [...new Set([...Object.keys(old), ...Object.keys(fresh)])].filter(
        key => !PASSED.has(key) && !isDeepStrictEqual(plain(key, old[key]), plain(key, fresh[key])),
    )
    // What it is made of is what one looks for first.
    keys.sort((a, b) => Number(b === 'image') - Number(a === 'image') || (a < b ? -1 : 1))
    const said = keys.flatMap(key => wordsOf(key, old[key], fresh[key]))
    const secrets = [...before.values, ...now.values]
    return [...said, ...filesOf(service, before, now)].map(text => withoutSecrets(text, secrets))
}

const plain = (key: string, value: unknown): unknown => {
    if (key !== 'deploy') return value ?? undefined
    const { replicas: _, ...rest } = (value ?? {}) as Fields
    return Object.keys(rest).length > 0 ? rest : undefined
}

function wordsOf(key: string, old: unknown, fresh: unknown): string[] {
    if (SAID.has(key)) return [`${key}: ${short(old)} → ${short(fresh)}`]
    if (key === 'ports') return [`ports: ${portsText(old)} → ${portsText(fresh)}`]
    if (isMap(old ?? {}) && isMap(fresh ?? {})) {
        const names = changedNames((old ?? {}) as Fields, (fresh ?? {}) as Fields)
        // Ours: it stands for what configs and secrets hold.
        const shown = key === 'labels' ? names.filter(name => name !== LABEL_FILES) : names
        return shown.length > 0 ? [`${key}: ${shown.join(', ')}`] : []
    }
    return [key]
}

const isMap = (value: unknown): boolean => value !== null && typeof value === 'object' && !Array.isArray(value)

const changedNames = (old: Fields, fresh: Fields): string[] =>
    [...new Set([...Object.keys(old), ...Object.keys(fresh)])]
        .filter(name => !isDeepStrictEqual(old[name], fresh[name]))
        .sort()

const short = (value: unknown): string =>
    value === undefined || value === null || value === '' ? 'none' : String(value).slice(0, MOST)

const portsText = (ports: unknown): string =>
    ((ports ?? []) as ModelPort[])
        .map(({ host_ip: address, published, target, protocol = 'tcp' }) =>
            [address, published, target]
                .filter(Boolean)
                .join(':')
                .concat(protocol === 'tcp' ? '' : `/${protocol}`),
        )
        .join(', ') || 'none'

/** Configs and secrets of which the content is another one. */
function filesOf(service: string, before: Side, now: Side): string[] {
    return (['configs', 'secrets'] as const).flatMap(kind => {
        const used = (now.model.services[service] as ModelService | undefined)?.[kind] ?? []
        const content = ({ model, values }: Side, source: string) =>
            contentIn(model[kind] as Record<string, ModelContent> | undefined, source, values)
        const names = used
            .map(({ source }) => source)
            .filter(source => before.model[kind]?.[source] && content(before, source) !== content(now, source))
        return names.length > 0 ? [`content of ${kind}: ${names.sort().join(', ')}`] : []
    })
}
