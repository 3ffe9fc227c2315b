// The reference page of node.yaml, made from its schema: every key with what it may be, its default and its words.
import { documentSchema } from '../src/capabilities/table.provision.ts'
import { jsonSchemaOf } from '../src/engine/sample.ts'

interface Json {
    type?: string
    description?: string
    default?: unknown
    properties?: Record<string, Json>
    required?: string[]
    enum?: unknown[]
    const?: unknown
    anyOf?: Json[]
    items?: Json
    additionalProperties?: Json | boolean
    minimum?: number
    maximum?: number
}

const cell = (text: string) => text.replace(/\|/g, '\\|')
const code = (value: unknown) => `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``

/** A block of one key, which may be one of several: where a secret is kept. */
const isChoice = ({ anyOf = [] }: Json) =>
    anyOf.length > 0 && anyOf.every(one => Object.keys(one.properties ?? {}).length === 1)

/** What a key takes, in a few words. */
function kindOf(json: Json): string {
    if (json.enum) return json.enum.map(code).join(', ')
    if (json.const !== undefined) return code(json.const)
    if (isChoice(json)) return json.anyOf!.map(one => code(`${Object.keys(one.properties!)[0]}: …`)).join(' or ')
    if (json.anyOf) return [...new Set(json.anyOf.map(kindOf))].join(' or ')
    if (json.type === 'array') return `list of ${json.items ? kindOf(json.items) : 'values'}`
    if (json.type === 'boolean') return '`true`, `false`'
    if (json.type === 'integer' || json.type === 'number') return rangeOf(json)
    if (json.type === 'object') return 'block'
    return 'text'
}

function rangeOf({ minimum, maximum }: Json): string {
    const limit = (value?: number) => value !== undefined && Math.abs(value) < Number.MAX_SAFE_INTEGER
    if (limit(minimum) && limit(maximum)) return `${minimum} to ${maximum}`
    if (limit(minimum)) return `number from ${minimum}`
    return limit(maximum) ? `number up to ${maximum}` : 'number'
}

function rows(json: Json, path: string): string[] {
    return Object.entries(json.properties ?? {}).flatMap(([key, inner]) => {
        const at = `${path}${key}`
        const needed = json.required?.includes(key) && inner.default === undefined
        const blank = inner.default === undefined || inner.default === '' || inner.properties
        const standard = needed ? '_needed_' : blank ? '' : code(inner.default) ? '' : code(inner.default)
        const own = `| \`${at}\` | ${cell(kindOf(inner))} | ${cell(standard)} | ${cell(inner.description ?? '')} |`
        return [own, ...below(inner, at)]
    })
}

/** The keys inside a block, the items of a list, or the values of a map. */
function below(json: Json, at: string): string[] {
    if (json.properties) return rows(json, `${at}.`)
    if (json.items) return below(json.items, `${at}[]`)
    if (typeof json.additionalProperties === 'object') return below(json.additionalProperties, `${at}.<name>`)
    return isChoice(json) ? [] : (json.anyOf ?? []).flatMap(one => below(one, at))
}

const TABLE = ['| key | takes | default | |', '| --- | --- | --- | --- |']

export function nodeYamlText(): string {
    const json = jsonSchemaOf(documentSchema) as Json
    const sections = Object.entries(json.properties ?? {})
    const flat = sections.filter(([, inner]) => !inner.properties)
    const top: Json = { properties: Object.fromEntries(flat), required: json.required }
    return [
        '<!-- Made from the schema by `npm run generate`; do not edit. -->',
        '# node.yaml reference',
        '',
        `${json.description} How it is used: [a node by its document](../node.md). The smallest document is one line, \`profile: zfs\`; an unknown key is refused.`,
        '',
        ...TABLE,
        ...rows(top, ''),
        '',
        ...sections
            .filter(([, inner]) => inner.properties)
            .flatMap(([key, inner]) => [
                `## ${key}`,
                '',
                inner.description ?? '',
                '',
                ...TABLE,
                ...rows(inner, `${key}.`),
                '',
            ]),
    ].join('\n')
}
