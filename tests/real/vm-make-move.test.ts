// Disks move between pools on a real libvirtd, below a running guest and while it is stopped.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Fault } from '../../src/base/fault.ts'
import { begin } from '../../src/capabilities/vm/begin.ts'
import { beginCreate } from '../../src/capabilities/vm/create.ts'
import { planMoveDisk, registerMove } from '../../src/capabilities/vm/move.ts'
import { CreateRequestSchema, MoveDiskRequestSchema } from '../../src/gen/proto/capabilities/vm/vm_pb.js'
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
