// What an import reads is what was judged: files that are moved meanwhile, servers that are let go, keys that are not shown.
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Fault } from '../../base/fault.ts'
import type { Tasks } from '../../engine/task.ts'
import { createTasks } from '../../engine/tasks.ts'
import { fakeClock, fakeLog } from '../../ports/fake.ts'
import type { System } from '../../ports/ports.ts'
import { realSystem } from '../../ports/real.ts'
import { createImports, type ImportWish } from './imports.ts'
import type { Intake, Staged } from './intake.ts'
import type { Volumes } from './volumes.ts'

let root = ''
beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'dv-imports-'))
})
const open: Tasks[] = []
afterAll(async () => {
    // They still put away what has ended.
    await Promise.all(open.map(tasks => tasks.close()))
    await rm(root, { recursive: true, force: true })
})

async function world(
    options: {
        system?: Partial<System>
        intake?: Partial<Intake>
        volumes?: Partial<Volumes>
        importFolders?: string[]
    } = {},
) {
    const folder = await mkdtemp(join(root, 'world-'))
    const real = realSystem()
    const system = { ...real, ...options.system }
    const tasks = await createTasks({ system, clock: fakeClock(), log: fakeLog(), folder: `${folder}/tasks` })
    open.push(tasks)
    const taken: Staged[] = []
    const intake = {
        checkTarget: async () => {},
        checkStaging: async () => {},
        take: async (staged: Staged) => void taken.push(staged),
        ...options.intake,
    } as unknown as Intake
    const inside = `${folder}/inside`
    await mkdir(`${inside}/deep`, { recursive: true })
    await mkdir(`${folder}/outside`)
    await writeFile(`${inside}/deep/disk.raw`, 'harmless')
    await writeFile(`${folder}/outside/disk.raw`, 'SECRET')
    const imports = createImports({
        ...{ system, tasks, intake, importFolders: options.importFolders ?? [inside], folder: `${folder}/work` },
        volumes: { byPath: () => undefined, ...options.volumes } as unknown as Volumes,
        users: { ofPath: () => [] },
        rules: () => ({ own: [], allowed: ['127.0.0.1'] }),
    })
    await imports.start()
    const wish = (source: string): ImportWish => ({
        ...{ source, pool: 'default', name: 'x.raw', format: 'raw', keepAs: 'raw', checksum: '', overwrite: false },
    })
    const run = async (source: string) => {
        const { settled } = await tasks.begin({ kind: 'image.import', title: 't', owner: 'ann' }, task =>
            imports.run(wish(source), task),
        )
        return settled
    }
    return { folder, inside, imports, wish, run, taken }
}

test('a folder that becomes a link between the look and the opening leads nowhere', async () => {
    const real = realSystem()
    let swap = async () => {}
    const openReadable: System['openReadable'] = async path => {
        await swap()
        return real.openReadable(path)
    }
    const { folder, inside, run, taken } = await world({ system: { openReadable } })
    expect((await run(`${inside}/deep/disk.raw`)).state).toBe('done')
    expect(taken).toMatchObject([{ sizeBytes: 8 }])
    swap = async () => {
        swap = async () => {}
        await rename(`${inside}/deep`, `${inside}/away`)
        await symlink(`${folder}/outside`, `${inside}/deep`)
    }
    const task = await run(`${inside}/deep/disk.raw`)
    expect(task).toMatchObject({ state: 'failed', problem: { code: 'denied' } })
    expect(task.problem?.summary).toContain('outside the folders')
    expect(taken).toHaveLength(1)
})

test('a file that is put under the name while it is read is not what is read', async () => {
    const real = realSystem()
    let path = ''
    const openReadable: System['openReadable'] = async at => {
        const file = await real.openReadable(at)
        await rename(`${path}/../outside/disk.raw`, `${path}/deep/disk.raw`)
        return file
    }
    const sizes: number[] = []
    const { inside, run } = await world({
        system: { openReadable },
        intake: { take: async staged => sizes.push(staged.sizeBytes) as never },
    })
    path = inside
    expect((await run(`${inside}/deep/disk.raw`)).state).toBe('done')
    expect(sizes).toEqual(['harmless'.length])
})

test('where no folder is declared, it is said how one is', async () => {
    const { inside, imports, wish } = await world({ importFolders: [] })
    const refused = imports.check(wish(`${inside}/deep/disk.raw`))
    await expect(refused).rejects.toMatchObject({ code: 'denied', fix: expect.stringContaining('--import-folder') })
    await expect(refused).rejects.toMatchObject({ fix: expect.stringContaining('IMPORT_FOLDER=') })
})

test('a pool below a folder for imports gives no seed away', async () => {
    const byPath: Volumes['byPath'] = path =>
        ({ pool: 'default', name: path.split('/').at(-1), format: 'raw' }) as never
    const { inside, imports, wish, run } = await world({ volumes: { byPath } })
    await writeFile(`${inside}/web1-seed.iso`, 'password')
    await expect(imports.check(wish(`${inside}/web1-seed.iso`))).rejects.toMatchObject({ code: 'denied' })
    expect((await run(`${inside}/web1-seed.iso`)).problem?.summary).toContain('A cloud-init seed holds secrets')
    await imports.check(wish(`${inside}/deep/disk.raw`))
})

test('the server is let go when the image has no room, before any of it is read', async () => {
    let closed: () => void = () => {}
    const letGo = new Promise<void>(resolve => {
        closed = resolve
    })
    const site = createServer((_request, response) => {
        response.on('close', closed)
        response.writeHead(200, { 'content-length': 1000 }).write('x')
    })
    await new Promise<void>(resolve => site.listen(0, '127.0.0.1', resolve))
    const checkStaging = async () => {
        throw new Fault('exhausted', { summary: 'There is no room' })
    }
    const { run } = await world({ intake: { checkStaging } })
    const task = await run(`http://127.0.0.1:${(site.address() as { port: number }).port}/x.raw`)
    expect(task.problem?.code).toBe('exhausted')
    await letGo
    site.close()
})
