// Looks at what there is of Ceph on the running machine, and asks the cluster where it answers.
import { LOOK_MS } from '../../../base/look.ts'
import type { Look } from '../../../engine/resource.ts'
import { seeUnits } from '../../../engine/see-basics.ts'
import type { Probe } from '../../../ports/ports.ts'
import { listMembers, parseMembers } from '../lvm-report.ts'
import { mountUnit } from '../mount-unit.ts'
import { together } from '../together.ts'
import * as ceph from './ceph.ts'
import {
    type Address,
    type CephWant,
    FOLDER,
    type Ground,
    type Identity,
    MADE,
    OSD_RECORD,
    type OsdDisk,
    RECORD,
    storeOf,
} from './identity.ts'
import { LIBVIRT_KEYRING } from './keys.ts'
import * as libvirt from './libvirt.ts'
import { CONF, MGR_UTIL, type MonSeen, mgrUnit, monKeyrings, monUnit, STAND_IN } from './mon.ts'
import { READY_UNIT } from './mount.ts'
import type { OsdSeen } from './osd.ts'
import { mdsUnit, type PoolsSeen, poolKeyrings } from './pools.ts'
import * as volume from './volume.ts'

const CLUSTER_MS = 180_000

export interface Eyes {
    disks(machine: Probe): Promise<OsdDisk[]>
    /** What the cluster says of itself; undefined when it does not answer. */
    cluster(machine: Probe): Promise<ceph.Answers | undefined>
}

export const askCluster = together(async machine => {
    if (!(await machine.look(ceph.askAll[0]))) return undefined
    const run = { argv: ceph.askAll, stdin: ceph.QUESTIONS, deadlineMs: CLUSTER_MS }
    const { stdout } = await machine.query(run)
    return ceph.parseAll(stdout)
})

type Argv = readonly [string, ...string[]]

/** What it says, or '' when it is not installed or does not succeed. */
async function ask(machine: Probe, argv: Argv): Promise<string> {
    if (!(await machine.look(argv[0]))) return ''
    const { exitCode, stdout } = await machine.query({ argv: [...argv] as [string, ...string[]], deadlineMs: LOOK_MS })
    return exitCode === 0 ? stdout : ''
}

export async function seeGround({ root, machine }: Look, { disks }: Pick<Eyes, 'disks'>): Promise<Ground> {
    const [record, made, machineId, addresses] = await Promise.all([
        root.readText(RECORD),
        root.look(MADE),
        root.readText('/etc/machine-id'),
        seeAddresses(machine),
    ])
    return {
        ...{ record: recordOf(record), made: made !== undefined, machineId: (machineId ?? '').trim(), addresses },
        disks: made ? [] : await disks(machine),
    }
}

function recordOf(text: string | undefined): Identity | undefined {
    if (text === undefined) return undefined
    const { fsid, name, address } = JSON.parse(text) as Identity
    return { fsid, name, address }
}

const INSIDE = /^(lo|docker|br-[0-9a-f]{12}|virbr|veth|vnet|cali|tunl|vxlan|cni)/

/** Of the interfaces that lead outside; IPv4 first, those of the default route before others. */
async function seeAddresses(machine: Probe): Promise<Address[]> {
    interface Link {
        ifname: string
        addr_info?: { family: string; local: string; scope: string; temporary?: boolean; deprecated?: boolean }[]
    }
    const [links, routes] = await Promise.all([
        ask(machine, ['/usr/sbin/ip', '-json', 'address', 'show']),
        ask(machine, ['/usr/sbin/ip', '-json', 'route', 'show', 'default']),
    ])
    const primary = (JSON.parse(routes || '[]') as { dev?: string }[])[0]?.dev
    return (JSON.parse(links || '[]') as Link[])
        .filter(({ ifname }) => !INSIDE.test(ifname))
        .flatMap(({ ifname, addr_info = [] }) =>
            addr_info
                .filter(one => one.scope === 'global' && !one.temporary && !one.deprecated)
                .map(one => ({ device: ifname, address: one.local, primary: ifname === primary })),
        )
        .sort((a, b) => Number(a.address.includes(':')) - Number(b.address.includes(':')))
}

async function present(probe: Probe, paths: readonly string[]): Promise<Set<string>> {
    const seen = await Promise.all(paths.map(async path => [path, await probe.look(path)] as const))
    return new Set(seen.filter(([, facts]) => facts !== undefined).map(([path]) => path))
}

export async function seeMon(look: Look, want: CephWant, eyes: Eyes): Promise<MonSeen> {
    const { root, machine } = look
    const ground = await seeGround(look, eyes)
    const name = ground.record?.name ?? want.hostname
    const [conf, mgrUtil, standIn, stores, keyrings, units] = await Promise.all([
        root.readText(CONF),
        root.readText(MGR_UTIL),
        root.readText(STAND_IN),
        machine.list(storeOf(name)),
        present(
            machine,
            monKeyrings(name).map(({ path }) => path),
        ),
        seeUnits(look, [monUnit(name), mgrUnit(name)]),
    ])
    return {
        ...{ ...ground, conf, standIn, store: stores.length > 0, keyrings, units },
        // Not installed yet: what will be is looked at then.
        mgrNeedsBcrypt: /^import bcrypt$/m.test(mgrUtil ?? ''),
    }
}

export async function seeOsds(look: Look, eyes: Eyes): Promise<OsdSeen> {
    const { root, machine } = look
    const [ground, disks, volumes, groups, recorded] = await Promise.all([
        seeGround(look, { disks: async () => [] }),
        eyes.disks(machine),
        ask(machine, volume.listVolumes),
        ask(machine, listMembers),
        seeRecords(root),
    ])
    const found = volume.parseVolumes(volumes)
    const map = ground.made ? (await eyes.cluster(machine))?.map : undefined
    return {
        ...{ ...ground, disks, volumes: found, groups: parseMembers(groups), recorded, map },
        units: await seeOsdUnits(look, found),
    }
}

async function seeRecords(root: Probe): Promise<string[]> {
    const names = (await root.list(FOLDER)).filter(name => OSD_RECORD.test(name))
    const texts = await Promise.all(names.map(name => root.readText(`${FOLDER}/${name}`)))
    return texts.map(text => (JSON.parse(text ?? '{}') as { disk?: string }).disk ?? '').filter(Boolean)
}

async function seeOsdUnits(look: Look, volumes: readonly volume.OsdVolume[]): Promise<Map<number, string>> {
    if (volumes.length === 0) return new Map()
    const unitOf = (id: number) => `ceph-osd@${id}.service`
    const seen = await seeUnits(
        look,
        volumes.map(({ osdId }) => unitOf(osdId)),
    )
    return new Map(
        volumes.map(({ osdId }) => {
            const { active = false, failed = false } = seen.get(unitOf(osdId)) ?? {}
            return [osdId, active ? 'active' : failed ? 'failed' : 'inactive']
        }),
    )
}

export async function seePools(look: Look, want: CephWant, eyes: Eyes): Promise<PoolsSeen> {
    const { root, machine } = look
    const ground = await seeGround(look, eyes)
    const name = ground.record?.name ?? want.hostname
    const nothing = { settings: [], rules: new Map(), keyrings: new Set<string>(), units: new Map() }
    if (!ground.made) return { ...ground, ...nothing, memoryBytes: 0, osdsHere: 0 }
    const [units, keyrings, memory, records, answers] = await Promise.all([
        seeUnits(look, [monUnit(name), mdsUnit(name), READY_UNIT, mountUnit(want.mountAt)]),
        present(
            machine,
            poolKeyrings(name, want.pool).map(({ path }) => path),
        ),
        machine.readText('/proc/meminfo'),
        seeRecords(root),
        eyes.cluster(machine),
    ])
    const memoryBytes = Number(/^MemTotal:\s+(\d+) kB/m.exec(memory ?? '')?.[1] ?? 0) * 1024
    return { ...ground, ...nothing, keyrings, units, memoryBytes, osdsHere: records.length, ...answers }
}

export async function seeLibvirt(look: Look, { pool }: CephWant, eyes: Eyes): Promise<libvirt.LibvirtSeen> {
    const { root, machine } = look
    const ground = await seeGround(look, eyes)
    const [keyring, left, secretXml, poolXml] = await Promise.all([
        machine.readText(LIBVIRT_KEYRING),
        machine.look(libvirt.KEY_FILE),
        root.readText(libvirt.secretXmlFile(pool)),
        root.readText(libvirt.poolXmlFile(pool)),
    ])
    const seen = { ...ground, keyring: keyring !== undefined, keyLeft: left !== undefined, secretXml, poolXml }
    if (!ground.record || keyring === undefined) return { ...seen, secretDefined: false, secretSame: false }
    const [secrets, value, pools] = await Promise.all([
        ask(machine, libvirt.listSecrets),
        machine.readText(libvirt.secretFile(ground.record)),
        ask(machine, libvirt.listPools),
    ])
    const key = /^\s*key\s*=\s*(\S+)/m.exec(keyring)?.[1]
    const known = pools.split('\n').some(line => line.trim() === pool)
    const [info, xml] = known
        ? await Promise.all([ask(machine, libvirt.poolInfo(pool)), ask(machine, libvirt.poolXml(pool))])
        : ['', '']
    return {
        ...seen,
        secretDefined: libvirt.hasSecret(secrets, libvirt.secretUuid(ground.record)),
        secretSame: key !== undefined && value?.trim() === key,
        pool: known ? libvirt.parsePool(info, xml) : undefined,
    }
}
