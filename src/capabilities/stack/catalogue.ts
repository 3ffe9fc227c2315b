// Stacks to begin with: folders with a Compose file and a page of facts, that came with DebVisor.
import { randomBytes } from 'node:crypto'
import { parse } from 'yaml'
import { z } from 'zod'
import { Fault } from '../../base/fault.ts'
import type { Log, Probe } from '../../ports/ports.ts'
import type { Value } from './values.ts'

const factsSpec = z.strictObject({
    title: z.string(),
    summary: z.string(),
    /** `yes`, or why nobody has started it in a test. */
    tested: z.string(),
    variables: z
        .array(
            z.strictObject({
                name: z.string(),
                title: z.string(),
                default: z.string().default(''),
                secret: z.boolean().default(false),
                /** Left empty, it is made up here. */
                generated: z.boolean().default(false),
                required: z.boolean().default(false),
            }),
        )
        .default([]),
})

export type CatalogueEntry = z.infer<typeof factsSpec> & { name: string; file: string }

export interface Catalogue {
    list(): Promise<CatalogueEntry[]>
    /** @throws Fault `not-found` */
    get(name: string): Promise<CatalogueEntry>
}

export function createCatalogue(deps: {
    probe: Pick<Probe, 'readText' | 'list'>
    folder: string
    log: Log
}): Catalogue {
    const { probe, folder, log } = deps

    async function read(name: string): Promise<CatalogueEntry | undefined> {
        const [facts, file] = await Promise.all([
            probe.readText(`${folder}/${name}/stack.yaml`),
            probe.readText(`${folder}/${name}/compose.yaml`),
        ])
        if (facts === undefined || file === undefined) return undefined
        const checked = factsSpec.safeParse(parse(facts))
        if (checked.success) return { ...checked.data, name, file }
        log.warn('An entry of the catalogue of stacks cannot be read', { name, why: checked.error.message })
        return undefined
    }

    return {
        async list() {
            const names = await probe.list(folder)
            const entries = await Promise.all(names.map(read))
            return entries.filter(one => one !== undefined).sort((a, b) => (a.title < b.title ? -1 : 1))
        },
        async get(name) {
            const entry = /^[a-z0-9-]+$/.test(name) ? await read(name) : undefined
            if (entry) return entry
            throw new Fault('not-found', {
                summary: 'The catalogue has no such stack',
                detail: JSON.stringify(name.slice(0, 80)),
                at: 'catalogue',
                fix: 'List what it has with: debvisor stack catalogue',
            })
        },
    }
}

/** What was given, with what is made up or usual where nothing was. @throws Fault `invalid` for what has to be said */
export function filledIn(entry: CatalogueEntry, given: readonly Value[]): Value[] {
    const known = new Map(given.map(one => [one.name, one]))
    const missing: string[] = []
    const filled = entry.variables.map(({ name, default: usual, secret, generated, required }): Value => {
        const value = known.get(name)?.value || usual || (generated ? madeUp() : '')
        known.delete(name)
        if (required && value === '') missing.push(name)
        return { name, value, secret }
    })
    if (missing.length > 0)
        throw new Fault('invalid', {
            summary: 'A variable has to have a value',
            detail: missing.join(', '),
            at: 'environment',
            fix: `Give it one, such as: --set ${missing[0]}=VALUE.`,
        })
    return [...filled, ...known.values()]
}

/** 24 letters and digits, which no program takes for anything else. */
const madeUp = (): string =>
    randomBytes(48)
        .toString('base64')
        .replace(/[^A-Za-z0-9]/g, '')
        .slice(0, 24)
