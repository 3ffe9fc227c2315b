// What stands in the simulated node at first: machines, images, networks and people, from a seed, changing as real ones do.
import { create } from '@bufbuild/protobuf'
import { PoolSchema } from '../../../gen/proto/capabilities/image/image_pb.js'
import { NetworkSchema } from '../../../gen/proto/capabilities/network/network_pb.js'
import { type Snapshot, SnapshotSchema, State } from '../../../gen/proto/capabilities/vm/vm_pb.js'
import { furnishContainers } from './container-service.ts'
import { furnishStacks } from './stacks.ts'
import { createWorld, GIB, MARKUP, type World, type WorldOptions } from './world.ts'

export function furnishedWorld(options: WorldOptions): World {
    const world = createWorld(options)
    furnish(world)
    return world
}

function furnish(world: World): void {
    const { options, pools, networks, vms, volumes, users, timers } = world
    const { uuid, pick, ago, next, hostile, say, record, addUser, addVolume, addVm } = world
    addUser('admin', 'admin', 'correct horse battery')
    addUser('olga', 'operator', 'correct horse battery')
    addUser('vera', 'viewer', 'correct horse battery')
    addUser('grit', '', 'correct horse battery')
    if (options.bare) users.clear()

    const addPool = (name: string, total: bigint, free: bigint, health: string): void => {
        pools.set(
            name,
            create(PoolSchema, {
                uuid: uuid(),
                name,
                type: 'dir',
                active: health !== 'away' && health !== 'unreadable',
                autostart: true,
                path: `/var/lib/debvisor/${name}`,
                capacityBytes: total,
                allocationBytes: total - free,
                availableBytes: free,
                volumes: 0,
                health,
                problem: health === 'unreadable' ? 'The folder does not answer' : '',
            }),
        )
    }
    addPool('default', 500n * GIB, 310n * GIB, 'ok')
    if (!options.bare) {
        addPool('fast', 200n * GIB, 14n * GIB, 'low')
        addPool('archive', 0n, 0n, 'away')
        addPool('nas', 0n, 0n, 'unreadable')
        addVolume('default', 'debian-13-genericcloud-amd64.qcow2', {
            capacityBytes: 3n * GIB,
            allocationBytes: GIB / 2n,
        })
        addVolume('default', 'ubuntu-24.04-server-cloudimg.img', { capacityBytes: 4n * GIB, allocationBytes: GIB })
        addVolume('default', 'debian-13.1.0-amd64-netinst.iso', {
            format: 'iso',
            purpose: 'iso',
            capacityBytes: 700n * 1024n ** 2n,
            allocationBytes: 700n * 1024n ** 2n,
        })
        addVolume('default', 'ipxe.iso', {
            format: 'iso',
            purpose: 'iso',
            capacityBytes: 2n * 1024n ** 2n,
            allocationBytes: 2n * 1024n ** 2n,
        })
        if (options.hostile) addVolume('default', MARKUP, { backing: MARKUP, usedBy: [`vm:${MARKUP}`] })
    }
    const addNetwork = (name: string, mode: string, address: string): void => {
        networks.set(
            name,
            create(NetworkSchema, {
                uuid: uuid(),
                name,
                active: true,
                autostart: true,
                persistent: true,
                mode,
                bridge: `virbr${networks.size}`,
                addresses: [address],
                dhcpStart: address.replace(/\d+\/\d+$/, '2'),
                dhcpEnd: address.replace(/\d+\/\d+$/, '254'),
                leases: [],
                usedBy: options.hostile ? [MARKUP] : [],
            }),
        )
    }
    addNetwork('default', 'nat', '192.168.122.1/24')
    if (!options.bare) addNetwork('lab', 'isolated', '10.20.0.1/24')

    const roles = ['web', 'db', 'app', 'build', 'mail', 'cache', 'queue', 'test']
    for (let i = 0; i < options.vms; i++) {
        const name = `${roles[i % roles.length]}${Math.floor(i / roles.length) + 1}`
        const one = addVm(
            i === 0 && options.hostile ? MARKUP : name,
            i === 0 ? { state: State.RUNNING, tags: ['prod', 'web'] } : {},
        )
        if (i === 0) {
            const detail = one.detail
            detail.vm!.pending = true
            detail.pendingChanges = ['Memory: 2 GiB now, 4 GiB from the next start']
            const snap = (name_: string, parent: string, part: Partial<Snapshot>): Snapshot =>
                create(SnapshotSchema, {
                    name: name_,
                    parent,
                    kind: 'internal',
                    state: State.STOPPED,
                    created: ago(90_000),
                    ...part,
                } as never)
            one.snapshots.push(
                snap('before-upgrade', '', {
                    description: hostile('Before the upgrade to 13'),
                    children: ['after-upgrade', 'try-kernel'],
                }),
                snap('after-upgrade', 'before-upgrade', {
                    current: true,
                    state: State.RUNNING,
                    memory: true,
                    created: ago(4_000),
                }),
                snap('try-kernel', 'before-upgrade', { created: ago(8_000), description: 'Backports kernel' }),
            )
            detail.snapshots = 3
        }
    }
    if (options.vms > 4) {
        const third = [...vms.values()][3]!.detail.vm!
        third.state = State.CRASHED
        const fourth = [...vms.values()][4]!.detail.vm!
        fourth.state = State.STOPPED
        fourth.template = true
    }
    for (const network of networks.values())
        for (const one of vms.values())
            if (one.detail.vm!.networks.includes(network.name)) network.usedBy.push(one.detail.vm!.name)
    for (const pool of pools.values()) pool.volumes = [...volumes.values()].filter(v => v.pool === pool.name).length
    for (let i = 0; i < (options.bare ? 0 : 24); i++) {
        const one = [...vms.values()][i % Math.max(1, vms.size)]
        record({
            who: pick(['admin', 'olga', 'outside', 'root']),
            what: pick(['vm.power', 'vm.update', 'login', 'image.import', 'vm.delete']),
            onId: one?.detail.vm?.uuid ?? '',
            onName: one?.detail.vm?.name ?? '',
            result: pick(['done', 'done', 'failed', 'denied']),
            detail: JSON.stringify({ vm: one?.detail.vm?.name, password: '[hidden]' }),
        })
    }

    if (!options.bare) furnishContainers(world, options.containers ?? 10)
    if (!options.bare) furnishStacks(world)

    if (options.churn) {
        const all = [...vms.values()]
        const each = Math.max(1, Math.round(options.churn / 10))
        timers.add(
            setInterval(() => {
                for (let i = 0; i < each && all.length > 0; i++) {
                    const vm = pick(all).detail.vm!
                    if (!vms.has(vm.uuid) || vm.state !== State.RUNNING) continue
                    vm.cpu = Math.max(0.01, Math.min(1, vm.cpu + (next() - 0.5) * 0.2))
                    say({ kind: 'vm', key: vm.uuid })
                }
            }, 100),
        )
    }
}
