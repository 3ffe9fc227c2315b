// What the cluster holds: settings, the rule of its copies, the pool for VMs, CephFS, and who may use them.
import type { Finding } from '../../../base/finding.ts'
import type { Agreed } from '../../../engine/plan.ts'
import type { OwnPlan } from '../../../engine/resource.ts'
import type { Step } from '../../../engine/step.ts'
import { mountUnit } from '../mount-unit.ts'
import { type CephPool, ceph, type OsdMap, type Setting, type Status } from './ceph.ts'
import { healthFindings } from './health.ts'
import { type CephWant, type Ground, isComing } from './identity.ts'
import { CEPHFS, HEALTH, type Keyring, keyringSteps, libvirtKeyring, mdsKeyring } from './keys.ts'
import { afterQuorum, monUnit } from './mon.ts'
import { READY_UNIT } from './mount.ts'
import { type UnitNow, unitSteps } from './units.ts'

const TOOL_MS = 120_000
/** The MDS has to be active first; emulated or on slow disks that takes minutes. */
const MOUNT_MS = 700_000
const MIB = 1024 ** 2
const AT = 'storage.ceph'
/** The manager makes it by itself, with as many copies as was usual at that moment. */
const MANAGERS = '.mgr'

export interface PoolsSeen extends Ground {
    status?: Status
    map?: OsdMap
    settings: readonly Setting[]
    rules: ReadonlyMap<string, number>
    keyrings: ReadonlySet<string>
    units: ReadonlyMap<string, UnitNow>
    memoryBytes: number
    /** OSDs of this node, by its notes. */
    osdsHere: number
}

export const mdsUnit = (name: string): string => `ceph-mds@${name}.service`
export const poolKeyrings = (name: string, pool: string): Keyring[] => [
    ...[mdsKeyring(name), CEPHFS, HEALTH, libvirtKeyring(pool)],
]

export interface Copies {
    size: number
    minSize: number
}

/** As many as there are OSDs, at most three; with three, writes go on while one of them is away. */
export function copiesOf({ size }: CephWant, osds: number): Copies {
    const copies = size === 'auto' ? Math.max(1, Math.min(3, osds)) : size
    return { size: copies, minSize: copies >= 3 ? copies - 1 : 1 }
}

export function planPools(want: CephWant, seen: PoolsSeen, agreed: Agreed): OwnPlan {
    const { record, status, map } = seen
    if (!seen.made || !record) {
        const later = afterQuorum('Pools, CephFS and their keys are planned when the monitors agree (quorum)')
        return { steps: [], deferred: isComing(want, seen, agreed) ? [later] : [] }
    }
    if (!status || !map) {
        // One that is stopped is started first; one that runs and says nothing is a finding.
        if (!seen.units.get(monUnit(record.name))?.active) {
            return { steps: [], deferred: [afterQuorum('What the cluster holds is asked when the monitors agree')] }
        }
        return { steps: [], findings: [silent] }
    }
    const osds = map.osds.filter(osd => !osd.fresh)
    if (osds.length === 0) {
        return { steps: [], deferred: [afterQuorum('Pools and CephFS are planned when there is an OSD')] }
    }
    const copies = copiesOf(want, osds.length)
    const rule = ruleOf(want)
    const pools = [
        { name: want.pool, pgs: 32, for: 'disks of VMs' },
        { name: 'cephfs.meta', pgs: 16, for: 'CephFS' },
        { name: 'cephfs.data', pgs: 32, for: 'CephFS' },
    ]
    const steps = [
        ...settingSteps(settingsOf(want, copies, seen), seen.settings),
        ...moduleSteps(status),
        ...(seen.rules.has(rule) ? [] : [ruleStep(want, rule)]),
        ...pools.flatMap(pool => poolSteps(pool, rule, copies, { want, seen })),
        ...map.pools
            .filter(({ name }) => name === MANAGERS)
            .flatMap(pool => fitSteps(pool, rule, { copies, want, seen })),
        ...fileSystemSteps(want, seen, record.name, map),
    ]
    return { steps, findings: [...copiesFindings(copies, osds.length), ...healthFindings(status)] }
}

const run = (say: string, ...words: string[]): Step => ({
    ...{ do: 'run', say, tool: 'ceph', args: ceph(...words), deadlineMs: TOOL_MS },
})

interface SettingWant extends Omit<Setting, 'value'> {
    /** Undefined: it is left to Ceph. */
    value?: string
    say: string
}

function settingsOf(want: CephWant, { size, minSize }: Copies, seen: PoolsSeen): SettingWant[] {
    const one = size === 1 ? { allow: 'true', warn: 'false' } : {}
    const bytes = osdMemoryBytes(want, seen)
    const set = (who: string, name: string, say: string, value?: string): SettingWant => ({ who, name, say, value })
    return [
        set('global', 'osd_pool_default_size', `Keep ${size} of everything in new pools`, String(size)),
        set('global', 'osd_pool_default_min_size', `Write while ${minSize} can be written`, String(minSize)),
        set('global', 'mon_allow_pool_size_one', 'Allow a single copy', one.allow),
        set('global', 'mon_warn_on_pool_no_redundancy', 'Leave the warning of a single copy to DebVisor', one.warn),
        set(
            `osd/host:${seen.record?.name}`,
            'osd_memory_target',
            `Let each OSD of this node aim at ${Math.round(bytes / MIB)} MiB of memory`,
            String(bytes),
        ),
    ]
}

/** A third of the memory for all of them; 896 MiB is the least that Ceph takes. */
export function osdMemoryBytes({ osdMemory }: CephWant, { memoryBytes, osdsHere }: PoolsSeen): number {
    const [, number, unit] = /^(\d+)([MG])$/.exec(osdMemory ?? '') ?? []
    const wanted = number
        ? Number(number) * (unit === 'G' ? 1024 : 1)
        : Math.min(4096, Math.floor(memoryBytes / 3 / Math.max(1, osdsHere) / MIB))
    return Math.max(896, wanted) * MIB
}

const settingSteps = (wanted: readonly SettingWant[], seen: readonly Setting[]): Step[] =>
    wanted.flatMap(({ who, name, value, say }): Step[] => {
        const now = seen.find(one => one.who === who && one.name === name)?.value
        if (now === value) return []
        if (value === undefined) return [run(`Take back: ${say}`, 'config', 'rm', who, name)]
        return [run(say, 'config', 'set', who, name, value)]
    })

/** What cannot be loaded, and what would listen. */
const moduleSteps = ({ modules }: Status): Step[] =>
    ['restful', 'dashboard']
        .filter(name => modules.includes(name))
        .map(name => run(`Turn the manager's module ${name} off`, 'mgr', 'module', 'disable', name))

const ruleOf = ({ failureDomain, deviceClass }: CephWant): string =>
    ['debvisor', failureDomain, ...(deviceClass === 'any' ? [] : [deviceClass])].join('-')

const ruleStep = ({ failureDomain, deviceClass }: CephWant, rule: string): Step =>
    run(
        `Make the rule ${rule}: copies on different ${failureDomain === 'osd' ? 'OSDs' : 'hosts'}${deviceClass === 'any' ? '' : `, on ${deviceClass} alone`}`,
        ...['osd', 'crush', 'rule', 'create-replicated', rule, 'default', failureDomain],
        ...(deviceClass === 'any' ? [] : [deviceClass]),
    )

interface Both {
    want: CephWant
    seen: PoolsSeen
}

function poolSteps(
    { name, pgs, for: what }: { name: string; pgs: number; for: string },
    rule: string,
    copies: Copies,
    { want, seen }: Both,
): Step[] {
    const pool = seen.map?.pools.find(one => one.name === name)
    const make = ['osd', 'pool', 'create', name, String(pgs), String(pgs), 'replicated', rule]
    const say = `Make the pool ${name} (${what}), with ${copies.size} of everything`
    const steps = pool
        ? fitSteps(pool, rule, { copies, want, seen })
        : [run(say, ...make, '--size', String(copies.size), ...sureOf(copies))]
    if (name === want.pool && !pool?.applications.includes('rbd')) {
        steps.push(run(`Say that ${name} holds disks`, 'osd', 'pool', 'application', 'enable', name, 'rbd'))
    }
    return steps
}

const sureOf = ({ size }: Copies) => (size === 1 ? ['--yes-i-really-mean-it'] : [])

/** Copies are only ever added by themselves; fewer must be said in the document. */
function fitSteps(pool: CephPool, rule: string, { copies, want, seen }: Both & { copies: Copies }): Step[] {
    const { name } = pool
    const steps: Step[] = []
    const set = (say: string, key: string, value: string, ...more: string[]) =>
        steps.push(run(say, 'osd', 'pool', 'set', name, key, value, ...more))
    const differs = (now: number, wanted: number) =>
        want.size === 'auto' && name !== MANAGERS ? now < wanted : now !== wanted
    if (pool.rule !== seen.rules.get(rule)) set(`Let ${name} follow the rule ${rule}`, 'crush_rule', rule)
    if (differs(pool.size, copies.size)) {
        set(`Keep ${copies.size} of everything in ${name}`, 'size', String(copies.size), ...sureOf(copies))
    }
    if (differs(pool.minSize, copies.minSize)) {
        set(`Write to ${name} while ${copies.minSize} can be written`, 'min_size', String(copies.minSize))
    }
    return steps
}

function fileSystemSteps(want: CephWant, seen: PoolsSeen, name: string, map: OsdMap): Step[] {
    const there = map.pools.some(pool => pool.name === 'cephfs.data' && pool.dataOf === 'cephfs')
    const keyrings = poolKeyrings(name, want.pool)
    const mount = mountUnit(want.mountAt)
    const make = run('Make the file system cephfs', 'fs', 'new', 'cephfs', 'cephfs.meta', 'cephfs.data')
    return [
        ...(there ? [] : [make]),
        ...keyringSteps(keyrings, seen.keyrings),
        ...unitSteps(mdsUnit(name), seen.units.get(mdsUnit(name)), 'the metadata server'),
        ...unitSteps(READY_UNIT, seen.units.get(READY_UNIT), 'the wait for the metadata server', MOUNT_MS).filter(
            step => step.do !== 'unit' || step.action !== 'enable',
        ),
        ...unitSteps(mount, seen.units.get(mount), `the mount of CephFS at ${want.mountAt}`, MOUNT_MS),
    ]
}

function copiesFindings({ size }: Copies, osds: number): Finding[] {
    if (size > 1) return []
    return [
        {
            ...{
                severity: 'warning',
                code: 'no-redundancy',
                at: AT,
                detail: `${osds} OSD${osds === 1 ? '' : 's'}, one copy`,
            },
            summary: 'When one disk of the cluster fails, all that is on it is lost',
            fix: 'Add disks: more copies are made at the next apply. Keep backups elsewhere.',
        },
    ]
}

const silent: Finding = {
    ...{ severity: 'error', code: 'ceph-silent', at: AT },
    summary: 'The monitor runs, and does not answer',
    fix: 'Look at it: systemctl status ceph-mon.target; then: ceph status.',
}
