// The engine on a node in memory: what it plans it does, twice is once, and a power cut anywhere is made up for.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fakeClock } from '../ports/fake.ts'
import { type ApplyEvent, apply } from './apply.ts'
import type { Basics } from './basics.ts'
import { CONSENT_FILE } from './consent.ts'
import { keptBy, listApplies } from './history.ts'
import { kitOf } from './kit.ts'
import { LOCK_FILE } from './lock.ts'
import { isEmpty, makePlan } from './plan.ts'
import { renderPlan } from './render.ts'
import { type Resource, resource } from './resource.ts'
import { survey } from './survey.ts'
import { type NodeOptions, type SimulatedNode, simulatedNode } from './testing/node.ts'

interface Doc {
    web?: { port: number }
    disk?: string
}

const WEB_CONF = '/etc/web/web.conf'
const web = resource<Doc, { port: number }, undefined>({
    name: 'web',
    phases: ['image', 'boot'],
    needs: ['pool'],
    want: doc => doc.web,
    basics: ({ port }): Basics => ({
        packages: ['webd'],
        folders: [{ path: '/srv/web', owner: 'ceph:ceph', mode: 0o750 }],
        files: [{ path: WEB_CONF, content: `port ${port}\n`, for: 'its port' }],
        units: [{ unit: 'webd.service', enabled: true, active: true, reads: [WEB_CONF], disrupts: 'The web pauses' }],
    }),
    openings: ({ port }) => [{ port, protocol: 'tcp', from: 'any', why: 'the web' }],
})

const pool = resource<Doc, string, { made: boolean }>({
    name: 'pool',
    phases: ['boot'],
    want: doc => doc.disk,
    observe: async ({ machine }) => ({ made: (await machine.readText('/etc/pool')) !== undefined }),
    plan: (disk, { made }) => ({
        steps: made
            ? []
            : [
                  {
                      do: 'run',
                      say: `Make a pool of ${disk}`,
                      tool: 'mkpool',
                      args: [disk],
                      destroys: [`disk:${disk}`],
                      deadlineMs: 1000,
                  },
              ],
    }),
})

const kit = kitOf([{ name: 'mkpool', program: '/sbin/mkpool', half: 'machine' }])
const resources: Resource[] = [web, pool] as Resource[]

function worldOf(options: NodeOptions = {}) {
    const node = simulatedNode({
        files: { '/proc/1/stat': `1 (x) ${'0 '.repeat(30)}` },
        brings: { webd: ['webd.service'] },
        ...options,
        tools: [
            {
                argv: argv => argv[0] === '/sbin/mkpool',
                answer: ({ argv }) => {
                    node.onTouch(argv)
                    node.system.files.set('/etc/pool', Buffer.from(argv[1]!))
                    return {}
                },
            },
            ...(options.tools ?? []),
        ],
    })
    return node
}

const clock = fakeClock()
const run = (node: SimulatedNode, document: Doc, more: Partial<Parameters<typeof apply>[1]> = {}) =>
    apply(
        { resources, kit, touch: node.touch, clock, pid: 1 },
        { document, text: JSON.stringify(document), by: 'test', signal: new AbortController().signal, ...more },
    )
const planOf = async (node: SimulatedNode, document: unknown, given = resources, consented: string[] = []) =>
    makePlan(given, await survey(given, document, node.touch), new Map(consented.map(target => [target, ''])))

describe('an apply', () => {
    it('does what the plan says, and finds nothing to do afterwards', async () => {
        const node = worldOf()
        const events: ApplyEvent[] = []
        const result = await run(node, { web: { port: 80 } }, { onEvent: event => events.push(event) })
        expect(result.failed).toEqual([])
        expect(isEmpty(result.left)).toBe(true)
        expect(node.packages).toEqual(new Set(['webd']))
        expect(await node.system.readText(WEB_CONF)).toBe('port 80\n')
        expect(node.system.owners.get('/srv/web')).toEqual({ uid: 64045, gid: 64045 })
        expect(events.filter(event => event.kind === 'done').map(event => event.step.say)).toEqual([
            'Install the package webd',
            'Make the folder /srv/web',
            'Write /etc/web/web.conf (its port)',
            'Start webd.service at every boot',
            'Start webd.service',
        ])
        const again = await run(node, { web: { port: 80 } })
        expect(again).toMatchObject({ steps: 0, id: '' })
        expect(await listApplies(node.system)).toHaveLength(1)
    })

    it('restarts what reads a file that was changed, and says what that interrupts', async () => {
        const node = worldOf()
        await run(node, { web: { port: 80 } })
        const before = node.units.get('webd.service')!.starts!
        const plan = await planOf(node, { web: { port: 81 } })
        const text = renderPlan(plan)
        expect(text).toContain('Will be interrupted:\n  The web pauses')
        expect(text).toContain('-port 80')
        expect(text).toContain('+port 81')
        await run(node, { web: { port: 81 } })
        expect(node.units.get('webd.service')!.starts).toBe(before + 1)
    })

    it('makes up for a restart that never came', async () => {
        const node = worldOf()
        await run(node, { web: { port: 80 } })
        node.onTouch = argv => {
            if (argv[1] === 'restart') throw new Error('the power is gone')
        }
        await run(node, { web: { port: 81 } })
        expect(await node.system.readText(WEB_CONF)).toBe('port 81\n')
        node.onTouch = () => {}
        const plan = await planOf(node, { web: { port: 81 } })
        expect(plan.groups.flatMap(group => group.steps.map(step => step.say))).toEqual([
            'Restart webd.service with its new configuration',
        ])
    })

    it('starts again what failed too often in a row', async () => {
        const node = worldOf()
        await run(node, { web: { port: 80 } })
        Object.assign(node.units.get('webd.service')!, { active: false, failed: true, limited: true })
        expect((await run(node, { web: { port: 80 } })).failed).toEqual([])
        expect(node.units.get('webd.service')).toMatchObject({ active: true, failed: false })
    })

    it('names a hand edit before it overwrites it', async () => {
        const node = worldOf()
        await run(node, { web: { port: 80 } })
        node.system.files.set(WEB_CONF, Buffer.from('port 8080\n# mine\n'))
        node.units.get('webd.service')!.active = false
        const text = renderPlan(await planOf(node, { web: { port: 80 } }))
        expect(text).toContain('-# mine')
        expect(text).toContain('Start webd.service')
        const { id } = await run(node, { web: { port: 80 } })
        const { kept, read } = await keptBy(node.system, id)
        expect(kept.map(file => file.path)).toEqual([WEB_CONF])
        expect(await read(kept[0]!.copy!)).toBe('port 8080\n# mine\n')
    })

    it('refuses a second one while the first runs, and a lock of the dead is void', async () => {
        const node = worldOf()
        const first = run(node, { web: { port: 80 } })
        await expect(run(node, { web: { port: 81 } })).rejects.toMatchObject({ code: 'conflict' })
        await first
        node.system.files.set(LOCK_FILE, Buffer.from(JSON.stringify({ pid: 4711, began: '5', what: 'x', sinceMs: 0 })))
        await expect(run(node, { web: { port: 81 } })).resolves.toMatchObject({ failed: [] })
    })

    it('refuses a plan whose basis has moved', async () => {
        const node = worldOf()
        const { basis } = await planOf(node, { web: { port: 80 } })
        node.packages.add('webd')
        await expect(run(node, { web: { port: 80 } }, { basis })).rejects.toMatchObject({ code: 'conflict' })
        expect(node.system.files.has(WEB_CONF)).toBe(false)
    })

    it('runs no step when its journal cannot be written', async () => {
        const node = worldOf()
        node.system.openLines = async () => {
            throw Object.assign(new Error('full'), { code: 'ENOSPC' })
        }
        await expect(run(node, { web: { port: 80 } })).rejects.toMatchObject({ code: 'exhausted' })
        expect(node.packages.size).toBe(0)
        expect(await node.system.readText(LOCK_FILE)).toBeUndefined()
    })

    it('stops between two steps when it is cancelled, and goes on when it is applied again', async () => {
        const node = worldOf()
        const abort = new AbortController()
        const stop = (event: ApplyEvent) => event.kind === 'done' && event.step.do === 'write' && abort.abort()
        await expect(run(node, { web: { port: 80 } }, { signal: abort.signal, onEvent: stop })).rejects.toMatchObject({
            code: 'cancelled',
        })
        expect((await listApplies(node.system))[0]).toMatchObject({ state: 'cancelled' })
        expect(isEmpty((await run(node, { web: { port: 80 } })).left)).toBe(true)
    })

    it('goes on with what does not need what failed', async () => {
        const node = worldOf()
        node.onTouch = argv => {
            if (argv[0] === '/sbin/mkpool') throw new Error('it burns')
        }
        const lone = resource<Doc, Doc, undefined>({
            name: 'lone',
            phases: ['boot'],
            want: doc => doc,
            basics: () => ({ files: [{ path: '/etc/lone', content: 'x', for: 'itself' }] }),
        })
        const target = 'disk:/dev/x'
        const events: ApplyEvent[] = []
        const result = await apply(
            { resources: [...resources, lone] as Resource[], kit, touch: node.touch, clock, pid: 1 },
            {
                ...{ document: { web: { port: 80 }, disk: '/dev/x' }, text: '', by: 'test' },
                signal: new AbortController().signal,
                consents: [{ target, fingerprint: '' }],
                onEvent: event => events.push(event),
            },
        )
        expect(result.failed.map(one => one.resource)).toEqual(['pool'])
        expect(events.find(event => event.kind === 'skipped')).toMatchObject({ resource: 'web' })
        expect(await node.system.readText('/etc/lone')).toBe('x')
        // What was begun stays ours to finish: no second consent is asked for.
        expect(JSON.parse((await node.system.readText(CONSENT_FILE))!).intents).toMatchObject([{ target }])
        node.onTouch = () => {}
        expect(isEmpty((await run(node, { web: { port: 80 }, disk: '/dev/x' })).left)).toBe(true)
        expect(JSON.parse((await node.system.readText(CONSENT_FILE))!)).toEqual({ consents: [], intents: [] })
    })
})

describe('consent', () => {
    it('is refused with exit code 3 when it is not there, and nothing is done', async () => {
        const node = worldOf()
        const plan = await planOf(node, { disk: '/dev/x', web: { port: 80 } })
        expect(renderPlan(plan)).toMatch(/^DATA WILL BE DESTROYED on:\n {2}disk:\/dev\/x {3}\(not agreed to yet\)/)
        await expect(run(node, { disk: '/dev/x', web: { port: 80 } })).rejects.toMatchObject({
            code: 'denied',
            at: 'consent',
        })
        expect(node.packages.size).toBe(0)
    })

    it('may be left out: the rest is done, what needs it waits', async () => {
        const node = worldOf()
        const result = await run(node, { disk: '/dev/x', web: { port: 80 } }, { leaveWithheld: true })
        expect(result.steps).toBe(0)
        expect(result.left.groups).toMatchObject([
            { resource: 'pool', withheld: ['disk:/dev/x'] },
            { resource: 'web', waitsFor: 'pool' },
        ])
    })

    it('is spent by its use, and dropped when it was not used', async () => {
        const node = worldOf()
        const consents = [{ target: 'disk:/dev/x', fingerprint: '' }]
        await run(node, { disk: '/dev/x' }, { consents })
        node.system.files.delete('/etc/pool')
        await expect(run(node, { disk: '/dev/x' })).rejects.toMatchObject({ at: 'consent' })
        await run(node, {}, { consents })
        await expect(run(node, { disk: '/dev/x' })).rejects.toMatchObject({ at: 'consent' })
    })
})

// Documents and machines by chance: names overlap, so that units read files of the same resource and packages repeat.
const word = fc.constantFrom('a', 'b', 'c', 'd')
const basicsOf = fc.record({
    packages: fc.uniqueArray(word, { maxLength: 3 }),
    files: fc.uniqueArray(
        fc.record({
            path: word.map(w => `/etc/t/${w}`),
            content: fc.option(fc.constantFrom('x', 'y'), { nil: undefined }),
        }),
        {
            selector: file => file.path,
            maxLength: 3,
        },
    ),
    unit: fc.option(fc.record({ unit: word.map(w => `${w}.service`), active: fc.boolean(), enabled: fc.boolean() }), {
        nil: undefined,
    }),
})
const machine = fc.record({
    packages: fc.uniqueArray(word),
    files: fc.dictionary(
        word.map(w => `/etc/t/${w}`),
        fc.constantFrom('x', 'z'),
    ),
    units: fc.dictionary(
        word.map(w => `${w}.service`),
        fc.record({ enabled: fc.boolean(), active: fc.boolean() }),
    ),
})

describe('whatever is wanted of whatever machine', () => {
    // Each resource has words of its own: two that want one file differently are a mistake no engine can mend.
    const make = (
        index: number,
        spec: {
            packages: string[]
            files: { path: string; content?: string }[]
            unit?: { unit: string; active: boolean; enabled: boolean }
        },
    ) =>
        resource<object, typeof spec, undefined>({
            name: `r${index}`,
            phases: ['boot'],
            needs: index > 0 ? [`r${index - 1}`] : [],
            want: () => spec,
            basics: () => ({
                packages: spec.packages,
                files: spec.files.map(file => ({ path: `${file.path}${index}`, content: file.content, for: 'a test' })),
                units: spec.unit
                    ? [
                          {
                              ...spec.unit,
                              unit: `${index}${spec.unit.unit}`,
                              reads: spec.files.map(file => `${file.path}${index}`),
                          },
                      ]
                    : [],
            }),
        }) as Resource

    it('a plan is the same twice and in any order, is done, and is empty afterwards', async () => {
        await fc.assert(
            fc.asyncProperty(fc.array(basicsOf, { minLength: 1, maxLength: 4 }), machine, async (specs, seen) => {
                const made = specs.map((spec, index) => make(index, spec))
                const node = simulatedNode({ ...seen, files: { ...seen.files, '/proc/1/stat': '1 (x) 0' } })
                const plan = await planOf(node, {}, made)
                expect(await planOf(node, {}, made)).toEqual(plan)
                expect((await planOf(node, {}, made.toReversed())).groups).toEqual(plan.groups)
                const wish = { document: {}, text: '', by: 'test', signal: new AbortController().signal }
                const result = await apply({ resources: made, kit, touch: node.touch, clock, pid: 1 }, wish)
                expect(result.failed).toEqual([])
                expect(isEmpty(result.left)).toBe(true)
            }),
            { numRuns: 60 },
        )
    })

    it('a power cut at any touch is made up for by the next apply', async () => {
        await fc.assert(
            fc.asyncProperty(basicsOf, machine, fc.integer({ min: 0, max: 12 }), async (spec, seen, at) => {
                const made = [make(0, spec)]
                const node = simulatedNode({ ...seen, files: { ...seen.files, '/proc/1/stat': '1 (x) 0' } })
                let left = at
                node.onTouch = () => {
                    if (left-- <= 0) throw new Error('the power is gone')
                }
                const wish = { document: {}, text: '', by: 'test', signal: new AbortController().signal }
                const deps = { resources: made, kit, touch: node.touch, clock, pid: 1 }
                await apply(deps, wish).catch(() => undefined)
                node.onTouch = () => {}
                node.system.files.delete(LOCK_FILE)
                expect(isEmpty((await apply(deps, wish)).left)).toBe(true)
            }),
            { numRuns: 100 },
        )
    })
})
