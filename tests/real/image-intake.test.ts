// Images from outside against a real libvirtd and qemu-img: uploads, imports, conversions, downloads, and hostile ones.
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { chmod, copyFile, mkdir, readdir, readFile, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { ConnectError } from '@connectrpc/connect'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createSandbox } from '../../src/capabilities/image/sandbox.ts'
import { fakeLog } from '../../src/ports/fake.ts'
import type { ToolRun } from '../../src/ports/ports.ts'
import { realSystem } from '../../src/ports/real.ts'
import { type ImageWorld, type Life, startImageWorld } from './image-world.ts'
import { until } from './world.ts'

const MIB = 1024 ** 2
let world: ImageWorld
let life: Life
let site: Server
let siteUrl = ''
const served = new Map<string, (response: import('node:http').ServerResponse) => void>()

beforeAll(async () => {
    world = await startImageWorld()
    life = await world.live({ allowedAddresses: ['127.0.0.1'] })
    await life.image.ensurePool({ name: 'default', path: world.images })
    site = createServer((request, response) => {
        const serve = served.get(request.url ?? '')
        if (serve) return serve(response)
        response.writeHead(404).end()
    })
    await new Promise<void>(resolve => site.listen(0, '127.0.0.1', resolve))
    siteUrl = `http://127.0.0.1:${(site.address() as { port: number }).port}`
})
afterAll(async () => {
    site?.closeAllConnections()
    site?.close()
    await life?.close()
    await world?.stop()
})
afterEach(async () => {
    for (const { name } of life.image.inventory.volumes('default')) await life.image.volumes.remove(`default/${name}`)
    // Whatever a test did: nothing of it stays on the way.
    expect(await readdir(join(world.staging, 'work'))).toEqual([])
    expect(await readdir(join(world.staging, 'uploads'))).toEqual([])
})

const refusal = (promise: Promise<unknown>) =>
    promise.then(
        () => 'it was allowed',
        thrown => (thrown instanceof ConnectError ? thrown.rawMessage : String(thrown)),
    )
const volume = (name: string) => life.image.inventory.volume('default', name)
const sha256 = (data: Uint8Array) => `sha256:${createHash('sha256').update(data).digest('hex')}`

/** Bytes that are partly random, partly zero, and no format. */
function rawDisk(sizeMiB: number): Buffer {
    const data = Buffer.alloc(sizeMiB * MIB)
    for (let at = 0; at < data.length; at += 4 * MIB) randomBytes(MIB).copy(data, at)
    return data
}

interface Wish {
    format?: string
    keepAs?: string
    checksum?: string
    overwrite?: boolean
    sizeBytes?: number
}
const beginUpload = (name: string, data: { length: number }, wish: Wish = {}) =>
    life.rpc.beginUpload({ pool: 'default', name, ...wish, sizeBytes: BigInt(wish.sizeBytes ?? data.length) })

async function put(path: string, data: Uint8Array, range?: { from: number; total: number }, user = 'ann') {
    const headers: Record<string, string> = user ? { 'x-user': user } : {}
    if (range) headers['content-range'] = `bytes ${range.from}-${range.from + data.length - 1}/${range.total}`
    const answer = await fetch(life.url + path, { method: 'PUT', headers, body: Buffer.from(data) })
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}

async function uploadWhole(name: string, data: Uint8Array, wish: Wish = {}) {
    const { path, task } = await beginUpload(name, data, wish)
    await put(path, data)
    return life.ended(task)
}

test('64 MB in pieces, over a broken piece and a restart of the daemon, arrive whole', async () => {
    const data = rawDisk(64)
    const begun = await beginUpload('big.raw', data, { checksum: sha256(data) })
    const piece = (from: number, length: number) =>
        put(begun.path, data.subarray(from, from + length), { from, total: data.length })
    expect((await piece(0, 8 * MIB)).body.receivedBytes).toBe(8 * MIB)
    expect(await piece(16 * MIB, MIB)).toMatchObject({ status: 409, body: { receivedBytes: 8 * MIB } })
    expect(await piece(0, MIB)).toMatchObject({ status: 409 })
    expect((await piece(8 * MIB, 24 * MIB)).status).toBe(200)
    // A connection that breaks in the middle: what came is kept.
    const cut = new AbortController()
    async function* half() {
        yield data.subarray(32 * MIB, 34 * MIB)
        await until(
            'the bytes to arrive',
            5_000,
            async () => (await life.rpc.getUpload({ upload: begun.upload })).receivedBytes > 32n * BigInt(MIB),
        )
        cut.abort()
        yield data.subarray(34 * MIB, 35 * MIB)
    }
    const headers = { 'x-user': 'ann', 'content-range': `bytes ${32 * MIB}-${40 * MIB - 1}/${data.length}` }
    const init = { method: 'PUT', headers, body: half(), duplex: 'half', signal: cut.signal } as unknown as RequestInit
    await expect(fetch(life.url + begun.path, init)).rejects.toThrow()
    await life.close()
    life = await world.live({ allowedAddresses: ['127.0.0.1'] })
    expect(life.tasks.get(begun.task)).toMatchObject({ state: 'running', owner: 'ann' })
    const there = await life.rpc.getUpload({ upload: begun.upload })
    const from = Number(there.receivedBytes)
    expect(from).toBeGreaterThan(32 * MIB)
    expect((await piece(from, data.length - from)).status).toBe(200)
    await life.done({ task: begun.task })
    const made = await readFile(volume('big.raw')!.path)
    expect(made.equals(data)).toBe(true)
    // Zeros took no room.
    expect((await stat(volume('big.raw')!.path)).blocks * 512).toBeLessThan(40 * MIB)
})

test('a checksum that is wrong leaves nothing', async () => {
    const data = rawDisk(4)
    const task = await uploadWhole('bad.raw', data, { checksum: `sha512:${'0'.repeat(128)}` })
    expect(task).toMatchObject({
        state: 'failed',
        problem: { code: 'invalid', summary: expect.stringContaining('checksum') },
        undo: [],
    })
    expect(volume('bad.raw')).toBeUndefined()
    expect(await refusal(beginUpload('bad.raw', data, { checksum: 'md5:00' }))).toContain('not a checksum')
})

test('what an upload refuses', async () => {
    const data = rawDisk(1)
    expect(await refusal(beginUpload('x.dat', data))).toContain('format of the image is not said')
    const nowhere = life.rpc.beginUpload({ pool: 'nosuch', name: 'x.raw', sizeBytes: 1n, dryRun: true })
    expect(await refusal(nowhere)).toContain('no such storage pool')
    expect(await refusal(beginUpload('../x.raw', data))).toContain('That name cannot be used')
    expect(await refusal(beginUpload('x.raw', data, { sizeBytes: 2 ** 50 }))).toContain('no room')
    expect(await refusal(life.rpc.beginUpload({ pool: 'default', name: 'x.raw', sizeBytes: 0n }))).toContain(
        'above zero',
    )
    const begun = await beginUpload('x.raw', data)
    expect(await refusal(beginUpload('x.raw', data))).toContain('An upload to that volume is under way')
    expect(await refusal(life.as('bob').getUpload({ upload: begun.upload }))).toContain('no such upload')
    expect((await put(begun.path, data, undefined, 'bob')).body).toMatchObject({ code: 'not-found' })
    expect((await put(begun.path, data, undefined, '')).body).toMatchObject({ code: 'unauthenticated' })
    for (const id of ['../../../etc/passwd', '..%2f..%2fetc', `${begun.upload}/../x`, 'x', '']) {
        expect((await put(`/upload/${id}`, data)).status).toBe(500)
    }
    expect((await put(begun.path, Buffer.alloc(2 * MIB))).body).toMatchObject({ code: 'invalid' })
    expect((await put(begun.path, data, { from: MIB, total: 3 * MIB })).body).toMatchObject({ code: 'invalid' })
    const broken = await fetch(life.url + begun.path, {
        method: 'PUT',
        headers: { 'x-user': 'ann', 'content-range': 'bytes x' },
        body: 'a',
    })
    expect(await broken.json()).toMatchObject({ code: 'invalid' })
    await life.rpc.cancelUpload({ upload: begun.upload })
    expect(await life.ended(begun.task)).toMatchObject({ state: 'cancelled', undo: [] })
    expect(await refusal(life.rpc.getUpload({ upload: begun.upload }))).toContain('no such upload')
})

test('many at once arrive, each whole', async () => {
    const all = Array.from({ length: 6 }, (_, n) => ({ name: `many${n}.raw`, data: rawDisk(5) }))
    const tasks = await Promise.all(all.map(({ name, data }) => uploadWhole(name, data, { checksum: sha256(data) })))
    expect(tasks.map(t => t.state)).toEqual(all.map(() => 'done'))
    for (const { name, data } of all) expect((await readFile(volume(name)!.path)).equals(data)).toBe(true)
})

test('nothing is overwritten unasked, nor what somebody stands on', async () => {
    const [one, two] = [rawDisk(2), rawDisk(3)]
    expect((await uploadWhole('same.raw', one)).state).toBe('done')
    expect(await refusal(beginUpload('same.raw', two))).toContain('There is a volume of that name')
    world.vms.set(volume('same.raw')!.path, [{ name: 'web1', active: false }])
    expect(await refusal(beginUpload('same.raw', two, { overwrite: true }))).toContain('vm:web1')
    world.vms.clear()
    const failed = await uploadWhole('same.raw', two, { overwrite: true, checksum: sha256(one) })
    expect(failed.state).toBe('failed')
    expect((await readFile(volume('same.raw')!.path)).equals(one)).toBe(true)
    expect((await uploadWhole('same.raw', two, { overwrite: true })).state).toBe('done')
    expect((await readFile(volume('same.raw')!.path)).equals(two)).toBe(true)
})

test('an overwrite that ends in the middle leaves the old volume as it was', async () => {
    const [one, two] = [rawDisk(2), rawDisk(3)]
    expect((await uploadWhole('same.raw', one)).state).toBe('done')
    const { volumes } = life.image
    const { fill, replace } = volumes
    const overwrite = async () => {
        const { path, task } = await beginUpload('same.raw', two, { overwrite: true })
        await put(path, two)
        return task
    }
    volumes.fill = async (target, from) => {
        volumes.fill = fill
        const made = await fill(target, from)
        await life.tasks.cancel(life.tasks.list()[0]!.id)
        return made
    }
    expect(await life.ended(await overwrite())).toMatchObject({ state: 'cancelled', undo: [] })
    volumes.replace = async () => {
        volumes.replace = replace
        throw new Error('the disk broke')
    }
    expect(await life.ended(await overwrite())).toMatchObject({ state: 'failed', undo: [] })
    expect((await readFile(volume('same.raw')!.path)).equals(one)).toBe(true)
    expect(life.image.inventory.volumes('default').map(v => v.name)).toEqual(['same.raw'])
    // Kept in another format it is known as that.
    await life.done({ task: (await uploadAs('qcow2', two)).task })
    expect(volume('same.raw')).toMatchObject({ format: 'qcow2', suspect: false, capacityBytes: two.length })
    const preview = await life.rpc.beginUpload({
        ...{ pool: 'default', name: 'same.raw', sizeBytes: BigInt(MIB), overwrite: true, dryRun: true },
    })
    expect(preview).toMatchObject({ upload: '', task: '', object: 'default/same.raw' })
    expect(preview.plan.map(step => step.destroys)).toEqual(['volume:default/same.raw', ''])
    const unasked = { pool: 'default', name: 'same.raw', sizeBytes: BigInt(MIB), dryRun: true }
    expect(await refusal(life.rpc.beginUpload(unasked))).toContain('There is a volume of that name')
})

async function uploadAs(keepAs: string, data: Buffer) {
    const begun = await beginUpload('same.raw', data, { keepAs, overwrite: true })
    await put(begun.path, data)
    return begun
}

const scratch = async () => {
    const path = join(world.folder, 'scratch')
    await mkdir(path, { recursive: true })
    return path
}

test('hostile images are refused with the reason, and nothing of them stays', async () => {
    const path = await scratch()
    const at = (name: string) => join(path, name)
    const img = (...args: string[]) => execFileSync('qemu-img', args, { cwd: path })
    img('create', '-f', 'qcow2', '-b', '/etc/passwd', '-F', 'raw', at('backing.qcow2'), '1M')
    img('create', '-f', 'qcow2', '-o', `data_file=${at('data.raw')},data_file_raw=on`, at('datafile.qcow2'), '1M')
    img('create', '-f', 'vmdk', '-o', 'subformat=monolithicFlat', at('flat.vmdk'), '1M')
    img('create', '-f', 'vmdk', at('parent.vmdk'), '1M')
    img('create', '-f', 'vmdk', '-b', at('parent.vmdk'), '-F', 'vmdk', at('child.vmdk'))
    img('create', '-f', 'qcow2', at('huge.qcow2'), '1M')
    const huge = await readFile(at('huge.qcow2'))
    huge.writeBigUInt64BE(2n ** 60n, 24)
    img('create', '-f', 'qcow2', at('wide.qcow2'), '60T')
    // The name of a data file in an extension alone, without the bit that makes it one.
    const sly = await readFile(at('datafile.qcow2'))
    sly.writeBigUInt64BE(sly.readBigUInt64BE(72) & ~4n, 72)
    await writeFile(at('disk.raw'), rawDisk(8))
    img('convert', '-f', 'raw', '-O', 'qcow2', at('disk.raw'), at('cut.qcow2'))
    await truncate(at('cut.qcow2'), 700_000)
    const iso = Buffer.alloc(64 * 1024)
    iso.write('\x01CD001', 32768, 'latin1')
    iso.writeUInt32LE(10_000, 32768 + 80)
    iso.writeUInt16LE(2048, 32768 + 128)
    const cases: [name: string, data: Buffer, format: string, says: RegExp][] = [
        ['backing', await readFile(at('backing.qcow2')), 'qcow2', /refers to other files/],
        ['datafile', await readFile(at('datafile.qcow2')), 'qcow2', /refers to other files/],
        ['sly', sly, 'qcow2', /refers to other files/],
        ['flat', await readFile(at('flat.vmdk')), 'vmdk', /refers to other files/],
        ['child', await readFile(at('child.vmdk')), 'vmdk', /refers to other files/],
        ['huge', huge, 'qcow2', /size that no disk has/],
        ['wide', await readFile(at('wide.qcow2')), 'qcow2', /no room/],
        ['rawlie', await readFile(at('backing.qcow2')), 'raw', /not of the format/],
        ['isolie', await readFile(at('backing.qcow2')), 'iso', /not of the format/],
        ['qcowlie', rawDisk(1), 'qcow2', /not of the format/],
        ['cut', await readFile(at('cut.qcow2')), 'qcow2', /cut short/],
        ['cutiso', iso, 'iso', /cut short/],
        ['tiny', Buffer.from('QFI\xfb\0\0\0\x03', 'latin1'), 'qcow2', /cut short/],
    ]
    for (const [name, data, format, says] of cases) {
        const task = await uploadWhole(name, data, { format })
        expect([name, task.state, task.problem?.summary]).toEqual([name, 'failed', expect.stringMatching(says)])
        expect(task.undo).toEqual([])
        expect(JSON.stringify(await life.tasks.log(task.id))).not.toContain('root:')
    }
    expect(life.image.inventory.volumes('default')).toEqual([])
    const bomb = await uploadWhole('bomb.raw', await readFile(at('wide.qcow2')), { format: 'qcow2', keepAs: 'raw' })
    expect(bomb.problem?.summary).toContain('no room')
})

test('the sandbox has no network, no power, no other files, and ends at its limits', async () => {
    const folder = join(world.staging, 'probe')
    await mkdir(folder, { mode: 0o700 })
    await mkdir(join(world.staging, 'neighbour'), { mode: 0o700 })
    await writeFile(join(world.staging, 'neighbour', 'part'), 'theirs', { mode: 0o600 })
    const secret = join(world.folder, 'only-root')
    await writeFile(secret, 'mine', { mode: 0o600 })
    const run = (...argv: [string, ...string[]]) =>
        life.image.sandbox.run({ argv, folder, files: [], maxFileBytes: MIB, deadlineMs: 10_000 })
    expect(Number((await run('id', '-u')).stdout)).toBeGreaterThan(65_000)
    expect((await run('cat', '/proc/net/dev')).stdout.match(/^\s*\w+:/gm)?.map(s => s.trim())).toEqual(['lo:'])
    expect((await run('cat', secret)).exitCode).not.toBe(0)
    expect((await run('cat', '/etc/passwd')).exitCode).not.toBe(0)
    expect((await run('cat', '../neighbour/part')).exitCode).not.toBe(0)
    expect((await run('cat', '/proc/self/status')).stdout).toMatch(/CapEff:\s*0+\n/)
    expect((await run('cat', '/proc/self/status')).stdout).toMatch(/NoNewPrivs:\s*1/)
    expect(
        (await run('qemu-img', 'create', '-q', '-f', 'raw', '-o', 'preallocation=full', './big', '8M')).exitCode,
    ).not.toBe(0)
    const endless = life.image.sandbox.run({
        argv: ['sleep', '60'],
        folder,
        files: [],
        maxFileBytes: 0,
        deadlineMs: 200,
    })
    await expect(endless).rejects.toThrow('did not end in time')
    execFileSync('rm', ['-rf', folder, join(world.staging, 'neighbour')])
})

test('without root a user namespace shuts images in', async () => {
    const folder = join(await scratch(), 'as-nobody')
    await mkdir(folder)
    await chmod(world.folder, 0o755)
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', join(folder, 'part'), '1M'])
    const sandboxFolder = join(await scratch(), 'sandbox')
    for (const path of ['', 'root', 'empty']) await mkdir(join(sandboxFolder, path), { recursive: true })
    const token = join(await scratch(), 'token')
    await writeFile(token, 'TOKEN')
    execFileSync('chown', ['-R', '65534:65534', folder, sandboxFolder, token])
    const drop = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--']
    const real = realSystem()
    const asNobody = {
        ...real,
        makeDirectory: async () => {},
        run: (run: ToolRun) => real.run({ ...run, argv: ['setpriv', ...drop.slice(1), ...run.argv] }),
    }
    const sandbox = createSandbox({ system: asNobody, log: fakeLog(), isRoot: false, folder: sandboxFolder })
    const run = (...argv: [string, ...string[]]) =>
        sandbox.run({ argv, folder, files: ['part'], maxFileBytes: 64 * MIB, deadlineMs: 10_000 })
    expect((await run('qemu-img', 'info', '-f', 'qcow2', './part')).stdout).toContain('virtual size: 1 MiB')
    expect((await run('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', './part', './out')).exitCode).toBe(0)
    expect((await run('cat', '/proc/net/dev')).stdout.match(/^\s*\w+:/gm)?.map(s => s.trim())).toEqual(['lo:'])
    expect((await run('cat', '/proc/self/status')).stdout).toMatch(/NoNewPrivs:\s*1/)
    expect(await sandbox.describe()).toContain('user namespace')
    expect((await run('cat', '/proc/self/status')).stdout).toMatch(/CapBnd:\s*0+\n/)
    // What its user may read is not there.
    expect((await run('cat', token)).stderr).toContain('No such file')
    expect((await run('ls', '/', '/etc')).stdout).not.toMatch(/home|root|var|tmp|passwd/)
    expect((await run('ls', '/old')).stdout).toBe('')
})

test('all formats there and back are the same disk', async () => {
    const data = rawDisk(12)
    expect((await uploadWhole('disk.raw', data)).state).toBe('done')
    for (const format of ['qcow2', 'vmdk', 'vdi', 'vhdx', 'vpc']) {
        const there = life.rpc.convert({ pool: 'default', volume: 'disk.raw', name: `disk.${format}`, format })
        await life.done(there)
        expect(volume(`disk.${format}`)).toMatchObject({ suspect: false, format })
        if (format !== 'vhdx' && format !== 'vpc') expect(volume(`disk.${format}`)!.capacityBytes).toBe(data.length)
        await life.done(
            life.rpc.convert({ pool: 'default', volume: `disk.${format}`, name: `${format}.raw`, format: 'raw' }),
        )
        execFileSync('qemu-img', [
            'compare',
            '-f',
            'raw',
            '-F',
            format,
            volume('disk.raw')!.path,
            volume(`disk.${format}`)!.path,
        ])
        const back = await readFile(volume(`${format}.raw`)!.path)
        // VHD rounds up to whole cylinders.
        expect(back.subarray(0, data.length).equals(data)).toBe(true)
        if (format !== 'vpc') expect(back.length).toBe(data.length)
    }
    // From outside, kept as qcow2 by itself.
    const vmdk = await readFile(volume('disk.vmdk')!.path)
    expect((await uploadWhole('outside.vmdk', vmdk)).state).toBe('done')
    expect(volume('outside.vmdk')!.format).toBe('qcow2')
    execFileSync('qemu-img', [
        'compare',
        '-f',
        'raw',
        '-F',
        'qcow2',
        volume('disk.raw')!.path,
        volume('outside.vmdk')!.path,
    ])
})

test('what a conversion refuses', async () => {
    await uploadWhole('disk.raw', rawDisk(2))
    const convert = (wish: object) =>
        refusal(life.rpc.convert({ pool: 'default', volume: 'disk.raw', name: 'out.qcow2', format: 'qcow2', ...wish }))
    expect(await convert({ format: 'exe' })).toContain('not known')
    expect(await convert({ sourceFormat: 'qcow2' })).toContain('not of that format')
    expect(await convert({ name: 'disk.raw', overwrite: true })).toContain('onto itself')
    expect(await convert({ volume: 'none' })).toContain('There is no such volume')
    world.vms.set(volume('disk.raw')!.path, [{ name: 'web1', active: true }])
    expect(await convert({})).toContain('A running VM uses the volume')
    world.vms.clear()
    await uploadWhole('out.qcow2', rawDisk(1), { format: 'raw', keepAs: 'qcow2' })
    expect(await convert({})).toContain('There is a volume of that name')
    const preview = await life.rpc.convert({
        pool: 'default',
        volume: 'disk.raw',
        name: 'out.qcow2',
        format: 'qcow2',
        overwrite: true,
        dryRun: true,
    })
    expect(preview.plan.map(s => s.destroys)).toEqual(['volume:default/out.qcow2', ''])
    await life.done(
        life.rpc.convert({ pool: 'default', volume: 'disk.raw', name: 'out.qcow2', format: 'qcow2', overwrite: true }),
    )
    execFileSync('qemu-img', [
        'compare',
        '-f',
        'raw',
        '-F',
        'qcow2',
        volume('disk.raw')!.path,
        volume('out.qcow2')!.path,
    ])
})

test('by path only from declared folders, links followed to where they lead', async () => {
    const data = rawDisk(3)
    const at = (name: string) => join(world.imports, name)
    await writeFile(at('good.raw'), data)
    await symlink('/etc/passwd', at('link.raw'))
    await symlink('/etc', at('etc'))
    await mkdir(at('folder.raw'))
    await writeFile(at('empty.raw'), '')
    const from = (source: string, wish: object = {}) =>
        refusal(life.rpc.import({ source, pool: 'default', name: 'x.raw', format: 'raw', ...wish }))
    expect(await from('/etc/passwd')).toContain('outside the folders')
    expect(await from('/etc/no-such-file')).toContain('outside the folders')
    expect(await from('/nowhere/at/all')).toContain('outside the folders')
    expect(await from(`${world.imports}/../staging/x`)).toContain('outside the folders')
    expect(await from(at('link.raw'))).toContain('outside the folders')
    expect(await from(at('etc/passwd'))).toContain('outside the folders')
    expect(await from(at('folder.raw'))).toContain('is a directory')
    expect(await from(at('missing.raw'))).toContain('There is no such file')
    expect(await from(at('empty.raw'))).toContain('cut short')
    expect(await from('relative.raw')).toContain('neither a URL nor an absolute path')
    expect(await from('file:///etc/passwd')).toContain('not a URL that can be fetched')
    expect(await from('nbd://127.0.0.1/x')).toContain('not a URL that can be fetched')
    await life.done(
        life.rpc.import({ source: at('good.raw'), pool: 'default', name: 'good.raw', checksum: sha256(data) }),
    )
    expect((await readFile(volume('good.raw')!.path)).equals(data)).toBe(true)
    await copyFile(at('good.raw'), at('second.raw'))
    await life.done(
        life.rpc.import({ source: at('second.raw'), pool: 'default', name: 'second.qcow2', keepAs: 'qcow2' }),
    )
    execFileSync('qemu-img', ['compare', '-f', 'raw', '-F', 'qcow2', at('second.raw'), volume('second.qcow2')!.path])
})

test('without a pool the default one is taken, from the first moment on', async () => {
    const source = join(world.imports, 'plain.raw')
    await writeFile(source, rawDisk(1))
    await life.close()
    life = await world.live({ allowedAddresses: ['127.0.0.1'] })
    expect((await life.rpc.import({ source, name: 'plain.raw', dryRun: true })).object).toBe('default/plain.raw')
})

test('by URL with progress and checksum, over redirects, and never to where it must not', async () => {
    const data = rawDisk(6)
    served.set('/good.raw', response => void response.writeHead(200, { 'content-length': data.length }).end(data))
    served.set('/chunked.raw', response => void response.writeHead(200).end(data))
    served.set('/moved.raw', response => void response.writeHead(302, { location: '/good.raw' }).end())
    served.set('/loop.raw', response => void response.writeHead(302, { location: '/loop.raw' }).end())
    served.set('/inside.raw', response => void response.writeHead(302, { location: 'http://[::1]:1/x' }).end())
    served.set(
        '/meta.raw',
        response => void response.writeHead(307, { location: 'http://169.254.169.254/latest' }).end(),
    )
    served.set('/file.raw', response => void response.writeHead(301, { location: 'file:///etc/passwd' }).end())
    served.set('/short.raw', response => {
        response.writeHead(200, { 'content-length': data.length })
        response.write(data.subarray(0, MIB), () => response.destroy())
    })
    served.set('/endless.raw', response => {
        response.writeHead(200)
        const more = () => response.write(Buffer.alloc(64 * 1024), error => void (error || setTimeout(more, 5)))
        more()
    })
    const bring = async (source: string, wish: object = {}) => {
        const { task } = await life.rpc.import({ source, pool: 'default', name: 'url.raw', ...wish })
        return life.ended(task)
    }
    const ok = async (path: string) => {
        expect(await bring(siteUrl + path, { checksum: sha256(data) })).toMatchObject({ state: 'done' })
        expect((await readFile(volume('url.raw')!.path)).equals(data)).toBe(true)
        await life.image.volumes.remove('default/url.raw')
    }
    await ok('/good.raw')
    await ok('/chunked.raw')
    await ok('/moved.raw')
    const problem = async (source: string, wish: object = {}) => (await bring(source, wish)).problem?.summary
    expect(await problem(`${siteUrl}/none.raw`)).toContain('could not be fetched')
    expect(await problem(`${siteUrl}/loop.raw`)).toContain('could not be fetched')
    expect(await problem(`${siteUrl}/short.raw`)).toMatch(/could not be fetched|cut short/)
    expect(await problem(`${siteUrl}/inside.raw`)).toContain('fetched from that address')
    expect(await problem(`${siteUrl}/meta.raw`)).toContain('fetched from that address')
    expect(await problem(`${siteUrl}/file.raw`)).toContain('not a URL that can be fetched')
    expect(await problem(`${siteUrl}/good.raw`, { checksum: `sha256:${'1'.repeat(64)}` })).toContain('checksum')
    for (const host of ['[::1]', '[::ffff:127.0.0.2]', '127.1.2.3', '0.0.0.0', '2130706434', '0x7f000002']) {
        expect([host, await problem(`http://${host}:1/x.raw`)]).toEqual([
            host,
            expect.stringContaining('fetched from that address'),
        ])
    }
    expect(
        await refusal(life.rpc.import({ source: 'http://u:p@host/x.raw', pool: 'default', name: 'x.raw' })),
    ).toContain('not a URL')
    const keyed = { source: `${siteUrl}/keyed.raw?X-Amz-Signature=KEY`, pool: 'default', name: 'url.raw' }
    const preview = await life.rpc.import({ ...keyed, dryRun: true })
    expect(preview.plan[0]!.sentence).toContain(`${siteUrl}/keyed.raw in as`)
    expect(preview.plan[0]!.sentence).not.toContain('KEY')
    const refused = await life.rpc.import(keyed).then(begun => life.ended(begun.task))
    expect(refused.state).toBe('failed')
    expect(JSON.stringify([refused, await life.tasks.log(refused.id)])).not.toContain('KEY')
    const { task } = await life.rpc.import({ source: `${siteUrl}/endless.raw`, pool: 'default', name: 'endless.raw' })
    await until('it to be fetching', 5_000, () => life.tasks.get(task)?.phase === 'fetching')
    await life.tasks.cancel(task)
    expect(await life.ended(task)).toMatchObject({ state: 'cancelled', undo: [] })
    expect(volume('endless.raw')).toBeUndefined()
})

test('a volume that has grown since it was read is downloaded whole', async () => {
    const wish = { pool: 'default', name: 'grows.qcow2', capacityBytes: BigInt(32 * MIB) }
    await life.done(life.rpc.createVolume(wish))
    const { path: file } = volume('grows.qcow2')!
    const grow = (mib: number) => execFileSync('qemu-io', ['-f', 'qcow2', '-c', `write -P ${mib} 0 ${mib}M`, file])
    grow(4)
    const begun = await life.rpc.beginDownload({ pool: 'default', volume: 'grows.qcow2' })
    expect(begun.sizeBytes).toBe(BigInt((await stat(file)).size))
    // Between the ticket and the bytes too.
    grow(12)
    const answer = await fetch(life.url + begun.path, { headers: { 'x-user': 'ann' } })
    const whole = await readFile(file)
    expect(answer.headers.get('content-length')).toBe(String(whole.length))
    expect(Buffer.from(await answer.arrayBuffer()).equals(whole)).toBe(true)
})

test('a download gives the bytes once, to who asked', async () => {
    const data = rawDisk(5)
    await uploadWhole('down.raw', data)
    const get = async (path: string, user = 'ann') => {
        const answer = await fetch(life.url + path, { headers: { 'x-user': user } })
        return { answer, bytes: Buffer.from(await answer.arrayBuffer()) }
    }
    const begun = await life.rpc.beginDownload({ pool: 'default', volume: 'down.raw' })
    expect(begun.sizeBytes).toBe(BigInt(data.length))
    expect((await get(begun.path, 'bob')).answer.status).toBe(500)
    const { answer, bytes } = await get(begun.path)
    expect(bytes.equals(data)).toBe(true)
    expect(answer.headers.get('content-disposition')).toBe(`attachment; filename="down.raw"; filename*=UTF-8''down.raw`)
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect((await get(begun.path)).answer.status).toBe(500)
    world.vms.set(volume('down.raw')!.path, [{ name: 'web1', active: true }])
    expect(await refusal(life.rpc.beginDownload({ pool: 'default', volume: 'down.raw' }))).toContain(
        'A running VM writes',
    )
    world.vms.clear()
    const left = await life.rpc.beginDownload({ pool: 'default', volume: 'down.raw' })
    const gone = new AbortController()
    const half = await fetch(life.url + left.path, { headers: { 'x-user': 'ann' }, signal: gone.signal })
    await half.body!.getReader().read()
    gone.abort()
    await life.done(life.rpc.deleteVolume({ pool: 'default', volume: 'down.raw' }))
})
