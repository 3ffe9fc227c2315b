// Disks move between pools on a real libvirtd, below a running guest and while it is stopped.
import { execFile } from 'node:child_process'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Fault } from '../../src/base/fault.ts'
import { begin } from '../../src/capabilities/vm/begin.ts'
import { beginCreate } from '../../src/capabilities/vm/create.ts'
import { planMoveDisk, registerMove } from '../../src/capabilities/vm/move.ts'
import { registerTakeBack } from '../../src/capabilities/vm/take-back.ts'
import { createTasks } from '../../src/engine/tasks.ts'
import { CreateRequestSchema, MoveDiskRequestSchema } from '../../src/gen/proto/capabilities/vm/vm_pb.js'
import { realSystem } from '../../src/ports/real.ts'
import { type MakeWorld, startMaking } from './vm-make-world.ts'
import { until } from './world.ts'

const run = promisify(execFile)
const MIB = 1024 ** 2

describe('moving a disk', () => {
    let w: MakeWorld
    beforeAll(async () => {
        w = await startMaking('move')
        registerMove(w.deps)
    })
    afterAll(() => w?.stop())

    async function made(name: string, init: MessageInitShape<typeof CreateRequestSchema> = {}): Promise<string> {
        const disks = [{ sizeBytes: BigInt(64 * MIB) }]
        const request = create(CreateRequestSchema, { name, memoryBytes: BigInt(64 * MIB), vcpus: 1, disks, ...init })
        const begun = await beginCreate(w.deps, request, 'ann')
        expect(await w.ended(begun.task)).toMatchObject({ state: 'done' })
        const path = (await w.volumes.find(`default/${name}-disk0`)).path
        if (!init.start) await run('qemu-io', ['-f', 'qcow2', '-c', 'write -P 0x33 1M 32M', path])
        return begun.object
    }
    const plan = (uuid: string, pool: string, keep = false) =>
        planMoveDisk(
            w.deps,
            w.inventory.byUuid(uuid)!,
            create(MoveDiskRequestSchema, { vm: uuid, target: 'vda', pool, keep }),
        )
    const move = async (uuid: string, pool: string, keep = false) =>
        begin(w.inventory.byUuid(uuid)!, await plan(uuid, pool, keep), { tasks: w.tasks, owner: 'ann', dryRun: false })
    const own = async (name: string) => (await w.volumeNames()).filter(volume => volume.startsWith(name))
    const marked = async (ref: string) => {
        const { path } = await w.volumes.find(ref)
        const { stdout } = await run('qemu-io', ['-U', '-r', '-f', 'qcow2', '-c', 'read -P 0x33 1M 32M', path])
        return !stdout.includes('verification failed')
    }
    const starts = async (uuid: string) => {
        await w.world.virsh(['start', uuid])
        await until('the guest to run', 10_000, () => w.inventory.byUuid(uuid)!.active)
    }

    it('copies while the VM is stopped', async () => {
        const uuid = await made('still')
        const begun = await move(uuid, 'other')
        expect(begun.plan.map(step => step.destroys)).toEqual(['', '', 'volume:default/still-disk0'])
        expect(await w.ended(begun.task)).toMatchObject({ state: 'done' })
        const { xml } = await w.inventory.inactiveXml(uuid)
        expect(xml).toContain(`${w.world.folder}/other/still-disk0`)
        expect(await own('still')).toEqual(['still-disk0'])
        expect(await marked('other/still-disk0')).toBe(true)
    })

    it('switches a running guest over, as large as it is by now', async () => {
        const uuid = await made('busy')
        await starts(uuid)
        await w.world.virsh(['blockresize', uuid, 'vda', '96M'])
        const begun = await move(uuid, 'other', true)
        expect(await w.ended(begun.task)).toMatchObject({ state: 'done' })
        const path = `${w.world.folder}/other/busy-disk0`
        expect(await w.inventory.activeXml(uuid)).toContain(path)
        expect((await w.inventory.inactiveXml(uuid)).xml).toContain(path)
        expect(w.inventory.byUuid(uuid)!.active).toBe(true)
        expect(await w.world.virsh(['domblkinfo', uuid, 'vda'])).toMatch(/Capacity:\s+100663296/)
        expect((await w.volumes.find('other/busy-disk0')).capacityBytes).toBe(96 * MIB)
        expect(await own('busy')).toEqual(['busy-disk0', 'busy-disk0'])
        expect(await marked('other/busy-disk0')).toBe(true)
        await w.volumes.remove('default/busy-disk0')
        expect(await w.ended((await move(uuid, 'default')).task)).toMatchObject({ state: 'done' })
        expect(await own('busy')).toEqual(['busy-disk0'])
        expect(await marked('default/busy-disk0')).toBe(true)
    })

    it('leaves everything as it was when it is cancelled', async () => {
        const uuid = await made('fickle')
        await starts(uuid)
        const begun = await move(uuid, 'other')
        const { dom } = w.inventory.byUuid(uuid)!
        const slower = { dom, path: 'vda', bandwidth: 1n, flags: 0 }
        const { call } = w.link.connection()
        // As slow as can be said, 1 MiB a second, so that the cancel comes in between.
        await until('the job', 10_000, () =>
            call('domainBlockJobSetSpeed', slower).then(
                () => true,
                () => false,
            ),
        )
        await w.tasks.cancel(begun.task)
        expect(await w.ended(begun.task)).toMatchObject({ state: 'cancelled' })
        expect(await own('fickle')).toEqual(['fickle-disk0'])
        expect(await marked('default/fickle-disk0')).toBe(true)
        expect(await call('domainGetBlockJobInfo', { dom, path: 'vda', flags: 0 })).toMatchObject({ found: 0 })
    })

    it.each([true, false])('leaves a volume alone that came in between (running: %s)', async start => {
        const name = start ? 'late-run' : 'late-still'
        const uuid = await made(name)
        if (start) await starts(uuid)
        const { create: honest } = w.volumes
        w.volumes.create = async volume => {
            w.volumes.create = honest
            await honest({ pool: 'other', name: volume.name, capacityBytes: MIB, format: 'raw' })
            return honest(volume)
        }
        const begun = await move(uuid, 'other')
        expect(await w.ended(begun.task)).toMatchObject({ state: 'failed', problem: { code: 'exists' } })
        expect(await own(name)).toEqual([`${name}-disk0`, `${name}-disk0`])
        expect(await marked(`default/${name}-disk0`)).toBe(true)
    })

    it('takes the copy back when the VM cannot be switched over', async () => {
        const uuid = await made('torn')
        const { create: honest } = w.volumes
        w.volumes.create = async volume => {
            w.volumes.create = honest
            // Not a name that libvirt's definition can have.
            return { ...(await honest(volume)), path: '' }
        }
        const begun = await move(uuid, 'other')
        expect(await w.ended(begun.task)).toMatchObject({ state: 'failed', undo: [] })
        expect(await own('torn')).toEqual(['torn-disk0'])
        expect(await marked('default/torn-disk0')).toBe(true)
    })

    it('moves a disk that is named by pool and volume, running or not', async () => {
        const uuid = await made('named')
        const name = async () => {
            const { xml } = await w.inventory.inactiveXml(uuid)
            const named = xml
                .replace("<disk type='file' device='disk'", "<disk type='volume' device='disk'")
                .replace(/<source file='[^']*named-disk0'\/>/, "<source pool='default' volume='named-disk0'/>")
            expect(named).toContain("pool='default'")
            await w.link.connection().call('domainDefineXMLFlags', { xml: named, flags: 0 })
            await w.inventory.refresh(uuid)
        }
        await name()
        expect(await w.ended((await move(uuid, 'other')).task)).toMatchObject({ state: 'done' })
        expect(await marked('other/named-disk0')).toBe(true)
        expect(await w.ended((await move(uuid, 'default')).task)).toMatchObject({ state: 'done' })
        await name()
        await starts(uuid)
        expect(await w.ended((await move(uuid, 'other')).task)).toMatchObject({ state: 'done' })
        expect((await w.inventory.inactiveXml(uuid)).xml).toContain(`${w.world.folder}/other/named-disk0`)
        expect(await own('named')).toEqual(['named-disk0'])
        await w.world.virsh(['destroy', uuid])
    })

    it('refuses the copy of a disk whose VM ran meanwhile, though it has stopped again', async () => {
        const uuid = await made('awake')
        const { create: honest } = w.volumes
        w.volumes.create = async volume => {
            w.volumes.create = honest
            const copy = await honest(volume)
            await w.world.virsh(['start', uuid])
            await w.world.virsh(['destroy', uuid])
            return copy
        }
        const begun = await move(uuid, 'other')
        expect(await w.ended(begun.task)).toMatchObject({ state: 'failed', problem: { code: 'conflict' }, undo: [] })
        expect((await w.inventory.inactiveXml(uuid)).xml).toContain('images/awake-disk0')
        expect(await own('awake')).toEqual(['awake-disk0'])
    })

    /** A copy job on a running VM, as slow as can be said, 1 MiB a second; nothing is switched over before `letGo`. */
    async function slowMove(name: string) {
        const uuid = await made(name)
        await starts(uuid)
        let free = () => {}
        const held = new Promise<void>(resolve => {
            free = resolve
        })
        const holding = w.inventory.edit(uuid, '', () => held)
        const begun = await move(uuid, 'other')
        const { dom } = w.inventory.byUuid(uuid)!
        const speed = async (mibs: bigint) =>
            w.link
                .connection()
                .call('domainBlockJobSetSpeed', { dom, path: 'vda', bandwidth: mibs, flags: 0 })
                .then(
                    () => true,
                    () => false,
                )
        await until('the job', 10_000, () => speed(1n))
        const letGo = async () => {
            free()
            await holding
            await speed(0n)
        }
        return { uuid, begun, letGo }
    }
    /** What a daemon finds that starts anew over what is on the disk of the tasks at this moment. */
    async function secondLife() {
        const folder = join(w.world.folder, 'tasks')
        const copy = `${folder}-${Math.random()}`
        await cp(folder, copy, { recursive: true })
        const tasks = await createTasks({ ...w.deps, system: realSystem(), folder: copy })
        registerMove({ ...w.deps, tasks })
        registerTakeBack({ ...w.deps, tasks })
        return tasks
    }

    it('goes on while libvirtd is restarted', async () => {
        const { uuid, begun, letGo } = await slowMove('patient')
        await w.world.restart()
        await until('libvirt to be back', 20_000, () => w.link.up && !w.inventory.stale)
        expect(w.tasks.get(begun.task)).toMatchObject({ state: 'running' })
        await letGo()
        expect(await w.ended(begun.task)).toMatchObject({ state: 'done' })
        expect((await w.inventory.inactiveXml(uuid)).xml).toContain(`${w.world.folder}/other/patient-disk0`)
        expect(await own('patient')).toEqual(['patient-disk0'])
        expect(await marked('other/patient-disk0')).toBe(true)
    })

    it('is taken up again by the next life of the daemon', async () => {
        const { uuid, begun, letGo } = await slowMove('twice')
        await until('the anchor', 10_000, () => w.tasks.get(begun.task)?.anchor !== undefined)
        const next = await secondLife()
        await next.recover()
        expect(next.get(begun.task)).toMatchObject({ state: 'running' })
        await letGo()
        await until('the move to end', 60_000, () => next.get(begun.task)!.state !== 'running')
        expect(next.get(begun.task)).toMatchObject({ state: 'done', undo: [] })
        await w.ended(begun.task)
        expect(await own('twice')).toEqual(['twice-disk0'])
        expect(await w.inventory.activeXml(uuid)).toContain(`${w.world.folder}/other/twice-disk0`)
        await next.close()
    })

    it('keeps the copy in the next life when the VM has it by then, and takes it back when it has not', async () => {
        const uuid = await made('brink')
        const lives: Awaited<ReturnType<typeof secondLife>>[] = []
        const { remove: honest } = w.volumes
        const { create } = w.volumes
        w.volumes.create = async volume => {
            w.volumes.create = create
            const copy = await create(volume)
            lives.push(await secondLife())
            return copy
        }
        w.volumes.remove = async ref => {
            w.volumes.remove = honest
            // Switched over, and the old volume is not deleted yet.
            lives.push(await secondLife())
            return honest(ref)
        }
        const begun = await move(uuid, 'other')
        expect(await w.ended(begun.task)).toMatchObject({ state: 'done' })
        for (const life of lives) {
            await life.recover()
            await until('its end', 20_000, () => life.get(begun.task)!.state !== 'running')
            expect(life.get(begun.task)).toMatchObject({ undo: [] })
            await life.close()
        }
        expect(lives.map(life => life.get(begun.task)!.state)).toEqual(['interrupted', 'done'])
        expect(await own('brink')).toEqual(['brink-disk0'])
        expect((await w.inventory.inactiveXml(uuid)).xml).toContain('other/brink-disk0')
        expect(await marked('other/brink-disk0')).toBe(true)
        // The first life broke off before the switch; where that has not happened the copy goes.
        const lost = await made('lost')
        const gone: typeof lives = []
        w.volumes.create = async volume => {
            w.volumes.create = create
            await create(volume)
            gone.push(await secondLife())
            throw new Error('the power is gone')
        }
        w.tasks.onUndo('vm.unused-volume', async () => {
            throw new Error('the power is gone')
        })
        const torn = await move(lost, 'other')
        await w.ended(torn.task)
        await gone[0]!.recover()
        expect(gone[0]!.get(torn.task)).toMatchObject({ state: 'interrupted', undo: [] })
        expect(await own('lost')).toEqual(['lost-disk0'])
        await gone[0]!.close()
        registerTakeBack(w.deps)
    })

    it('refuses what cannot be', async () => {
        const uuid = await made('fixed')
        const code = async (work: Promise<unknown>) =>
            work.then(
                () => undefined,
                (thrown: Fault) => thrown.code,
            )
        expect(await code(plan(uuid, 'default'))).toBe('precondition')
        expect(await code(plan(uuid, 'nowhere'))).toBe('not-found')
        await w.world.virsh(['snapshot-create-as', 'fixed', 's'])
        expect(await code(plan(uuid, 'other'))).toBe('precondition')
        const vm = w.inventory.byUuid(uuid)!
        const other = create(MoveDiskRequestSchema, { vm: uuid, target: 'vdz', pool: 'other' })
        expect(await code(planMoveDisk(w.deps, vm, other))).toBe('not-found')
    })
})
