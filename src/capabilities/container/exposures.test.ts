// Which ports of containers are open: what the firewall is told when, over an inventory and a firewall that a test moves.
import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { Fault } from '../../base/fault.ts'
import { ContainerSchema } from '../../gen/proto/capabilities/container/container_pb.js'
import { fakeClock, fakeLog, fakeSystem } from '../../ports/fake.ts'
import type { ContainerEntry } from './entry.ts'
import { createExposures, type ExposedPort } from './exposures.ts'
import type { Inventory } from './inventory.ts'

const PATH = '/state/exposed.json'

const entry = (id: string, port: number, change: Partial<ContainerEntry> = {}): ContainerEntry =>
    ({
        ...{ id, name: id, running: true, addresses: ['172.17.0.2'], bridges: ['docker0'] },
        line: create(ContainerSchema, {
            ports: [{ host: port, container: 80, protocol: 'tcp', address: '0.0.0.0' }],
        }),
        ...change,
    }) as ContainerEntry

function world(files: Record<string, string> = {}) {
    const entries = new Map<string, ContainerEntry>()
    const state = { stale: false, broken: false }
    const told: string[] = []
    let wake = () => {}
    const inventory = {
        byId: (id: string) => entries.get(id),
        get stale() {
            return state.stale
        },
        note() {},
        async *watch(signal: AbortSignal) {
            while (!signal.aborted) {
                yield {}
                await new Promise<void>(resolve => {
                    wake = resolve
                })
            }
        },
    } as unknown as Inventory
    const gate = {
        present: async () => true,
        reach: async () => () => ({ words: '', open: false }),
        async expose(ports: readonly ExposedPort[]) {
            if (state.broken)
                throw new Fault('unavailable', { summary: 'The root service is away', detail: 'x', fix: 'y' })
            told.push(ports.map(({ protocol, port, address }) => `${protocol} ${port} ${address}`).join(', '))
        },
    }
    const system = fakeSystem({ files, writable: ['/state'] })
    const clock = fakeClock()
    const exposures = createExposures({ inventory, gate, system, clock, log: fakeLog(), path: PATH })
    return {
        ...{
            entries,
            state,
            told,
            exposures,
            clock,
            kept: async () => JSON.parse((await system.readText(PATH)) ?? '[]'),
        },
        /** Something of the containers has changed. */
        async changed() {
            wake()
            await clock.advance(1)
        },
    }
}

describe('exposed containers', () => {
    it('are those that run, at the address that they have now; who is gone is forgotten', async () => {
        const { entries, exposures, told, changed, kept } = world()
        entries.set('a', entry('a', 8080))
        const says = async (...all: string[]) => {
            await changed()
            await expect.poll(() => told).toEqual(all)
        }
        const [before, after] = ['tcp 8080 172.17.0.2', 'tcp 8080 172.17.0.9']
        exposures.start()
        await says('')
        await exposures.set({ id: 'a', name: 'a' }, true)
        entries.set('a', entry('a', 8080, { addresses: ['172.17.0.9'] }))
        await says('', before, after)
        entries.set('a', entry('a', 8080, { running: false, addresses: [] }))
        await says('', before, after, '')
        entries.set('a', entry('a', 8080))
        await says('', before, after, '', before)
        entries.delete('a')
        await says('', before, after, '', before, '')
        expect(await kept()).toEqual([])
        exposures.close()
    })

    it('are not guessed while Docker was never read, and stay while it is away', async () => {
        const { entries, state, exposures, told, changed, kept } = world({ [PATH]: '[["a","a"]]' })
        state.stale = true
        exposures.start()
        await changed()
        expect(told).toEqual([])
        await expect(exposures.set({ id: 'a', name: 'a' }, false)).rejects.toMatchObject({ code: 'unavailable' })
        state.stale = false
        entries.set('b', entry('b', 1))
        await changed()
        await expect.poll(() => told).toEqual([''])
        expect(await kept()).toEqual([])
        exposures.close()
    })

    it('that could not be closed are closed as soon as it can be, and that is told meanwhile', async () => {
        const { entries, state, exposures, told, clock, kept } = world()
        entries.set('a', entry('a', 8080))
        await exposures.set({ id: 'a', name: 'a' }, true)
        state.broken = true
        await expect(exposures.set({ id: 'a', name: 'a' }, false)).rejects.toThrow('The root service is away')
        await expect.poll(() => exposures.findings()).toMatchObject([{ code: 'expose-unavailable', fix: 'y' }])
        expect(await kept()).toEqual([])
        state.broken = false
        await clock.advance(15_000)
        await expect.poll(() => told).toEqual(['tcp 8080 172.17.0.2', ''])
        expect(exposures.findings()).toEqual([])
        exposures.close()
    })

    it('that could not be opened are not remembered, and a list that cannot be read opens nothing', async () => {
        const { entries, state, exposures, told, kept } = world({ [PATH]: 'torn' })
        entries.set('a', entry('a', 8080))
        state.broken = true
        await expect(exposures.set({ id: 'a', name: 'a' }, true)).rejects.toThrow('The root service is away')
        expect(exposures.has('a')).toBe(false)
        expect(await kept()).toEqual([])
        expect(told).toEqual([])
        exposures.close()
    })
})
