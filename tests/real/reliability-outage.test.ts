// libvirtd and etcd go away under load: the daemon answers, says what it cannot do, and heals without losing a VM.
import { type Client, Code, ConnectError } from '@connectrpc/connect'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ProblemSchema } from '../../src/gen/proto/capabilities/debvisor_pb.js'
import { IdentityService } from '../../src/gen/proto/capabilities/identity/identity_pb.js'
import { State as TaskState } from '../../src/gen/proto/capabilities/task/task_pb.js'
import { State, type Vm, VmService } from '../../src/gen/proto/capabilities/vm/vm_pb.js'
import { endOf, lifeOf, type Person, personOf, personWith, refusalOf } from './reliability-world.ts'
import { bareDomain, writeDomain } from './vm-core-world.ts'
import { until } from './world.ts'
import { type DaemonWorld, startDaemon } from './world-daemon.ts'

const STOPPED = 25
const RUNNING = 3
const small = { memoryBytes: 64n << 20n, vcpus: 1, disks: [{ sizeBytes: 16n << 20n }] }

let daemon: DaemonWorld
let admin: Person
let vms: Client<typeof VmService>

beforeAll(async () => {
    daemon = await startDaemon()
    admin = await personOf(daemon, 'tester')
    vms = admin.client(VmService)
    for (let i = 0; i < STOPPED; i++)
        await daemon.libvirt.virsh(['define', await writeDomain(daemon.libvirt, bareDomain(`vm${i}`))])
    for (let i = 0; i < RUNNING; i++) await daemon.libvirt.virsh(['start', `vm${i}`])
    await until('all VMs in the list', 20_000, async () => (await vms.list({})).vms.length === STOPPED)
})
afterAll(async () => daemon?.stop())

/** Uuid and state of all domains, as virsh has them. */
async function truth(): Promise<string[]> {
    const lines = async (state: string) =>
        (await daemon.libvirt.virsh(['list', '--all', '--uuid', state])).split('\n').filter(Boolean)
    const [running, paused, off] = await Promise.all(
        ['--state-running', '--state-paused', '--state-shutoff'].map(lines),
    )
    return [
        ...running!.map(uuid => `${uuid} RUNNING`),
        ...paused!.map(uuid => `${uuid} PAUSED`),
        ...off!.map(uuid => `${uuid} STOPPED`),
    ].sort()
}

const told = (list: Iterable<Vm>) => [...list].map(vm => `${vm.uuid} ${State[vm.state]}`).sort()

/** What a watching client knows, kept as a panel would keep it. */
function watching() {
    const known = new Map<string, Vm>()
    const seen = { synced: 0, stale: 0 }
    const ended = new AbortController()
    const run = async () => {
        for await (const change of vms.watch({}, { signal: ended.signal })) {
            for (const uuid of change.removed) known.delete(uuid)
            for (const vm of change.vms) known.set(vm.uuid, vm)
            if (change.synced) seen.synced++
            if (change.stale) seen.stale++
        }
    }
    const over = run().catch(thrown => {
        if (!ended.signal.aborted) throw thrown
    })
    // Its end is looked at by `end`; a watch that breaks earlier must not be an error outside every test.
    over.catch(() => {})
    return {
        known,
        seen,
        end: async () => {
            ended.abort()
            await over
        },
    }
}

/** People who list, read and change VMs until told to stop; gathers what they were refused with. */
function load() {
    const refusals: ConnectError[] = []
    let calls = 0
    let over = false
    const forever = async (work: (turn: number) => Promise<unknown>) => {
        for (let turn = 0; !over; turn++) {
            await work(turn).catch(thrown => refusals.push(ConnectError.from(thrown)))
            calls++
            await new Promise(resolve => setTimeout(resolve, 20))
        }
    }
    const toggle = (name: string) => (turn: number) => (turn % 2 ? vms.resume({ vm: name }) : vms.suspend({ vm: name }))
    const list = async () => {
        const { vms: found } = await vms.list({})
        if (found.length !== STOPPED) throw new Error(`the list has ${found.length} of ${STOPPED} VMs`)
    }
    const all = [
        forever(list),
        forever(list),
        forever(turn => vms.get({ vm: `vm${turn % STOPPED}` })),
        ...Array.from({ length: RUNNING }, (_, i) => forever(toggle(`vm${i}`))),
        forever(turn => vms.update({ vm: `vm${STOPPED - 1}`, description: `turn ${turn}` })),
    ]
    return async () => {
        over = true
        await Promise.all(all)
        return { refusals, calls }
    }
}

describe('libvirtd', () => {
    it('that is restarted and killed under load: all VMs are there again, none is lost or doubled', async () => {
        const lives = await Promise.all((await daemon.libvirt.qemuPids()).map(lifeOf))
        expect(lives).toHaveLength(RUNNING)
        const watcher = watching()
        await until('the watch to be in step', 10_000, () => watcher.known.size === STOPPED)
        const stop = load()
        for (let i = 0; i < 3; i++) {
            const before = watcher.seen.synced
            if (i === 0) await daemon.libvirt.restart()
            else {
                await daemon.libvirt.kill()
                await until('the daemon to notice', 10_000, async () => watcher.seen.stale > i - 1)
                expect((await vms.list({})).vms).toHaveLength(STOPPED)
                await daemon.libvirt.restart()
            }
            await until('the daemon to be in step again', 30_000, () => watcher.seen.synced > before)
        }
        const { refusals, calls } = await stop()
        expect(calls).toBeGreaterThan(20)
        for (const refusal of refusals) {
            const [problem] = refusal.findDetails(ProblemSchema)
            // A suspend of what is suspended is a refusal of its own right.
            expect(['unavailable', 'unknown', 'precondition', 'conflict'], refusal.message).toContain(problem?.code)
            expect(problem?.fix, refusal.message).not.toBe('')
        }
        await until('no task to be under way', 30_000, async () => {
            const listed = told((await vms.list({})).vms)
            return listed.join() === (await truth()).join() && told(watcher.known.values()).join() === listed.join()
        }).catch(async late => {
            throw new Error(`${late}\n${told((await vms.list({})).vms).join('\n')}\n--\n${(await truth()).join('\n')}`)
        })
        expect(new Set((await vms.list({})).vms.map(vm => vm.name)).size).toBe(STOPPED)
        expect(await Promise.all((await daemon.libvirt.qemuPids()).map(lifeOf))).toEqual(lives)
        await watcher.end()
    })

    it('that is away: what needs it says so, the list stays; what changed meanwhile is seen afterwards', async () => {
        await daemon.libvirt.kill()
        await until('the daemon to notice', 10_000, async () => {
            const answer = await vms.start({ vm: 'vm9' }).then(
                begun => endOf(daemon, begun).then(task => task.problem?.code),
                thrown => ConnectError.from(thrown).findDetails(ProblemSchema)[0]?.code,
            )
            return answer === 'unavailable'
        })
        const problem = await refusalOf(vms.create({ ...small, name: 'new' }))
        expect(problem).toMatchObject({ connect: Code.Unavailable, code: 'unavailable' })
        expect(problem.fix).not.toBe('')
        expect((await vms.list({})).vms).toHaveLength(STOPPED)
        // A guest that ends while nobody looks.
        const pid = (await daemon.libvirt.qemuPids())[0]!
        process.kill(pid, 'SIGKILL')
        await daemon.libvirt.restart()
        await until('the list to be the truth', 30_000, async () => {
            const listed = await vms.list({})
            return told(listed.vms).join() === (await truth()).join()
        })
        expect(told((await vms.list({})).vms).filter(line => !line.endsWith('STOPPED'))).toHaveLength(RUNNING - 1)
    })
})

describe('etcd', () => {
    const user = { role: 'viewer', password: 'a horse that is correct' }

    it('that is killed: VMs stay manageable, users do not, and both work again afterwards', async () => {
        const identity = admin.client(IdentityService)
        await daemon.etcd.kill()
        const problem = await refusalOf(identity.createUser({ ...user, name: 'first' }))
        expect(problem).toMatchObject({ connect: Code.Unavailable, code: 'unavailable' })
        expect(problem.fix).not.toBe('')
        await manageVms('without')
        expect((await identity.whoAmI({})).user?.name).toBe('tester')
        await daemon.etcd.restart()
        await until('users to be manageable again', 30_000, () =>
            identity.createUser({ ...user, name: 'first' }).then(
                () => true,
                () => false,
            ),
        )
        expect((await identity.listUsers({})).users.map(one => one.name).sort()).toEqual(['first', 'tester'])
    })

    it('that is away when the daemon starts: tokens still work, and so do VMs', async () => {
        await daemon.etcd.kill()
        await daemon.kill()
        await daemon.start()
        // The daemon listens on another port now: the same person, at the new door.
        const again = await personWith(daemon, admin.user, admin.token)
        vms = again.client(VmService)
        await until('the VMs to be read', 20_000, async () => (await vms.list({})).vms.length >= STOPPED)
        await manageVms('after')
        const problem = await refusalOf(again.client(IdentityService).createUser({ ...user, name: 'second' }))
        expect(problem.code).toBe('unavailable')
        await daemon.etcd.restart()
        await until('users to be manageable again', 30_000, () =>
            again
                .client(IdentityService)
                .createUser({ ...user, name: 'second' })
                .then(
                    () => true,
                    () => false,
                ),
        )
    })

    async function manageVms(name: string): Promise<void> {
        const did = async (begun: Promise<{ task: string }>) => {
            const task = await endOf(daemon, await begun)
            expect([task.title, TaskState[task.state], task.problem?.detail]).toEqual([task.title, 'DONE', undefined])
        }
        await did(vms.create({ ...small, name, start: true }))
        await did(vms.suspend({ vm: name }))
        await did(vms.resume({ vm: name }))
        await did(vms.stop({ vm: name }))
        await did(vms.createSnapshot({ vm: name, name: 'one' }))
        await did(vms.delete({ vm: name, disks: true }))
    }
})
