// Bad input over the real API: each refusal says what to do, changes nothing, and leaves nothing behind.
import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Client, Code } from '@connectrpc/connect'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { IdentityService } from '../../src/gen/proto/capabilities/identity/identity_pb.js'
import { ImageService } from '../../src/gen/proto/capabilities/image/image_pb.js'
import { NetworkService } from '../../src/gen/proto/capabilities/network/network_pb.js'
import { State } from '../../src/gen/proto/capabilities/task/task_pb.js'
import { VmService } from '../../src/gen/proto/capabilities/vm/vm_pb.js'
import { endOf, type Person, personOf, refusalOf, type Things, thingsOf } from './reliability-world.ts'
import { type DaemonWorld, startDaemon } from './world-daemon.ts'

const MIB = 1n << 20n
const NAMES: Record<string, string> = {
    'a way up': '../x',
    'a path': 'a/b',
    'an absolute path': '/etc/passwd',
    'dots alone': '..',
    'a single quote': "it's",
    'a double quote': 'a"b',
    XML: '<name>x</name>',
    'an entity': '&amp;',
    'the end of a comment': 'x-->y',
    '10 kB': 'x'.repeat(10_240),
    Unicode: 'näme-名前',
    'a right-to-left mark': 'a\u202eb',
    'a NUL': 'a\u0000b',
    'a newline': 'a\nb',
    'an escape sequence': '\u001b[31mred',
    'an option': '--help',
    'a space': 'a b',
    'a variable': '$HOME',
    nothing: '',
    'a UUID': randomUUID(),
}
// `pool/name` tells a volume from everything else: it may look like a UUID.
const VOLUME_NAMES = Object.entries(NAMES).filter(([what]) => what !== 'a UUID')
const MARKUP = `<script>alert("1")</script> & ' ]]> <!-- <x/> {{7*7}} \${HOME} %s 名前`

let daemon: DaemonWorld
let admin: Person
let vms: Client<typeof VmService>
let images: Client<typeof ImageService>
let before: Things

const small = { memoryBytes: 64n * MIB, vcpus: 1, disks: [{ sizeBytes: 16n * MIB }] }

beforeAll(async () => {
    daemon = await startDaemon()
    admin = await personOf(daemon, 'tester')
    vms = admin.client(VmService)
    images = admin.client(ImageService)
    await daemon.done(await vms.create({ ...small, name: 'keeper', nics: [{ mac: '52:54:00:00:00:01', network: '' }] }))
    await daemon.done(await images.createVolume({ pool: 'default', name: 'spare', capacityBytes: MIB }))
    before = await thingsOf(daemon)
})
afterAll(async () => daemon?.stop())

/** Refused as expected, in words that help, and without a trace. */
async function refused(call: Promise<unknown>, codes: Code[] = [Code.InvalidArgument]) {
    const problem = await refusalOf(call)
    expect(codes.map(code => Code[code])).toContain(Code[problem.connect])
    expect(problem.summary).not.toBe('')
    const fixes = [problem.fix, ...problem.findings.filter(f => f.severity === 'error').map(f => f.fix)]
    expect(fixes.filter(fix => fix !== '').length, `no fix in: ${problem.summary} ${problem.detail}`).toBeGreaterThan(0)
    expect(problem.detail.length).toBeLessThan(4000)
    return problem
}

describe('names', () => {
    const nothingNew = async () => expect(await thingsOf(daemon)).toEqual(before)

    it.each([
        ['a VM', Object.entries(NAMES), (name: string) => vms.create({ ...small, name })],
        ['a VM that is renamed', Object.entries(NAMES), (name: string) => vms.rename({ vm: 'keeper', name })],
        ['a clone', Object.entries(NAMES), (name: string) => vms.clone({ vm: 'keeper', name })],
        ['a snapshot', Object.entries(NAMES), (name: string) => vms.createSnapshot({ vm: 'keeper', name })],
        ['a tag', Object.entries(NAMES), (name: string) => vms.create({ ...small, name: 'tagged', tags: [name] })],
        [
            'a volume',
            VOLUME_NAMES,
            (name: string) => images.createVolume({ pool: 'default', name, capacityBytes: MIB }),
        ],
        [
            'a volume that is cloned',
            VOLUME_NAMES,
            (name: string) => images.cloneVolume({ pool: 'default', volume: 'spare', name }),
        ],
        [
            'a volume that is converted',
            VOLUME_NAMES,
            (name: string) => images.convert({ pool: 'default', volume: 'spare', format: 'raw', name }),
        ],
        [
            'an upload',
            VOLUME_NAMES,
            (name: string) => images.beginUpload({ pool: 'default', name, sizeBytes: 512n, format: 'raw' }),
        ],
        [
            'a pool',
            Object.entries(NAMES),
            (name: string) => images.createPool({ name, path: join(daemon.folder, 'import', 'pool') }),
        ],
        [
            'a network',
            Object.entries(NAMES),
            (name: string) => admin.client(NetworkService).create({ name, mode: 'isolated', address: '10.98.7.1/24' }),
        ],
        [
            'a user',
            Object.entries(NAMES),
            (name: string) =>
                admin.client(IdentityService).createUser({ name, role: 'viewer', password: 'a horse that is correct' }),
        ],
    ] as [string, [string, string][], (name: string) => Promise<unknown>][])('of %s', async (_what, names, call) => {
        const accepted: string[] = []
        for (const [what, name] of names) {
            await refused(call(name)).catch((thrown: Error) => accepted.push(`${what}: ${thrown.message}`))
        }
        expect(accepted).toEqual([])
        await nothingNew()
        const { users } = await admin.client(IdentityService).listUsers({})
        expect(users.map(user => user.name)).toEqual(['tester'])
    })

    it('that ask for something else than a VM', async () => {
        for (const vm of Object.values(NAMES)) {
            await refused(vms.get({ vm }), [Code.NotFound, Code.InvalidArgument])
            await refused(vms.delete({ vm, disks: true, force: true }), [Code.NotFound, Code.InvalidArgument])
        }
        await nothingNew()
    })
})

describe('sizes', () => {
    const post = (body: string) => admin.post('debvisor.vm.v1.VmService/Create', body)
    const disk = (size: string) => `{"name":"sized","memoryBytes":"67108864","vcpus":1,"disks":[{"sizeBytes":${size}}]}`
    const memory = (size: string) =>
        `{"name":"sized","memoryBytes":${size},"vcpus":1,"disks":[{"sizeBytes":"16777216"}]}`
    const vcpus = (count: string) =>
        `{"name":"sized","memoryBytes":"67108864","vcpus":${count},"disks":[{"sizeBytes":"16777216"}]}`
    const numbers = ['0', '-1', '"-1"', '"NaN"', 'NaN', '"9223372036854775808"', '"18446744073709551616"']
    const words = ['"10 apples"', '"1e400"', '1.5', '[]', '{}', 'true']

    it.each([
        ['memory', memory],
        ['a disk', disk],
        ['vCPUs', vcpus],
    ])('of %s', async (_what, body) => {
        for (const size of [...numbers, ...words]) {
            const { status, text } = await post(body(size))
            expect(status, `${size}: ${text}`).toBe(400)
            const error = JSON.parse(text)
            expect(error.code).toBe('invalid_argument')
            expect(error.message.length, size).toBeGreaterThan(10)
        }
        expect(await thingsOf(daemon)).toEqual(before)
    })

    it('of a disk that its pool could never hold', async () => {
        const request = { ...small, name: 'large', disks: [{ sizeBytes: 1n << 52n }] }
        const problem = await refused(vms.create(request), [Code.ResourceExhausted])
        expect(problem.at).toBe('disks[0].size')
        await refused(images.createVolume({ pool: 'default', name: 'large', capacityBytes: 1n << 52n }), [
            Code.ResourceExhausted,
        ])
        await refused(vms.resizeDisk({ vm: 'keeper', target: 'vda', sizeBytes: 1n << 52n }), [
            Code.ResourceExhausted,
            Code.InvalidArgument,
        ])
        await refused(vms.resizeDisk({ vm: 'keeper', target: 'vda', sizeBytes: 0n }))
        await refused(vms.resizeDisk({ vm: 'keeper', target: 'vda', sizeBytes: 1n }), [
            Code.InvalidArgument,
            Code.FailedPrecondition,
        ])
        expect(await thingsOf(daemon)).toEqual(before)
    })
})

describe('what does not exist or is something else', () => {
    it('as an ISO: a folder, a missing and a truncated one', async () => {
        await mkdir(join(daemon.libvirt.imagesDir, 'folder.iso'))
        await writeFile(join(daemon.libvirt.imagesDir, 'cut.iso'), isoOf({ saysSectors: 2000, hasSectors: 20 }))
        await writeFile(join(daemon.libvirt.imagesDir, 'empty.iso'), '')
        await daemon.done(await images.refreshPool({ pool: 'default' }))
        const there = await thingsOf(daemon)
        for (const [iso, codes] of [
            ['folder.iso', [Code.InvalidArgument, Code.NotFound]],
            ['missing.iso', [Code.NotFound]],
            ['cut.iso', [Code.InvalidArgument]],
            ['empty.iso', [Code.InvalidArgument]],
            ['../../etc/passwd', [Code.InvalidArgument]],
        ] as [string, Code[]][]) {
            const request = { ...small, name: 'booting', isos: [`default/${iso}`] }
            const problem = await refused(vms.create(request), codes)
            expect(problem.at).toBe('isos[0]')
        }
        expect(await thingsOf(daemon)).toEqual(there)
        before = there
    })

    it('as a source to import: a folder, a missing, a truncated one, and one outside the declared folders', async () => {
        const folder = join(daemon.folder, 'import')
        await mkdir(join(folder, 'folder.iso'), { recursive: true })
        await writeFile(join(folder, 'cut.iso'), isoOf({ saysSectors: 2000, hasSectors: 20 }))
        const wrong = ['folder.iso', 'missing.iso', 'cut.iso'].map(name => join(folder, name))
        for (const source of [...wrong, '/etc/passwd', `${folder}/../identity`, 'file:///etc/passwd', 'ftp://x/y']) {
            const call = images.import({ source, pool: 'default', name: 'imported.iso', format: 'iso' })
            const begun = await call.catch(() => undefined)
            if (!begun) {
                await refused(call, [
                    Code.InvalidArgument,
                    Code.NotFound,
                    Code.PermissionDenied,
                    Code.FailedPrecondition,
                ])
                continue
            }
            const task = await endOf(daemon, begun)
            expect([source, State[task.state]]).toEqual([source, 'FAILED'])
            expect(`${task.problem?.fix}${task.problem?.detail}`).not.toBe('')
        }
        expect(await thingsOf(daemon)).toEqual(before)
    })

    it('as a MAC: one that is taken, a group, no MAC at all', async () => {
        const withMac = (mac: string) => vms.create({ ...small, name: 'second', nics: [{ mac }] })
        const taken = await refused(withMac('52:54:00:00:00:01'), [Code.AlreadyExists])
        expect(taken.detail).toContain('keeper')
        await refused(withMac('52:54:00:00:00:01'.toUpperCase()), [Code.AlreadyExists])
        await refused(withMac('01:00:5e:00:00:01'))
        await refused(withMac("52:54:00:00:00:0'"))
        await refused(vms.attachNic({ vm: 'keeper', nic: { mac: '52:54:00:00:00:01' } }), [
            Code.AlreadyExists,
            Code.InvalidArgument,
        ])
        expect(await thingsOf(daemon)).toEqual(before)
    })
})

describe('markup', () => {
    it('in descriptions is text, in libvirt and back', async () => {
        const texts = { description: MARKUP, notes: `${MARKUP}\n${MARKUP}` }
        await daemon.done(await vms.create({ ...small, name: 'marked', ...texts }))
        expect((await vms.get({ vm: 'marked' })).detail).toMatchObject({
            notes: texts.notes,
            vm: { description: MARKUP },
        })
        await daemon.done(await vms.createSnapshot({ vm: 'marked', name: 'one', description: MARKUP }))
        expect((await vms.listSnapshots({ vm: 'marked' })).snapshots[0]?.description).toBe(MARKUP)
        await daemon.done(await vms.update({ vm: 'marked', description: `${MARKUP}!` }))
        expect((await vms.list({ search: 'marked' })).vms.map(vm => vm.description)).toEqual([`${MARKUP}!`])
        expect(await daemon.libvirt.virsh(['desc', 'marked'])).toContain(`${MARKUP}!`)
        await daemon.done(await vms.delete({ vm: 'marked', disks: true }))
        const identity = admin.client(IdentityService)
        const user = {
            name: 'marked',
            role: 'viewer',
            fullName: MARKUP.slice(0, 60),
            password: 'a horse that is correct',
        }
        await identity.createUser(user)
        expect((await identity.listUsers({})).users.find(one => one.name === 'marked')?.fullName).toBe(user.fullName)
        await identity.deleteUser({ name: 'marked' })
    })

    it('that XML cannot hold is refused', async () => {
        await refused(vms.create({ ...small, name: 'marked', description: 'a\u0000b' }))
        await refused(vms.update({ vm: 'keeper', notes: '\u0008' }))
        await refused(vms.update({ vm: 'keeper', description: 'x'.repeat(10_240) }))
        await refused(vms.createSnapshot({ vm: 'keeper', name: 'ok', description: '\uffff' }))
        expect(await thingsOf(daemon)).toEqual(before)
    })
})

/** The first sectors of an ISO 9660 image that claims a size. */
function isoOf({ saysSectors, hasSectors }: { saysSectors: number; hasSectors: number }): Buffer {
    const image = Buffer.alloc(hasSectors * 2048)
    image.write('\u0001CD001\u0001', 16 * 2048, 'latin1')
    image.writeUInt32LE(saysSectors, 16 * 2048 + 80)
    image.writeUInt32BE(saysSectors, 16 * 2048 + 84)
    image.writeUInt16LE(2048, 16 * 2048 + 128)
    image.writeUInt16BE(2048, 16 * 2048 + 130)
    return image
}
