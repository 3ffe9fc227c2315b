// How many tools run at once in the sandbox, and who goes on when one ends.
import { expect, test } from 'vitest'
import { fakeLog, fakeSystem } from '../../ports/fake.ts'
import { createSandbox } from './sandbox.ts'

function world(options: { isRoot?: boolean; works?: (argv: readonly string[]) => boolean } = {}) {
    const begun: string[] = []
    const ends = new Map<string, () => void>()
    const system = fakeSystem({
        writable: ['/work', '/own'],
        tools: [
            {
                argv: () => true,
                answer: ({ argv }) => {
                    const name = argv.at(-1)!
                    if (name === '--version') return { exitCode: (options.works ?? (() => true))(argv) ? 0 : 1 }
                    begun.push(name)
                    return new Promise(resolve => ends.set(name, () => resolve({ stdout: name })))
                },
            },
        ],
    })
    const sandbox = createSandbox({ system, log: fakeLog(), isRoot: options.isRoot ?? false, folder: '/own' })
    const run = (name: string, signal?: AbortSignal) =>
        sandbox.run({
            ...{ argv: ['qemu-img', name], folder: '/work', files: [], maxFileBytes: 0, deadlineMs: 1000, signal },
        })
    return { begun, run, system, sandbox, end: (name: string) => ends.get(name)!() }
}

const hasLandlock = (argv: readonly string[]) => argv.includes('--landlock-access=fs')
const hasRoot = (argv: readonly string[]) => argv.includes('/own/root')

test('a service that is not root opens no image where it could read what is its own', async () => {
    const refused = { code: 'precondition', fix: expect.stringContaining('Landlock') }
    await expect(world({ works: argv => !hasRoot(argv) && !hasLandlock(argv) }).run('a')).rejects.toMatchObject(refused)
    const bare = world({ works: argv => !hasLandlock(argv) })
    expect(await bare.sandbox.describe()).toBe('a user namespace with processes and a root of its own, without network')
    const ruled = world({ works: argv => !hasRoot(argv) })
    expect(await ruled.sandbox.describe()).toContain('shut into its folder by Landlock')
    void ruled.run('a')
    await expect.poll(() => ruled.begun).toEqual(['a'])
    expect(hasLandlock(ruled.system.ran.at(-1)!)).toBe(true)
})

test('of two that run at once each has a user of its own', async () => {
    const { begun, run, system, end } = world({ isRoot: true })
    const both = [run('a'), run('b')]
    await expect.poll(() => begun).toEqual(['a', 'b'])
    const users = system.ran.slice(-2).map(argv => argv.find(word => word.startsWith('--reuid=')))
    expect(new Set(users).size).toBe(2)
    end('a')
    end('b')
    await Promise.all(both)
})

test('two at once; the others in their turn, and who gives up waits no more', async () => {
    const { begun, run, end } = world()
    const gone = new AbortController()
    const all = ['a', 'b', 'c', 'd', 'e'].map(name => run(name, name === 'c' ? gone.signal : undefined))
    await expect.poll(() => begun).toEqual(['a', 'b'])
    gone.abort(new Error('cancelled'))
    await expect(all[2]).rejects.toThrow('cancelled')
    await expect(run('f', AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late')
    expect(begun).toEqual(['a', 'b'])
    end('b')
    await expect.poll(() => begun).toEqual(['a', 'b', 'd'])
    end('a')
    await expect.poll(() => begun).toEqual(['a', 'b', 'd', 'e'])
    end('d')
    end('e')
    expect((await all[4])!.stdout).toBe('e')
    // All places are free again.
    const more = ['g', 'h', 'i'].map(name => run(name))
    await expect.poll(() => begun.slice(4)).toEqual(['g', 'h'])
    end('g')
    await expect.poll(() => begun.slice(4)).toEqual(['g', 'h', 'i'])
    end('h')
    end('i')
    await Promise.all(more)
})
