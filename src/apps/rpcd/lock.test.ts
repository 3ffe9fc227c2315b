// The lock of the folders: one holder, whatever the path, and free again when it ends.
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { realSystem } from '../../ports/real.ts'
import { checkNobodyAt, lockFolders } from './lock.ts'

const system = realSystem()
let folder: string

beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lock-'))
    for (const name of ['state', 'audit']) await system.makeDirectory(join(folder, name))
    await symlink(join(folder, 'state'), join(folder, 'link'))
})
afterAll(() => rm(folder, { recursive: true }))

it('has one holder, who is named, by whatever path', async () => {
    const [state, audit, link] = ['state', 'audit', 'link'].map(name => join(folder, name)) as [string, string, string]
    const release = await lockFolders([state, audit, state], system)
    for (const folders of [[state], [link], [join(folder, 'other'), audit]]) {
        await expect(lockFolders(folders, system)).rejects.toMatchObject({
            code: 'conflict',
            detail: expect.stringContaining(`process ${process.pid}`),
            fix: expect.stringContaining('--state'),
        })
    }
    // What a refused one had taken is free again.
    await (await lockFolders([join(folder, 'other')], system))()
    await release()
    await (await lockFolders([link], system))()
})

it('leaves a socket alone at which somebody answers, and only then', async () => {
    const path = join(folder, 'rpcd.sock')
    await checkNobodyAt(path)
    const server = createServer(socket => socket.on('error', () => {}))
    await new Promise<void>(resolve => server.listen(path, resolve))
    await expect(checkNobodyAt(path)).rejects.toMatchObject({ code: 'conflict', detail: path })
    await new Promise(resolve => server.close(resolve))
    await system.writeFile(path, 'left by a killed one')
    await checkNobodyAt(path)
})
