// VMs are made on a real libvirtd: whole or not at all.
import { access, cp, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Fault } from '../../src/base/fault.ts'
import { begin as beginChange, type Change } from '../../src/capabilities/vm/begin.ts'
import { beginCreate } from '../../src/capabilities/vm/create.ts'
import { makeIso, readIso } from '../../src/capabilities/vm/iso9660.ts'
import { createMaker } from '../../src/capabilities/vm/make.ts'
import { dropNvramPool } from '../../src/capabilities/vm/nvram.ts'
import { planDelete } from '../../src/capabilities/vm/remove.ts'
import { planSetSeed, readSeed } from '../../src/capabilities/vm/seed-change.ts'
import { planRename, planUpdate } from '../../src/capabilities/vm/settings.ts'
import { readVolume } from '../../src/capabilities/vm/sources.ts'
import { createTasks } from '../../src/engine/tasks.ts'
import {
    CloudInitSchema,
    CreateRequestSchema,
    DeleteRequestSchema,
    UpdateRequestSchema,
} from '../../src/gen/proto/capabilities/vm/vm_pb.js'
import { realSystem } from '../../src/ports/real.ts'
import { type MakeWorld, startMaking } from './vm-make-world.ts'
import { until } from './world.ts'

const MIB = 1024 ** 2

describe('making a VM', () => {
    let w: MakeWorld
    beforeAll(async () => {
        w = await startMaking('make')
    })
    afterAll(() => w?.stop())

    const begin = (init: MessageInitShape<typeof CreateRequestSchema>) =>
        beginCreate(w.deps, create(CreateRequestSchema, { memoryBytes: BigInt(128 * MIB), vcpus: 1, ...init }), 'ann')
    const faultOf = async (work: Promise<unknown>): Promise<Fault> => {
        const thrown = await work.then(
            () => undefined,
            (t: unknown) => t,
        )
        expect(thrown).toBeInstanceOf(Fault)
        return thrown as Fault
    }
    const domains = async () => (await w.world.virsh(['list', '--all', '--name'])).split('\n').filter(Boolean)

    it('makes an empty disk, defines and starts', async () => {
        const begun = await begin({
            name: 'empty',
            tags: ['a'],
            disks: [{ sizeBytes: BigInt(64 * MIB) }, { sizeBytes: BigInt(MIB), bus: 'scsi', format: 'raw' }],
            start: true,
        })
        expect(begun.plan.map(step => step.sentence)).toEqual([
            'Make the disk default/empty-disk0, empty, 64 MiB',
            'Make the disk default/empty-disk1, empty, 1 MiB',
            'Define the VM empty: 1 vCPU, 128 MiB, BIOS',
            'Start empty',
        ])
        expect(await w.ended(begun.task)).toMatchObject({ state: 'done', progress: 1 })
        const entry = w.inventory.byUuid(begun.object)
        expect(entry).toMatchObject({ name: 'empty', active: true, owner: 'ann', tags: ['a'] })
        expect((await stat(join(w.world.vncDir, `${begun.object}.sock`))).isSocket()).toBe(true)
        expect(await w.volumeNames()).toEqual(['empty-disk0', 'empty-disk1'])
        const free = await w.world.virsh(['dumpxml', 'empty'])
        expect(free.match(/model='pcie-root-port'/g)!.length).toBeGreaterThan(8)
    })

    it('says in a dry run what it would do, and does nothing', async () => {
        const before = [await domains(), await w.volumeNames()]
        const begun = await begin({ name: 'dry', disks: [{ sizeBytes: BigInt(MIB) }], dryRun: true })
        expect(begun.task).toBe('')
        expect(begun.plan).toHaveLength(2)
        expect([await domains(), await w.volumeNames()]).toEqual(before)
    })

    it('writes a seed that nobody else can read, and attaches it', async () => {
        const hash = `$6$saltsalt$${'a'.repeat(86)}`
        const begun = await begin({
            name: 'seeded',
            disks: [{ sizeBytes: BigInt(MIB) }],
            cloudInit: { user: 'ann', passwordHash: hash, packages: ['jq'] },
        })
        expect(await w.ended(begun.task)).toMatchObject({ state: 'done' })
        const path = join(w.world.imagesDir, 'seeded-seed.iso')
        expect((await stat(path)).mode & 0o777).toBe(0o600)
        const files = readIso(await readVolume(w.deps, { pool: 'default', name: 'seeded-seed.iso' }))
        const text = (name: string) => new TextDecoder().decode(files.find(file => file.name === name)!.data)
        expect(text('meta-data')).toContain(begun.object)
        expect(text('user-data')).toContain(hash)
        const { xml } = await w.inventory.inactiveXml(begun.object)
        expect(xml).toContain(path)
        expect(xml).toContain('<debvisor:seed>default/seeded-seed.iso</debvisor:seed>')
        const told = JSON.stringify([begun, w.tasks.get(begun.task), await w.tasks.log(begun.task)])
        expect(told).not.toContain(hash)
        expect(xml).not.toContain(hash)
    })

    it('shows a seed without its secrets, and gives another one for the next boot in the place of the old', async () => {
        const hash = `$6$saltsalt$${'b'.repeat(86)}`
        const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA ann'
        const asked = { disks: [{ sizeBytes: BigInt(MIB) }], cloudInit: { user: 'ann', passwordHash: hash } }
        const { task, object } = await begin({ name: 'told', ...asked, start: true })
        expect(await w.ended(task)).toMatchObject({ state: 'done' })
        const entry = () => w.inventory.byUuid(object)!
        const seen = await readSeed(w.deps, entry())
        expect(seen.volume).toBe('default/told-seed.iso')
        expect(seen.files[0]).toMatchObject({ name: 'user-data', hidden: true })
        expect(JSON.stringify(seen)).not.toContain(hash)

        const other = create(CloudInitSchema, { user: 'bob', sshKeys: [key], passwordHash: hash })
        const change = await planSetSeed(w.deps, entry(), other)
        expect(change.plan.map(step => step.destroys).filter(Boolean)).toEqual(['volume:default/told-seed.iso'])
        const options = { tasks: w.tasks, owner: 'ann', dryRun: false }
        const begun = await beginChange(entry(), change, options)
        expect(await w.ended(begun.task)).toMatchObject({ state: 'done' })
        // In the running guest's drive, too: it reads it when it boots again.
        const { xml } = await w.inventory.inactiveXml(object)
        for (const definition of [xml, (await w.inventory.activeXml(object))!]) {
            expect(definition).toContain('told-2-seed.iso')
            expect(definition).not.toContain('told-seed.iso')
        }
        expect((await w.volumeNames()).filter(name => name.startsWith('told'))).toEqual([
            'told-2-seed.iso',
            'told-disk0',
        ])
        expect((await stat(join(w.world.imagesDir, 'told-2-seed.iso'))).mode & 0o777).toBe(0o600)
        const now = await readSeed(w.deps, (await w.inventory.refresh(object))!)
        expect(now.files[0]!.text).toContain('name: bob')
        expect(now.files[0]!.text).toContain(key)
        const idOf = (files: typeof now.files) =>
            /instance-id: (\S+)/.exec(files.find(one => one.name === 'meta-data')!.text)![1]
        expect(idOf(now.files)).not.toBe(idOf(seen.files))
        const told = JSON.stringify([begun, w.tasks.get(begun.task), await w.tasks.log(begun.task)])
        expect(told).not.toContain(hash)
    })

    it('gives a VM without any drive a seed of its own, and refuses one that is wrong', async () => {
        const { task, object } = await begin({ name: 'plain', disks: [{ sizeBytes: BigInt(MIB) }] })
        await w.ended(task)
        const entry = w.inventory.byUuid(object)!
        await expect(readSeed(w.deps, entry)).rejects.toMatchObject({ code: 'precondition' })
        const wrong = planSetSeed(w.deps, entry, create(CloudInitSchema, { userData: 'hello' }))
        await expect(wrong).rejects.toMatchObject({ code: 'invalid', findings: [{ code: 'user-data-header' }] })
        const change = await planSetSeed(w.deps, entry, create(CloudInitSchema, { userData: '#cloud-config\n{}\n' }))
        expect(change.plan[1]!.sentence).toBe('Put it into a new CD drive of plain')
        const begun = await beginChange(entry, change, { tasks: w.tasks, owner: 'ann', dryRun: false })
        expect(await w.ended(begun.task)).toMatchObject({ state: 'done' })
        expect((await w.inventory.inactiveXml(object)).xml).toContain('plain-seed.iso')
        expect((await w.inventory.refresh(object))!.seed).toBe('default/plain-seed.iso')
    })

    it('leaves nothing when the start fails', async () => {
        const before = [await domains(), await w.volumeNames()]
        const begun = await begin({
            name: 'doomed',
            disks: [{ sizeBytes: BigInt(MIB) }],
            nics: [{ bridge: 'no-such-bridge' }],
            cloudInit: { user: 'ann' },
            start: true,
        })
        const ended = await w.ended(begun.task)
        expect(ended.state).toBe('failed')
        expect(ended.problem?.detail).toContain('no-such-bridge')
        expect([await domains(), await w.volumeNames()]).toEqual(before)
        expect(w.inventory.byName('doomed')).toBeUndefined()
    })

    it('leaves a volume alone that somebody made at the same moment', async () => {
        const { volumes } = w
        const { create: honest } = volumes
        volumes.create = async volume => {
            volumes.create = honest
            await honest({ pool: 'default', name: volume.name, capacityBytes: MIB, format: 'raw' })
            return honest(volume)
        }
        const begun = await begin({ name: 'late', disks: [{ sizeBytes: BigInt(MIB) }] })
        expect(await w.ended(begun.task)).toMatchObject({ state: 'failed', problem: { code: 'exists' } })
        expect(await w.volumeNames()).toContain('late-disk0')
    })

    it('lets one of two creates of one name win', async () => {
        const both = await Promise.allSettled(
            [1, 2, 3].map(() => begin({ name: 'twin', disks: [{ sizeBytes: BigInt(MIB) }] })),
        )
        const won = both.filter(one => one.status === 'fulfilled')
        expect(won).toHaveLength(1)
        for (const one of both)
            if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'exists', at: 'name' })
        expect(await w.ended(won[0]!.value.task)).toMatchObject({ state: 'done' })
        expect((await domains()).filter(name => name === 'twin')).toEqual(['twin'])
        expect((await faultOf(begin({ name: 'twin' }))).code).toBe('exists')
    })

    it('refuses a name that another took behind its back, and leaves that one alone', async () => {
        w.deps.maker.take('behind')!.release()
        const file = await behindFile()
        // Looked at from the start: it may be refused before virsh has ended.
        const ended = begin({ name: 'behind', disks: [{ sizeBytes: BigInt(MIB) }] }).then(
            begun => w.ended(begun.task),
            (fault: Fault) => ({ state: 'failed', problem: { code: fault.code } }),
        )
        await w.world.virsh(['define', file])
        expect(await ended).toMatchObject({ state: 'failed', problem: { code: 'exists' } })
        expect(await domains()).toContain('behind')
        expect(await w.volumeNames()).not.toContain('behind-disk0')
    })
    const behindFile = async () => {
        const { bareDomain, writeDomain } = await import('./vm-core-world.ts')
        return writeDomain(w.world, bareDomain('behind'))
    }

    it('refuses what cannot be, all at once, and changes nothing', async () => {
        const put = async (name: string, data: Uint8Array) => {
            await w.volumes.create({ pool: 'default', name, capacityBytes: data.length, format: 'raw' })
            await w.volumes.write(`default/${name}`, data)
        }
        const iso = makeIso([{ name: 'a', data: new Uint8Array(100_000) }], { label: 'x', madeMs: 0 })
        await put('good.iso', iso)
        await put('cut.iso', iso.subarray(0, 60_000))
        await put('tiny.iso', iso.subarray(0, 1000))
        await put('not.iso', new Uint8Array(100_000))
        await w.world.enter(['mkdir', '-p', join(w.world.imagesDir, 'folder.iso')])
        const before = [await domains(), await w.volumeNames()]
        const fault = await faultOf(
            begin({
                name: 'bad',
                disks: [
                    { from: 'default/none' },
                    { from: 'default/good.iso', sizeBytes: 512n },
                    { existing: 'default/empty-disk0' },
                    { from: 'default/empty-disk0', linked: true },
                    { sizeBytes: 2n ** 52n },
                ],
                nics: [{ network: 'nowhere' }, { network: 'default' }],
                isos: ['default/cut.iso', 'default/tiny.iso', 'default/not.iso'],
                start: true,
            }),
        )
        const said = fault.findings.map(f => `${f.at} ${f.code}`).sort()
        expect(said).toEqual([
            'disks[0].from not-found',
            'disks[1].from disk-smaller',
            'disks[2].existing volume-in-use',
            'disks[3].from volume-in-use',
            'disks[4].size exhausted',
            'isos[0] iso-truncated',
            'isos[1] iso-truncated',
            'isos[2] iso-format',
            'nics[0].network not-found',
        ])
        const peek = await faultOf(begin({ name: 'bad', isos: ['default/seeded-seed.iso'] }))
        expect(peek.findings[0]).toMatchObject({ at: 'isos[0]', code: 'seed-secret' })
        const folder = await faultOf(begin({ name: 'bad', isos: ['default/folder.iso'] }))
        expect(folder).toMatchObject({ code: 'invalid', at: 'isos[0]', summary: 'That is a folder, not an ISO file' })
        expect([await domains(), await w.volumeNames()]).toEqual(before)
        const good = await begin({ name: 'good', isos: ['default/good.iso'], dryRun: true })
        expect(good.findings).toEqual([])
    })

    it('starts with UEFI, secure boot and a TPM', async () => {
        const begun = await begin({
            name: 'win',
            os: 'windows',
            memoryBytes: BigInt(512 * MIB),
            secureBoot: true,
            tpm: true,
            disks: [{ sizeBytes: BigInt(MIB), bus: 'sata' }],
            start: true,
        })
        expect(await w.ended(begun.task)).toMatchObject({ state: 'done' })
        const xml = await w.inventory.activeXml(begun.object)
        expect(xml).toMatch(/<loader [^>]*secure='yes'/)
        expect(xml).toContain("<backend type='emulator' version='2.0'")
        await w.world.virsh(['destroy', 'win'])
        await until('the guest to be gone', 10_000, () => w.inventory.byName('win')?.active === false)
    })

    const entry = (uuid: string) => w.inventory.byUuid(uuid)!
    const change = async (uuid: string, planned: Change) => {
        const begun = await beginChange(entry(uuid), planned, { tasks: w.tasks, owner: 'ann', dryRun: false })
        expect(await w.ended(begun.task)).toMatchObject({ state: 'done' })
        return planned
    }
    const update = async (uuid: string, init: MessageInitShape<typeof UpdateRequestSchema>) =>
        change(uuid, await planUpdate(w.deps, entry(uuid), create(UpdateRequestSchema, init)))
    const remove = async (uuid: string) =>
        change(uuid, await planDelete(w.deps, entry(uuid), create(DeleteRequestSchema, { disks: true, force: true })))
    const powered = async (uuid: string) => {
        await w.world.virsh(['start', uuid, '--paused'])
        await until('the guest to be there', 10_000, () => entry(uuid).active)
    }
    const stopped = async (uuid: string) => {
        await w.world.virsh(['destroy', uuid])
        await until('the guest to be gone', 10_000, () => !entry(uuid).active)
    }
    const nvram = (file: string) => join(w.world.folder, 'lib/qemu/nvram', file)
    const exists = (path: string) =>
        access(path).then(
            () => true,
            () => false,
        )

    it('enforces secure boot that is switched on for a VM that was used without, and off again', async () => {
        const begun = await begin({ name: 'boot', firmware: 'uefi', start: true })
        const uuid = begun.object
        expect(await w.ended(begun.task)).toMatchObject({ state: 'done' })
        const hasKeys = async (path: string) => (await readFile(path)).includes('Microsoft')
        expect(await hasKeys(nvram(`${uuid}_VARS.fd`))).toBe(false)
        await stopped(uuid)
        const planned = await update(uuid, { secureBoot: true })
        expect(planned.findings?.map(f => f.code)).toEqual(['fresh-nvram'])
        await powered(uuid)
        const active = await w.inventory.activeXml(uuid)
        const path = /<nvram[^>]*>([^<]+)<\/nvram>/.exec(active!)![1]!
        // libvirt says so, and the variables that the firmware really has are those with keys.
        expect(active).toMatch(/<loader [^>]*secure='yes'/)
        expect(await hasKeys(nvram(path.split('/').at(-1)!))).toBe(true)
        await stopped(uuid)
        await update(uuid, { secureBoot: false })
        await powered(uuid)
        expect(await w.inventory.activeXml(uuid)).toContain(`${uuid}_VARS.fd</nvram>`)
        await remove(uuid)
        expect(await readdir(nvram(''))).not.toEqual(expect.arrayContaining([expect.stringContaining(uuid)]))
    })

    it('keeps its UEFI variables over a new name, and leaves those of others alone', async () => {
        const file = join(w.world.folder, 'efi.xml')
        const efi = (name: string, path = '') =>
            `<domain type='qemu'><name>${name}</name><memory unit='MiB'>128</memory><os firmware='efi'>
             <type arch='x86_64' machine='q35'>hvm</type>${path && `<nvram>${path}</nvram>`}</os>
             <features><acpi/></features></domain>`
        const define = async (xml: string) => {
            await writeFile(file, xml)
            await w.world.virsh(['define', file])
            const name = /<name>(.*)<\/name>/.exec(xml)![1]!
            await until(`${name} to be known`, 5000, () => w.inventory.byName(name) !== undefined)
            return w.inventory.byName(name)!.uuid
        }
        // Made by virsh: libvirt names its variables by the VM.
        const first = await define(efi('old-name'))
        await powered(first)
        await stopped(first)
        const variables = await readFile(nvram('old-name_VARS.fd'))
        variables.write('a mark of ours', variables.length - 64)
        await writeFile(nvram('old-name_VARS.fd'), variables)
        await change(first, await planRename(w.deps, entry(first), { name: 'new-name', revision: '' }))
        expect(await exists(nvram('old-name_VARS.fd'))).toBe(false)
        await powered(first)
        const path = /<nvram[^>]*>([^<]+)<\/nvram>/.exec((await w.inventory.activeXml(first))!)![1]!
        expect(path).toContain(first)
        expect((await readFile(nvram(path.split('/').at(-1)!))).includes('a mark of ours')).toBe(true)
        await stopped(first)
        // Another that somebody let use the same file.
        const second = await define(efi('leech', path))
        await remove(second)
        expect(await exists(nvram(path.split('/').at(-1)!))).toBe(true)
        await remove(first)
        expect(await exists(nvram(path.split('/').at(-1)!))).toBe(false)
    })

    it('takes the pool of UEFI variables away that a dead daemon left', async () => {
        const xml = `<pool type='dir'><name>debvisor-nvram</name><target><path>${nvram('')}</path></target></pool>`
        await w.link.connection().call('storagePoolCreateXML', { xml })
        await dropNvramPool(w.link)
        expect(await w.world.virsh(['pool-list', '--all', '--name'])).not.toContain('nvram')
    })

    it('is given memory while it runs, as far as it was made with room', async () => {
        const begun = await begin({ name: 'roomy', hotplugMemoryBytes: BigInt(1024 * MIB), start: true })
        const uuid = begun.object
        expect(await w.ended(begun.task)).toMatchObject({ state: 'done' })
        const sizes = async () => {
            const xmls = [await w.inventory.activeXml(uuid), (await w.inventory.inactiveXml(uuid)).xml]
            return xmls.map(xml => [
                /<memory unit='KiB'>(\d+)/.exec(xml!)![1],
                (xml!.match(/<memory model='dimm'>/g) ?? []).length,
            ])
        }
        const more = await update(uuid, { memoryBytes: BigInt(384 * MIB) })
        expect(more.findings?.map(f => f.code)).toEqual(['memory-online'])
        expect(more.plan[0]?.sentence).toBe('Memory: 384 MiB, at most 384 MiB, 256 MiB of it plugged in now')
        // Plugged in now; the next start has it from the beginning.
        expect(await sizes()).toEqual([
            ['393216', 1],
            ['393216', 0],
        ])
        await until('it to be known', 5000, () => entry(uuid).maxMemoryBytes === 384 * MIB)
        const odd = await update(uuid, { memoryBytes: BigInt(400 * MIB) })
        expect(odd.findings?.map(f => f.code)).toEqual(['memory-step', 'next-start'])
        const beyond = await update(uuid, { memoryBytes: BigInt(2048 * MIB) })
        expect(beyond.findings?.map(f => f.code)).toEqual(['next-start'])
        expect(await sizes()).toEqual([
            ['393216', 1],
            ['2097152', 0],
        ])
        await stopped(uuid)
        await powered(uuid)
        await until('all of it to be there', 5000, () => entry(uuid).maxMemoryBytes === 2048 * MIB)
        expect(entry(uuid).memoryBytes).toBe(2048 * MIB)
        await remove(uuid)
    })

    it('gets a serial port and a display that it was made without', async () => {
        const { bareDomain, writeDomain } = await import('./vm-core-world.ts')
        const bare = bareDomain('mute', { devices: "<input type='tablet' bus='usb'/>" })
        await w.world.virsh(['define', await writeDomain(w.world, bare)])
        await until('it to be known', 5000, () => w.inventory.byUuid(bare.uuid) !== undefined)
        await powered(bare.uuid)
        const planned = await update(bare.uuid, { serial: true, vnc: true })
        expect(planned.plan.map(step => step.sentence)).toEqual(['Give it a serial port', 'Give it a display by VNC'])
        expect(planned.findings?.map(f => f.code)).toEqual(['next-start', 'next-start'])
        await stopped(bare.uuid)
        await powered(bare.uuid)
        expect((await stat(join(w.world.vncDir, `${bare.uuid}.sock`))).isSocket()).toBe(true)
        const console = await w.link.connection().openConsole(entry(bare.uuid).dom, { force: true })
        await console.close()
        await remove(bare.uuid)
    })

    it('is gone when it is cancelled', async () => {
        const { volumes } = w
        const { create: honest } = volumes
        let enter = () => {}
        const inside = new Promise<void>(resolve => {
            enter = resolve
        })
        volumes.create = async volume => {
            volumes.create = honest
            const made = await honest(volume)
            enter()
            await new Promise(resolve => volume.signal!.addEventListener('abort', resolve))
            return made
        }
        const begun = await begin({ name: 'halted', disks: [{ sizeBytes: BigInt(MIB) }] })
        await inside
        await w.tasks.cancel(begun.task)
        expect(await w.ended(begun.task)).toMatchObject({ state: 'cancelled' })
        expect(await w.volumeNames()).not.toContain('halted-disk0')
        expect(await domains()).not.toContain('halted')
    })

    it('is taken back by the next life of the daemon', async () => {
        const { volumes } = w
        const { create: honest } = volumes
        let arrive = () => {}
        const half = new Promise<void>(resolve => {
            arrive = resolve
        })
        let giveUp = () => {}
        // This life dies here: it never hears that its volume was made.
        volumes.create = async volume => {
            volumes.create = honest
            await honest(volume)
            arrive()
            return new Promise((_, reject) => {
                giveUp = () => reject(new Error('it is dead'))
            })
        }
        const folder = join(w.world.folder, 'tasks')
        const begun = await begin({ name: 'halfway', disks: [{ sizeBytes: BigInt(MIB) }], start: true })
        await half
        expect(await w.volumeNames()).toContain('halfway-disk0')
        await cp(folder, `${folder}-2`, { recursive: true })
        const next = await createTasks({ ...w.deps, system: realSystem(), folder: `${folder}-2` })
        createMaker({ ...w.deps, tasks: next })
        next.onUndo('volume.remove', w.undoVolume)
        await next.recover()
        expect(next.get(begun.task)).toMatchObject({ state: 'interrupted' })
        expect(await w.volumeNames()).not.toContain('halfway-disk0')
        await next.close()
        giveUp()
        await w.ended(begun.task)
    })

    it('makes XML that libvirt finds valid', async () => {
        const folder = join(import.meta.dirname, '../../src/capabilities/vm/testdata')
        const cases = (await readdir(folder)).filter(name => name.startsWith('create-'))
        let valid = 0
        for (const name of cases) {
            const text = await readFile(join(folder, name, 'domain.xml'), 'utf8').catch(() => '')
            if (text === '') continue
            // No KVM is needed to define, but it is to say host-passthrough.
            const here = text
                .replace("type='kvm'", "type='qemu'")
                .replace(/mode='host-passthrough'[^>]*/, "mode='maximum'")
            const path = join(w.world.folder, `${name}.xml`)
            await writeFile(path, here.replace(/<uuid>.*<\/uuid>/, ''))
            await w.world.virsh(['define', '--validate', path])
            valid++
        }
        expect(valid).toBeGreaterThanOrEqual(4)
    })
})
