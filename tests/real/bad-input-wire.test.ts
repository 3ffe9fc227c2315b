// Bad input below the API: broken messages, wrong types, huge bodies, paths, and many hands on one object at once.

import { readdir, writeFile } from 'node:fs/promises'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { type Client, Code } from '@connectrpc/connect'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ImageService } from '../../src/gen/proto/capabilities/image/image_pb.js'
import { State, TaskService } from '../../src/gen/proto/capabilities/task/task_pb.js'
import { VmService } from '../../src/gen/proto/capabilities/vm/vm_pb.js'
import { endOf, type Person, personOf, refusalOf, rssBytes, type Things, thingsOf } from './reliability-world.ts'
import { until } from './world.ts'
import { type DaemonWorld, startDaemon } from './world-daemon.ts'

const MIB = 1n << 20n
const CREATE = 'debvisor.vm.v1.VmService/Create'
const LIST = 'debvisor.vm.v1.VmService/List'
const small = { memoryBytes: 64n * MIB, vcpus: 1, disks: [{ sizeBytes: 16n * MIB }] }

let daemon: DaemonWorld
let admin: Person
let vms: Client<typeof VmService>
let images: Client<typeof ImageService>
let before: Things

beforeAll(async () => {
    daemon = await startDaemon()
    admin = await personOf(daemon, 'tester')
    vms = admin.client(VmService)
    images = admin.client(ImageService)
    await daemon.done(await vms.create({ ...small, name: 'keeper' }))
    before = await thingsOf(daemon)
})
afterAll(async () => daemon?.stop())

describe('messages', () => {
    it.each([
        ['JSON that is cut', '{"name":"x"', 'application/json'],
        ['JSON that is none', 'name=x', 'application/json'],
        ['a JSON array', '[]', 'application/json'],
        ['a field of another type', '{"name":7}', 'application/json'],
        ['a field that does not exist', '{"name":"x","diskz":[]}', 'application/json'],
        ['JSON in 10,000 levels', `{"disks":${'['.repeat(10_000)}${']'.repeat(10_000)}}`, 'application/json'],
        ['protobuf that is cut', Buffer.from([0x0a, 0x7f, 0x61]), 'application/proto'],
        ['protobuf that is none', Buffer.alloc(4096, 0xff), 'application/proto'],
        ['protobuf text that is no UTF-8', Buffer.from([0x0a, 0x02, 0xc3, 0x28]), 'application/proto'],
    ] as [string, string | Buffer, string][])('%s', async (_what, body, type) => {
        const { status, text } = await admin.post(CREATE, body, { 'content-type': type })
        const error = JSON.parse(text)
        const expected = [400, 'invalid_argument']
        expect([status, error.code], text).toEqual(expected)
        expect(error.message.length).toBeGreaterThan(10)
        expect(error.details[0].debug.fix).toContain('API reference')
        expect(text).not.toMatch(/\n\s+at |node_modules/)
        expect(await thingsOf(daemon)).toEqual(before)
    })

    it.each(['text/plain', 'application/xml', 'application/x-www-form-urlencoded', 'multipart/form-data', ''])(
        'of the content type %j are refused',
        async type => {
            const { status } = await admin.post(CREATE, '{"name":"x"}', { 'content-type': type })
            expect(status).toBe(415)
            expect(await thingsOf(daemon)).toEqual(before)
        },
    )

    it('to methods and paths that do not exist are refused', async () => {
        for (const path of ['debvisor.vm.v1.VmService/Explode', 'debvisor.vm.v9.VmService/List', '../../etc/passwd']) {
            const { status, text } = await admin.post(path, '{}')
            expect([404, 405, 501], `${path}: ${text.slice(0, 200)}`).toContain(status)
        }
    })

    it('of 100 MB are refused without holding them in memory', async () => {
        const rssBefore = await rssBytes(daemon.pid)
        const bodies = ['application/json', 'application/proto', 'application/grpc+proto', 'application/grpc-web+proto']
        for (const type of bodies) {
            const { status, sentBytes } = await flood(type, 100e6)
            expect([0, 200, 400, 413, 429], `${type}: ${status}`).toContain(status)
            expect(sentBytes, type).toBeLessThan(60e6)
        }
        expect(await rssBytes(daemon.pid)).toBeLessThan(rssBefore + 100e6)
        expect((await vms.list({})).vms.map(vm => vm.name)).toEqual(['keeper'])
        expect(await thingsOf(daemon)).toEqual(before)
    })
})

/** Sends as much as the daemon takes, and answers how much that was and what it said. */
async function flood(type: string, bytes: number): Promise<{ status: number; sentBytes: number }> {
    const ca = await daemon.certificate()
    const piece = Buffer.alloc(1 << 18, 0x20)
    return new Promise(resolve => {
        let sentBytes = 0
        let status = 0
        let over = false
        const end = () => {
            if (over) return
            over = true
            sent.destroy()
            resolve({ status, sentBytes })
        }
        const headers = { 'content-type': type, 'content-length': bytes, authorization: `Bearer ${admin.token}` }
        const sent = httpsRequest(`${daemon.url}/${LIST}`, { method: 'POST', ca, agent: false, headers })
        sent.on('response', response => {
            status = response.statusCode ?? 0
            response.resume()
            response.on('end', end)
            response.on('error', end)
        })
        sent.on('error', end)
        sent.on('close', end)
        const more = () => {
            while (!over && sentBytes < bytes) {
                sentBytes += piece.length
                if (!sent.write(piece)) return void sent.once('drain', more)
            }
        }
        more()
    })
}

describe('uploads', () => {
    it('cannot leave their place', async () => {
        const begun = await images.beginUpload({ pool: 'default', name: 'up.img', sizeBytes: 16n, format: 'raw' })
        const ca = await daemon.certificate()
        const put = (path: string, headers: Record<string, string> = {}) =>
            new Promise<{ status: number; text: string }>((resolve, reject) => {
                const options = {
                    method: 'PUT',
                    ca,
                    agent: false,
                    path,
                    headers: { authorization: `Bearer ${admin.token}`, 'content-range': 'bytes 0-15/16', ...headers },
                }
                const sent = httpsRequest(daemon.url, options, response => {
                    let text = ''
                    response.on('data', chunk => {
                        text += chunk
                    })
                    response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
                })
                sent.on('error', reject)
                sent.end(Buffer.alloc(16, 'A'))
            })
        const stem = begun.path.slice(0, begun.path.lastIndexOf('/'))
        for (const path of [
            `${stem}/../../../../tmp/escaped`,
            `${stem}/..%2f..%2f..%2ftmp%2fescaped`,
            `${stem}/%2e%2e/%2e%2e/escaped`,
            `${stem}//etc/passwd`,
            `${stem}/${'x'.repeat(5000)}`,
            `${begun.path}/../../escaped`,
            `${begun.path}%00`,
        ]) {
            const { status, text } = await put(path)
            expect(status, `${path.slice(0, 80)}: ${text.slice(0, 200)}`).toBeGreaterThanOrEqual(400)
            expect(status).toBeLessThan(500)
        }
        for (const range of ['bytes 8-15/16', 'bytes 0-99/100', 'bytes 15-0/16', 'bytes x-y/z', 'bytes -1-14/16'])
            expect((await put(begun.path, { 'content-range': range })).status, range).toBeGreaterThanOrEqual(400)
        await images.cancelUpload({ upload: begun.upload })
        await endOf(daemon, begun)
        const everywhere = await readdir(daemon.folder, { recursive: true })
        expect(everywhere.filter(name => name.includes('escaped'))).toEqual([])
        await until(
            'nothing to be left',
            10_000,
            async () => (await thingsOf(daemon)).files.length === before.files.length,
        )
        expect(await thingsOf(daemon)).toEqual(before)
    })
})

describe('many hands', () => {
    it('on one name: of 20 creates at once exactly one wins', async () => {
        const people = await Promise.all(Array.from({ length: 20 }, () => admin.transport()))
        expect(people).toHaveLength(20)
        const answers = await Promise.allSettled(
            people.map(() => vms.create({ ...small, name: 'wanted', description: 'the one' })),
        )
        const won = answers.flatMap(answer => (answer.status === 'fulfilled' ? [answer.value] : []))
        expect(won).toHaveLength(1)
        for (const answer of answers) {
            if (answer.status === 'fulfilled') continue
            const problem = await refusalOf(Promise.reject(answer.reason))
            expect(problem.connect).toBe(Code.AlreadyExists)
            expect(problem.fix).not.toBe('')
        }
        await daemon.done(won[0]!)
        const now = await thingsOf(daemon)
        expect(now.domains).toEqual(['keeper', 'wanted'])
        expect(now.files).toHaveLength(before.files.length + 1)
        await daemon.done(await vms.delete({ vm: 'wanted', disks: true }))
        expect(await thingsOf(daemon)).toEqual(before)
    })

    it('on one volume: of 10 creates at once exactly one wins', async () => {
        const answers = await Promise.allSettled(
            Array.from({ length: 10 }, async () => {
                const task = await endOf(
                    daemon,
                    await images.createVolume({ pool: 'default', name: 'wanted', capacityBytes: MIB }),
                )
                if (task.state !== State.DONE) throw new Error(task.problem?.code)
            }),
        )
        expect(answers.filter(answer => answer.status === 'fulfilled')).toHaveLength(1)
        expect((await thingsOf(daemon)).files).toEqual([...before.files, 'wanted'].sort())
        await daemon.done(await images.deleteVolume({ pool: 'default', volume: 'wanted' }))
        expect(await thingsOf(daemon)).toEqual(before)
    })

    it('on one VM: the second of two sessions gets a conflict, and its change is not made', async () => {
        const { detail } = await vms.get({ vm: 'keeper' })
        const revision = detail!.revision
        await daemon.done(await vms.update({ vm: 'keeper', revision, description: 'by the first' }))
        const call = vms.update({ vm: 'keeper', revision, description: 'by the second' })
        const begun = await call.catch(() => undefined)
        // Either the call or its task says so; a task where the change came in between.
        if (begun) expect((await endOf(daemon, begun)).problem?.code).toBe('conflict')
        else expect(await refusalOf(call)).toMatchObject({ connect: Code.Aborted, at: 'revision' })
        expect((await vms.get({ vm: 'keeper' })).detail?.vm?.description).toBe('by the first')
        await refusalOf(vms.delete({ vm: 'keeper', disks: true, revision })).then(problem =>
            expect(problem.connect).toBe(Code.Aborted),
        )
        expect(await thingsOf(daemon)).toEqual(before)
    })

    it('on one VM at the same moment: one change is made, the others hear of it', async () => {
        const { detail } = await vms.get({ vm: 'keeper' })
        const revision = detail!.revision
        const ends = await Promise.all(
            Array.from({ length: 8 }, async (_, i) => {
                const call = vms.update({ vm: 'keeper', revision, description: `by number ${i}` })
                const begun = await call.catch(() => undefined)
                if (!begun) return (await refusalOf(call)).code
                const task = await endOf(daemon, begun)
                return task.problem?.code ?? `by number ${i}`
            }),
        )
        expect(ends.filter(end => end === 'conflict')).toHaveLength(7)
        const [winner] = ends.filter(end => end !== 'conflict')
        expect((await vms.get({ vm: 'keeper' })).detail?.vm?.description).toBe(winner)
    })
})

describe('a create that fails at its third step', () => {
    it('removes what the first two made', async () => {
        // Volumes and definition go well; the start cannot: the disk of the guest is not what its name says.
        await writeFile(join(daemon.libvirt.imagesDir, 'broken.qcow2'), qcow2Header(), { mode: 0o600 })
        await daemon.done(await images.refreshPool({ pool: 'default' }))
        const there = await thingsOf(daemon)
        const begun = await vms.create({
            ...small,
            name: 'halfway',
            firmware: 'uefi',
            disks: [{ sizeBytes: 16n * MIB }, { existing: 'default/broken.qcow2' }],
            cloudInit: { user: 'someone' },
            start: true,
        })
        const task = await endOf(daemon, begun)
        expect(State[task.state]).toBe('FAILED')
        expect(task.problem?.fix).not.toBe('')
        const said = (await daemon.client(TaskService).get({ id: begun.task })).task?.log.map(line => line.text)
        expect(said?.length).toBeGreaterThanOrEqual(3)
        expect(await thingsOf(daemon)).toEqual(there)
        expect(await daemon.libvirt.qemuPids()).toEqual([])
        expect((await vms.list({})).vms.map(vm => vm.name)).toEqual(['keeper'])
    })
})

/** A header that libvirt takes for qcow2 and QEMU refuses to open: it asks for a feature that does not exist. */
function qcow2Header(): Buffer {
    const header = Buffer.alloc(65_536)
    header.write('QFI\u00fb', 0, 'latin1')
    header.writeUInt32BE(3, 4)
    header.writeUInt32BE(16, 20)
    header.writeBigUInt64BE(16n * MIB, 24)
    header.writeUInt32BE(1, 36)
    header.writeBigUInt64BE(1n << 40n, 72)
    header.writeUInt32BE(4, 96)
    header.writeUInt32BE(104, 100)
    return header
}
