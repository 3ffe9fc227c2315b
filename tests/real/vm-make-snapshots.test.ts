// Snapshots on a real libvirtd: what was there comes back, and what would lose more is refused.
import { execFile } from 'node:child_process'
import { access, cp } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Fault } from '../../src/base/fault.ts'
import { begin, type Change } from '../../src/capabilities/vm/begin.ts'
import { beginCreate } from '../../src/capabilities/vm/create.ts'
import { setMetadataOf } from '../../src/capabilities/vm/settings.ts'
import { canRevertExternal, listSnapshots, planCreateSnapshot } from '../../src/capabilities/vm/snapshots.ts'
import { planDeleteSnapshot, planRevert, registerSnapshots } from '../../src/capabilities/vm/snapshots-back.ts'
import { parseRoot } from '../../src/capabilities/vm/xml/document.ts'
import { readMetadata } from '../../src/capabilities/vm/xml/metadata.ts'
import { createTasks } from '../../src/engine/tasks.ts'
import { CreateRequestSchema } from '../../src/gen/proto/capabilities/vm/vm_pb.js'
import { realSystem } from '../../src/ports/real.ts'
import { type MakeWorld, startMaking } from './vm-make-world.ts'
import { until } from './world.ts'

const run = promisify(execFile)
const MIB = 1024 ** 2

describe('snapshots', () => {
    let w: MakeWorld
    beforeAll(async () => {
        w = await startMaking('snap')
    })
    afterAll(() => w?.stop())

    async function made(init: MessageInitShape<typeof CreateRequestSchema>): Promise<string> {
        const disks = [{ sizeBytes: BigInt(8 * MIB) }]
        const request = create(CreateRequestSchema, { memoryBytes: BigInt(64 * MIB), vcpus: 1, disks, ...init })
        const begun = await beginCreate(w.deps, request, 'ann')
        expect(await w.ended(begun.task)).toMatchObject({ state: 'done' })
        return begun.object
    }
    const entry = (uuid: string) => w.inventory.byUuid(uuid)!
    const done = async (uuid: string, change: Change) => {
        const begun = await begin(entry(uuid), change, { tasks: w.tasks, owner: 'ann', dryRun: false })
        expect(await w.ended(begun.task)).toMatchObject({ state: 'done' })
        return change
    }
    const ask = { description: '', kind: '', memory: false, quiesce: false }
    const take = async (uuid: string, name: string, more: Partial<typeof ask> = {}) =>
        done(uuid, await planCreateSnapshot(w.deps, entry(uuid), { ...ask, name, ...more }))
    const back = async (uuid: string, name: string, start = false) =>
        done(uuid, await planRevert(w.deps, entry(uuid), { name, start }))
    const drop = async (uuid: string, name: string, children = false) =>
        done(uuid, await planDeleteSnapshot(w.deps, entry(uuid), { name, children }))
    const tree = async (uuid: string) =>
        (await listSnapshots(w.link, entry(uuid).dom)).map(
            s => `${s.parent}/${s.name}${s.current ? '*' : ''} ${s.kind}`,
        )
    const refused = async (work: Promise<unknown>) =>
        work.then(
            () => undefined,
            (thrown: Fault) => thrown,
        )
    const stopped = async (uuid: string) => {
        await w.world.virsh(['destroy', uuid])
        await until('the guest to be gone', 10_000, () => entry(uuid).active === false)
    }
    const diskOf = async (uuid: string) =>
        /<source file='([^']*)'[^>]*\/>\s*(?:<backingStore\/>\s*)?<target dev='vda'/.exec(
            (await w.inventory.inactiveXml(uuid)).xml,
        )![1]!
    const write = async (uuid: string, pattern: string) =>
        run('qemu-io', ['-f', 'qcow2', '-c', `write -P ${pattern} 0 64k`, await diskOf(uuid)])
    const holds = async (uuid: string, pattern: string) => {
        const { stdout } = await run('qemu-io', ['-f', 'qcow2', '-c', `read -P ${pattern} 0 64k`, await diskOf(uuid)])
        return !stdout.includes('verification failed')
    }

    it('keeps what was there inside the disk, and brings it back', async () => {
        const uuid = await made({ name: 'inner' })
        await write(uuid, '0x11')
        await take(uuid, 'one', { description: 'first <state>' })
        await write(uuid, '0x22')
        await take(uuid, 'two')
        const [one] = await listSnapshots(w.link, entry(uuid).dom)
        expect(one).toMatchObject({ description: 'first <state>', memory: false, state: 'shutoff', children: ['two'] })
        expect(await tree(uuid)).toEqual(['/one internal', 'one/two* internal'])
        const change = await back(uuid, 'one')
        expect(change.plan.at(-2)).toMatchObject({ destroys: 'changes:inner' })
        expect(change.plan.at(-2)!.sentence).toMatch(/has written since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC is lost$/)
        expect(await holds(uuid, '0x11')).toBe(true)
        await back(uuid, 'two')
        expect(await holds(uuid, '0x22')).toBe(true)
        await drop(uuid, 'one', true)
        expect(await tree(uuid)).toEqual([])
        expect(await holds(uuid, '0x22')).toBe(true)
    })

    it.each([false, true])('brings tags, owner and template of then not back (running: %s)', async start => {
        const name = start ? 'tagged-run' : 'tagged'
        const uuid = await made({ name, tags: ['then'], start })
        await take(uuid, 'one')
        const { xml } = await w.inventory.inactiveXml(uuid)
        const metadata = { ...readMetadata(parseRoot(xml, 'domain')), tags: ['now'], owner: 'bob' }
        await setMetadataOf(w.link.connection(), entry(uuid), metadata)
        await w.inventory.refresh(uuid)
        await back(uuid, 'one')
        expect(entry(uuid)).toMatchObject({ tags: ['now'], owner: 'bob', active: start })
        for (const text of [(await w.inventory.inactiveXml(uuid)).xml, await w.inventory.activeXml(uuid)]) {
            if (text === undefined) continue
            expect(text).toContain('>now<')
            expect(text).not.toContain('>then<')
        }
        if (start) await stopped(uuid)
    })

    it('keeps the memory of a running guest', async () => {
        const uuid = await made({ name: 'awake', start: true })
        const change = await take(uuid, 'live')
        expect(change.findings?.map(f => f.code)).toEqual(['memory-included'])
        const [live] = await listSnapshots(w.link, entry(uuid).dom)
        expect(live).toMatchObject({ memory: true, state: 'running', kind: 'internal' })
        await stopped(uuid)
        await back(uuid, 'live')
        expect(entry(uuid).active).toBe(true)
        expect((await refused(planCreateSnapshot(w.deps, entry(uuid), { ...ask, name: 'live' })))?.code).toBe('exists')
    })

    it('takes external ones of a running guest, and merges them', async () => {
        const uuid = await made({ name: 'outer', firmware: 'uefi', start: true })
        const why = await refused(planCreateSnapshot(w.deps, entry(uuid), { ...ask, name: 'no', kind: 'internal' }))
        expect(why).toMatchObject({ code: 'unsupported', fix: 'Take an external snapshot.' })
        expect(why?.detail).toContain('UEFI')
        await take(uuid, 'a')
        await take(uuid, 'b', { memory: true })
        expect(await tree(uuid)).toEqual(['/a external', 'a/b* external'])
        expect(await w.volumeNames()).toEqual(expect.arrayContaining(['outer-disk0.a', 'outer-disk0.b']))
        const memory = join(w.world.imagesDir, 'outer-disk0.b.mem')
        await access(memory)
        const cannot = await refused(planCreateSnapshot(w.deps, entry(uuid), { ...ask, name: 'q', quiesce: true }))
        expect(cannot?.summary).toContain('guest agent')
        const host = await w.deps.host.facts()
        const revert = await refused(planRevert(w.deps, entry(uuid), { name: 'a', start: false }))
        expect(revert?.code).toBe(canRevertExternal(host.libvirtVersion) ? undefined : 'unsupported')
        await drop(uuid, 'b')
        expect(await refused(access(memory))).toBeDefined()
        await stopped(uuid)
        await take(uuid, 'c')
        await drop(uuid, 'a', true)
        expect(await tree(uuid)).toEqual([])
        expect((await w.volumeNames()).filter(name => name.startsWith('outer'))).toEqual(['outer-disk0'])
        expect(await diskOf(uuid)).toMatch(/outer-disk0$/)
    })

    it('goes back to an external one, where libvirt can', async ({ skip }) => {
        const { libvirtVersion } = await w.deps.host.facts()
        if (!canRevertExternal(libvirtVersion)) skip('libvirt goes back to external snapshots from 9.9 on (Debian 13)')
        const uuid = await made({ name: 'outback' })
        await write(uuid, '0x11')
        await take(uuid, 'a', { kind: 'external' })
        await write(uuid, '0x22')
        await back(uuid, 'a')
        expect(await holds(uuid, '0x11')).toBe(true)
    })

    it('refuses what would lose data', async () => {
        const uuid = await made({ name: 'careful' })
        await take(uuid, 'in')
        const mixed = await refused(planCreateSnapshot(w.deps, entry(uuid), { ...ask, name: 'out', kind: 'external' }))
        expect(mixed?.detail).toContain('both kinds')
        await w.world.virsh(['snapshot-create-as', 'careful', 'out', '--disk-only'])
        await w.inventory.refresh(uuid)
        for (const plan of [
            planRevert(w.deps, entry(uuid), { name: 'in', start: false }),
            planDeleteSnapshot(w.deps, entry(uuid), { name: 'in', children: false }),
        ]) {
            const fault = await refused(plan)
            expect(fault).toMatchObject({ code: 'precondition' })
            expect(fault?.detail).toContain('careful-disk0.out')
        }
        expect((await refused(planRevert(w.deps, entry(uuid), { name: 'none', start: false })))?.code).toBe('not-found')
        for (const name of ['../x', '', 'a b', '<x>'])
            expect((await refused(planCreateSnapshot(w.deps, entry(uuid), { ...ask, name })))?.code).toBe('invalid')
    })

    it('refuses to change what a linked clone stands on', async () => {
        const uuid = await made({ name: 'base' })
        await take(uuid, 'in')
        await w.volumes.create({
            ...{ pool: 'default', name: 'stranger', capacityBytes: 8 * MIB, format: 'qcow2' },
            ...{ from: 'default/base-disk0', linked: true },
        })
        const fault = await refused(planRevert(w.deps, entry(uuid), { name: 'in', start: false }))
        expect(fault).toMatchObject({ code: 'conflict', detail: 'default/stranger' })
    })

    it('says why a raw disk can have none inside', async () => {
        const uuid = await made({ name: 'raw', disks: [{ sizeBytes: BigInt(MIB), format: 'raw' }] })
        const fault = await refused(planCreateSnapshot(w.deps, entry(uuid), { ...ask, name: 'x', kind: 'internal' }))
        expect(fault?.detail).toContain('only qcow2')
        const none = await made({ name: 'bare', disks: [] })
        expect((await refused(planCreateSnapshot(w.deps, entry(none), { ...ask, name: 'x' })))?.code).toBe(
            'unsupported',
        )
    })

    it('is found again by the next life of the daemon', async () => {
        const uuid = await made({ name: 'resumed', memoryBytes: BigInt(256 * MIB), start: true })
        await until('the guest to run', 10_000, () => entry(uuid).active)
        const change = await planCreateSnapshot(w.deps, entry(uuid), { ...ask, name: 'long', memory: true })
        const begun = await begin(entry(uuid), change, { tasks: w.tasks, owner: 'ann', dryRun: false })
        const folder = join(w.world.folder, 'tasks')
        await cp(folder, `${folder}-2`, { recursive: true })
        const next = await createTasks({ ...w.deps, system: realSystem(), folder: `${folder}-2` })
        registerSnapshots({ ...w.deps, tasks: next })
        expect(next.get(begun.task)).toMatchObject({ state: 'interrupted', undo: [] })
        await next.recover()
        await until('its end', 30_000, () => next.get(begun.task)!.state !== 'running')
        expect(next.get(begun.task)).toMatchObject({ state: 'done' })
        expect(await tree(uuid)).toEqual(['/long* internal'])
        await w.ended(begun.task)
        await next.close()
        await stopped(uuid)
    })
})
