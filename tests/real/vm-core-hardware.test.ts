// Devices, settings and deletion over the API against a real libvirtd, with a real guest where one has to answer.
import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Caller } from '../../src/capabilities/caller.ts'
import { makeIso } from '../../src/capabilities/vm/iso9660.ts'
import { bareDomain, rootCaller, startVmWorld, type VmWorld } from './vm-core-world.ts'
import { tinyGuest, until } from './world.ts'

let own: VmWorld
let log: string
let caller: Caller = rootCaller
const granting = new Set<string>()
const MIB = 1n << 20n

beforeAll(async () => {
    own = await startVmWorld({ name: 'vmhard', granting, caller: () => caller })
    await own.world.virsh(['net-start', 'default'])
    const { kernelPath, initrdPath, commandLine, marker } = await tinyGuest()
    log = join(own.world.folder, 'serial.log')
    await own.define(
        bareDomain('tiny', {
            memoryMib: 256,
            os: `<kernel>${kernelPath}</kernel><initrd>${initrdPath}</initrd><cmdline>${commandLine}</cmdline>`,
            devices: `<serial type='file'><source path='${log}' append='on'/></serial>`,
        }),
    )
    await own.done(await own.client.start({ vm: 'tiny' }))
    await until('the guest to be up', 90_000, async () =>
        (await readFile(log, 'utf8').catch(() => '')).includes(marker),
    )
})
afterAll(() => own?.stop())

const detailOf = async (vm: string) => (await own.client.get({ vm })).detail!

test('a disk is made, plugged into the running guest, limited, grown, and unplugged again', async () => {
    const begun = await own.client.attachDisk({ vm: 'tiny', disk: { sizeBytes: 64n * MIB } })
    expect(begun.plan.map(step => step.sentence)).toEqual([
        'Make the disk default/tiny-disk0, 64 MiB',
        'Attach default/tiny-disk0 to tiny as vda',
    ])
    expect(begun.findings).toEqual([])
    await own.done(begun)
    const [disk] = (await detailOf('tiny')).disks
    expect(disk).toMatchObject({
        target: 'vda',
        bus: 'virtio',
        pool: 'default',
        volume: 'tiny-disk0',
        presence: 'live',
        capacityBytes: 64n * MIB,
        discard: true,
    })

    const limits = { readIops: 100n, writeBytesPerSecond: 5n * MIB }
    await own.done(await own.client.updateDisk({ vm: 'tiny', target: 'vda', limits }))
    expect((await detailOf('tiny')).disks[0]!.limits).toMatchObject({ ...limits, writeIops: 0n })
    const shown = await own.world.virsh(['blkdeviotune', 'tiny', 'vda'])
    expect(shown).toMatch(/read_iops_sec\s*: 100/)

    await own.done(await own.client.resizeDisk({ vm: 'tiny', target: 'vda', sizeBytes: 96n * MIB }))
    expect(await own.world.virsh(['domblkinfo', 'tiny', 'vda'])).toMatch(/Capacity:\s+100663296/)
    expect((await detailOf('tiny')).disks[0]!.capacityBytes).toBe(96n * MIB)
    for (const sizeBytes of [MIB, 80n * MIB, 96n * MIB])
        await expect(own.client.resizeDisk({ vm: 'tiny', target: 'vda', sizeBytes })).rejects.toThrow('can only grow')
    // Grown behind our back: what is remembered of it is not what counts.
    await own.world.virsh(['blockresize', 'tiny', 'vda', '160M'])
    const between = own.client.resizeDisk({ vm: 'tiny', target: 'vda', sizeBytes: 128n * MIB })
    await expect(between).rejects.toThrow('can only grow')
    // Two that were both found good: the smaller one comes last, and is refused when its turn comes.
    let free = () => {}
    const held = new Promise<void>(resolve => {
        free = resolve
    })
    const holding = own.vm.inventory.edit(own.vm.inventory.resolve('tiny').uuid, '', () => held)
    const larger = await own.client.resizeDisk({ vm: 'tiny', target: 'vda', sizeBytes: 224n * MIB })
    const smaller = await own.client.resizeDisk({ vm: 'tiny', target: 'vda', sizeBytes: 192n * MIB })
    free()
    await holding
    const ends = [await own.ended(larger), await own.ended(smaller)]
    expect(ends.map(task => task.state)).toEqual(['done', 'failed'])
    expect(ends[1]!.problem).toMatchObject({ summary: 'A disk can only grow', detail: '192 MiB of 224 MiB' })
    expect(await own.world.virsh(['domblkinfo', 'tiny', 'vda'])).toMatch(/Capacity:\s+234881024/)
    expect((await detailOf('tiny')).disks[0]!.capacityBytes).toBe(224n * MIB)

    const { revision } = await detailOf('tiny')
    const gone = await own.client.detachDisk({ vm: 'tiny', target: 'vda', revision, delete: true })
    expect(gone.plan.at(-1)).toMatchObject({ destroys: 'volume:default/tiny-disk0' })
    await own.done(gone)
    expect((await detailOf('tiny')).disks).toEqual([])
    await expect(own.image.volumes.find('default/tiny-disk0')).rejects.toMatchObject({ code: 'not-found' })
})

test('a disk that fits in no pool, or is used by another VM, is refused and nothing is made', async () => {
    const before = await own.world.virsh(['vol-list', 'default'])
    await expect(own.client.attachDisk({ vm: 'tiny', disk: { sizeBytes: 1n << 60n, format: 'raw' } })).rejects.toThrow()
    await expect(own.client.attachDisk({ vm: 'tiny', disk: { existing: 'default/none' } })).rejects.toThrow()
    await expect(own.client.attachDisk({ vm: 'tiny', disk: { sizeBytes: 0n } })).rejects.toThrow()
    expect(await own.world.virsh(['vol-list', 'default'])).toBe(before)
})

test('an attach that fails takes back the volume that it made, and none that it did not make', async () => {
    const { volumes } = own.image
    const { create: honest } = volumes
    volumes.create = async volume => {
        volumes.create = honest
        await honest({ pool: 'default', name: volume.name, capacityBytes: 4096, format: 'raw' })
        return honest(volume)
    }
    const late = await own.ended(await own.client.attachDisk({ vm: 'tiny', disk: { sizeBytes: MIB } }))
    expect(late).toMatchObject({ state: 'failed', problem: { code: 'exists' }, undo: [] })
    expect((await volumes.find('default/tiny-disk0')).capacityBytes).toBe(4096)
    await volumes.remove('default/tiny-disk0')

    volumes.create = async volume => {
        volumes.create = honest
        return { ...(await honest(volume)), path: '/nowhere/at/all' }
    }
    const refused = await own.ended(await own.client.attachDisk({ vm: 'tiny', disk: { sizeBytes: MIB } }))
    expect(refused).toMatchObject({ state: 'failed', undo: [] })
    await expect(volumes.find('default/tiny-disk0')).rejects.toMatchObject({ code: 'not-found' })
    expect((await detailOf('tiny')).disks).toEqual([])
})

test('who has a grant on one VM neither learns the names of others, nor wakes networks, nor deletes an ISO', async () => {
    const mac = '52:54:00:aa:bb:09'
    const iso = makeIso([{ name: 'a', data: new TextEncoder().encode('hi') }], { label: 'kept', madeMs: 0 })
    await own.image.volumes.create({ pool: 'default', name: 'kept.iso', capacityBytes: iso.length, format: 'raw' })
    await own.image.volumes.write('default/kept.iso', iso)
    const nic = `<interface type='network'><mac address='${mac}'/><source network='default'/></interface>`
    await own.define(bareDomain('hidden', { devices: nic }))
    const disc = await own.define(bareDomain('granted', { devices: nic.replace(mac, '52:54:00:aa:bb:0a') }))
    await own.done(
        await own.client.attachDisk({ vm: 'granted', device: 'cdrom', disk: { existing: 'default/kept.iso' } }),
    )
    await own.world.virsh(['net-destroy', 'default'])
    // All rights on all VMs one by one, and of the wide ones that for networks alone.
    let wide = ['network.bridge']
    const may: Caller['may'] = (permission, object) => object !== undefined || wide.includes(permission)
    caller = { ...rootCaller, user: 'eve', via: 'session', may }
    try {
        const woken = await own.ended(await own.client.start({ vm: 'granted' }))
        expect(woken).toMatchObject({ state: 'failed', problem: { summary: 'A network of the VM is not started' } })
        expect(await own.world.virsh(['net-list', '--name'])).not.toContain('default')

        wide = ['network.bridge', 'network.view']
        const asked = own.client.attachNic({ vm: 'granted', nic: { bridge: 'br0', mac } })
        await expect(asked).rejects.toThrow('of another VM')
        await expect(asked).rejects.not.toThrow('hidden')

        const gone = own.client.detachDisk({ vm: 'granted', target: 'sda', delete: true })
        await expect(gone).rejects.toThrow('no CD')
        await own.image.volumes.find('default/kept.iso')

        await own.done(await own.client.start({ vm: 'granted' }))
        expect(await own.world.virsh(['net-list', '--name'])).toContain('default')
    } finally {
        caller = rootCaller
        await own.world.virsh(['net-start', 'default']).catch(() => undefined)
    }
    await own.done(await own.client.delete({ vm: disc.uuid, force: true }))
})

test('a network card is plugged, its cable pulled, and unplugged; a taken MAC is refused', async () => {
    const mac = '52:54:00:aa:bb:01'
    await own.done(await own.client.attachNic({ vm: 'tiny', nic: { network: 'default', mac } }))
    const nic = (await detailOf('tiny')).nics.find(one => one.mac === mac)
    expect(nic).toMatchObject({ network: 'default', model: 'virtio', presence: 'live' })
    expect(nic!.device).toMatch(/^vnet/)
    expect(own.vm.inventory.resolve('tiny').networks).toContain('default')
    await expect(own.client.attachNic({ vm: 'tiny', nic: { network: 'default', mac } })).rejects.toThrow('has that MAC')
    await expect(own.client.attachNic({ vm: 'tiny', nic: { network: 'nowhere' } })).rejects.toThrow('no such network')
    await own.done(await own.client.updateNic({ vm: 'tiny', mac, linkDown: true }))
    expect((await detailOf('tiny')).nics.find(one => one.mac === mac)).toMatchObject({ linkDown: true })
    const running = await own.world.virsh(['dumpxml', 'tiny'])
    expect(running).toContain("<link state='down'/>")
    await own.done(await own.client.detachNic({ vm: 'tiny', mac: mac.toUpperCase() }))
    expect((await detailOf('tiny')).nics.some(one => one.mac === mac)).toBe(false)
})

test('vCPUs and memory change in the running guest where they can, and the rest waits for the next start', async () => {
    const begun = await own.client.update({ vm: 'tiny', vcpus: 2, description: 'a "good" <one>', notes: 'x\ny' })
    expect(begun.findings).toEqual([])
    await own.done(begun)
    expect(await own.world.virsh(['vcpucount', 'tiny', '--live', '--active'])).toContain('2')
    const detail = await detailOf('tiny')
    expect(detail).toMatchObject({ notes: 'x\ny', pendingChanges: [] })
    expect(detail.vm).toMatchObject({ vcpus: 2, description: 'a "good" <one>', pending: false })

    const later = await own.client.update({ vm: 'tiny', maxVcpus: 4, tags: { tags: ['web', 'blue'] } })
    expect(later.findings).toMatchObject([{ code: 'next-start', severity: 'info' }])
    await own.done(later)
    const pending = await detailOf('tiny')
    expect(pending.vm).toMatchObject({ pending: true, tags: ['web', 'blue'] })
    expect(pending.pendingChanges).toEqual(['greatest number of vCPUs: 2 now, 4 from the next start on'])

    await own.done(await own.client.update({ vm: 'tiny', memoryBytes: 128n * MIB }))
    await until('the balloon', 20_000, () => own.vm.inventory.resolve('tiny').memoryBytes <= 200 * Number(MIB))
    await expect(own.client.update({ vm: 'tiny', vcpus: 100_000 })).rejects.toThrow()
    await expect(own.client.update({ vm: 'tiny', bootOrder: { order: ['vdz'] } })).rejects.toThrow('booted from')
})

test('who read an older definition is refused, and loses nothing', async () => {
    const { revision } = await detailOf('tiny')
    await own.world.virsh(['desc', 'tiny', 'from outside', '--config', '--live'])
    await expect(own.client.update({ vm: 'tiny', revision, description: 'mine' })).rejects.toThrow('changed since')
    expect((await detailOf('tiny')).vm!.description).toBe('from outside')
    const now = await detailOf('tiny')
    const both = await Promise.all(
        ['one', 'two'].map(async description => {
            const begun = await own.client.update({ vm: 'tiny', revision: now.revision, description })
            return (await own.ended(begun)).state
        }),
    )
    expect(both.sort()).toEqual(['done', 'failed'])
})

test('a CD drive is added, filled, changed while the VM runs, and ejected', async () => {
    const iso = makeIso([{ name: 'a', data: new TextEncoder().encode('hello') }], { label: 'one', madeMs: 0 })
    for (const name of ['one.iso', 'two.iso']) {
        await own.image.volumes.create({ pool: 'default', name, capacityBytes: iso.length, format: 'raw' })
        await own.image.volumes.write(`default/${name}`, iso)
    }
    await own.define(bareDomain('disc'))
    await own.done(await own.client.attachDisk({ vm: 'disc', device: 'cdrom', disk: { existing: 'default/one.iso' } }))
    await own.done(await own.client.start({ vm: 'disc' }))
    const [drive] = (await detailOf('disc')).disks
    expect(drive).toMatchObject({ target: 'sda', device: 'cdrom', bus: 'sata', volume: 'one.iso', readonly: true })
    await own.done(await own.client.changeMedia({ vm: 'disc', target: 'sda', iso: 'default/two.iso' }))
    expect((await detailOf('disc')).disks[0]).toMatchObject({ volume: 'two.iso' })
    expect(await own.world.virsh(['domblklist', 'disc'])).toContain('two.iso')
    await own.done(await own.client.changeMedia({ vm: 'disc', target: 'sda' }))
    const empty = await detailOf('disc')
    expect(empty.disks[0]).toMatchObject({ volume: '', source: '' })
    expect(empty.pendingChanges).toEqual([])
    await expect(own.client.changeMedia({ vm: 'disc', target: 'sda', iso: 'default/no.iso' })).rejects.toThrow()
    await expect(own.client.changeMedia({ vm: 'disc', target: 'vda' })).rejects.toThrow('no such disk')
    await own.done(await own.client.delete({ vm: 'disc', force: true, disks: true }))
    await own.image.volumes.find('default/two.iso')
})

test('a guest that does not let go: said so after the deadline, and nothing is changed', async () => {
    await own.define(bareDomain('holds'))
    await own.done(await own.client.start({ vm: 'holds', paused: true }))
    await own.done(await own.client.attachDisk({ vm: 'holds', disk: { sizeBytes: MIB } }))
    const task = await own.ended(await own.client.detachDisk({ vm: 'holds', target: 'vda', delete: true }))
    expect(task).toMatchObject({ state: 'failed', problem: { summary: 'The guest did not let go of the device' } })
    expect((await detailOf('holds')).disks[0]).toMatchObject({ target: 'vda', presence: 'live' })
    await own.image.volumes.find('default/holds-disk0')
})

test('what a VM has written is known once it has stopped', async () => {
    await own.define(bareDomain('writes'))
    await own.done(await own.client.attachDisk({ vm: 'writes', disk: { sizeBytes: 64n * MIB } }))
    await own.done(await own.client.start({ vm: 'writes', paused: true }))
    const known = () => own.image.inventory.volume('default', 'writes-disk0')!
    // As QEMU does it, beside the lock that it holds.
    const file = `driver=qcow2,file.driver=file,file.locking=off,file.filename=${known().path}`
    execFileSync('qemu-io', ['--image-opts', '-c', 'write -P 1 0 8M', file])
    expect(known().allocationBytes).toBeLessThan(8 * Number(MIB))
    await own.world.virsh(['destroy', 'writes'])
    await until('its volume to be read', 10_000, () => known().allocationBytes >= 8 * Number(MIB))
    await own.done(await own.client.delete({ vm: 'writes', disks: true }))
})

test('deleting: not while it runs, not with disks that others stand on; else all of it goes', async () => {
    await expect(own.client.delete({ vm: 'holds', disks: true })).rejects.toThrow('A running VM is not deleted')
    const { path } = await own.image.volumes.find('default/holds-disk0')
    const shared = `<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${path}'/><target dev='vda' bus='virtio'/></disk>`
    const other = await own.define(bareDomain('other', { devices: shared }))
    await expect(own.client.delete({ vm: 'holds', disks: true, force: true })).rejects.toThrow('Others stand on a disk')
    expect(own.vm.inventory.resolve('holds').active).toBe(true)
    await own.done(await own.client.delete({ vm: other.uuid }))
    await own.image.volumes.create({
        pool: 'default',
        name: 'over',
        capacityBytes: 1 << 20,
        from: 'default/holds-disk0',
        linked: true,
    })
    await expect(own.client.delete({ vm: 'holds', disks: true, force: true })).rejects.toThrow('default/over')
    await own.image.volumes.remove('default/over')

    const plan = await own.client.delete({ vm: 'holds', disks: true, force: true, dryRun: true })
    expect(plan.plan.map(step => step.destroys)).toEqual(['', 'vm:holds', 'volume:default/holds-disk0'])
    expect(plan.task).toBe('')
    await own.done(await own.client.delete({ vm: 'holds', disks: true, force: true }))
    expect(own.vm.inventory.byName('holds')).toBeUndefined()
    await expect(own.image.volumes.find('default/holds-disk0')).rejects.toMatchObject({ code: 'not-found' })
})

test('the seed is ejected and deleted, and the VM forgets it', async () => {
    await own.image.volumes.create({ pool: 'default', name: 'seed.iso', capacityBytes: 4096, format: 'raw' })
    const { path } = await own.image.volumes.find('default/seed.iso')
    await own.define(
        bareDomain('seeded', {
            more: `<metadata><debvisor:vm xmlns:debvisor='https://debvisor.org/xmlns/vm/1'><debvisor:owner>ann</debvisor:owner><debvisor:seed>default/seed.iso</debvisor:seed></debvisor:vm></metadata>`,
            devices: `<disk type='file' device='cdrom'><source file='${path}'/><target dev='sda' bus='sata'/></disk>`,
        }),
    )
    await own.done(await own.client.start({ vm: 'seeded' }))
    expect(await detailOf('seeded')).toMatchObject({ hasSeed: true })
    const begun = await own.client.removeSeed({ vm: 'seeded' })
    expect(begun.plan.at(-1)?.destroys).toBe('volume:default/seed.iso')
    await own.done(begun)
    const detail = await detailOf('seeded')
    expect(detail).toMatchObject({ hasSeed: false, vm: { owner: 'ann' }, pendingChanges: [] })
    expect(detail.disks[0]).toMatchObject({ source: '', volume: '' })
    await expect(own.image.volumes.find('default/seed.iso')).rejects.toMatchObject({ code: 'not-found' })
    await expect(own.client.removeSeed({ vm: 'seeded' })).rejects.toThrow('no cloud-init seed')
    await own.done(await own.client.delete({ vm: 'seeded', force: true }))
})

test('a VM with external snapshots goes with all their files', async () => {
    await own.define(bareDomain('snapped'))
    await own.done(await own.client.attachDisk({ vm: 'snapped', disk: { sizeBytes: MIB } }))
    await own.done(await own.client.createSnapshot({ vm: 'snapped', name: 'before', kind: 'external' }))
    const plan = await own.client.delete({ vm: 'snapped', disks: true, dryRun: true })
    const destroyed = plan.plan.map(step => step.destroys).filter(Boolean)
    expect(destroyed).toEqual(['vm:snapped', 'volume:default/snapped-disk0.before', 'volume:default/snapped-disk0'])
    await own.done(await own.client.delete({ vm: 'snapped', disks: true }))
    expect(await own.world.virsh(['vol-list', 'default'])).not.toContain('snapped')
})

test('renaming, and a name that is taken or cannot be', async () => {
    await own.define(bareDomain('old'))
    await expect(own.client.rename({ vm: 'old', name: 'tiny' })).rejects.toThrow('of that name already')
    await expect(own.client.rename({ vm: 'old', name: '../x' })).rejects.toThrow('name cannot be used')
    await expect(own.client.rename({ vm: 'tiny', name: 'new' })).rejects.toThrow('running VM cannot be renamed')
    await own.done(await own.client.rename({ vm: 'old', name: 'new' }))
    expect(own.vm.inventory.byName('old')).toBeUndefined()
    expect((await detailOf('new')).vm!.name).toBe('new')
})

test('firmware, machine, CPU, TPM, agent and boot order change, and libvirt takes them', async () => {
    await own.done(
        await own.client.update({
            vm: 'new',
            firmware: 'uefi',
            tpm: true,
            guestAgent: true,
            cpu: { model: 'qemu64', sockets: 1, cores: 2, threads: 1 },
            bootOrder: { order: ['network', 'disk'] },
        }),
    )
    const detail = await detailOf('new')
    expect(detail).toMatchObject({ tpm: true, guestAgent: true, bootOrder: ['network', 'disk'], secureBoot: false })
    expect(detail.vm!.firmware).toBe('uefi')
    expect(detail.cpu).toMatchObject({ model: 'qemu64', cores: 2 })
    await own.done(await own.client.update({ vm: 'new', machine: 'pc', firmware: 'bios', tpm: false }))
    expect(await detailOf('new')).toMatchObject({ tpm: false, machine: expect.stringMatching(/^pc-i440fx/) })
    await own.done(await own.client.delete({ vm: 'new', disks: true }))
})

test('what others wrote into the definition survives', async () => {
    const more = `<metadata><x:y xmlns:x="http://example.org/x"><x:z a="1">t</x:z></x:y></metadata>`
    await own.define(bareDomain('foreign', { more }))
    await own.done(
        await own.client.update({ vm: 'foreign', notes: 'n', tags: { tags: ['t'] }, memoryBytes: 80n * MIB }),
    )
    const { inactive } = await own.client.getXml({ vm: 'foreign' })
    expect(inactive).toContain('<x:z a="1">t</x:z>')
    expect(inactive).toContain('<debvisor:notes>n</debvisor:notes>')
    expect(await detailOf('foreign')).toMatchObject({ notes: 'n', vm: { tags: ['t'], memoryBytes: 80n * MIB } })
})
