// A document with its schema's words as comments: what `init` writes, and what the reference page is made from.
import { stringify } from 'yaml'
import { z } from 'zod'

interface Json {
    type?: string
    description?: string
    default?: unknown
    properties?: Record<string, Json>
    enum?: unknown[]
    const?: unknown
    anyOf?: Json[]
    items?: Json
    pattern?: string
}

/** The schema for editors. */
export const jsonSchemaOf = (schema: z.ZodType): object => ({
    title: 'node.yaml',
    ...z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }),
})

/**
 * YAML of `values` with a comment above each key. Keys that have no value are shown as a comment with their default,
 * so that a person sees what else there is.
 */
export function sampleOf(schema: z.ZodType, values: Record<string, unknown>): string {
    const json = jsonSchemaOf(schema) as Json
    return `${(json.description ?? '') && `# ${json.description}\n`}${blockOf(json, values, '').join('\n')}\n`
}

function blockOf(json: Json, values: Record<string, unknown>, indent: string): string[] {
    return Object.entries(json.properties ?? {}).flatMap(([key, inner]) => {
        const value = values[key]
        const comment = [inner.description ?? '', choicesOf(inner)].filter(Boolean).join(' ')
        const above = comment ? [`${indent}# ${comment}`] : []
        const nested = inner.properties && (value === undefined || (typeof value === 'object' && value !== null))
        if (nested) {
            const lines = blockOf(inner, (value as Record<string, unknown>) ?? {}, `${indent}  `)
            // A block in which nothing is set is no block: its keys are all comments.
            const head = lines.some(line => !/^\s*#/.test(line)) ? `${indent}${key}:` : `${indent}# ${key}:`
            return [...(indent === '' ? [''] : []), ...above, head, ...lines]
        }
        if (value !== undefined) return [...above, ...yamlOf(key, value, indent)]
        if (inner.default === undefined) return [...above, `${indent}# ${key}:`]
        return [...above, ...yamlOf(key, inner.default, `${indent}# `)]
    })
}

const choicesOf = ({ enum: choices }: Json) => (choices ? `One of: ${choices.join(', ')}.` : '')

const yamlOf = (key: string, value: unknown, indent: string) =>
    stringify({ [key]: value }, { indent: 2, lineWidth: 0 })
        .trimEnd()
        .split('\n')
        .map(line => `${indent}${line}`)
