// A cluster in memory for tests: the tools of Ceph, LVM and libvirt answer from it, and each of their touches can be the last.
import type { SimulatedNode } from '../../../../engine/testing/node.ts'
import type { FakeTool } from '../../../../ports/fake.ts'
import type { ToolResult, ToolRun } from '../../../../ports/ports.ts'
import type { OsdDisk } from '../identity.ts'

interface FakeOsd {
    osd: number
    uuid: string
    up: number
    in: number
    state: string[]
}

interface FakePool {
    pool_name: string
    size: number
    min_size: number
    crush_rule: number
    application_metadata: Record<string, Record<string, string>>
}

export interface FakeCluster {
    tools: FakeTool[]
    disks(): OsdDisk[]
    /** Entity → its rights, as they were asked for. */
    auth: Map<string, string>
    osds: FakeOsd[]
    pools: FakePool[]
    settings: { section: string; mask: string; name: string; value: string }[]
    modules: string[]
    rules: string[]
    /** Disk → the OSD on it; a torn one has no tags yet. */
    volumes: Map<string, { id: number; uuid: string; fsid: string } | undefined>
    /** What disks hold, by id: '' is blank. */
    holds: Map<string, string>
    checks: Record<string, { severity: string; summary: { message: string } }>
    /** What OSDs that are out held is whole elsewhere. */
    copied: boolean
}

export const PROGRAMS = ['/usr/bin/ceph', '/usr/sbin/lvs', '/usr/sbin/pvs', '/usr/sbin/ip', '/usr/bin/virsh']

type Answer = Partial<ToolResult> | Promise<Partial<ToolResult>>

/** `node` is asked when a tool runs: the node is made with its tools. */
export function fakeCluster(node: () => SimulatedNode, holds: Record<string, string>): FakeCluster {
    const pathOf = (id: string) => `/dev/vd${'bcdefgh'[[...it.holds.keys()].indexOf(id)]}`
    const touch = (argv: readonly string[]) => node().onTouch(argv)
    const put = (path: string, text: string) => node().system.writeFile(path, text)
    const running = (unit: string) => node().units.get(unit)?.active === true
    const option = (argv: readonly string[], name: string) => argv[argv.indexOf(name) + 1] ?? ''
    const tool = (program: string, answer: (run: ToolRun) => Answer): FakeTool => ({
        argv: argv => argv[0] === program,
        answer,
    })
    const osdUnit = (id: number) => `ceph-osd@${id}.service`
    const run = (unit: string) => node().units.set(unit, { enabled: true, active: true })

    const it: FakeCluster = {
        // Monitors make this one by themselves.
        auth: new Map([['client.bootstrap-osd', 'mon allow profile bootstrap-osd']]),
        ...{ osds: [], pools: [], settings: [], modules: ['iostat'], rules: ['replicated_rule'] },
        ...{ volumes: new Map(), holds: new Map(Object.entries(holds)), checks: {}, tools: [], copied: true },
        disks: () =>
            [...it.holds].map(([id, held]) => ({
                ...{ id, path: pathOf(id), system: false, removable: false, readOnly: false, mountpoints: [] },
                ...{ blank: held === '' && !it.volumes.has(id), fingerprint: held },
                words: it.volumes.has(id) ? 'holds LVM2_member' : held === '' ? 'blank' : `holds ${held}`,
            })),
    }

    const looks: Record<string, () => unknown> = {
        'mon stat': () => ({}),
        status: () => ({
            ...{ fsid: '', health: { status: 'HEALTH_OK', checks: it.checks } },
            mgrmap: { modules: it.modules },
        }),
        'osd dump': () => ({
            osds: it.osds.map(one => ({ ...one, up: running(osdUnit(one.osd)) ? 1 : 0 })),
            pools: it.pools,
        }),
        'config dump': () => it.settings,
        'osd crush rule dump': () => it.rules.map((rule_name, rule_id) => ({ rule_id, rule_name })),
    }
    const pool = (name: string) => it.pools.find(one => one.pool_name === name)
    /** Words, then what they do; the words that follow are handed over. */
    const changes: [string, (...words: string[]) => Answer][] = [
        [
            'auth get-or-create',
            (entity, ...caps) => {
                if ((it.auth.get(entity!) ?? caps.join(' ')) !== caps.join(' ')) return { exitCode: 22 }
                it.auth.set(entity!, caps.join(' '))
                return { stdout: `[${entity}]\n\tkey = key-of-${entity}\n` }
            },
        ],
        ['auth print-key', entity => ({ stdout: `key-of-${entity}` })],
        [
            'config set',
            (who, name, value) => {
                const [section = '', mask = ''] = who!.split('/')
                it.settings = it.settings.filter(one => one.name !== name || one.section !== section)
                it.settings.push({ section, mask, name: name!, value: value! })
                return {}
            },
        ],
        [
            'config rm',
            (_, name) => ({ exitCode: (it.settings = it.settings.filter(one => one.name !== name)) ? 0 : 1 }),
        ],
        ['mgr module disable', name => ({ exitCode: (it.modules = it.modules.filter(one => one !== name)) ? 0 : 1 })],
        ['osd crush rule create-replicated', name => ({ exitCode: it.rules.push(name!) ? 0 : 1 })],
        [
            'osd pool create',
            (name, _pgs, _more, _kind, rule, _, copies) => {
                if (pool(name!)) return { exitCode: 17 }
                const crush_rule = it.rules.indexOf(rule!)
                const set = (key: string, value: number) =>
                    Number(it.settings.find(one => one.name === `osd_pool_default_${key}`)?.value ?? value)
                const [size, min_size] = [Number(copies), set('min_size', 2)]
                it.pools.push({ pool_name: name!, size, min_size, crush_rule, application_metadata: {} })
                return {}
            },
        ],
        [
            'osd pool set',
            (name, key, value) => {
                const one = pool(name!)
                if (!one) return { exitCode: 2 }
                if (key === 'size') one.size = Number(value)
                else if (key === 'min_size') one.min_size = Number(value)
                else if (key === 'crush_rule') one.crush_rule = it.rules.indexOf(value!)
                else return { exitCode: 22 }
                return {}
            },
        ],
        [
            'osd pool application enable',
            (name, word) => {
                pool(name!)!.application_metadata[word!] = {}
                return {}
            },
        ],
        [
            'fs new',
            (name, meta, data) => {
                pool(meta!)!.application_metadata.cephfs = { metadata: name! }
                pool(data!)!.application_metadata.cephfs = { data: name! }
                return {}
            },
        ],
        [
            'osd out',
            id => {
                it.osds.find(one => one.osd === Number(id))!.in = 0
                return {}
            },
        ],
        [
            'osd purge',
            id => {
                it.osds = it.osds.filter(one => one.osd !== Number(id))
                return {}
            },
        ],
        [
            'osd purge-new',
            id => {
                const fresh = it.osds.find(one => one.osd === Number(id))?.state.includes('new')
                if (fresh) it.osds = it.osds.filter(one => one.osd !== Number(id))
                return { exitCode: fresh ? 0 : 1 }
            },
        ],
    ]
    const ceph = ({ argv, stdin }: ToolRun): Answer => {
        const words = [...argv.slice(1)]
        while (words[0]?.startsWith('--')) words.splice(0, 2)
        const line = words.join(' ')
        // A line for each question, as of a person at its prompt.
        if (line === '') {
            const asked = String(stdin).trim().split('\n')
            return {
                stdout: running('ceph-mon@node1.service')
                    ? asked.map(one => `\n${JSON.stringify(looks[one]!())}\n`).join('')
                    : '',
            }
        }
        if (!running('ceph-mon@node1.service')) return { exitCode: 1 }
        if (line === 'osd dump' && !argv.includes('--format')) {
            return { stdout: it.osds.map(one => `osd.${one.osd} ${one.state.join(',')} ${one.uuid}\n`).join('') }
        }
        if (line.startsWith('osd safe-to-destroy ')) {
            const one = it.osds.find(({ osd }) => osd === Number(words[2]))
            return { exitCode: !one || (one.in === 0 && it.copied) ? 0 : 16 }
        }
        const look = looks[line]
        if (look) return { stdout: JSON.stringify(look()) }
        const change = changes.find(([head]) => line.startsWith(`${head} `))
        if (!change) throw new Error(`the fake ceph does not know: ${line}`)
        touch(argv)
        return change[1](...words.slice(change[0].split(' ').length))
    }
    const fsid = async () =>
        /^fsid = (.*)$/m.exec((await node().system.readText('/etc/ceph/ceph.conf')) ?? '')?.[1] ?? ''
    const cephVolume = async ({ argv }: ToolRun): Promise<Partial<ToolResult>> => {
        const verb = argv[2]
        if (verb === 'zap') {
            const disk = argv.at(-1)!
            touch(argv)
            it.volumes.delete(disk)
            touch(argv)
            it.holds.set(disk, '')
            return {}
        }
        if (verb === 'activate') {
            touch(argv)
            run(osdUnit(Number(argv[4])))
            return {}
        }
        const disk = option(argv, '--data')
        const uuid = option(argv, '--osd-fsid')
        if (it.volumes.has(disk) || it.holds.get(disk) !== '') return { exitCode: 1 }
        touch(argv)
        // The monitors hold the key of the torn try, and refuse another.
        if (it.osds.some(one => one.uuid === uuid)) return { exitCode: 1 }
        const id = it.osds.length === 0 ? 0 : Math.max(...it.osds.map(one => one.osd)) + 1
        it.osds.push({ osd: id, uuid, up: 0, in: 0, state: ['exists', 'new'] })
        touch(argv)
        it.volumes.set(disk, undefined)
        touch(argv)
        it.volumes.set(disk, { id, uuid, fsid: await fsid() })
        touch(argv)
        Object.assign(it.osds.find(one => one.osd === id)!, { up: 1, in: 1, state: ['exists', 'up'] })
        run(osdUnit(id))
        return {}
    }
    const lvs = () => ({
        stdout: JSON.stringify({
            report: [
                {
                    lv: [...it.volumes].map(([disk, one]) => ({
                        devices: `${pathOf(disk)}(0)`,
                        lv_tags: one
                            ? `ceph.cluster_fsid=${one.fsid},ceph.osd_fsid=${one.uuid},ceph.osd_id=${one.id},ceph.type=block`
                            : '',
                    })),
                },
            ],
        }),
    })

    const libvirt = { secrets: '', pool: undefined as { active: boolean; autostart: boolean; xml: string } | undefined }
    const virsh = async ({ argv }: ToolRun): Promise<Partial<ToolResult>> => {
        const [verb, first = ''] = argv.slice(4)
        const held = libvirt.pool
        if (verb === 'secret-list') return { stdout: libvirt.secrets }
        if (verb === 'pool-list') return { stdout: held ? 'vm-pool\n' : '' }
        if (verb === 'pool-dumpxml') return { stdout: held?.xml ?? '' }
        if (verb === 'pool-info') {
            const state = `State: ${held?.active ? 'running' : 'inactive'}\nAutostart: ${held?.autostart ? 'yes' : 'no'}\n`
            return { stdout: state }
        }
        touch(argv)
        const text = (await node().system.readText(first)) ?? ''
        if (verb === 'secret-define') libvirt.secrets = /<uuid>(.*)<\/uuid>/.exec(text)![1]!
        else if (verb === 'secret-set-value') {
            const key = await node().system.readText(option(argv, '--file'))
            if (key === undefined) return { exitCode: 1 }
            await put(`/etc/libvirt/secrets/${first}.base64`, key)
        } else if (verb === 'pool-define') libvirt.pool = { active: false, autostart: false, xml: text }
        else if (verb === 'pool-start') libvirt.pool!.active = true
        else if (verb === 'pool-autostart') libvirt.pool!.autostart = true
        else if (verb === 'pool-destroy') libvirt.pool!.active = false
        else if (verb === 'pool-undefine') libvirt.pool = undefined
        else return { exitCode: 1 }
        return {}
    }

    it.tools.push(
        tool('/usr/bin/ceph', ceph),
        tool('/usr/sbin/ceph-volume', cephVolume),
        tool('/usr/sbin/lvs', lvs),
        tool('/usr/sbin/pvs', () => ({ stdout: '{"report":[{"pv":[]}]}' })),
        tool('/usr/sbin/ip', ({ argv }) => ({
            stdout: argv.includes('route')
                ? '[]'
                : '[{"ifname":"eth0","addr_info":[{"family":"inet","local":"10.0.2.15","scope":"global"}]}]',
        })),
        tool('/usr/bin/virsh', virsh),
        tool('/usr/bin/rm', async ({ argv }) => {
            touch(argv)
            await node().system.remove(argv.at(-1)!)
            return {}
        }),
        tool('/usr/bin/chown', () => ({})),
        tool('/usr/bin/mv', async ({ argv }) => {
            touch(argv)
            await node().system.rename(argv.at(-2)!, argv.at(-1)!)
            return {}
        }),
        tool('/usr/bin/ceph-authtool', async ({ argv }) => {
            await put(option(argv, '--create-keyring'), '[mon.]\n\tkey = key-of-mon\n')
            return {}
        }),
        tool('/usr/bin/monmaptool', async ({ argv }) => {
            await put(argv.at(-1)!, 'map')
            return {}
        }),
        tool('/usr/bin/ceph-mon', async ({ argv }) => {
            const store = option(argv, '--mon-data')
            // As ceph-mon does: what is there is taken for a monitor, and left as it is.
            if ((await node().system.list(store)).length > 0) return {}
            await put(`${store}/store.db`, 'half')
            await put(`${store}/keyring`, '[mon.]\n\tkey = key-of-mon\n')
            return {}
        }),
    )
    return it
}
