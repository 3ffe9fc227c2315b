// Looks at the whole machine for a document: every resource's wish, all basics in one go, then what each sees by itself.
import { createHash } from 'node:crypto'
import type { Survey, Surveyed } from './plan.ts'
import type { Look, Resource } from './resource.ts'
import { seeBasics } from './see-basics.ts'

/** Touches nothing: it is handed Probes only. */
export async function survey(resources: readonly Resource[], document: unknown, look: Look): Promise<Survey> {
    const wanted = resources
        .filter(one => one.phases.includes(look.phase))
        .map(one => ({ one, want: one.want(document) }))
        .filter(({ want }) => want !== undefined)
        .map(({ one, want }) => ({ one, want, basics: one.basics?.(want) ?? {} }))
    const [seen, owns] = await Promise.all([
        seeBasics(
            look,
            wanted.map(({ basics }) => basics),
        ),
        Promise.all(wanted.map(({ one, want }) => one.observe?.(look, want))),
    ])
    const found = new Map<string, Surveyed>(
        wanted.map(({ one, want, basics }, at) => [one.name, { want, basics, own: owns[at] }]),
    )
    return { basis: hashOf([document, [...found], seen]), phase: look.phase, seen, resources: found }
}

/** Of any plain value; the order of keys does not count. */
export function hashOf(value: unknown): string {
    return createHash('sha256').update(canonical(value)).digest('hex')
}

function canonical(value: unknown): string {
    if (value instanceof Map) return canonical([...value])
    if (value instanceof Set) return canonical([...value].sort())
    if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
    if (typeof value === 'bigint') return `${value}n`
    if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
    const keys = Object.keys(value).filter(key => (value as Record<string, unknown>)[key] !== undefined)
    const pairs = keys.sort().map(key => `${JSON.stringify(key)}:${canonical((value as Record<string, unknown>)[key])}`)
    return `{${pairs.join(',')}}`
}
