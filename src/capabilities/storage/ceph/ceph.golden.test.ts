// Ceph on one node: what is planned for a document and what is seen; each a story in a folder of testdata.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { expectGolden } from '../../../../tests/golden.ts'
import { readDocument } from '../../../engine/document.ts'
import { makePlan } from '../../../engine/plan.ts'
import { renderPlan } from '../../../engine/render.ts'
import { type OwnPlan, type Resource, resource } from '../../../engine/resource.ts'
import { parseMembers } from '../lvm-report.ts'
import { mountUnit } from '../mount-unit.ts'
import { checkStorage, storageSpec } from '../spec.ts'
import { parseConfig, parseOsds, parseRules, parseStatus } from './ceph.ts'
import { type CephWant, type Identity, type OsdDisk, storeOf } from './identity.ts'
import { parsePool, planLibvirt } from './libvirt.ts'
import { confText, mgrUnit, monKeyrings, monUnit, planMon, standInText } from './mon.ts'
import { READY_UNIT } from './mount.ts'
import { planOsds } from './osd.ts'
import { mdsUnit, planPools, poolKeyrings } from './pools.ts'
import { cephWant } from './resources.ts'
import type { UnitNow } from './units.ts'
import { parseVolumes } from './volume.ts'

const folder = join(import.meta.dirname, 'testdata')
const stories = readdirSync(folder).filter(name => name !== 'outputs')
const output = (name: string) => readFileSync(join(folder, 'outputs', name), 'utf8')
const schema = z.object({
    profile: z.enum(['ceph', 'zfs', 'mixed']),
    storage: storageSpec.prefault({}),
    node: z.object({ hostname: z.string().default('node1') }).prefault({}),
    vm: z.object({ enabled: z.boolean().default(true) }).prefault({}),
})

/** What differs from a bare machine; names of files are in testdata/outputs. */
interface Seen {
    /** Which parts the story is about; all unless told. */
    parts?: string[]
    /** by-id name → `blank`, `system`, `mounted`, `removable`, or the signatures; /dev/vdb, /dev/vdc and so on. */
    disks: Record<string, string>
    addresses?: string[]
    record?: Identity
    made?: boolean
    store?: boolean
    /** Text of ceph.conf; `ours` is the right one. */
    conf?: string
    keyrings?: 'none' | 'admin' | 'mon' | 'all'
    running?: string[]
    failed?: string[]
    standIn?: boolean
    mended?: boolean
    lvs?: string
    pvs?: string
    recorded?: string[]
    status?: string
    osds?: string
    config?: string
    rules?: string
    memoryBytes?: number
    libvirt?: boolean
    agreed?: Record<string, string | null>
}

const diskOf = ([id, said]: [string, string], at: number): OsdDisk => ({
    ...{ id: `/dev/disk/by-id/${id}`, path: `/dev/vd${'bcdefgh'[at]}`, system: said === 'system' },
    ...{ removable: said === 'removable', readOnly: false, blank: said === 'blank' || said === 'removable' },
    ...{ mountpoints: said === 'mounted' ? ['/mnt'] : [], fingerprint: said },
    words: `12 GiB, ${said === 'blank' ? 'blank' : `holds ${said}`}`,
})

function planOf(want: CephWant, seen: Seen, agreed: ReadonlyMap<string, string | undefined>): string {
    const { record, made = false } = seen
    const name = record?.name ?? want.hostname
    const disks = Object.entries(seen.disks).map(diskOf)
    const addresses = (seen.addresses ?? ['10.0.2.15']).map(address => ({ device: 'eth0', address, primary: true }))
    const ground = { record, made, machineId: '0123456789abcdef', addresses, disks: made ? [] : disks }
    const units = new Map<string, UnitNow>()
    const known = [monUnit(name), mgrUnit(name), mdsUnit(name), READY_UNIT, mountUnit(want.mountAt)]
    const running = seen.running ?? (made ? known : [])
    for (const unit of known) {
        const failed = seen.failed?.includes(unit) ?? false
        units.set(unit, { enabled: made, active: running.includes(unit) && !failed, failed })
    }
    const rings = seen.keyrings ?? (made ? 'all' : 'none')
    const monRings = monKeyrings(name).map(({ path }) => path)
    const keyrings = new Set(
        {
            none: [],
            admin: monRings.slice(0, 1),
            mon: monRings,
            all: [...monRings, ...poolKeyrings(name, want.pool).map(({ path }) => path)],
        }[rings] as string[],
    )
    const conf = seen.conf === 'ours' || (seen.conf === undefined && record) ? confText(record!) : seen.conf
    const volumes = parseVolumes(seen.lvs ? output(seen.lvs) : '')
    const map = seen.osds ? parseOsds(output(seen.osds)) : undefined
    const states = new Map(
        volumes.map(({ osdId }) => {
            const unit = `ceph-osd@${osdId}.service`
            const state = seen.failed?.includes(unit) ? 'failed' : 'active'
            return [osdId, seen.running && !seen.running.includes(unit) && state === 'active' ? 'inactive' : state]
        }),
    )
    const mgr = { mgrNeedsBcrypt: !seen.mended, standIn: seen.standIn === false || !made ? undefined : standInText }
    const all: [string, OwnPlan][] = [
        ['mon', planMon(want, { ...ground, conf, store: seen.store ?? made, keyrings, units, ...mgr }, agreed)],
        [
            'osd',
            planOsds(
                want,
                {
                    ...{ ...ground, disks, volumes, groups: parseMembers(seen.pvs ? output(seen.pvs) : ''), map },
                    recorded: (seen.recorded ?? []).map(id => `/dev/disk/by-id/${id}`),
                    units: states,
                },
                agreed,
            ),
        ],
        [
            'pools',
            planPools(
                want,
                {
                    ...{ ...ground, units, keyrings, map, memoryBytes: seen.memoryBytes ?? 16 * 1024 ** 3 },
                    status: seen.status ? parseStatus(output(seen.status)) : undefined,
                    settings: seen.config ? parseConfig(output(seen.config)) : [],
                    rules: seen.rules ? parseRules(output(seen.rules)) : new Map(),
                    osdsHere: (seen.recorded ?? []).length,
                },
                agreed,
            ),
        ],
        [
            'libvirt',
            planLibvirt(
                want,
                {
                    ...{ ...ground, keyring: rings === 'all', secretDefined: seen.libvirt ?? false },
                    ...{ secretSame: seen.libvirt ?? false, keyLeft: false },
                    ...(seen.libvirt
                        ? {
                              secretXml: output('secret.xml'),
                              poolXml: output('pool.xml'),
                              pool: parsePool(output('pool-info.txt'), output('pool-dumpxml.xml')),
                          }
                        : {}),
                },
                agreed,
            ),
        ],
    ]
    const parts = all.filter(([part]) => seen.parts?.includes(part) ?? true)
    const names = ['storage.ceph.tools', ...parts.map(([part]) => `storage.ceph.${part}`)]
    const resources = parts.map(([part, own], at) =>
        resource<object, object, object>({
            ...{ name: `storage.ceph.${part}`, phases: ['boot'], needs: [names[at]!] },
            ...{ want: () => ({}), plan: () => own },
        }),
    ) as Resource[]
    const nothing = { installed: new Set<string>(), files: new Map(), folders: new Map(), links: new Map() }
    const surveyed = new Map(resources.map(one => [one.name, { want: {}, basics: {}, own: {} }]))
    const survey = { basis: '', phase: 'boot' as const, seen: { ...nothing, units: new Map() }, resources: surveyed }
    return renderPlan(makePlan(resources, survey, agreed), { verbose: true })
}

describe.each(stories)('Ceph: %s', story => {
    it('is planned so', () => {
        const at = (file: string) => join(folder, story, file)
        const { document, findings } = readDocument(readFileSync(at('want.yaml'), 'utf8'), schema, [checkStorage])
        if (!document) {
            const told = findings.map(f => `line ${f.line}: ${f.at}: ${f.summary} (${f.detail ?? ''}) → ${f.fix}\n`)
            return expectGolden(at('plan.txt'), told.join(''))
        }
        const seen = JSON.parse(readFileSync(at('seen.json'), 'utf8')) as Seen
        const agreed = new Map(
            Object.entries(seen.agreed ?? {}).map(([id, print]) => [
                id.includes(':') ? id : `disk:/dev/disk/by-id/${id}`,
                print ?? undefined,
            ]),
        )
        expectGolden(at('plan.txt'), planOf(cephWant(document)!, seen, agreed))
    })
})

it('puts no key into a plan: only where it is', () => {
    for (const story of stories) {
        const text = readFileSync(join(folder, story, 'plan.txt'), 'utf8')
        // A key of Ceph is 40 characters of base64, and ends so.
        expect(text).not.toMatch(/[A-Za-z0-9+/]{38}==/)
        expect(text).not.toContain(storeOf('other'))
    }
})
