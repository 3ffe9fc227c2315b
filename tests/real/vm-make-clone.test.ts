// Clones on a real libvirtd: other identity, same content, and never a copy that is torn.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Fault } from '../../src/base/fault.ts'
import { beginClone } from '../../src/capabilities/vm/clone.ts'
import { beginCreate } from '../../src/capabilities/vm/create.ts'
import { readIso } from '../../src/capabilities/vm/iso9660.ts'
import { readVolume } from '../../src/capabilities/vm/sources.ts'
import { CloneRequestSchema, CreateRequestSchema } from '../../src/gen/proto/capabilities/vm/vm_pb.js'
import { type MakeWorld, startMaking } from './vm-make-world.ts'
import { until } from './world.ts'

const MIB = 1024 ** 2
const KEY = `ssh-ed25519 ${'A'.repeat(68)} ann`

describe('cloning a VM', () => {
    let w: MakeWorld
    let source: string
    beforeAll(async () => {
        w = await startMaking('clone')
        await w.link.connection().call('networkCreateXML', {
            xml: "<network><name>lan</name><bridge name='dvlan0'/></network>",
        })
        source = await made({
            name: 'source',
            disks: [{ sizeBytes: BigInt(8 * MIB) }, { sizeBytes: BigInt(MIB), format: 'raw' }],
            nics: [{ network: 'lan' }],
            cloudInit: { user: 'ann', sshKeys: [KEY], networkConfig: 'version: 2\nethernets: {}\n' },
        })
        await w.volumes.write('default/source-disk1', new TextEncoder().encode('marked'.padEnd(MIB, ' ')))
    })
    afterAll(() => w?.stop())

    async function made(init: MessageInitShape<typeof CreateRequestSchema>): Promise<string> {
        const request = create(CreateRequestSchema, { memoryBytes: BigInt(128 * MIB), vcpus: 1, ...init })
        const begun = await beginCreate(w.deps, request, 'ann')
        expect(await w.ended(begun.task)).toMatchObject({ state: 'done' })
        return begun.object
    }
    const clone = (init: MessageInitShape<typeof CloneRequestSchema>) =>
        beginClone(w.deps, create(CloneRequestSchema, init), 'bob')
    const cloned = async (init: MessageInitShape<typeof CloneRequestSchema>) => {
        const begun = await clone(init)
        expect(await w.ended(begun.task)).toMatchObject({ state: 'done' })
        return begun.object
    }
    const seedOf = async (name: string) => {
        const files = readIso(await readVolume(w.deps, { pool: 'default', name }))
        return Object.fromEntries(files.map(file => [file.name, new TextDecoder().decode(file.data)]))
    }
    const codes = async (work: Promise<unknown>) => {
        const fault = await work.then(
            () => undefined,
            (thrown: Fault) => thrown,
        )
        return [fault?.code, ...(fault?.findings ?? []).filter(f => f.severity === 'error').map(f => f.code)]
    }

    it('copies all disks, and makes cloud-init begin anew', async () => {
        const uuid = await cloned({ vm: 'source', name: 'full', tags: ['copy'] })
        const { xml } = await w.inventory.inactiveXml(uuid)
        const old = (await w.inventory.inactiveXml(source)).xml
        for (const name of ['source-disk0', 'source-disk1', 'source-seed.iso', source]) expect(xml).not.toContain(name)
        const entry = w.inventory.byUuid(uuid)!
        expect(entry).toMatchObject({ name: 'full', owner: 'bob', tags: ['copy'], active: false })
        expect(entry.macs).not.toEqual(w.inventory.byUuid(source)!.macs)
        const copy = await readVolume(w.deps, { pool: 'default', name: 'full-disk1' })
        expect(Buffer.from(copy).toString('utf8', 0, 6)).toBe('marked')
        const whole = await w.volumes.find('default/full-disk0')
        expect([whole.format, whole.backingPath]).toEqual(['qcow2', undefined])
        const before = await seedOf('source-seed.iso')
        const after = await seedOf('full-seed.iso')
        expect(after['meta-data']).toContain(uuid)
        expect(after['meta-data']).toContain('local-hostname: full')
        expect(after['vendor-data']).toContain('systemd-machine-id-setup')
        expect(before['vendor-data']).toBeUndefined()
        expect(after['user-data']).toBe(before['user-data']!.replace('hostname: source', 'hostname: full'))
        expect(after['network-config']).toBe(before['network-config'])
        expect((await w.inventory.inactiveXml(source)).xml).toBe(old)
    })

    it('stands linked clones on a template only', async () => {
        expect(await codes(clone({ vm: 'source', name: 'linked', linked: true }))).toEqual([
            'invalid',
            'source-no-template',
        ])
        const meta = '<template/>'
        await w.world.virsh([
            'metadata',
            'source',
            'https://debvisor.org/xmlns/vm/1',
            '--key',
            'd',
            '--set',
            `<vm>${meta}</vm>`,
        ])
        await w.inventory.refresh(source)
        const uuid = await cloned({ vm: 'source', name: 'linked', linked: true, pool: 'other' })
        const facts = await w.volumes.find('other/linked-disk0')
        expect(facts.backingPath).toBe((await w.volumes.find('default/source-disk0')).path)
        expect(w.volumes.standingOn(facts.backingPath!)).toHaveLength(1)
        expect(w.inventory.byUuid(uuid)!.template).toBe(false)
        await w.world.virsh(['start', 'linked'])
        await w.world.virsh(['destroy', 'linked'])
    })

    it('brings the UEFI variables along', async () => {
        const uefi = await made({
            name: 'uefi',
            firmware: 'uefi',
            disks: [{ sizeBytes: BigInt(MIB) }],
            start: true,
        })
        await w.world.virsh(['destroy', 'uefi'])
        await until('the guest to be gone', 10_000, () => w.inventory.byUuid(uefi)?.active === false)
        const folder = join(w.world.folder, 'lib/qemu/nvram')
        const variables = await readFile(join(folder, `${uefi}_VARS.fd`))
        variables.write('a mark of ours', variables.length - 64)
        await writeFile(join(folder, `${uefi}_VARS.fd`), variables)
        const second = await cloned({ vm: 'uefi', name: 'uefi2', start: true })
        const copy = await readFile(join(folder, `${second}_VARS.fd`))
        expect(copy.includes('a mark of ours')).toBe(true)
        expect(await w.world.virsh(['pool-list', '--all', '--name'])).not.toContain('nvram')
        const again = clone({ vm: 'uefi2', name: 'uefi3' })
        expect(await codes(again)).toContain('source-running')
    })

    it('leaves nothing when it fails', async () => {
        const before = await w.volumeNames()
        const { volumes } = w
        const honest = volumes.create
        volumes.create = async volume => {
            if (volume.name === 'burnt-disk1') throw new Error('the disk is on fire')
            return honest(volume)
        }
        const begun = await clone({ vm: 'source', name: 'burnt' })
        expect(await w.ended(begun.task)).toMatchObject({ state: 'failed' })
        volumes.create = honest
        expect(await w.volumeNames()).toEqual(before)
        expect(w.inventory.byName('burnt')).toBeUndefined()
    })

    it('is no clone when its source ran while it was copied, though it has stopped again', async () => {
        const before = await w.volumeNames()
        const { volumes } = w
        const honest = volumes.create
        volumes.create = async volume => {
            volumes.create = honest
            const copy = await honest(volume)
            await w.world.virsh(['start', 'uefi'])
            await w.world.virsh(['destroy', 'uefi'])
            return copy
        }
        const begun = await clone({ vm: 'uefi', name: 'restless' })
        expect(await w.ended(begun.task)).toMatchObject({ state: 'failed', problem: { code: 'conflict' }, undo: [] })
        expect(await w.volumeNames()).toEqual(before)
        expect(w.inventory.byName('restless')).toBeUndefined()
    })

    it('says beforehand what it would do, and what is wrong', async () => {
        const dry = await clone({ vm: 'uefi', name: 'dry', dryRun: true })
        expect(dry.plan.map(step => step.sentence)).toEqual([
            'Copy default/uefi-disk0 to the disk default/dry-disk0',
            'Define the VM dry like uefi',
        ])
        expect(dry.findings.map(f => f.code)).toEqual(['same-identity'])
        expect(await codes(clone({ vm: 'nobody', name: 'x' }))).toEqual(['not-found'])
        expect(await codes(clone({ vm: 'uefi', name: 'source' }))).toEqual(['exists', 'name-taken'])
        expect(await codes(clone({ vm: 'uefi', name: '../x' }))).toEqual(['invalid', 'name-invalid'])
    })
})
