// Where in a YAML document the cursor stands, and what the JSON Schema says may stand there. Works on half-written text.

/** A JSON Schema, as far as completion reads it. */
export interface Schema {
    type?: string | string[]
    description?: string
    default?: unknown
    properties?: Record<string, Schema>
    additionalProperties?: Schema | boolean
    items?: Schema
    enum?: unknown[]
    const?: unknown
    anyOf?: Schema[]
    oneOf?: Schema[]
    allOf?: Schema[]
}

/** `'key'` a key begins here, `'value'` the value of the last key of the path. */
export interface Place {
    kind: 'key' | 'value'
    /** Keys from the top; ITEM is an item of a list. */
    path: (string | typeof ITEM)[]
    /** What is typed of it, before the cursor. */
    typed: string
    /** Keys that the block has already, as far as they stand before the cursor. */
    taken: string[]
}

export const ITEM = '[]'

export interface Choice {
    label: string
    detail: string
    info: string
    /** What is put in; a key brings its colon along. */
    apply: string
}

interface Token {
    at: number
    key?: string
}

const LINE = /^(\s*(?:-\s+)*)(?:("[^"]*"|'[^']*'|[^\s#:'"-][^:#]*?)\s*:(?=\s|$))?/

/** The dashes and the key of a line, each with its column. */
function tokensOf(line: string): Token[] {
    const [, lead = '', key] = LINE.exec(line) ?? []
    const tokens: Token[] = [...lead.matchAll(/-/g)].map(found => ({ at: found.index }))
    if (key !== undefined) tokens.push({ at: lead.length, key: key.replace(/^["']|["']$/g, '') })
    return tokens
}

/** Undefined in a comment, and where neither a key nor a value is typed. */
export function placeAt(before: string): Place | undefined {
    const lines = before.split('\n')
    const line = lines.pop() ?? ''
    if (/(^|\s)#/.test(line)) return undefined
    const value = /^(\s*(?:-\s+)*)([\w."'-]+)\s*:\s+(\S*)$/.exec(line)
    const start = /^(\s*(?:-\s+)*)([\w./:@-]*)$/.exec(line)
    if (!value && !start) return undefined
    const lead = (value ?? start)![1]!
    const dashes = [...lead.matchAll(/-/g)].map(found => ({ at: found.index }))
    const own: Token[] = value ? [...dashes, { at: lead.length, key: value[2]! }] : dashes
    const path: Place['path'] = []
    const taken: string[] = []
    let limit = value ? Number.POSITIVE_INFINITY : lead.length
    let same = value ? -1 : lead.length
    const climb = (tokens: Token[]) => {
        for (const { at, key } of tokens.toReversed()) {
            // The items of a list may stand in the column of its key.
            const belongs = at < limit || (at === limit && path[0] === ITEM && key !== undefined)
            if (key !== undefined && at === same) taken.push(key)
            if (!belongs) continue
            path.unshift(key ?? ITEM)
            limit = at
            if (at < same) same = -1
        }
    }
    climb(own)
    for (const above of lines.toReversed()) {
        if (/^\s*(#|$)/.test(above)) continue
        climb(tokensOf(above))
    }
    return { kind: value ? 'value' : 'key', path, typed: (value ? value[3] : start![2]) ?? '', taken }
}

const open = (schema: Schema): Schema[] => [
    schema,
    ...[...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])].flatMap(open),
]

function under(schema: Schema, path: Place['path']): Schema[] {
    let at = open(schema)
    for (const step of path) {
        at = at
            .flatMap(one => {
                if (step === ITEM) return one.items ?? []
                const other = typeof one.additionalProperties === 'object' ? [one.additionalProperties] : []
                const named = one.properties?.[step]
                return named ? [named] : other
            })
            .flatMap(open)
    }
    return at
}

/** What may stand at the place: keys with their words, or the values that there are. */
export function choicesAt(schema: Schema, place: Place): Choice[] {
    const found = under(schema, place.path)
    const values = valuesOf(found)
    if (place.kind === 'value') return values
    const keys = new Map<string, Choice>()
    for (const one of found) {
        for (const [key, inner] of Object.entries(one.properties ?? {})) {
            if (place.taken.includes(key) || keys.has(key)) continue
            keys.set(key, {
                label: key,
                detail: kindOf(inner),
                info: wordsOf(inner),
                apply: `${key}:${isBlock(inner) ? '' : ' '}`,
            })
        }
    }
    // Where a list belongs, an item of it begins.
    if (keys.size === 0 && found.some(one => one.items))
        return [{ label: '-', detail: 'an item', info: '', apply: '- ' }]
    // An item of a list of plain values is a value, though it stands where a key could.
    return place.path.at(-1) === ITEM ? [...keys.values(), ...values] : [...keys.values()]
}

function valuesOf(found: Schema[]): Choice[] {
    const all = found.flatMap(one => {
        const fixed = one.enum ?? (one.const === undefined ? [] : [one.const])
        return one.type === 'boolean' ? [true, false] : fixed
    })
    const usual = found.map(one => one.default).find(one => one !== undefined && typeof one !== 'object')
    const shown = [...new Set([...all, ...(usual === undefined ? [] : [usual])].map(String))]
    return shown.map(text => ({
        ...{ label: text, apply: text, info: '' },
        detail: usual !== undefined && text === String(usual) ? 'default' : '',
    }))
}

const isBlock = (schema: Schema) => open(schema).some(one => one.properties || one.items || one.additionalProperties)

function kindOf(schema: Schema): string {
    const kinds = new Set(open(schema).flatMap(one => (one.enum ? ['choice'] : (one.type ?? []))))
    return [...kinds].join(' or ')
}

function wordsOf(schema: Schema): string {
    const values = valuesOf(open(schema))
        .map(one => one.label)
        .join(', ')
    return [schema.description ?? '', values && `(${values})`].filter(Boolean).join(' ')
}
