// The life of an upload that nobody finishes, on a machine in memory.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect, createServer } from 'node:http2'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { Fault } from '../../base/fault.ts'
import { createTasks } from '../../engine/tasks.ts'
import { fakeClock, fakeLog, fakeSystem } from '../../ports/fake.ts'
import type { Caller } from '../caller.ts'
import type { Intake } from './intake.ts'
import { createUploads } from './uploads.ts'
import type { Volumes } from './volumes.ts'

const ann = { user: 'ann', via: 'session', viaId: '', from: '', may: () => true, need: () => {} } as Caller
const HOUR_MS = 3600_000

async function world(system = fakeSystem({ writable: ['/state'] })) {
    const clock = fakeClock()
    const log = fakeLog()
    const tasks = await createTasks({ system, clock, log, folder: '/state/tasks' })
    const taken: { folder: string; holds: string[] }[] = []
    const intake = {
        checkTarget: async () => {},
        checkStaging: async () => {},
        take: async ({ folder }: { folder: string }) => void taken.push({ folder, holds: await system.list(folder) }),
    } as unknown as Intake
    const volumes = { madeBy: () => undefined } as unknown as Volumes
    const uploads = createUploads({ system, tasks, clock, log, intake, volumes, folder: '/state/uploads' })
    await uploads.start()
    const begin = (name: string) =>
        uploads.begin({
            pool: 'default',
            name,
            sizeBytes: 10,
            format: 'raw',
            keepAs: 'raw',
            checksum: '',
            overwrite: false,
            owner: 'ann',
        })
    return { system, clock, tasks, uploads, begin, taken }
}

test('it waits for a day, and is cleaned away', async () => {
    const { system, clock, tasks, uploads, begin } = await world()
    const { upload, task } = await begin('x.raw')
    expect(system.modes.get(`/state/uploads/${upload}`)).toBe(0o700)
    expect(system.modes.get(`/state/uploads/${upload}/session.json`)).toBe(0o600)
    await clock.advance(23 * HOUR_MS)
    expect(uploads.find(upload, ann).receivedBytes).toBe(0)
    await clock.advance(2 * HOUR_MS)
    expect(tasks.get(task)).toMatchObject({ state: 'failed', problem: { code: 'deadline' }, undo: [] })
    expect(() => uploads.find(upload, ann)).toThrow('no such upload')
    expect(await system.list('/state/uploads')).toEqual([])
})

test('so many at once, and no more', async () => {
    const { begin } = await world()
    for (let n = 0; n < 32; n++) await begin(`x${n}.raw`)
    await expect(begin('one-more.raw')).rejects.toMatchObject({ code: 'exhausted' })
})

test('what has no task any more is not kept', async () => {
    const { system, uploads } = await world()
    await system.writeFile('/state/uploads/AAAAAAAAAAAAAAAAAAAAAAAA/part', 'x')
    await system.writeFile('/state/uploads/AAAAAAAAAAAAAAAAAAAAAAAA/session.json', '{"id":')
    await system.makeDirectory('/state/uploads/strange')
    await uploads.start()
    expect(await system.list('/state/uploads')).toEqual([])
})

test('a crash between the first record and the task leaves nothing; one just after the task is taken up', async () => {
    const before = await world()
    const { upload, task } = await before.begin('x.raw')
    const path = `/state/uploads/${upload}/session.json`
    const session = JSON.parse((await before.system.readText(path))!)
    // As they lie on the disk when the daemon dies: the second record of the session has not been written.
    await before.system.writeFile(path, JSON.stringify({ ...session, task: '' }))
    const orphan = 'BBBBBBBBBBBBBBBBBBBBBBBB'
    const itsPath = `/state/uploads/${orphan}/session.json`
    await before.system.writeFile(itsPath, JSON.stringify({ ...session, id: orphan, name: 'y.raw', task: '' }))
    const after = await world(before.system)
    await after.tasks.recover()
    expect(await after.system.list('/state/uploads')).toEqual([upload])
    expect(after.uploads.find(upload, ann).task).toBe(task)
    expect(after.tasks.get(task)?.state).toBe('running')
    await after.uploads.cancel(upload, ann)
    await expect.poll(() => after.tasks.get(task)?.state).toBe('cancelled')
    // The name of the other one is free.
    await after.begin('y.raw')
})

test('a piece that could not be written can be sent again', async () => {
    const { system, uploads, begin } = await world()
    const { path } = await begin('x.raw')
    const { openWritable } = system
    system.openWritable = async () => {
        throw new Fault('exhausted', { summary: 'The file system is full' })
    }
    const put = async () => {
        const request = Object.assign(Readable.from([Buffer.from('0123456789')]), {
            ...{ method: 'PUT', url: path, headers: { 'content-length': '10' } },
        })
        let status = 0
        const response = {
            setHeader: () => {},
            writeHead: (code: number) => (status = code) && response,
            end: () => {},
        }
        await uploads.route.handle!(request as never, response as never, ann)
        return status
    }
    await expect(put()).rejects.toMatchObject({ code: 'exhausted' })
    system.openWritable = openWritable
    expect(await put()).toBe(200)
})

test('pieces over HTTP/2 too, and a wrong place says the right one', async () => {
    const { system, tasks, uploads, begin, taken } = await world()
    const { upload, path, task } = await begin('x.raw')
    const server = createServer((request, response) => {
        uploads.route.handle!(request as unknown as IncomingMessage, response as unknown as ServerResponse, ann).catch(
            () => response.destroy(),
        )
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const client = connect(`http://127.0.0.1:${(server.address() as { port: number }).port}`)
    const put = async (data: string, from: number) => {
        const range = `bytes ${from}-${from + data.length - 1}/10`
        const stream = client.request({ ':method': 'PUT', ':path': path, 'content-range': range })
        stream.end(data)
        let text = ''
        for await (const chunk of stream) text += chunk
        return JSON.parse(text)
    }
    expect(await put('01234', 0)).toMatchObject({ receivedBytes: 5, sizeBytes: 10, task })
    expect(await put('01234', 0)).toMatchObject({ code: 'conflict', receivedBytes: 5 })
    expect(system.files.get(`/state/uploads/${upload}/data/part`)?.toString()).toBe('01234')
    expect(await put('56789', 5)).toMatchObject({ receivedBytes: 10 })
    client.close()
    server.close()
    await expect.poll(() => tasks.get(task)?.state).toBe('done')
    // The folder that a tool is given holds the bytes, and not the record.
    expect(taken).toEqual([{ folder: `/state/uploads/${upload}/data`, holds: ['part'] }])
})
