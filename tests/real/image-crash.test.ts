// The daemon killed (-9) at any moment while images are taken in and cloned: all or nothing, and no leftovers.
import { execFileSync, spawn } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ImageWorld, startImageWorld } from './image-world.ts'
import { until } from './world.ts'

const ROUNDS = 5
const MIB = 1024 ** 2
let world: ImageWorld

beforeAll(async () => {
    world = await startImageWorld()
    const life = await world.live()
    await life.image.ensurePool({ name: 'default', path: world.images })
    const data = Buffer.alloc(24 * MIB)
    for (let at = 0; at < data.length; at += 2 * MIB) randomBytes(MIB).copy(data, at)
    await writeFile(join(world.imports, 'crash.raw'), data)
    await life.done(
        life.rpc.import({
            source: join(world.imports, 'crash.raw'),
            pool: 'default',
            name: 'base.qcow2',
            keepAs: 'qcow2',
        }),
    )
    await life.close()
})
afterAll(() => world?.stop())

/** Begins work in a process of its own and kills it some time after. */
async function killed(round: number, afterMs: number): Promise<void> {
    const victim = spawn(
        process.execPath,
        [
            '--import',
            'tsx',
            fileURLToPath(new URL('image-victim.ts', import.meta.url)),
            world.libvirt.socketPath,
            world.folder,
            String(round),
        ],
        { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const gone = new Promise(resolve => victim.once('close', resolve))
    let said = ''
    victim.stdout.on('data', chunk => {
        said += chunk
    })
    await until('the work to begin', 30_000, () => said.includes('begun') || victim.exitCode !== null)
    expect(said).toContain('begun')
    await Promise.race([
        new Promise(resolve => setTimeout(resolve, afterMs)),
        until('the end', 30_000, () => said.includes('ended')),
    ])
    victim.kill('SIGKILL')
    await gone
}

test('killed at random moments, each image is there whole or not at all', { timeout: 180_000 }, async () => {
    let whole = 0
    for (let round = 0; round < ROUNDS; round++) {
        await killed(round, round === 0 ? 60_000 : randomInt(0, 900))
        const life = await world.live()
        await until('all tasks to end', 30_000, () => life.tasks.list().every(t => t.endedMs !== undefined))
        await until('all to be taken back', 60_000, () => life.tasks.list().every(t => t.undo.length === 0))
        await life.done(life.rpc.refreshPool({ pool: 'default' }))
        const names = life.image.inventory.volumes('default').map(v => v.name)
        for (const [kind, reference] of [
            ['crash', join(world.imports, 'crash.raw')],
            ['clone', join(world.imports, 'crash.raw')],
        ] as const) {
            const name = `${kind}${round}.qcow2`
            const task = life.tasks.list().find(t => t.on?.name === name)
            expect([name, names.includes(name)]).toEqual([name, task?.state === 'done'])
            if (task?.state !== 'done') continue
            whole++
            execFileSync('qemu-img', ['compare', '-f', 'raw', '-F', 'qcow2', reference, join(world.images, name)])
        }
        expect(await readdir(join(world.staging, 'work'))).toEqual([])
        await life.close()
    }
    // The first round was let run to its end.
    expect(whole).toBeGreaterThanOrEqual(2)
})
