// Networks on a real libvirtd in a network namespace of its own: made, followed, refused, taken back, healed.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Code, ConnectError, createClient, createRouterTransport } from '@connectrpc/connect'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { Fault } from '../../src/base/fault.ts'
import { createNetwork } from '../../src/capabilities/network/network.ts'
import { type LibvirtLink, stayConnected } from '../../src/drivers/libvirt/link.ts'
import type { TaskRecord, Tasks } from '../../src/engine/task.ts'
import { createTasks } from '../../src/engine/tasks.ts'
import type { Begun } from '../../src/gen/proto/capabilities/debvisor_pb.js'
import { NetworkService, type WatchResponse } from '../../src/gen/proto/capabilities/network/network_pb.js'
import { fakeLog } from '../../src/ports/fake.ts'
import type { Probe, System } from '../../src/ports/ports.ts'
import { realClock, realSystem } from '../../src/ports/real.ts'
import { type LibvirtWorld, startLibvirt, until } from './world.ts'

let world: LibvirtWorld
let libvirt: LibvirtLink
let tasks: Tasks
let folder = ''
let capability: ReturnType<typeof createNetwork>
const clock = realClock()
const log = fakeLog()
/** Whether our looks at the host's interfaces show nothing. */
let blind = false
const using = new Map<string, { name: string; running: boolean }[]>()

/** Looks into the namespaces of the world. */
function inside(system: System): Probe {
    return {
        ...system,
        query: async run =>
            blind
                ? { exitCode: 0, stdout: '[]', stderr: '' }
                : system.query({ ...run, argv: [...world.enterPrefix(), ...run.argv] as [string, ...string[]] }),
    }
}

const client = () =>
    createClient(
        NetworkService,
        createRouterTransport(router => capability.services!(router), {
            router: {
                interceptors: [
                    next => async request => {
                        try {
                            return await next(request)
                        } catch (thrown) {
                            if (!(thrown instanceof Fault)) throw thrown
                            const words = `${thrown.code}: ${thrown.message} | ${thrown.fix}`
                            throw new ConnectError(words, Code.FailedPrecondition)
                        }
                    },
                ],
            },
        }),
    )

/** The ended task of what was begun. */
async function ended(begun: Begun): Promise<TaskRecord> {
    await until('the task to end', 20_000, () => tasks.get(begun.task)?.endedMs !== undefined)
    return tasks.get(begun.task)!
}
async function done(begun: Begun): Promise<void> {
    const task = await ended(begun)
    expect(task.problem).toBeUndefined()
    expect(task.state).toBe('done')
}
const named = async (name: string) => (await client().list({})).networks.find(n => n.name === name)

beforeAll(async () => {
    world = await startLibvirt({ name: 'network' })
    libvirt = stayConnected({ socketPath: world.socketPath, clock, log })
    await until('the link to be up', 10_000, () => libvirt.up)
    folder = await mkdtemp(join(tmpdir(), 'dv-network-'))
    const system = realSystem()
    tasks = await createTasks({ system, clock, log, folder: join(folder, 'tasks') })
    const users = { ofNetwork: (name: string) => using.get(name) ?? [] }
    capability = createNetwork({ libvirt, tasks, probe: inside(system), clock, log, users })
    await tasks.recover()
})
afterAll(async () => {
    await capability?.close?.()
    await tasks?.close()
    await libvirt?.close()
    await world?.stop()
    await rm(folder, { recursive: true, force: true })
})
beforeEach(() => using.clear())

test('a NAT network: made, running, with the host, given addresses; stopped, changed, deleted', async () => {
    const want = { name: 'lab', mode: 'nat', address: '10.31.0.1/24', dhcp: true, domain: 'lab.test' }
    const dry = await client().create({ ...want, dryRun: true })
    expect(dry).toMatchObject({ task: '', object: '' })
    expect(dry.plan).toHaveLength(4)
    expect(await named('lab')).toBeUndefined()

    const begun = await client().create(want)
    expect(begun.plan).toEqual(dry.plan)
    await done(begun)
    const { network } = await client().get({ network: 'lab' })
    expect(network).toMatchObject({
        ...{ uuid: begun.object, active: true, autostart: true, persistent: true, mode: 'nat' },
        ...{
            addresses: ['10.31.0.1/24'],
            dhcpStart: '10.31.0.2',
            dhcpEnd: '10.31.0.254',
            domain: 'lab.test',
            leases: [],
        },
    })
    expect(network!.xml).toContain('<nat>')
    expect(await world.virsh(['net-info', 'lab'])).toMatch(/Active:\s+yes[\s\S]*Autostart:\s+yes/)
    const { bridges } = await client().listBridges({})
    expect(bridges.find(b => b.name === network!.bridge)).toMatchObject({
        ...{ network: 'lab', up: true, mtu: 1500, addresses: expect.arrayContaining(['10.31.0.1/24']) },
    })

    await done(await client().update({ network: 'lab', autostart: false }))
    expect((await named('lab'))?.autostart).toBe(false)
    expect((await client().update({ network: 'lab', autostart: false })).plan).toEqual([])
    await done(await client().stop({ network: begun.object }))
    expect((await named('lab'))?.active).toBe(false)
    const again = await client().stop({ network: 'lab', dryRun: true })
    expect(again.findings.map(f => f.code)).toEqual(['nothing-to-do'])
    await done(await client().start({ network: 'lab' }))
    const gone = await client().delete({ network: 'lab' })
    expect(gone.plan.at(-1)?.destroys).toBe('network:lab')
    await done(gone)
    expect(await named('lab')).toBeUndefined()
    expect(await world.virsh(['net-list', '--all', '--name'])).not.toContain('lab')
})

test('refused: what overlaps, what is taken, what VMs are on; with nothing changed', async () => {
    const before = await world.virsh(['net-list', '--all'])
    const create = (more: object) => client().create({ name: 'x', mode: 'nat', address: '10.32.0.1/24', ...more })
    await expect(create({ address: '192.168.122.5/24' })).rejects.toThrow(/conflict: .*network default.*is free/)
    await expect(create({ name: 'default' })).rejects.toThrow(/exists: /)
    await expect(create({ mode: 'bridge', address: '', bridge: 'br77' })).rejects.toThrow(
        /precondition: There is no such bridge/,
    )
    await world.enter(['ip', 'addr', 'add', '10.33.0.9/16', 'dev', 'lo'])
    await expect(create({ address: '10.33.7.1/24' })).rejects.toThrow(/conflict: .*interface lo/)
    await world.enter(['ip', 'addr', 'del', '10.33.0.9/16', 'dev', 'lo'])
    await expect(client().get({ network: '../default' })).rejects.toThrow(/not-found: /)

    await done(await client().start({ network: 'default' }))
    using.set('default', [{ name: 'web1', running: true }])
    expect((await named('default'))?.usedBy).toEqual(['web1'])
    await expect(client().stop({ network: 'default' })).rejects.toThrow(/precondition: Running VMs .*web1/)
    await expect(client().delete({ network: 'default' })).rejects.toThrow(/precondition: VMs use .*web1/)
    const forced = await client().stop({ network: 'default', force: true })
    expect(forced.findings.map(f => f.code)).toEqual(['in-use'])
    await done(forced)
    using.set('default', [{ name: 'web1', running: false }])
    await expect(client().delete({ network: 'default' })).rejects.toThrow(/precondition: VMs use/)
    expect(await world.virsh(['net-list', '--all'])).toBe(before)
})

test('many requests for one name at once: one is made, the others are refused', async () => {
    const create = () => client().create({ name: 'once', mode: 'nat', address: '10.34.0.1/24' })
    const answers = await Promise.allSettled(Array.from({ length: 8 }, create))
    const made = answers.filter(a => a.status === 'fulfilled')
    expect(made).toHaveLength(1)
    await done(made[0]!.value)
    await done(await client().delete({ network: 'once' }))
})

test('a start that fails: the definition is taken back, and the task says why', async () => {
    // An interface that our look at the host does not show: libvirt finds it when it starts the network.
    await world.enter(['ip', 'tuntap', 'add', 'late0', 'mode', 'tap'])
    blind = true
    const begun = await client().create({ name: 'half', mode: 'nat', address: '10.35.0.1/24', bridge: 'late0' })
    blind = false
    const task = await ended(begun)
    expect(task).toMatchObject({ state: 'failed', undo: [] })
    expect(task.problem?.detail).toContain('late0')
    expect(await world.virsh(['net-list', '--all', '--name'])).not.toContain('half')
    expect(await named('half')).toBeUndefined()
    await world.enter(['ip', 'link', 'del', 'late0'])
})

test('leases are those that dnsmasq wrote down', async () => {
    await done(await client().create({ name: 'leased', mode: 'nat', address: '10.42.0.1/24', dhcp: true }))
    const { bridge } = (await named('leased'))!
    const lease = {
        'ip-address': '10.42.0.50',
        'mac-address': '52:54:00:11:22:33',
        hostname: 'web1',
        'expiry-time': 4e9,
    }
    await writeFile(join(world.folder, 'lib/dnsmasq', `${bridge}.status`), JSON.stringify([lease]))
    const { network } = await client().get({ network: 'leased' })
    expect(network?.leases).toMatchObject([
        { address: '10.42.0.50', mac: '52:54:00:11:22:33', hostname: 'web1', expiresUnix: 4_000_000_000n },
    ])
    await done(await client().delete({ network: 'leased' }))
})

test('isolated, routed, IPv6 and bridged networks are accepted by libvirt', async () => {
    await world.enter(['ip', 'link', 'add', 'br7', 'type', 'bridge'])
    await world.enter(['ip', 'link', 'set', 'br7', 'up'])
    const wants = [
        { name: 'alone', mode: 'isolated' },
        {
            name: 'far',
            mode: 'route',
            address: '10.36.0.1/24',
            dhcp: true,
            dhcpStart: '10.36.0.10',
            dhcpEnd: '10.36.0.20',
        },
        { name: 'middle', mode: 'nat', address: '10.37.0.100/24', dhcp: true },
        { name: 'sixteen', mode: 'nat', address: '10.41.0.1/16', dhcp: true },
        { name: 'six', mode: 'route', address: 'fd77::1/64', dhcp: true },
        { name: 'wide', mode: 'nat', address: '10.64.0.1/12', dhcp: true, noAutostart: true },
        { name: 'lan', mode: 'bridge', bridge: 'br7' },
        { name: 'named', mode: 'isolated', bridge: 'vmbr5', address: '10.38.0.1/30' },
    ]
    for (const want of wants) {
        await done(await client().create(want))
        const made = await named(want.name)
        expect(made).toMatchObject({ active: true, mode: want.mode, autostart: want.name !== 'wide' })
        if (want.bridge) expect(made?.bridge).toBe(want.bridge)
    }
    const { bridges } = await client().listBridges({})
    expect(bridges.find(b => b.name === 'br7')?.network).toBe('')
    for (const { name } of wants) await done(await client().delete({ network: name }))
    await world.enter(['ip', 'link', 'del', 'br7'])
})

test('what virsh does is seen at once; a restart of libvirtd loses and doubles nothing', async () => {
    const stop = new AbortController()
    const seen: WatchResponse[] = []
    const watching = (async () => {
        for await (const change of client().watch({}, { signal: stop.signal })) seen.push(change)
    })().catch(thrown => {
        if (!stop.signal.aborted) throw thrown
    })
    // It is looked at in the end; a watch that breaks earlier must not be an error outside every test.
    watching.catch(() => {})
    await until('the watch to be synced', 5000, () => seen.some(c => c.synced))
    expect(seen.filter(c => c.existing).map(c => c.network?.name)).toEqual(['default'])
    const xml =
        "<network><name>outside</name><forward mode='nat'/><bridge name='vbr9'/><ip address='10.39.0.1' prefix='24'/></network>"
    await world.enter(['sh', '-c', `echo "${xml}" > ${world.folder}/outside.xml`])
    await world.virsh(['net-define', `${world.folder}/outside.xml`])
    await until('it to appear', 2000, () => seen.some(c => c.network?.name === 'outside'))
    await world.virsh(['net-start', 'outside'])
    await until('it to run', 2000, () => seen.some(c => c.network?.name === 'outside' && c.network.active))

    await world.kill()
    await until('the link to be down', 5000, () => !libvirt.up)
    expect((await client().list({})).networks.map(n => n.name)).toEqual(['default', 'outside'])
    await expect(client().start({ network: 'default' })).rejects.toThrow(/unavailable: /)
    await world.restart()
    await world.virsh(['net-destroy', 'outside'])
    await world.virsh(['net-undefine', 'outside'])
    await until('the link to be up again', 15_000, () => libvirt.up)
    await until('it to be gone', 5000, async () => (await named('outside')) === undefined)
    expect(seen.at(-1)).toMatchObject({ removed: true, network: { name: 'outside' } })
    expect((await client().list({})).networks.map(n => n.name)).toEqual(['default'])
    // A transient network: made and gone in one go.
    await world.virsh(['net-create', `${world.folder}/outside.xml`])
    await until('it to appear', 2000, async () => (await named('outside'))?.persistent === false)
    await expect(client().update({ network: 'outside', autostart: true })).rejects.toThrow(/precondition: A transient/)
    const stopped = await client().stop({ network: 'outside' })
    expect(stopped.plan[0]?.destroys).toBe('network:outside')
    await done(stopped)
    expect(await named('outside')).toBeUndefined()
    stop.abort()
    await watching
})
