// In which order a new image and the old volume of its name come and go, and who may still cancel when.
import { expect, test } from 'vitest'
import type { RunningTask } from '../../engine/task.ts'
import type { ReadableFile } from '../../ports/ports.ts'
import { createCarrying } from './carrying.ts'
import type { Inventory } from './inventory.ts'
import type { Volumes } from './volumes.ts'

const BYTES = 1000

function world(wish: { availableBytes: number; mayReplace: boolean; replaces?: boolean }) {
    const done: string[] = []
    const abort = new AbortController()
    const old = { pool: 'default', name: 'x.raw', allocationBytes: 600 }
    const there = new Map<string, object>([['x.raw', old]])
    const pool = { name: 'default', type: 'dir', active: true, capacityBytes: 10_000, ...wish }
    const inventory = {
        pool: () => pool,
        lookAgain: async (_pool: string, name: string) => there.get(name),
        refreshVolume: async () => old,
    }
    const volumes: Partial<Volumes> = {
        checkUnused: () => {},
        madeBy: () => undefined,
        mayReplace: async () => wish.mayReplace,
        fill: async ({ name }, { signal }) => {
            done.push(`fill ${name}${signal ? '' : ' to its end'}`)
            const made = { pool: 'default', name, poolType: 'dir', physicalBytes: BYTES }
            there.set(name, made)
            return made as never
        },
        replace: async made => {
            done.push(`replace by ${made.name}`)
            return wish.replaces ?? true
        },
        remove: async ref => {
            done.push(`remove ${ref.slice('default/'.length)}`)
            there.delete(ref.slice('default/'.length))
        },
        find: async () => old as never,
    }
    const source = {
        sizeBytes: BYTES,
        read: async function* () {
            yield new Uint8Array(BYTES).fill(1)
        },
    } as unknown as ReadableFile
    const task = {
        id: 'task-one',
        signal: abort.signal,
        undo: async ({ name }: { name: string }) => void done.push(`promise ${name}`),
    } as unknown as RunningTask
    const carrying = createCarrying({
        inventory: inventory as unknown as Inventory,
        volumes: volumes as Volumes,
    })
    const load = {
        pool: 'default',
        name: 'x.raw',
        keepAs: 'raw',
        overwrite: true,
        virtualSizeBytes: BYTES,
        by: 'task-one',
    } as const
    return { done, abort, carry: () => carrying.carry(load, source, { task, tell: () => {} }) }
}

const NEW = 'new-task-one-x.raw'

test('the new one is whole before the old one goes', async () => {
    const { done, carry } = world({ availableBytes: 2000, mayReplace: true })
    await carry()
    expect(done).toEqual([`promise ${NEW}`, `fill ${NEW}`, `replace by ${NEW}`])
})

test('where nothing can be renamed the old one goes first, and then nobody cancels', async () => {
    for (const mayReplace of [false, true]) {
        const { done, carry } = world({ availableBytes: 2000, mayReplace, replaces: false })
        await carry()
        const end = ['remove x.raw', 'promise x.raw', 'fill x.raw to its end']
        expect(done.slice(-3)).toEqual(end)
        expect(done.slice(0, -3)).toEqual(
            mayReplace ? [`promise ${NEW}`, `fill ${NEW}`, `replace by ${NEW}`, `remove ${NEW}`] : [],
        )
    }
})

test('without room for both it takes the place of the old one; without room for it alone the old one stays', async () => {
    const tight = world({ availableBytes: 500, mayReplace: true })
    await tight.carry()
    expect(tight.done).toEqual(['remove x.raw', 'promise x.raw', 'fill x.raw to its end'])
    const full = world({ availableBytes: 300, mayReplace: true })
    await expect(full.carry()).rejects.toMatchObject({ code: 'exhausted' })
    expect(full.done).toEqual([])
})

test('who cancelled before keeps the old one', async () => {
    for (const mayReplace of [false, true]) {
        const { done, abort, carry } = world({ availableBytes: 2000, mayReplace })
        abort.abort(new Error('cancelled'))
        await expect(carry()).rejects.toThrow('cancelled')
        expect(done).not.toContain('remove x.raw')
    }
})
