// Pools and volumes against a real libvirtd: their life, what is refused, clones, and what a guest cannot make us believe.
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConnectError } from '@connectrpc/connect'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Fault } from '../../src/base/fault.ts'
import type { Volumes as VolumesOfVm } from '../../src/capabilities/vm/volumes.ts'
import type { Libvirt } from '../../src/drivers/libvirt/libvirt.ts'
import { type LibvirtLink, stayConnected } from '../../src/drivers/libvirt/link.ts'
import { fakeLog } from '../../src/ports/fake.ts'
import { realClock } from '../../src/ports/real.ts'
import { type ImageWorld, type Life, startImageWorld } from './image-world.ts'
import { until } from './world.ts'

const MIB = 1024 ** 2
let world: ImageWorld
let life: Life

beforeAll(async () => {
    world = await startImageWorld()
    life = await world.live()
    await life.image.ensurePool({ name: 'default', path: world.images })
})
afterAll(async () => {
    await life?.close()
    await world?.stop()
})

const refusal = (promise: Promise<unknown>) =>
    promise.then(
        () => 'it was allowed',
        thrown => (thrown instanceof ConnectError ? thrown.rawMessage : String(thrown)),
    )
const names = () => life.image.inventory.volumes('default').map(v => v.name)
const make = (name: string, capacityMiB = 16, format = '') =>
    life.done(life.rpc.createVolume({ pool: 'default', name, capacityBytes: BigInt(capacityMiB * MIB), format }))

test('a pool is made on a folder, listed with its health, stopped, started and forgotten', async () => {
    const path = join(world.folder, 'second')
    const dry = await life.rpc.createPool({ name: 'second', path, dryRun: true })
    expect(dry.task).toBe('')
    expect(dry.plan[0]!.sentence).toContain(path)
    expect((await life.rpc.listPools({})).pools.map(p => p.name)).toEqual(['default'])
    await life.done(life.rpc.createPool({ name: 'second', path }))
    const pool = async () => (await life.rpc.listPools({})).pools.find(p => p.name === 'second')
    expect(await pool()).toMatchObject({
        active: true,
        autostart: true,
        path,
        type: 'dir',
        health: expect.stringMatching(/ok|low|full/),
    })
    expect((await stat(path)).mode & 0o777).toBe(0o711)
    await life.done(life.rpc.stopPool({ pool: 'second' }))
    expect(await pool()).toMatchObject({ active: false, health: 'away' })
    await life.done(life.rpc.startPool({ pool: 'second' }))
    await life.done(life.rpc.createVolume({ pool: 'second', name: 'kept.qcow2', capacityBytes: 1n << 20n }))
    await life.done(life.rpc.deletePool({ pool: 'second' }))
    expect(await pool()).toBeUndefined()
    expect((await stat(join(path, 'kept.qcow2'))).size).toBeGreaterThan(0)
})

test('bad pools are refused, and nothing is made', async () => {
    const pool = (name: string, path: string) => refusal(life.rpc.createPool({ name, path }))
    expect(await pool('../x', '/srv/x')).toContain('That name cannot be used')
    expect(await pool('x', 'srv/x')).toContain('must be absolute')
    expect(await pool('x', '/srv/../etc/x')).toContain('must be absolute')
    for (const path of [
        '/etc',
        '/etc/libvirt',
        '/proc/self',
        '/sys',
        '/dev/shm',
        '/usr/lib/x',
        '/root/x',
        '/var',
        '/var/lib/debvisor/x',
        '/var/lib/etcd/x',
        '/var/lib/libvirt/qemu',
        join(world.staging, 'x'),
    ]) {
        expect(await pool('x', path)).toContain('That folder is not for images')
    }
    await symlink('/etc', join(world.folder, 'leads-to-etc'))
    expect(await pool('x', join(world.folder, 'leads-to-etc/x'))).toContain('That folder is not for images')
    expect(await pool('default', '/srv/x')).toContain('There is a storage pool of that name')
    expect(await pool('x', world.images)).toContain('Another pool has that folder')
    expect(await pool('x', `${world.images}/below`)).toContain('Another pool has that folder')
    expect((await world.libvirt.virsh(['pool-list', '--all', '--name'])).trim()).toBe('default')
})

test('a volume is made, grown, never shrunk, and deleted when nothing stands on it', async () => {
    await make('disk.qcow2')
    const { volume } = await life.rpc.getVolume({ pool: 'default', volume: 'disk.qcow2' })
    expect(volume).toMatchObject({ format: 'qcow2', purpose: 'disk', capacityBytes: BigInt(16 * MIB), usedBy: [] })
    expect((await stat(volume!.path)).mode & 0o777).toBe(0o600)
    await life.done(life.rpc.resizeVolume({ pool: 'default', volume: 'disk.qcow2', capacityBytes: BigInt(32 * MIB) }))
    expect((await life.rpc.getVolume({ pool: 'default', volume: 'disk.qcow2' })).volume!.capacityBytes).toBe(
        BigInt(32 * MIB),
    )
    const shrink = life.rpc.resizeVolume({ pool: 'default', volume: 'disk.qcow2', capacityBytes: BigInt(8 * MIB) })
    expect(await refusal(shrink)).toContain('not made smaller')
    world.vms.set(volume!.path, [{ name: 'web1', active: false }])
    expect(await refusal(life.rpc.deleteVolume({ pool: 'default', volume: 'disk.qcow2' }))).toContain('vm:web1')
    world.vms.clear()
    await life.done(life.rpc.cloneVolume({ pool: 'default', volume: 'disk.qcow2', name: 'linked.qcow2', linked: true }))
    expect(await refusal(life.rpc.deleteVolume({ pool: 'default', volume: 'disk.qcow2' }))).toContain(
        'volume:default/linked.qcow2',
    )
    const linked = (await life.rpc.getVolume({ pool: 'default', volume: 'linked.qcow2' })).volume!
    expect(linked.backing).toBe('default/disk.qcow2')
    const info = JSON.parse(await world.qemuImg('info', '-U', '-f', 'qcow2', '--output=json', linked.path))
    expect(info['backing-filename-format']).toBe('qcow2')
    const preview = await life.rpc.deleteVolume({ pool: 'default', volume: 'linked.qcow2', dryRun: true })
    expect(preview.plan[0]!.destroys).toBe('volume:default/linked.qcow2')
    await life.done(life.rpc.deleteVolume({ pool: 'default', volume: 'linked.qcow2' }))
    await life.done(life.rpc.deleteVolume({ pool: 'default', volume: 'disk.qcow2' }))
    expect(names()).toEqual([])
})

test('bad volumes are refused, and nothing is made', async () => {
    await make('there.qcow2')
    const create = (wish: object) =>
        refusal(life.rpc.createVolume({ pool: 'default', name: 'x.qcow2', capacityBytes: 1n << 20n, ...wish }))
    for (const name of ['', '../x', 'a/b', 'a"b', '<b>', 'x'.repeat(10_000), 'ü', 'a\u0007', '.hidden']) {
        expect(await create({ name })).toContain('That name cannot be used')
    }
    expect(await create({ capacityBytes: 0n })).toContain('above zero')
    expect(await create({ capacityBytes: 2n ** 63n })).toContain('above zero')
    expect(await create({ capacityBytes: 2n ** 52n })).toContain('no room')
    expect(await create({ name: 'there.qcow2' })).toContain('There is a volume of that name')
    expect(await create({ pool: 'nowhere' })).toContain('There is no such storage pool')
    expect(await create({ format: 'vmdk' })).toContain('made as qcow2 or raw')
    await life.done(life.rpc.deleteVolume({ pool: 'default', volume: 'there.qcow2' }))
    expect((await world.libvirt.virsh(['vol-list', 'default'])).trim()).toBe('')
})

test('of two at once with one name, one is made and one refused', async () => {
    const both = await Promise.all(
        [1, 2].map(async n => {
            const begun = await life.rpc.createVolume({
                pool: 'default',
                name: 'race.qcow2',
                capacityBytes: BigInt(n * MIB),
            })
            return life.ended(begun.task)
        }),
    )
    expect(both.map(t => t.state).sort()).toEqual(['done', 'failed'])
    expect(both.find(t => t.state === 'failed')!.problem!.code).toBe('exists')
    // What the loser takes back is not what the winner has made.
    expect(names()).toEqual(['race.qcow2'])
    await life.done(life.rpc.deleteVolume({ pool: 'default', volume: 'race.qcow2' }))
})

test('the vm capability gets what it wants', async () => {
    const volumes: VolumesOfVm = life.image.volumes
    expect(volumes.defaultPool()).toBe('default')
    await expect(volumes.find('default/none')).rejects.toMatchObject({ code: 'not-found' })
    await expect(volumes.find('none')).rejects.toMatchObject({ code: 'invalid' })
    await volumes.check({ pool: 'default', name: 'fits.qcow2', capacityBytes: MIB })
    expect(volumes.at('/nowhere')).toBeUndefined()
})

test('a full clone has the same content, and is as large as asked for', async () => {
    await make('source.qcow2', 24)
    const source = life.image.inventory.volume('default', 'source.qcow2')!
    execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'write -P 7 0 12M', source.path])
    const fractions: number[] = []
    const clone = await life.image.volumes.create({
        ...{ pool: 'default', name: 'clone.qcow2', capacityBytes: 48 * MIB, from: 'default/source.qcow2' },
        onProgress: f => fractions.push(f),
    })
    expect(clone).toMatchObject({ capacityBytes: 48 * MIB, format: 'qcow2' })
    expect(clone.backingPath).toBeUndefined()
    execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'read -P 7 0 12M', clone.path])
    expect(fractions.every(f => f >= 0 && f <= 1)).toBe(true)
    for (const name of ['source.qcow2', 'clone.qcow2'])
        await life.done(life.rpc.deleteVolume({ pool: 'default', volume: name }))
})

test('what virsh makes appears by itself after a refresh, and what it removes goes', async () => {
    const stop = new AbortController()
    const seen: string[] = []
    const watching = (async () => {
        for await (const { item } of life.rpc.watch({}, { signal: stop.signal })) {
            if (item.case === 'volume') seen.push(`+${item.value.name}`)
            if (item.case === 'removedVolume') seen.push(`-${item.value}`)
        }
    })().catch(() => {})
    await world.libvirt.virsh(['vol-create-as', 'default', 'byhand.raw', '1M', '--format', 'raw'])
    await world.libvirt.virsh(['pool-refresh', 'default'])
    await until('the volume to appear', 5_000, () => seen.includes('+byhand.raw'))
    await world.libvirt.virsh(['vol-delete', 'byhand.raw', 'default'])
    await world.libvirt.virsh(['pool-refresh', 'default'])
    await until('the volume to go', 5_000, () => seen.includes('-default/byhand.raw'))
    stop.abort()
    await watching
    // A file behind libvirt's back is found when somebody asks for its path.
    await world.qemuImg('create', '-f', 'qcow2', join(world.images, 'behind.qcow2'), '1M')
    await until(
        'the path to be known',
        10_000,
        () => life.image.volumes.byPath(join(world.images, 'behind.qcow2')) !== undefined,
    )
    await life.done(life.rpc.deleteVolume({ pool: 'default', volume: 'behind.qcow2' }))
})

test('content is written and read back', async () => {
    await make('data.raw', 3, 'raw')
    const data = randomBytes(2 * MIB + 77)
    await life.image.volumes.write('default/data.raw', data)
    const entry = await life.image.volumes.find('default/data.raw')
    const parts: Uint8Array[] = []
    for await (const chunk of life.image.volumes.read(entry, { lengthBytes: data.length })) parts.push(chunk)
    expect(Buffer.concat(parts).equals(data)).toBe(true)
    await expect(life.image.volumes.write('default/data.raw', new Uint8Array(4 * MIB))).rejects.toThrow('no room')
    await life.image.volumes.remove('default/data.raw')
    await life.image.volumes.remove('default/data.raw')
    expect(names()).toEqual([])
})

test('a guest that writes a qcow2 header into its raw disk is not believed', async () => {
    const secret = join(world.folder, 'secret')
    await writeFile(secret, 'TOP-SECRET'.padEnd(1024, '!'))
    await make('guest.raw', 2, 'raw')
    const { path } = life.image.inventory.volume('default', 'guest.raw')!
    await world.qemuImg(
        'create',
        '-q',
        '-f',
        'qcow2',
        '-b',
        secret,
        '-F',
        'raw',
        join(world.folder, 'evil.qcow2'),
        '1M',
    )
    const evil = await readFile(join(world.folder, 'evil.qcow2'))
    const file = await open(path, 'r+')
    await file.write(evil, 0, evil.length, 0)
    await file.close()
    await world.libvirt.virsh(['pool-refresh', 'default'])
    // libvirt looks into it, and believes it.
    expect(await world.libvirt.virsh(['vol-dumpxml', 'guest.raw', 'default'])).toContain("<format type='qcow2'/>")
    await until('it to be seen', 5_000, () => life.image.inventory.volume('default', 'guest.raw')!.suspect)
    const entry = await life.image.volumes.find('default/guest.raw')
    expect(entry).toMatchObject({ format: 'raw', capacityBytes: 2 * MIB })
    expect(entry.backingPath).toBeUndefined()
    const grow = life.rpc.resizeVolume({ pool: 'default', volume: 'guest.raw', capacityBytes: BigInt(4 * MIB) })
    expect(await refusal(grow)).toContain('cannot be resized')
    await life.done(life.rpc.cloneVolume({ pool: 'default', volume: 'guest.raw', name: 'copy.raw' }))
    const copy = await readFile(life.image.inventory.volume('default', 'copy.raw')!.path)
    expect(copy.equals(await readFile(path))).toBe(true)
    expect(copy.includes('TOP-SECRET')).toBe(false)
    await life.done(life.rpc.convert({ pool: 'default', volume: 'guest.raw', name: 'conv.qcow2', format: 'qcow2' }))
    await world.qemuImg(
        'compare',
        '-f',
        'raw',
        '-F',
        'qcow2',
        path,
        life.image.inventory.volume('default', 'conv.qcow2')!.path,
    )
    for (const name of ['guest.raw', 'copy.raw', 'conv.qcow2'])
        await life.done(life.rpc.deleteVolume({ pool: 'default', volume: name }))
})

test('a volume whose chain leaves the pools is not copied', async () => {
    await world.qemuImg(
        'create',
        '-q',
        '-f',
        'qcow2',
        '-b',
        '/etc/passwd',
        '-F',
        'raw',
        join(world.images, 'chain.qcow2'),
        '1M',
    )
    await life.done(life.rpc.refreshPool({ pool: 'default' }))
    expect(
        await refusal(life.rpc.cloneVolume({ pool: 'default', volume: 'chain.qcow2', name: 'leak.qcow2' })),
    ).toContain('outside the pools')
    expect(
        await refusal(life.rpc.convert({ pool: 'default', volume: 'chain.qcow2', name: 'leak.vmdk', format: 'vmdk' })),
    ).toContain('stands on another')
    expect(await refusal(life.rpc.beginDownload({ pool: 'default', volume: 'chain.qcow2' }))).toContain(
        'stands on another',
    )
    await life.done(life.rpc.deleteVolume({ pool: 'default', volume: 'chain.qcow2' }))
})

test('a seed is neither cloned, linked, converted nor made a disk of', async () => {
    await make('web1-seed.iso', 1, 'raw')
    const source = { pool: 'default', volume: 'web1-seed.iso' }
    const seeds = async (promise: Promise<unknown>) =>
        expect(await refusal(promise)).toContain('A cloud-init seed holds secrets, and is not copied')
    await seeds(life.rpc.cloneVolume({ ...source, name: 'leak.raw' }))
    await seeds(life.rpc.cloneVolume({ ...source, name: 'leak.raw', dryRun: true }))
    await seeds(life.rpc.cloneVolume({ ...source, name: 'leak.qcow2', linked: true }))
    await seeds(life.rpc.convert({ ...source, name: 'leak.qcow2', format: 'qcow2', sourceFormat: 'raw' }))
    const wish = { pool: 'default', name: 'leak.raw', capacityBytes: MIB, from: 'default/web1-seed.iso' }
    await expect(life.image.volumes.check(wish)).rejects.toMatchObject({ code: 'denied' })
    await expect(life.image.volumes.create(wish)).rejects.toMatchObject({ code: 'denied' })
    // Nor by way of a disk that was put on top of it by hand.
    const seed = life.image.inventory.volume('default', 'web1-seed.iso')!.path
    const over = join(world.images, 'over.qcow2')
    await world.qemuImg('create', '-q', '-f', 'qcow2', '-b', seed, '-F', 'raw', over)
    await life.done(life.rpc.refreshPool({ pool: 'default' }))
    await seeds(life.rpc.cloneVolume({ pool: 'default', volume: 'over.qcow2', name: 'leak.qcow2' }))
    await seeds(life.image.volumes.checkExisting('default/over.qcow2'))
    for (const name of ['over.qcow2', 'web1-seed.iso'])
        await life.done(life.rpc.deleteVolume({ pool: 'default', volume: name }))
    expect(names()).toEqual([])
})

/** A qcow2 image beside the pools, put over the first bytes of a volume as its guest would. */
async function writeAsGuest(path: string, ...create: string[]): Promise<void> {
    const evil = join(world.folder, 'evil.qcow2')
    await world.qemuImg('create', '-q', '-f', 'qcow2', ...create, evil, '1M')
    const file = await open(path, 'r+')
    await file.write(await readFile(evil))
    await file.close()
}

test('a volume that is out of sight for a moment is believed no more than before', async () => {
    await make('guest.raw', 2, 'raw')
    const { path } = life.image.inventory.volume('default', 'guest.raw')!
    await writeAsGuest(path, '-b', '/etc/passwd', '-F', 'raw')
    // As when the file system is not mounted: the pool is active and empty.
    await rename(path, join(world.folder, 'away'))
    await life.done(life.rpc.refreshPool({ pool: 'default' }))
    expect(names()).toEqual([])
    await rename(join(world.folder, 'away'), path)
    await life.done(life.rpc.refreshPool({ pool: 'default' }))
    expect(life.image.inventory.volume('default', 'guest.raw')).toMatchObject({ format: 'raw', suspect: true })
    await life.close()
    life = await world.live()
    await life.image.inventory.ready()
    expect(await life.image.volumes.find('default/guest.raw')).toMatchObject({ format: 'raw', suspect: true })
    // Removed by DebVisor, and made anew by hand, it is what it looks like.
    await life.done(life.rpc.deleteVolume({ pool: 'default', volume: 'guest.raw' }))
    await world.qemuImg('create', '-q', '-f', 'qcow2', path, '1M')
    await life.done(life.rpc.refreshPool({ pool: 'default' }))
    expect(await life.image.volumes.find('default/guest.raw')).toMatchObject({ format: 'qcow2', suspect: false })
    await life.done(life.rpc.deleteVolume({ pool: 'default', volume: 'guest.raw' }))
})

test('a volume that DebVisor did not make is looked into before it is used', async () => {
    const at = (name: string) => join(world.images, name)
    const secret = join(world.folder, 'secret.raw')
    await writeFile(secret, Buffer.alloc(MIB, 'S'))
    const make = (name: string, ...more: string[]) =>
        world.qemuImg('create', '-q', '-f', 'qcow2', ...more, at(name), '1M')
    await make('plain.qcow2')
    await make('chained.qcow2', '-b', 'plain.qcow2', '-F', 'qcow2')
    await make('outside.qcow2', '-b', secret, '-F', 'raw')
    await make('above.qcow2', '-b', at('outside.qcow2'), '-F', 'qcow2')
    await make(
        'json.qcow2',
        '-u',
        '-b',
        `json:{"driver":"raw","file":{"driver":"file","filename":"${secret}"}}`,
        '-F',
        'raw',
    )
    await make('data.qcow2', '-o', `data_file=${secret},data_file_raw=on`)
    await make('ondata.qcow2', '-b', at('data.qcow2'), '-F', 'qcow2')
    await world.qemuImg('create', '-q', '-f', 'raw', at('bytes.raw'), '2M')
    await life.done(life.rpc.refreshPool({ pool: 'default' }))
    const check = (name: string) => refusal(life.image.volumes.checkExisting(`default/${name}`))
    const clone = (volume: string) =>
        refusal(life.rpc.cloneVolume({ pool: 'default', volume, name: 'copy.qcow2', dryRun: true }))
    const bad = [
        ['outside.qcow2', 'outside the pools'],
        ['above.qcow2', 'outside the pools'],
        ['json.qcow2', 'refers to other files'],
        ['data.qcow2', 'refers to other files'],
        ['ondata.qcow2', 'refers to other files'],
    ]
    for (const [name = '', says] of bad) {
        expect([name, await check(name)]).toEqual([name, expect.stringContaining(says!)])
        expect([name, await clone(name)]).toEqual([name, expect.stringContaining(says!)])
    }
    const grow = life.rpc.resizeVolume({ pool: 'default', volume: 'data.qcow2', capacityBytes: BigInt(8 * MIB) })
    expect(await refusal(grow)).toContain('refers to other files')
    await expect(life.image.volumes.resize('default/data.qcow2', 8 * MIB)).rejects.toMatchObject({ code: 'denied' })
    expect((await stat(secret)).size).toBe(MIB)
    for (const name of ['plain.qcow2', 'chained.qcow2', 'bytes.raw']) {
        expect([name, await check(name)]).toEqual([name, 'it was allowed'])
        expect([name, await clone(name)]).toEqual([name, 'it was allowed'])
    }
    expect(await check('none.qcow2')).toContain('no such volume')
    // Written by the guest of a raw disk after libvirt had last looked.
    await writeAsGuest(at('bytes.raw'), '-b', secret, '-F', 'raw')
    expect(await check('bytes.raw')).toContain('of another format than libvirt knows')
    expect(await clone('bytes.raw')).toContain('of another format than libvirt knows')
    await life.done(life.rpc.refreshPool({ pool: 'default' }))
    expect(await check('bytes.raw')).toContain('outside the pools')
    for (const name of ['above.qcow2', 'chained.qcow2', 'ondata.qcow2', ...names()])
        await life.image.volumes.remove(`default/${name}`)
    expect(names()).toEqual([])
})

test('an undo takes back what its task made, and not what was there before', async () => {
    await make('old.qcow2')
    const { settled } = await life.tasks.begin({ kind: 'test', title: 't', owner: 'ann' }, async task => {
        await task.undo({ kind: 'volume.remove', pool: 'default', name: 'old.qcow2' })
        await task.undo({ kind: 'volume.remove', pool: 'default', name: 'new.qcow2' })
        await life.image.volumes.create({ pool: 'default', name: 'new.qcow2', capacityBytes: MIB })
        throw new Error('the third step fails')
    })
    const task = await settled
    expect(task).toMatchObject({ state: 'failed', undo: [] })
    expect(names()).toEqual(['old.qcow2'])
    await life.done(life.rpc.deleteVolume({ pool: 'default', volume: 'old.qcow2' }))
})

test('libvirtd killed and started again: the volumes are there once', async () => {
    await make('stays.qcow2')
    await world.libvirt.restart()
    await world.libvirt.virsh(['pool-start', 'default']).catch(() => {})
    await until('the link to be up', 15_000, () => life.libvirt.up)
    await until('the pool to be active', 15_000, () => life.image.inventory.pools()[0]?.active === true)
    await until('the volume to be known', 15_000, () => names().includes('stays.qcow2'))
    expect(names()).toEqual(['stays.qcow2'])
    await life.done(life.rpc.deleteVolume({ pool: 'default', volume: 'stays.qcow2' }))
})

/** A link whose calls may be answered by the test. */
function linkWith(answer: (name: string, pool: string | undefined) => Promise<unknown> | undefined): LibvirtLink {
    const link = stayConnected({ socketPath: world.libvirt.socketPath, clock: realClock(), log: fakeLog() })
    const wrapped = (own: Libvirt): Libvirt => {
        const call = (...of: Parameters<Libvirt['call']>) => {
            const [name, args] = of as [string, { pool?: { name: string } }?]
            return answer(name, args?.pool?.name) ?? own.call(...of)
        }
        return Object.create(own, { call: { value: call } })
    }
    return Object.create(link, {
        connection: { value: () => wrapped(link.connection()) },
        dedicated: { value: async () => wrapped(await link.dedicated()) },
    })
}

test('a pool whose making ends in the middle leaves neither itself nor its folders, and can be made again', async () => {
    await life.close()
    let promised: unknown[] = []
    const link = linkWith(name => {
        if (name !== 'storagePoolCreate') return undefined
        promised = life.tasks.list().flatMap(task => task.undo)
        return Promise.reject(new Fault('internal', { summary: 'It broke' }))
    })
    await until('libvirt to be up', 10_000, () => link.up)
    life = await world.live({ libvirt: link })
    const path = join(world.folder, 'deep', 'er')
    const { task } = await life.rpc.createPool({ name: 'halfway', path })
    expect(await life.ended(task)).toMatchObject({ state: 'failed', undo: [] })
    expect(promised).toMatchObject([{ kind: 'pool.remove', name: 'halfway', path, folders: 2 }])
    await expect(stat(join(world.folder, 'deep'))).rejects.toThrow('ENOENT')
    expect(await world.libvirt.virsh(['pool-list', '--all', '--name'])).not.toContain('halfway')
    // Without a task too.
    await expect(life.image.ensurePool({ name: 'halfway', path })).rejects.toThrow('It broke')
    await expect(stat(join(world.folder, 'deep'))).rejects.toThrow('ENOENT')
    await life.close()
    await link.close()
    life = await world.live()
    await life.done(life.rpc.createPool({ name: 'halfway', path }))
    // What is in a folder stays, whatever is taken back.
    await life.done(life.rpc.createVolume({ pool: 'halfway', name: 'kept.qcow2', capacityBytes: 1n << 20n }))
    const { uuid } = life.image.inventory.pool('halfway')
    const { settled } = await life.tasks.begin({ kind: 'test', title: 't', owner: 'ann' }, async running => {
        await running.undo({ kind: 'pool.remove', uuid, name: 'halfway', path, folders: 2 })
        throw new Error('it fails')
    })
    expect(await settled).toMatchObject({ state: 'failed', undo: [] })
    expect((await stat(join(path, 'kept.qcow2'))).size).toBeGreaterThan(0)
    expect(life.image.inventory.pools().map(p => p.name)).toEqual(['default'])
})

test('a pool that cannot be read is said to be so, and hides no other', async () => {
    const path = join(world.folder, 'broken')
    await life.done(life.rpc.createPool({ name: 'broken', path }))
    await make('here.qcow2')
    await life.close()
    // As a daemon begins beside a pool whose file server does not answer.
    const link = linkWith((name, pool) => {
        const hangs = name === 'storagePoolGetXMLDesc' && pool === 'broken'
        return hangs ? new Promise(() => {}) : undefined
    })
    await until('libvirt to be up', 10_000, () => link.up)
    const clock = { ...realClock(), after: (ms: number, call: () => void) => realClock().after(ms / 100, call) }
    life = await world.live({ libvirt: link, clock })
    const pools = (await life.rpc.listPools({})).pools
    expect(pools.map(p => [p.name, p.health, p.problem !== ''])).toEqual([
        ['broken', 'unreadable', true],
        ['default', expect.stringMatching(/ok|low|full/), false],
    ])
    expect(names()).toContain('here.qcow2')
    const inIt = life.rpc.createVolume({ pool: 'broken', name: 'x.qcow2', capacityBytes: 1n << 20n })
    expect(await refusal(inIt)).toContain('cannot be read')
    await life.close()
    await link.close()
    life = await world.live()
    await life.image.inventory.ready()
    expect(life.image.inventory.pool('broken')).toMatchObject({ active: true })
    expect(life.image.inventory.pool('broken').problem).toBeUndefined()
    await life.done(life.rpc.deletePool({ pool: 'broken' }))
    await life.done(life.rpc.deleteVolume({ pool: 'default', volume: 'here.qcow2' }))
})

test('what has grown is seen by the sweep', async () => {
    await life.close()
    const ticks: (() => void)[] = []
    const every = (_periodMs: number, call: () => void) => {
        ticks.push(call)
        return () => {}
    }
    const clock = { ...realClock(), every }
    life = await world.live({ clock })
    await make('grown.qcow2')
    const { path, allocationBytes } = life.image.inventory.volume('default', 'grown.qcow2')!
    execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'write -P 1 0 8M', path])
    for (const tick of ticks) tick()
    const now = () => life.image.inventory.volume('default', 'grown.qcow2')!.allocationBytes
    await until('the sweep to see it', 5_000, () => now() >= allocationBytes + 8 * MIB)
    await life.done(life.rpc.deleteVolume({ pool: 'default', volume: 'grown.qcow2' }))
    await life.close()
    life = await world.live()
    await life.image.inventory.ready()
})

test('a pool that already holds files shows them, ISO files as such', async () => {
    const path = join(world.folder, 'full')
    await mkdir(path)
    const iso = Buffer.alloc(64 * 1024)
    iso.write('\x01CD001', 32768, 'latin1')
    await writeFile(join(path, 'boot.dat'), iso)
    await writeFile(join(path, 'web1-seed.iso'), iso)
    await life.done(life.rpc.createPool({ name: 'full', path }))
    const found = (await life.rpc.listVolumes({ pool: 'full' })).volumes.map(v => [v.name, v.purpose, v.format])
    expect(found).toEqual([
        ['boot.dat', 'iso', 'iso'],
        ['web1-seed.iso', 'seed', 'iso'],
    ])
    expect(await refusal(life.rpc.beginDownload({ pool: 'full', volume: 'web1-seed.iso' }))).toContain('holds secrets')
    await life.done(life.rpc.deletePool({ pool: 'full' }))
})
