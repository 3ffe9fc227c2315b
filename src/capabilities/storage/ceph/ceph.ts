// ceph and its helpers: what they are asked, and what their answers mean. (ceph(8), ceph-authtool(8), monmaptool(8), ceph-mon(8))
import type { Tool } from '../../../engine/kit.ts'

const machine = 'machine' as const

export const cephTools: Tool[] = [
    { name: 'ceph', program: '/usr/bin/ceph', half: machine },
    { name: 'ceph-authtool', program: '/usr/bin/ceph-authtool', half: machine },
    { name: 'monmaptool', program: '/usr/bin/monmaptool', half: machine },
    { name: 'ceph-mon', program: '/usr/bin/ceph-mon', half: machine },
    { name: 'ceph-volume', program: '/usr/sbin/ceph-volume', half: machine },
    { name: 'chown', program: '/usr/bin/chown', half: machine },
    { name: 'mv', program: '/usr/bin/mv', half: machine },
    { name: 'rm', program: '/usr/bin/rm', half: machine },
]

/** Without it, ceph waits five minutes for monitors that are not there. */
const PATIENCE = ['--connect-timeout', '10']

type Argv = [string, ...string[]]

/** Several questions of one process, a line each: starting it costs more than all answers. */
export const askAll: Argv = ['/usr/bin/ceph', ...PATIENCE, '--format', 'json']
export const QUESTIONS = 'status\nosd dump\nconfig dump\nosd crush rule dump\n'

export interface Answers {
    status: Status
    map: OsdMap
    settings: Setting[]
    rules: Map<string, number>
}

/** A line of JSON for each question, in their order. Undefined when one is missing: the monitors have no quorum. */
export function parseAll(stdout: string): Answers | undefined {
    const [first, second, third, fourth] = stdout.split('\n').filter(line => /^[{[]/.test(line))
    const [status, map] = [parseStatus(first ?? ''), parseOsds(second ?? '')]
    if (!status || !map || third === undefined || fourth === undefined) return undefined
    return { status, map, settings: parseConfig(third), rules: parseRules(fourth) }
}

export interface Check {
    /** OSD_DOWN, PG_DEGRADED, … */
    name: string
    /** HEALTH_WARN or HEALTH_ERR. */
    severity: string
    message: string
}

export interface Status {
    fsid: string
    health: string
    checks: Check[]
    /** Modules of the mgr that are on. */
    modules: string[]
    /** Objects that are being copied to where they belong; absent when nothing is. */
    copying?: Copying
}

export interface Copying {
    left: number
    of: number
}

interface RawStatus {
    fsid: string
    health: {
        status: string
        checks?: Record<string, { severity: string; summary: { message: string }; muted?: boolean }>
    }
    mgrmap?: { modules?: string[] }
    pgmap?: {
        pgs_by_state?: { state_name: string }[]
        degraded_objects?: number
        degraded_total?: number
        misplaced_objects?: number
        misplaced_total?: number
    }
}

/** Undefined when it is no answer: the monitors have no quorum. Muted checks are left out, as `ceph health` does. */
export function parseStatus(stdout: string): Status | undefined {
    const raw = parsed<RawStatus>(stdout)
    if (!raw?.health) return undefined
    const checks = Object.entries(raw.health.checks ?? {})
        .filter(([, { muted }]) => !muted)
        .map(([name, { severity, summary }]) => ({ name, severity, message: summary.message }))
        .sort((a, b) => (a.name < b.name ? -1 : 1))
    const copying = copyingOf(raw.pgmap)
    return {
        ...{ fsid: raw.fsid, health: raw.health.status, checks, modules: raw.mgrmap?.modules ?? [] },
        ...(copying ? { copying } : {}),
    }
}

function copyingOf(map: RawStatus['pgmap'] = {}): Copying | undefined {
    if (!map.pgs_by_state?.some(({ state_name }) => /recover|backfill/.test(state_name))) return undefined
    const { degraded_objects = 0, misplaced_objects = 0, degraded_total = 0, misplaced_total = 0 } = map
    return { left: degraded_objects + misplaced_objects, of: Math.max(degraded_total, misplaced_total) }
}

export interface Osd {
    id: number
    uuid: string
    up: boolean
    in: boolean
    /** It was given a number, and has never run. */
    fresh: boolean
}

export interface CephPool {
    name: string
    size: number
    minSize: number
    rule: number
    applications: string[]
    /** The file system that it holds data of. */
    dataOf: string
}

export interface OsdMap {
    osds: Osd[]
    pools: CephPool[]
}

interface RawMap {
    osds?: { osd: number; uuid: string; up: number; in: number; state?: string[] }[]
    pools?: {
        pool_name: string
        size: number
        min_size: number
        crush_rule: number
        application_metadata?: Record<string, Record<string, string>>
    }[]
}

/** Undefined when it is no answer. */
export function parseOsds(stdout: string): OsdMap | undefined {
    const raw = parsed<RawMap>(stdout)
    if (!raw?.osds || !raw.pools) return undefined
    return {
        osds: raw.osds.map(one => ({
            ...{ id: one.osd, uuid: one.uuid, up: one.up === 1, in: one.in === 1 },
            fresh: one.state?.includes('new') ?? false,
        })),
        pools: raw.pools.map(one => ({
            ...{ name: one.pool_name, size: one.size, minSize: one.min_size, rule: one.crush_rule },
            applications: Object.keys(one.application_metadata ?? {}).sort(),
            dataOf: one.application_metadata?.cephfs?.data ?? '',
        })),
    }
}

export interface Setting {
    who: string
    name: string
    value: string
}

/** The section, with its mask as `config set` wants it: `osd/host:node1`. */
export const parseConfig = (stdout: string): Setting[] =>
    (parsed<{ section: string; mask?: string; name: string; value: string }[]>(stdout) ?? []).map(one => ({
        ...{ who: one.mask ? `${one.section}/${one.mask}` : one.section, name: one.name, value: one.value },
    }))

/** Id by name. */
export const parseRules = (stdout: string): Map<string, number> =>
    new Map((parsed<{ rule_id: number; rule_name: string }[]>(stdout) ?? []).map(one => [one.rule_name, one.rule_id]))

function parsed<T>(stdout: string): T | undefined {
    try {
        return JSON.parse(stdout) as T
    } catch {
        return undefined
    }
}

/** As the monitor itself, whose key is in its store: also before there is an administrator. */
export const asMonitor = (store: string): string[] => ['--name', 'mon.', '--keyring', `${store}/keyring`]

export const ceph = (...words: string[]): string[] => [...PATIENCE, ...words]

/** Makes it when it is not there; says it as a keyring. Rights in pairs of daemon and words. */
export const getOrCreate = (entity: string, caps: Readonly<Record<string, string>>): string[] => [
    ...['auth', 'get-or-create', entity],
    ...Object.entries(caps).flat(),
]
