// A tool that an image has taken over puts something else where its output should be: that is not carried into a pool.
import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Piece } from '../../drivers/libvirt/libvirt.ts'
import type { RunningTask } from '../../engine/task.ts'
import { realSystem } from '../../ports/real.ts'
import { createIntake } from './intake.ts'
import type { Inventory } from './inventory.ts'
import type { Sandbox } from './sandbox.ts'
import type { Volumes } from './volumes.ts'

let root = ''
beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'dv-intake-'))
    await writeFile(`${root}/secret`, 'SECRET')
})
afterAll(() => rm(root, { recursive: true, force: true }))

/** A qcow2 image of version 2 without anything but its header. */
function header(): Buffer {
    const head = Buffer.alloc(72)
    head.write('QFI\xfb', 'latin1')
    head.writeUInt32BE(2, 4)
    return head
}

async function taken(putOut: (path: string) => Promise<unknown>): Promise<string> {
    const folder = await mkdtemp(join(root, 'work-'))
    await writeFile(`${folder}/part`, header())
    const said: Record<string, object> = {
        info: { format: 'qcow2', 'virtual-size': 6, filename: './part' },
        check: {},
        measure: { required: 6 },
        convert: {},
    }
    const run: Sandbox['run'] = async ({ argv }) => {
        if (argv[1] === 'convert') await putOut(`${folder}/out`)
        return { exitCode: 0, stdout: JSON.stringify(said[argv[1]!]), stderr: '' }
    }
    const pool = { name: 'default', type: 'dir', active: true, capacityBytes: 2 ** 30, availableBytes: 2 ** 30 }
    const inventory = { ready: async () => {}, pool: () => pool, lookAgain: async () => undefined }
    let content = ''
    const fill: Volumes['fill'] = async ({ sizeBytes }, from) => {
        for await (const piece of from.source(0) as AsyncIterable<Piece>) content += Buffer.from(piece as Uint8Array)
        return { poolType: 'dir', physicalBytes: sizeBytes } as never
    }
    const intake = createIntake({
        system: realSystem(),
        sandbox: { run, describe: async () => '' },
        inventory: inventory as unknown as Inventory,
        volumes: { fill } as unknown as Volumes,
        stagingFolder: root,
    })
    const task = { id: 't', signal: new AbortController().signal, progress: () => {}, undo: async () => {} }
    const target = { pool: 'default', name: 'x.raw', keepAs: 'raw', overwrite: false } as const
    const staged = { folder, sizeBytes: 72, format: 'qcow2', checksum: '' } as const
    await intake.take(staged, target, task as unknown as RunningTask, 0)
    return content
}

test('a plain file goes into the pool', async () => {
    expect(await taken(out => writeFile(out, 'a disk'))).toBe('a disk')
})

test('a link is not followed, a pipe is not waited for', async () => {
    await expect(taken(out => symlink(`${root}/secret`, out))).rejects.toMatchObject({ code: 'denied' })
    await expect(taken(async out => execFileSync('mkfifo', [out]))).rejects.toMatchObject({ code: 'invalid' })
    expect(await readFile(`${root}/secret`, 'utf8')).toBe('SECRET')
})
