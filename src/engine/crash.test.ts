// The crash matrix: a daemon killed -9 at each step of a task on the real file system leaves nothing half made.
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fakeLog } from '../ports/fake.ts'
import { realClock, realSystem } from '../ports/real.ts'
import { createTasks } from './tasks.ts'

const STEPS = 12
let root = ''

beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'dv-crash-'))
    // Bundled once: compiling it in each of twenty children would take most of the time.
    await build({
        entryPoints: [join(import.meta.dirname, 'testdata/crash.ts')],
        outfile: join(root, 'crash.mjs'),
        ...{ bundle: true, platform: 'node', format: 'esm', logLevel: 'error' },
        banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)" },
    })
})
afterAll(() => rm(root, { recursive: true, force: true }))

async function freshFolder(name: string) {
    const folder = join(root, name)
    await mkdir(join(folder, 'things'), { recursive: true })
    return folder
}
const things = (folder: string) => readdir(join(folder, 'things'))

/** Runs the child until it ends; answers the steps it reached and whether it was killed. */
function live(folder: string, dieAt: number, killAfterMs = 0) {
    const argv = [join(root, 'crash.mjs'), folder, String(dieAt)]
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    let errors = ''
    child.stderr.on('data', chunk => {
        errors += chunk
    })
    child.stdout.on('data', chunk => {
        if (killAfterMs && said === '') setTimeout(() => child.kill('SIGKILL'), killAfterMs)
        said += chunk
    })
    return new Promise<{ steps: string[]; killed: boolean }>((resolve, reject) => {
        child.on('close', (code, signal) => {
            if (code) reject(new Error(errors))
            else resolve({ steps: said.trim().split('\n'), killed: signal === 'SIGKILL' })
        })
    })
}

/** A new life on the same folder: what it shows before and after it has recovered. */
async function nextLife(folder: string) {
    const system = realSystem()
    const tasks = await createTasks({ system, clock: realClock(), log: fakeLog(), folder: join(folder, 'tasks') })
    const before = tasks.list().map(t => t.state)
    tasks.onUndo('thing', step => system.remove(join(folder, 'things', String(step.name))))
    await tasks.recover()
    const all = tasks.list()
    await tasks.close()
    return { before, all, things: await things(folder) }
}

test('killed at each step: the task is done with both things, or undone with none; never running', async () => {
    const dieAt = async (step: number) => {
        const folder = await freshFolder(`step-${step}`)
        const { steps, killed } = await live(folder, step)
        expect(killed).toBe(step < STEPS)
        const { before, all, things } = await nextLife(folder)
        expect(before).not.toContain('running')
        const done = steps.includes('ended')
        expect(things, `after '${steps.at(-1)}'`).toEqual(done ? ['a', 'b'] : [])
        for (const task of all) expect(task).toMatchObject({ state: done ? 'done' : 'interrupted', undo: [] })
        return steps.at(-1)
    }
    const last: unknown[] = []
    // Two at a time: it is starting Node that takes the time.
    for (let step = 0; step <= STEPS; step += 2) {
        last.push(...(await Promise.all([step, step + 1].filter(s => s <= STEPS).map(dieAt))))
    }
    expect(new Set(last).size).toBe(STEPS)
}, 60_000)

test('killed again while it takes back: the next life finishes that', async () => {
    const folder = await freshFolder('again')
    expect((await live(folder, 8)).steps.at(-1)).toBe('made b')
    expect(await things(folder)).toEqual(['a', 'b'])
    const second = await live(folder, 1)
    expect(second).toMatchObject({ killed: true, steps: ['opened', 'took one back'] })
    expect(await things(folder)).toEqual(['a'])
    const third = await nextLife(folder)
    expect(third.things).toEqual([])
    expect(third.all.map(t => t.state)).toEqual(['interrupted'])
}, 30_000)

test('killed from outside at odd moments: nothing half made stays', async () => {
    const round = async (killAfterMs: number) => {
        const folder = await freshFolder(`after-${killAfterMs}`)
        await live(folder, -1, killAfterMs)
        const { all, things } = await nextLife(folder)
        expect(all.map(t => t.state)).not.toContain('running')
        const done = all.some(t => t.state === 'done')
        expect(things).toEqual(done ? ['a', 'b'] : [])
    }
    for (let ms = 1; ms < 16; ms += 4) await Promise.all([round(ms), round(ms + 2)])
}, 60_000)
