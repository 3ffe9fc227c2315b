// A whole node in memory: disks, ZFS, libvirt, firewall and accounts beside files, packages and units; its power can go
// before, in the middle of, and after each touch, and it boots again with what a real one would still have.

import { guidOf, statusOf } from '../src/capabilities/storage/zfs/testing/pools.ts'
import { accountTools } from '../src/engine/testing/accounts.ts'
import { type SimulatedNode, simulatedNode } from '../src/engine/testing/node.ts'
import type { FakeSystem, FakeTool } from '../src/ports/fake.ts'
import type { System, ToolRun } from '../src/ports/ports.ts'
import { diskTools, type VirtualPool, virshOf } from './machine-tools.ts'

export interface MachineDisk {
    /** Below /dev/disk/by-id. */
    name: string
    /** `blank`, or the signature that is on it. */
    holds: string
}

export class PowerCut extends Error {}

export interface Machine {
    system: System
    /** Moments at which the power may go, counted since the last boot. */
    moments: number
    /** Those at which a disk is labelled, and not yet part of a pool. */
    halves: number[]
    /** The moment at which it goes. */
    cutAt: number | undefined
    /** Disks whose contents were overwritten, with what had been on them. */
    overwritten: { disk: string; held: string }[]
    /** What stands on each disk, by its id; a test may change it: the disk has failed, or another is put in. */
    held: Map<string, string>
    /** How often a pool was made whole, by name. */
    poolsMade: Map<string, number>
    boot(): Promise<void>
}

interface Pool {
    disks: string[]
    imported: boolean
    datasets: Map<string, { mountpoint: string; mounted: boolean }>
}

const BY_ID = '/dev/disk/by-id/'
const RULES = '/etc/debvisor/firewall.nft'
const STATIC = ['systemd-modules-load', 'systemd-sysctl', 'systemd-journald']

/** A bare Debian with blank and held disks. */
export function machineWith(disks: readonly MachineDisk[]): Machine {
    const held = new Map(disks.map(({ name, holds }) => [`/dev/disk/by-id/${name}`, holds]))
    const pathOf = (id: string) => `/dev/vd${String.fromCharCode(98 + [...held.keys()].indexOf(id))}`
    const pools = new Map<string, Pool>()
    const virtual = new Map<string, VirtualPool>()
    const loaded: { mark?: string; module: boolean; hostname: string; locales: string[] } = {
        ...{ module: false, hostname: 'debian', locales: ['C', 'C.utf8', 'POSIX'] },
    }
    let dead = false

    const machine: Machine = {
        ...{ system: undefined as unknown as System, moments: 0, cutAt: undefined, overwritten: [], halves: [] },
        ...{ poolsMade: new Map(), held },
        async boot() {
            dead = false
            machine.moments = 0
            machine.halves = []
            machine.cutAt = undefined
            for (const path of [...fake.files.keys()]) if (path.startsWith('/run/')) fake.files.delete(path)
            fake.files.set('/run', null)
            for (const unit of node.units.values()) unit.active = unit.enabled
            loaded.module = has('zfsutils-linux') && fake.files.has('/etc/modules-load.d/debvisor-zfs.conf')
            fake.files.delete('/sys/module/zfs/parameters/zfs_arc_max')
            if (loaded.module) await setMemory('/etc/tmpfiles.d/debvisor-zfs.conf')
            for (const pool of pools.values()) {
                pool.imported = loaded.module
                for (const dataset of pool.datasets.values()) dataset.mounted = loaded.module
            }
            for (const pool of virtual.values()) pool.active = pool.autostart
            loaded.mark = undefined
            loaded.hostname = (await fake.readText('/etc/hostname'))?.trim() ?? loaded.hostname
            await restoreFirewall()
        },
    }
    const moment = () => {
        if (dead) throw new PowerCut('the power is gone')
        if (machine.cutAt !== undefined && machine.moments >= machine.cutAt) {
            dead = true
            throw new PowerCut('the power goes')
        }
        machine.moments++
    }

    const half = () => {
        machine.halves.push(machine.moments)
        moment()
    }

    const has = (name: string) => node.packages.has(name)
    const set = (path: string, text: string) => void fake.files.set(path, Buffer.from(text))
    const overwrite = (id: string, now: string) => {
        const before = held.get(id)
        if (before === undefined) return
        if (before !== 'blank' && before !== 'gpt') machine.overwritten.push({ disk: id, held: before })
        held.set(id, now)
    }
    const setMemory = async (path: string) => {
        const bytes = /- (\d+)\n/.exec((await fake.readText(path)) ?? '')?.[1]
        if (bytes) set('/sys/module/zfs/parameters/zfs_arc_max', `${bytes}\n`)
    }
    const restoreFirewall = async () => {
        const before = await fake.readText('/var/lib/debvisor/firewall/before.nft')
        if (before !== undefined) {
            set(RULES, before)
            fake.files.delete('/var/lib/debvisor/firewall/before.nft')
        }
        loaded.mark = /comment "(debvisor .*)"/.exec((await fake.readText(RULES)) ?? '')?.[1]
    }

    const stateOf = ({ disks }: Pool) => (disks.every(id => held.get(id) === 'zfs_member') ? 'ONLINE' : 'DEGRADED')
    const zpool = ({ argv }: ToolRun) => {
        const [, verb] = argv
        if (!loaded.module) return { exitCode: 1 }
        const shown = [...pools].filter(([, pool]) => pool.imported)
        if (verb === 'list') return { stdout: shown.map(([name, pool]) => `${name}\t${stateOf(pool)}\t1\n`).join('') }
        if (verb === 'status') {
            const words = shown.map(([name, pool]) => {
                const leaves = pool.disks.map(
                    id => `${id.slice(BY_ID.length)}${held.get(id) === 'zfs_member' ? '' : ' UNAVAIL'}`,
                )
                const state = stateOf(pool)
                return [
                    name,
                    { state, parts: leaves.length > 1 ? [{ [`mirror-0 ${state}`]: leaves }] : leaves },
                ] as const
            })
            return { stdout: statusOf(Object.fromEntries(words)) }
        }
        if (verb === 'replace') {
            const [name = '', guid, fresh = ''] = argv.slice(argv[2] === '-f' ? 3 : 2)
            const pool = pools.get(name)
            const at = pool?.disks.findIndex(id => guidOf(id.slice(BY_ID.length)) === guid) ?? -1
            if (!pool || at < 0 || !held.has(fresh) || (held.get(fresh) !== 'blank' && argv[2] !== '-f'))
                return { exitCode: 1 }
            overwrite(fresh, 'gpt')
            // Labelled, and not yet part of the pool.
            half()
            held.set(fresh, 'zfs_member')
            pool.disks[at] = fresh
            return {}
        }
        if (verb === 'import') {
            const name = argv.at(-1)!
            const away = [...pools].filter(([, pool]) => !pool.imported)
            if (name === '/dev/disk/by-id')
                return { stdout: away.map(([one]) => `   pool: ${one}\n  state: ONLINE\n`).join('') }
            const pool = pools.get(name)
            if (!pool || pool.imported) return { exitCode: 1 }
            pool.imported = true
            return {}
        }
        if (verb !== 'create') throw new Error(`the machine does not know: ${argv.join(' ')}`)
        const named = argv.filter(word => held.has(word))
        const name = argv.slice(2).find((word, at, all) => /^[a-z]/.test(word) && !/^-/.test(all[at - 1] ?? ''))!
        if (pools.has(name)) return { exitCode: 1 }
        if (!argv.includes('-f') && named.some(id => held.get(id) !== 'blank')) return { exitCode: 1 }
        for (const id of named) {
            overwrite(id, 'gpt')
            // Labelled one after the other, and no pool yet.
            half()
        }
        for (const id of named) held.set(id, 'zfs_member')
        pools.set(name, { disks: named, imported: true, datasets: new Map() })
        machine.poolsMade.set(name, (machine.poolsMade.get(name) ?? 0) + 1)
        return {}
    }
    const zfs = ({ argv }: ToolRun) => {
        const [, verb] = argv
        const name = argv.at(-1)!
        const pool = pools.get(name.split('/')[0]!)
        if (!pool?.imported) return { exitCode: 1 }
        if (verb === 'list') {
            const rows = [...pool.datasets].map(
                ([at, { mountpoint, mounted }]) => `${at}\t${mountpoint}\t${mounted ? 'yes' : 'no'}\n`,
            )
            return { stdout: `${name}\tnone\tno\n${rows.join('')}` }
        }
        const mountpoint = argv.find(word => word.startsWith('mountpoint='))?.slice('mountpoint='.length)
        const there = pool.datasets.get(name)
        if (verb === 'create') {
            if (there) return { exitCode: 1 }
            // It is made, and then mounted.
            pool.datasets.set(name, { mountpoint: mountpoint!, mounted: false })
            moment()
            pool.datasets.get(name)!.mounted = true
        } else if (!there) return { exitCode: 1 }
        else if (verb === 'set') Object.assign(there, { mountpoint, mounted: true })
        else there.mounted = true
        fake.files.set(pool.datasets.get(name)!.mountpoint, null)
        return {}
    }
    const nft = async ({ argv, stdin }: ToolRun) => {
        if (argv[1] === 'list')
            return loaded.mark ? { stdout: `table inet debvisor {\n\tcomment "${loaded.mark}"\n}\n` } : { exitCode: 1 }
        if (argv[1] === 'delete') loaded.mark = undefined
        if (argv[1] === '--file')
            loaded.mark = /comment "(debvisor .*)"/.exec((await fake.readText(argv.at(-1)!)) ?? '')?.[1]
        return { exitCode: argv[1] === '--check' && !stdin ? 1 : 0 }
    }
    const program = (name: string, answer: FakeTool['answer']): FakeTool => ({ argv: argv => argv[0] === name, answer })
    const tools: FakeTool[] = [
        program('/usr/sbin/zpool', zpool),
        program('/usr/sbin/zfs', zfs),
        program(
            '/usr/bin/virsh',
            virshOf(virtual, path => Buffer.from(fake.files.get(path) ?? '').toString()),
        ),
        program('/usr/sbin/nft', nft),
        ...diskTools(held, pathOf),
        program('/usr/sbin/modprobe', () => {
            loaded.module = has('zfsutils-linux')
            return { exitCode: loaded.module ? 0 : 1 }
        }),
        program('/usr/bin/systemd-tmpfiles', async ({ argv }) => {
            if (!loaded.module) return { exitCode: 1 }
            await setMemory(argv.at(-1)!)
            return {}
        }),
        program('locale', () => ({ stdout: `${loaded.locales.join('\n')}\n` })),
        program('/usr/sbin/locale-gen', async () => {
            const text = (await fake.readText('/etc/locale.gen')) ?? ''
            const asked = [...text.matchAll(/^(\w\S*) UTF-8$/gm)].map(([, name]) => name!.replace('UTF-8', 'utf8'))
            loaded.locales = ['C', 'C.utf8', 'POSIX', ...asked]
            return {}
        }),
        program('/usr/bin/hostname', ({ argv }) => {
            loaded.hostname = argv.at(-1)!
            return {}
        }),
        program('/usr/sbin/ip', { stdout: '[]' }),
        program('/usr/bin/ss', { stdout: '' }),
        program('/usr/sbin/iptables', { stdout: '-P FORWARD ACCEPT\n' }),
        program('systemd-run', {}),
        program('/usr/bin/systemctl', {}),
        program('sysctl', {}),
        ...accountTools(() => node),
    ]
    const node: SimulatedNode = simulatedNode({
        files: {
            ...{ '/proc/1/stat': `1 (x) ${'0 '.repeat(30)}`, '/proc/meminfo': 'MemTotal:       8388608 kB\n' },
            ...{ '/etc/shadow': 'root:*:1::::::\n' },
            ...Object.fromEntries([...held.keys()].map(id => [id, ''])),
        },
        // These are static: every boot starts them.
        units: Object.fromEntries(STATIC.map(name => [`${name}.service`, { enabled: true, active: true }])),
        tools,
    })
    const fake = node.system as FakeSystem
    for (const id of held.keys()) fake.links.set(id, `../..${pathOf(id).slice(4)}`)
    // Programs and modules are there when their packages are.
    const given = (path: string): boolean | undefined =>
        path === '/usr/sbin/zpool'
            ? has('zfsutils-linux')
            : path === '/usr/bin/virsh'
              ? has('libvirt-clients')
              : path === '/sys/module/zfs'
                ? loaded.module
                : undefined
    const facts = { sizeBytes: 0, modifiedMs: 0, mode: 0o755, uid: 0, gid: 0 }
    const touching =
        <A extends unknown[], R>(touch: (...args: A) => Promise<R>) =>
        async (...args: A): Promise<R> => {
            moment()
            const result = await touch(...args)
            moment()
            return result
        }
    machine.system = {
        ...fake,
        hostname: () => loaded.hostname,
        look: async path => {
            const there = given(path)
            return there === undefined ? fake.look(path) : there ? { ...facts, kind: 'file' } : undefined
        },
        resolve: async path => {
            const id = path.replace(/-part1$/, '')
            if (!held.has(id)) return fake.resolve(path)
            if (id === path) return pathOf(id)
            return held.get(id) === 'zfs_member' ? `${pathOf(id)}1` : undefined
        },
        readRange: async (path, offset, length) => {
            const id = [...held.keys()].find(one => pathOf(one) === path)
            return id ? Buffer.alloc(length, held.get(id) === 'blank' ? 0 : 1) : fake.readRange(path, offset, length)
        },
        run: async run => {
            moment()
            if (run.argv.includes('install')) {
                // Half of the packages are there when the power goes in the middle.
                const names = run.argv.slice(run.argv.indexOf('--') + 1)
                for (const name of names.slice(0, Math.floor(names.length / 2))) node.packages.add(name)
                moment()
            }
            const result = await fake.run(run)
            moment()
            return result
        },
        writeFile: touching(fake.writeFile),
        makeDirectory: touching(fake.makeDirectory),
        remove: touching(fake.remove),
        rename: touching(fake.rename),
        link: touching(fake.link),
        claim: touching(fake.claim),
        chown: touching(fake.chown),
        chmod: touching(fake.chmod),
        openLines: async (path, mode) => {
            moment()
            const lines = await fake.openLines(path, mode)
            return { ...lines, append: touching(lines.append) }
        },
    }
    return machine
}
