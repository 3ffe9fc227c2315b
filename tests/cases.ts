// Runs the cases of a capability: a document, a machine in memory, and what the plan between them says (golden).
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { z } from 'zod'
import { apply } from '../src/engine/apply.ts'
import { type Check, readDocument } from '../src/engine/document.ts'
import type { Kit } from '../src/engine/kit.ts'
import { isEmpty, makePlan } from '../src/engine/plan.ts'
import { findingLines, renderPlan } from '../src/engine/render.ts'
import type { Resource } from '../src/engine/resource.ts'
import { survey } from '../src/engine/survey.ts'
import { type NodeOptions, type SimulatedNode, simulatedNode } from '../src/engine/testing/node.ts'
import { type FakeTool, fakeClock } from '../src/ports/fake.ts'
import { expectGolden } from './golden.ts'

export interface Cases<T> {
    /**
     * `testdata` of the capability: a folder a case, with want.yaml, seen.json (a NodeOptions) and plan.txt; and with
     * left.txt where something must wait after all that can be done was done.
     */
    folder: string
    schema: z.ZodType<T>
    checks: readonly Check<T>[]
    resources: readonly Resource<never>[]
    kit: Kit
    /** Tools that the machine has beyond Debian's base. */
    tools?(node: () => SimulatedNode): FakeTool[]
}

const PROCESS = { '/proc/1/stat': `1 (x) ${'0 '.repeat(30)}` }

/** A machine of a case. */
export function nodeOf(seen: NodeOptions, tools: Cases<unknown>['tools']): SimulatedNode {
    const node: SimulatedNode = simulatedNode({
        ...seen,
        files: { ...PROCESS, ...seen.files },
        tools: tools?.(() => node) ?? [],
    })
    return node
}

/** One test a case: the plan is the golden one, is carried out, and nothing is left to do; then nothing again. */
export function runCases<T>({ folder, schema, checks, resources, kit, tools }: Cases<T>): void {
    const all = resources as readonly unknown[] as Resource[]
    const names = readdirSync(folder).filter(name => existsSync(join(folder, name, 'want.yaml')))
    if (names.length === 0) throw new Error(`there are no cases in ${folder}`)
    it.each(names)('%s', async name => {
        const text = readFileSync(join(folder, name, 'want.yaml'), 'utf8')
        const seen = JSON.parse(readFileSync(join(folder, name, 'seen.json'), 'utf8')) as NodeOptions
        const { document, findings } = readDocument(text, schema, checks)
        const told = findings.map(finding => `line ${finding.line}: ${findingLines(finding).join('\n')}\n`).join('')
        if (document === undefined) return expectGolden(join(folder, name, 'plan.txt'), told)
        const node = nodeOf(seen, tools)
        const { touch } = node
        const plan = makePlan(all, await survey(all, document, touch), new Map())
        expectGolden(join(folder, name, 'plan.txt'), `${told}${renderPlan(plan, { verbose: true })}`)
        const deps = { resources: all, kit, touch, clock: fakeClock(), pid: 1 }
        const wish = { document, text, by: 'test', signal: new AbortController().signal }
        const broken = plan.groups.filter(group => group.errors.length > 0).map(group => group.resource)
        if (broken.length > 0) {
            // What cannot be made is left as it was, with all that needs it; the rest is done.
            const { failed, left } = await apply(deps, wish)
            expect(failed).toEqual([])
            expect(left.groups.map(group => group.resource)).toEqual(
                plan.groups
                    .filter(group => broken.includes(group.resource) || group.waitsFor)
                    .map(group => group.resource),
            )
            return
        }
        const applied = await apply(deps, wish)
        expect(applied.failed).toEqual([])
        const leaves = join(folder, name, 'left.txt')
        if (existsSync(leaves)) {
            // What waits has no steps, or it would not wait.
            expect(applied.left.groups.flatMap(group => group.steps.map(step => step.say))).toEqual([])
            expectGolden(leaves, renderPlan(applied.left, { verbose: true }))
        } else expect(isEmpty(applied.left), renderPlan(applied.left)).toBe(true)
        node.onTouch = argv => {
            if (!String(argv[1]).startsWith('/var/lib/debvisor/') && !String(argv[1]).startsWith('/run/'))
                throw new Error(`applied again, it touches the machine: ${argv.join(' ')}`)
        }
        expect(await apply(deps, wish)).toMatchObject({ steps: 0, failed: [] })
    })
}
