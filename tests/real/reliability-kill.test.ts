// The daemon is killed at random moments of its work: no VM is touched, nothing half made stays, no task lies.
import { execFile } from 'node:child_process'
import { access, mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ImageService } from '../../src/gen/proto/capabilities/image/image_pb.js'
import { State, type Task, TaskService } from '../../src/gen/proto/capabilities/task/task_pb.js'
import { VmService } from '../../src/gen/proto/capabilities/vm/vm_pb.js'
import { all, lifeOf, randomFrom, thingsOf } from './reliability-world.ts'
import { until } from './world.ts'
import { type DaemonWorld, startDaemon } from './world-daemon.ts'

const run = promisify(execFile)
const ROUNDS = Number(process.env.DEBVISOR_KILLS ?? (all ? 200 : 14))
const SEED = Number(process.env.DEBVISOR_SEED ?? 2)
const MIB = 1n << 20n
/** After so long a kill comes too late for most. */
const LONGEST_MS: Record<string, number> = {
    'vm.create': 2500,
    'vm.clone': 1500,
    'vm.snapshot': 1000,
    'vm.delete': 300,
    'vm.attach-disk': 800,
    'vm.detach-disk': 500,
    'vm.move-disk': 1500,
    'vm.snapshot-revert': 600,
    'vm.update': 200,
}
const FIXED = ['image.qcow2']
const small = { memoryBytes: 64n * MIB, vcpus: 1 }

let daemon: DaemonWorld
/** A VM that runs all the while. */
let keeper = { pid: 0, life: '' }

const vms = () => daemon.client(VmService)

beforeAll(async () => {
    daemon = await startDaemon({ bundle: process.env.DEBVISOR_BUNDLE === '1' })
    const images = daemon.client(ImageService)
    await until('the pool', 20_000, async () => (await images.listPools({})).pools.some(pool => pool.active))
    const image = join(daemon.libvirt.imagesDir, 'image')
    await run('dd', ['if=/dev/urandom', `of=${image}.raw`, 'bs=1M', 'count=48', 'status=none'])
    await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', `${image}.raw`, `${image}.qcow2`])
    await run('rm', [`${image}.raw`])
    await daemon.done(await images.refreshPool({ pool: 'default' }))
    const disk = { sizeBytes: 16n * MIB }
    await daemon.done(await vms().create({ ...small, name: 'keeper', disks: [disk], start: true }))
    await daemon.done(await vms().create({ ...small, name: 'source', disks: [{ from: 'default/image.qcow2' }] }))
    // What is changed all the while, and is to be whole after each change that was cut short.
    const [mover, taker] = [
        { ...small, name: 'mover' },
        { ...small, name: 'taker' },
    ]
    await daemon.done(await vms().create({ ...mover, disks: [{ from: 'default/image.qcow2' }] }))
    await daemon.done(await vms().create({ ...taker, disks: [disk], start: true }))
    await daemon.done(await vms().create({ ...small, name: 'past', disks: [disk] }))
    await daemon.done(await vms().createSnapshot({ vm: 'past', name: 'then' }))
    await mkdir(join(daemon.folder, 'other'))
    await daemon.done(await images.createPool({ name: 'other', path: join(daemon.folder, 'other') }))
    const [pid] = await daemon.libvirt.qemuPids()
    keeper = { pid: pid!, life: await lifeOf(pid!) }
})
afterAll(async () => daemon?.stop())

/** One piece of work that is cut short. */
interface Work {
    kind: string
    name: string
    begin(): Promise<unknown>
}

/** In turn, so that each kind is cut short in every run; moments are chosen by chance. */
async function changeOf(turn: number, random: () => number): Promise<Work> {
    const { detail: mover } = await vms().get({ vm: 'mover' })
    const { detail: taker } = await vms().get({ vm: 'taker' })
    const pool = mover!.disks[0]!.pool === 'other' ? 'default' : 'other'
    const spares = taker!.disks.length - 1
    const disk = random() < 0.5 ? { sizeBytes: 8n * MIB } : { from: 'default/image.qcow2' }
    const works: Record<string, () => Promise<unknown>> = {
        'vm.move-disk mover': () => vms().moveDisk({ vm: 'mover', target: 'vda', pool }),
        'vm.attach-disk taker': () => vms().attachDisk({ vm: 'taker', disk }),
        'vm.snapshot-revert past': () => vms().revertSnapshot({ vm: 'past', name: 'then' }),
        // A guest without an operating system lets go of nothing: of the stopped one.
        'vm.detach-disk mover': async () => vms().detachDisk({ vm: 'mover', target: 'vdb', delete: true }),
        'vm.update past': () => vms().update({ vm: 'past', notes: `turn ${turn}`, description: `turn ${turn}` }),
    }
    // As many as it has places for.
    if (spares > 3) delete works['vm.attach-disk taker']
    const names = Object.keys(works)
    const [kind, name] = names[turn % names.length]!.split(' ') as [string, string]
    if (kind === 'vm.detach-disk' && !mover!.disks.some(one => one.target === 'vdb'))
        await daemon.done(await vms().attachDisk({ vm: 'mover', disk: { sizeBytes: 8n * MIB } }))
    return { kind, name, begin: works[`${kind} ${name}`]! }
}

function workOf(round: number, random: () => number, removable: string[]): Work {
    const name = `r${round}`
    const victim = removable.at(-1)
    const dice = random()
    if (victim && dice < 0.25) {
        const begin = () => vms().delete({ vm: victim, disks: true, force: true })
        return { kind: 'vm.delete', name: victim, begin }
    }
    if (dice < 0.4)
        return { kind: 'vm.clone', name, begin: () => vms().clone({ vm: 'source', name, start: dice < 0.3 }) }
    if (dice < 0.6) {
        const vm = random() < 0.5 ? 'source' : 'keeper'
        const begin = () => vms().createSnapshot({ vm, name, memory: vm === 'keeper' })
        return { kind: 'vm.snapshot', name: vm, begin }
    }
    const disks = [{ sizeBytes: 16n * MIB }, { from: 'default/image.qcow2' }, { sizeBytes: 1n * MIB, format: 'raw' }]
    const cloudInit = { user: 'someone' }
    const begin = () => vms().create({ ...small, name, disks, cloudInit, firmware: 'uefi', start: true })
    return { kind: 'vm.create', name, begin }
}

it('a second daemon on the same folders is refused before it touches the work of the first', async () => {
    const begun = await vms().clone({ vm: 'source', name: 'undisturbed' })
    const { code, said } = await daemon.twin()
    expect(code).toBe(1)
    expect(said).toContain(`process ${daemon.pid}`)
    expect(said).not.toContain('"ready"')
    expect((await daemon.done(begun)).state).toBe(State.DONE)
    await daemon.done(await vms().delete({ vm: 'undisturbed', disks: true }))
})

describe(`a daemon that is killed (seed ${SEED})`, () => {
    it(`${ROUNDS} times leaves nothing half made and no VM touched`, { timeout: ROUNDS * 30_000 }, async () => {
        const random = randomFrom(SEED)
        const removable: string[] = []
        const ends: string[] = []
        for (let round = 0; round < ROUNDS; round++) {
            const before = await livesOf()
            // Every other round changes what is there, the others make and delete.
            const work = round % 2 ? await changeOf(round >> 1, random) : workOf(round, random, removable)
            const begun = work.begin().catch(() => undefined)
            // Early moments more often: most of a task happens at its begin.
            const waitMs = Math.round(random() ** 2 * LONGEST_MS[work.kind]!)
            await new Promise(resolve => setTimeout(resolve, waitMs))
            await daemon.kill()
            await begun
            await daemon.start()
            const where = `round ${round}, seed ${SEED}: ${work.kind} ${work.name} killed after ${waitMs} ms`
            const task = await settled(work)
            ends.push(`${work.kind} ${task ? State[task.state] : 'not begun'}`)
            await check({ where, work, task, before })
            const domains = (await thingsOf(daemon)).domains
            if (domains.includes(work.name) && work.name.startsWith('r') && !removable.includes(work.name))
                removable.push(work.name)
            for (const name of [...removable]) if (!domains.includes(name)) removable.splice(removable.indexOf(name), 1)
            while (removable.length > 3) {
                const vm = removable.shift()!
                await daemon.done(await vms().delete({ vm, disks: true, force: true }))
            }
        }
        // The moments were spread: some came before the end, and something was taken back.
        expect(ends.filter(end => end.includes('INTERRUPTED')).length, ends.join(', ')).toBeGreaterThan(0)
        process.stdout.write(`measured: ${ends.join(', ')}\n`)
    })
})

/** The task of the work, once nothing is under way any more; undefined where it had not begun. */
async function settled(work: Work): Promise<Task | undefined> {
    const tasks = daemon.client(TaskService)
    await until('no task to be running', 60_000, async () => {
        const { tasks: running } = await tasks.list({ states: [State.RUNNING] })
        return running.length === 0
    })
    const { tasks: found } = await tasks.list({ limit: 5000 })
    return found.find(task => task.onName === work.name && task.kind.startsWith(work.kind))
}

interface Round {
    where: string
    work: Work
    task: Task | undefined
    before: Map<string, string>
}

async function check({ where, work, task, before }: Round): Promise<void> {
    expect(await lifeOf(keeper.pid), where).toBe(keeper.life)
    if (task) expect(['DONE', 'INTERRUPTED', 'FAILED'], where).toContain(State[task.state])
    const after = await livesOf()
    for (const [name, life] of before) if (name !== work.name) expect(after.get(name), `${where}: ${name}`).toBe(life)
    expect((await daemon.libvirt.virsh(['domstate', 'keeper'])).trim(), where).toBe('running')

    const done = task?.state === State.DONE
    // What an end says must be so at once; what is taken back may take a moment (a copy libvirt has still to end).
    await until(`nothing half made: ${where}`, 30_000, async () => (await wrongThings()).length === 0).catch(
        async late => {
            throw new Error(
                `${(late as Error).message}\n${(await wrongThings()).join('\n')}\n${daemon.log().slice(-3000)}`,
            )
        },
    )
    const { domains } = await thingsOf(daemon)
    if (work.kind === 'vm.create' || work.kind === 'vm.clone') expect(domains.includes(work.name), where).toBe(done)
    if (work.kind === 'vm.delete' && done) expect(domains, where).not.toContain(work.name)
    const listed = (await vms().list({})).vms.map(vm => vm.name).sort()
    expect(listed, where).toEqual(domains)
}

/** Running domains, and the life of each one's QEMU. */
async function livesOf(): Promise<Map<string, string>> {
    const lives = new Map<string, string>()
    for (const pid of await daemon.libvirt.qemuPids()) {
        lives.set(await guestOf(pid), await lifeOf(pid))
    }
    return lives
}

async function guestOf(pid: number): Promise<string> {
    return /guest=([^,\0]+)/.exec(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''))?.[1] ?? `pid ${pid}`
}

/** Files that no domain has, files that a domain misses, variables of no domain, and QEMUs of none. */
async function wrongThings(): Promise<string[]> {
    const { libvirt } = daemon
    const things = await thingsOf(daemon)
    const used = new Set(FIXED.map(name => join(libvirt.imagesDir, name)))
    const wrong: string[] = []
    const variables = new Set<string>()
    for (const domain of things.domains) {
        const xml = await libvirt.virsh(['dumpxml', '--inactive', domain])
        for (const [, name] of xml.matchAll(/<nvram[^>]*>[^<]*\/([^/<]+)<\/nvram>/g)) variables.add(name!)
        const list = await libvirt.virsh(['domblklist', domain, '--details'])
        for (const [, path] of list.matchAll(/(\/\S+)$/gm)) {
            await access(path!).catch(() => wrong.push(`${domain} misses its disk ${path}`))
            used.add(path!)
        }
    }
    // A disk that moves is in one pool or the other, whole, and never in both.
    const other = join(daemon.folder, 'other')
    const files = [
        ...things.files.map(name => join(libvirt.imagesDir, name)),
        ...(await readdir(other)).map(name => join(other, name)),
    ]
    for (const domain of ['mover', 'taker', 'past'])
        if (!things.domains.includes(domain)) wrong.push(`${domain} is gone`)
    for (const file of files) if (!used.has(file)) wrong.push(`${file} belongs to no VM`)
    for (const file of things.nvram) if (!variables.has(file)) wrong.push(`the variables ${file} belong to no VM`)
    const running = (await libvirt.virsh(['list', '--name'])).split('\n').filter(Boolean)
    for (const guest of (await livesOf()).keys())
        if (!running.includes(guest)) wrong.push(`a QEMU of ${guest} runs without its VM`)
    for (const file of await readdir(join(daemon.folder, 'vnc')).catch(() => []))
        if (!running.length && file.endsWith('.sock')) wrong.push(`the socket ${file} belongs to no VM`)
    wrong.push(...(await tornSnapshots()))
    return wrong
}

/** Snapshots that stand in a disk but not in libvirt, or the other way round. */
async function tornSnapshots(): Promise<string[]> {
    const wrong: string[] = []
    for (const domain of ['source', 'keeper', 'past']) {
        const told = (await daemon.libvirt.virsh(['snapshot-list', domain, '--name']))
            .split('\n')
            .filter(Boolean)
            .sort()
        const list = await daemon.libvirt.virsh(['domblklist', domain])
        const path = /(\/\S+)$/m.exec(list)?.[1]
        const { stdout } = await run('qemu-img', ['info', '--force-share', '--output=json', path!])
        const held = ((JSON.parse(stdout).snapshots ?? []) as { name: string }[]).map(one => one.name).sort()
        if (told.join() !== held.join()) wrong.push(`${domain}: libvirt has snapshots ${told}, the disk has ${held}`)
    }
    return wrong
}
