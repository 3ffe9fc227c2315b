// A change of the network on a simulated NetworkManager: tried in memory, kept when it holds, back when it does not.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { nodeOf } from '../../../../tests/cases.ts'
import { apply } from '../../../engine/apply.ts'
import { readDocument } from '../../../engine/document.ts'
import { kitOf } from '../../../engine/kit.ts'
import { isEmpty } from '../../../engine/plan.ts'
import type { Resource } from '../../../engine/resource.ts'
import type { NodeOptions } from '../../../engine/testing/node.ts'
import { fakeClock } from '../../../ports/fake.ts'
import { checkNetworkSpec } from './check.ts'
import { networkGuard } from './checkpoint.ts'
import { ETC_FOLDER, RUN_FOLDER } from './observe.ts'
import { hostNetworkResources, hostNetworkTools } from './resources.ts'
import { networkSpec } from './spec.ts'
import { simulatedManager } from './testing/networkmanager.ts'

const folder = join(import.meta.dirname, 'testdata')
const schema = z.strictObject({ network: networkSpec.optional() })
const kit = kitOf(hostNetworkTools, [networkGuard])
const resources = hostNetworkResources as readonly unknown[] as Resource[]
const checks = [checkNetworkSpec]
const seenOf = (name: string) => JSON.parse(readFileSync(join(folder, name, 'seen.json'), 'utf8')) as NodeOptions

describe('a change of the network', () => {
    const world = (name = 'fresh') => {
        let manager!: ReturnType<typeof simulatedManager>
        const node = nodeOf(seenOf(name), host => {
            manager = simulatedManager(host)
            return manager.tools
        })
        const clock = fakeClock()
        /** Time goes on while something is waited for. */
        const set = async (network: string, more: object = {}) => {
            const text = `network: ${network}`
            const { document, findings } = readDocument(text, schema, checks)
            if (!document) throw new Error(JSON.stringify(findings))
            const wish = { document, text, by: 'test', signal: new AbortController().signal, ...more }
            let over = false
            const work = apply({ resources, kit, touch: node.touch, clock, pid: 1 }, wish).finally(() => {
                over = true
            })
            work.catch(() => undefined)
            while (!over) await clock.advance(1000)
            return work
        }
        const files = (below: string) =>
            [...node.system.files.keys()].filter(path => path.startsWith(`${below}/debvisor-`))
        return { node, manager, set, files }
    }
    const good = '{ bridges: [{ name: br0, ipv4: { addresses: [10.0.2.20/24], gateway: 10.0.2.2 }, ipv6: off }] }'
    const bad = '{ bridges: [{ name: br0, ipv4: { addresses: [192.0.2.9/24], gateway: 192.0.2.1 }, ipv6: off }] }'
    const addresses = async ({ manager }: ReturnType<typeof world>, name: string) =>
        (await manager.state()).links.find(one => one.ifname === name)?.addr_info.map(one => one.local)

    it('is tried in memory, and written for the next boot when what answered before answers again', async () => {
        const one = world()
        const { failed, left } = await one.set(good)
        expect(failed).toEqual([])
        expect(isEmpty(left)).toBe(true)
        expect(await addresses(one, 'br0')).toEqual(['10.0.2.20'])
        expect(one.files(RUN_FOLDER)).toEqual([])
        expect(one.files(ETC_FOLDER)).toHaveLength(2)
        expect(
            [...one.node.system.modes].filter(([path]) => path.startsWith(`${ETC_FOLDER}/`)).map(([, mode]) => mode),
        ).toEqual([0o600, 0o600])
        await one.manager.boot()
        expect(await one.set(good)).toMatchObject({ steps: 0, failed: [] })
    })

    it('comes back where the network is cut, leaves nothing for the next boot, and is not repeated unasked', async () => {
        const one = world()
        await one.set(good)
        const { failed } = await one.set(bad)
        expect(failed).toMatchObject([{ resource: 'network.host', problem: { code: 'deadline' } }])
        expect(await addresses(one, 'br0')).toEqual(['10.0.2.20'])
        expect((await one.set(bad)).failed[0]?.problem.summary).toMatch(/tried before/)
        expect((await one.set(bad, { retry: true })).failed[0]?.problem.code).toBe('deadline')
        const ran = one.node.system.ran.length
        expect((await one.set(good)).failed).toEqual([])
        // What the rollback left is cleared away; nothing is brought down or up for that.
        expect(one.node.system.ran.slice(ran).filter(argv => /\b(up|down|reapply)\b/.test(argv.join(' ')))).toEqual([])
        expect(one.files(ETC_FOLDER)).toHaveLength(2)
        expect(await one.set(good)).toMatchObject({ steps: 0, failed: [] })
    })

    it('is remembered where it was cut off: nobody saw it to be good', async () => {
        const one = world()
        await one.set(good)
        one.node.onTouch = argv => {
            if (argv.includes('reapply')) throw new Error('killed')
            // Nobody is left to bring it back.
            if (argv.includes('CheckpointRollback')) throw new Error('killed')
        }
        await one.set(bad)
        one.node.onTouch = () => {}
        const waiting = await one.set(good)
        expect(waiting.left.findings.map(({ code }) => code)).toContain('change-open')
        await one.manager.back()
        expect((await one.set(good)).failed).toEqual([])
        expect(await one.set(good)).toMatchObject({ steps: 0, failed: [] })
        expect((await one.set(bad)).failed[0]?.problem.summary).toMatch(/tried before/)
        await one.manager.boot()
        expect((await one.set(bad)).failed[0]?.problem.summary).toMatch(/tried before/)
        expect(await one.set(good)).toMatchObject({ steps: 0, failed: [] })
    })

    it('comes to the same end when the power goes between any two steps of a good one', async () => {
        for (let after = 1; after < 40; after++) {
            const one = world()
            let touches = 0
            one.node.onTouch = () => {
                if (++touches > after) throw new Error('the power is gone')
            }
            const cut = await one.set(good).catch(() => undefined)
            one.node.onTouch = () => {}
            if (cut && cut.failed.length === 0 && touches <= after) return
            await one.manager.boot()
            const { failed, left } = await one.set(good, { retry: true })
            expect(failed).toEqual([])
            expect(isEmpty(left)).toBe(true)
        }
        throw new Error('it never came to its end')
    })

    it('leaves the taps of running VMs on their bridge, however it is changed', async () => {
        const one = world()
        await one.set(good)
        const { links } = await one.manager.state()
        const tap = { ifname: 'vnet7', ifindex: 99, flags: [], mtu: 1500, address: '', addr_info: [], master: 'br0' }
        links.push({ ...tap, linkinfo: { info_kind: 'tun' } })
        const aware = good.replace('name: br0,', 'name: br0, vlanAware: true,')
        for (const network of [aware, aware.replace('2.20/', '2.21/')]) {
            expect((await one.set(network)).failed).toEqual([])
            expect((await one.manager.state()).links.find(link => link.ifname === 'vnet7')?.master).toBe('br0')
        }
        const joins = one.node.system.ran.filter(argv => argv.includes('master'))
        expect(joins).toEqual([['/usr/sbin/ip', 'link', 'set', 'dev', 'vnet7', 'master', 'br0']])
    })

    it('is kept only by a yes where somebody sits at the terminal', async () => {
        const one = world()
        const asked: string[] = []
        const ask = (yes: boolean) => async (question: string, deadlineMs: number) => {
            asked.push(question)
            expect(deadlineMs).toBeGreaterThan(0)
            return yes
        }
        expect((await one.set(good, { ask: ask(false) })).failed[0]?.problem.summary).toMatch(/not confirmed/)
        expect(await addresses(one, 'br0')).toBeUndefined()
        expect((await one.set(good, { ask: ask(true), retry: true })).failed).toEqual([])
        expect(asked).toHaveLength(2)
        // What was kept in the end is no wrong one.
        expect(await one.set(good)).toMatchObject({ steps: 0, failed: [] })
    })

    it('looks at cable and addresses only where nothing answered before, and says so', async () => {
        const one = world()
        one.node.system.files.delete('/run/simulated/answers')
        const { failed, left } = await one.set(bad)
        expect(failed).toEqual([])
        expect(isEmpty(left)).toBe(true)
        expect(await addresses(one, 'br0')).toEqual(['192.0.2.9'])
    })

    it('begins nothing beside a change that somebody else has not confirmed', async () => {
        const one = world()
        await networkGuard.open(one.node.system, 1000)
        await expect(networkGuard.open(one.node.system, 1000)).rejects.toMatchObject({ code: 'conflict' })
    })
})
