// How many tools run at once in the sandbox, and who goes on when one ends.
import { expect, test } from 'vitest'
import { fakeLog, fakeSystem } from '../../ports/fake.ts'
import { createSandbox } from './sandbox.ts'

function world() {
    const begun: string[] = []
    const ends = new Map<string, () => void>()
    const system = fakeSystem({
        writable: ['/work'],
        tools: [
            {
                argv: () => true,
                answer: ({ argv }) => {
                    const name = argv.at(-1)!
                    if (name === '--version') return {}
                    begun.push(name)
                    return new Promise(resolve => ends.set(name, () => resolve({ stdout: name })))
                },
            },
        ],
    })
    const sandbox = createSandbox({ system, log: fakeLog(), isRoot: false })
    const run = (name: string, signal?: AbortSignal) =>
        sandbox.run({
            ...{ argv: ['qemu-img', name], folder: '/work', files: [], maxFileBytes: 0, deadlineMs: 1000, signal },
        })
    return { begun, run, end: (name: string) => ends.get(name)!() }
}

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
