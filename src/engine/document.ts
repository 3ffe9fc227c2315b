// Reads a document: YAML to a checked value, and every mistake as a finding with its path, its line and what to do.
import {
    type Document,
    isMap,
    isScalar,
    isSeq,
    LineCounter,
    type Node,
    type ParseOptions,
    parseDocument,
    type SchemaOptions,
} from 'yaml'
import { z } from 'zod'
import type { Finding } from '../base/finding.ts'
import { nearest } from '../base/nearest.ts'

export interface DocumentFinding extends Finding {
    /** Of the text, from 1; 0 where the mistake is in no line. */
    line: number
}

export interface Read<T> {
    /** Undefined while there are errors. */
    document?: T
    findings: DocumentFinding[]
}

/** Checks beyond the schema: over the whole document, pure. */
export type Check<T> = (document: T) => Finding[]

/** Answers the line of a path such as `disks[1].size`, or of the deepest part of it that stands in the text. */
export function lineFinder(text: string): (at: string) => number {
    const lines = new LineCounter()
    const { contents } = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true })
    return at => lineAt(contents, pathOf(at), lines)
}

/** How a document of another kind than the node's is read. */
export interface Reading {
    yaml?: ParseOptions & SchemaOptions
    /** What stands in the text and never comes so far as the schema. */
    look?(parsed: Document): (Finding & { offset: number })[]
    /** What the schema is to see of the value. */
    prepare?(value: unknown): unknown
    /** Where the keys are described. */
    reference?: string
}

/** Never throws for what stands in the text. An empty text is an empty document. */
export function readDocument<T>(
    text: string,
    schema: z.ZodType<T>,
    checks: readonly Check<T>[] = [],
    { yaml, look, prepare = value => value, reference = REFERENCE }: Reading = {},
): Read<T> {
    const lines = new LineCounter()
    const parsed = parseDocument(text, { lineCounter: lines, prettyErrors: false, ...yaml })
    if (parsed.errors.length > 0) {
        return {
            findings: parsed.errors.map(trouble => ({
                ...{ severity: 'error' as const, code: 'yaml', at: '', line: lines.linePos(trouble.pos[0]).line },
                summary: 'This is no YAML that can be read',
                detail: trouble.message,
                fix: 'Mend this line; indentation is by spaces.',
            })),
        }
    }
    const looked = look?.(parsed) ?? []
    if (looked.length > 0)
        return { findings: looked.map(({ offset, ...finding }) => ({ ...finding, line: lines.linePos(offset).line })) }
    const lineOf = (path: readonly PropertyKey[]) => lineAt(parsed.contents, path, lines)
    const value = dataOf(parsed)
    if (value instanceof Error) return { findings: [aliasFinding(value)] }
    const checked = schema.safeParse(prepare(value ?? {}))
    if (!checked.success) {
        const issues = firstAtEach(checked.error.issues)
        return { findings: issues.flatMap(issue => findingsOf(issue, { schema, lineOf, reference })) }
    }
    const findings = checks
        .flatMap(check => check(checked.data))
        .map(finding => ({ ...finding, line: lineOf(pathOf(finding.at)) }))
    const wrong = findings.some(finding => finding.severity === 'error')
    return wrong ? { findings } : { document: checked.data, findings }
}

/** Of a value of the wrong kind it is not told as well that it is too long. */
const firstAtEach = (issues: readonly z.core.$ZodIssue[]) =>
    issues.filter(({ path }, at) => {
        const before = issues.slice(0, at)
        return !before.some(one => one.code === 'invalid_type' && atOf(one.path) === atOf(path))
    })

const REFERENCE = 'debvisor node schema, or the reference of node.yaml'

/** Aliases of aliases may mean more than any memory holds; the parser gives up, and says so by throwing. */
function dataOf(parsed: Document): unknown {
    try {
        return parsed.toJS()
    } catch (thrown) {
        return thrown instanceof Error ? thrown : new Error(String(thrown))
    }
}

const aliasFinding = ({ message }: Error): DocumentFinding => ({
    ...{ severity: 'error', code: 'yaml', at: '', line: 0, summary: 'The aliases of this YAML cannot be followed' },
    ...{ detail: message, fix: 'Write out what they stand for.' },
})

/** `disks[1].size` to its keys. */
const pathOf = (at: string): PropertyKey[] =>
    at
        .split(/[.[\]]+/)
        .filter(Boolean)
        .map(word => (/^\d+$/.test(word) ? Number(word) : word))

/** The keys as `disks[1].size`. */
export const atOf = (path: readonly PropertyKey[]): string =>
    path.map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i > 0 ? '.' : ''}${String(key)}`)).join('')

/** The line of the deepest part of the path that stands in the text. */
function lineAt(root: Node | null, path: readonly PropertyKey[], lines: LineCounter): number {
    let node: unknown = root
    let line = root?.range ? lines.linePos(root.range[0]).line : 0
    for (const key of path) {
        if (isMap(node)) {
            const pair = node.items.find(item => isScalar(item.key) && String(item.key.value) === String(key))
            if (!pair) return line
            if (isScalar(pair.key) && pair.key.range) line = lines.linePos(pair.key.range[0]).line
            node = pair.value
        } else if (isSeq(node)) {
            const item = node.items[Number(key)] as Node | undefined
            if (item?.range) line = lines.linePos(item.range[0]).line
            node = item
        } else return line
    }
    return line
}

interface Where {
    schema: z.ZodType
    lineOf: (path: readonly PropertyKey[]) => number
    reference: string
}

function findingsOf(issue: z.core.$ZodIssue, { schema, lineOf, reference }: Where): DocumentFinding[] {
    const at = atOf(issue.path)
    if (issue.code === 'unrecognized_keys') {
        const known = keysAt(schema, issue.path)
        return issue.keys.map(key => {
            const meant = nearest(key, known)
            const line = lineOf([...issue.path, key])
            return {
                ...{ severity: 'error' as const, code: 'unknown-key', at: atOf([...issue.path, key]), line },
                summary: 'There is no such key here',
                detail: key,
                fix: meant ? `Did you mean ${meant}?` : `The keys here are: ${known.join(', ')}.`,
            }
        })
    }
    return [
        {
            ...{ severity: 'error', code: 'invalid-value', at, line: lineOf(issue.path) },
            summary: 'This value cannot be used',
            detail: wordsOf(issue),
            fix: fixOf(issue, reference),
        },
    ]
}

function wordsOf(issue: z.core.$ZodIssue): string {
    if (issue.code === 'invalid_type') return `${kindOf(issue.expected)} is expected here`
    return issue.message
}

function fixOf(issue: z.core.$ZodIssue, reference: string): string {
    if (issue.code === 'invalid_value') return `Use one of: ${issue.values.map(String).join(', ')}.`
    if (issue.code === 'invalid_type' && issue.expected === 'array')
        return 'Write a list: each item on a line of its own after a dash.'
    return `See: ${reference}.`
}

const KINDS: Record<string, string> = {
    ...{ array: 'a list', object: 'a block of keys', string: 'a text', number: 'a number', int: 'a whole number' },
    ...{ boolean: 'true or false', record: 'a block of keys' },
}
const kindOf = (expected: string) => KINDS[expected] ?? expected

/** The keys that may stand at a path, by the schema. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
    type Json = {
        properties?: Record<string, Json>
        items?: Json
        anyOf?: Json[]
        additionalProperties?: Json | boolean
    }
    let at: Json[] = [z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Json]
    const open = (json: Json): Json[] => [json, ...(json.anyOf ?? []).flatMap(open)]
    for (const key of path) {
        at = at.flatMap(open).flatMap(json => {
            if (typeof key === 'number') return json.items ?? []
            const other = typeof json.additionalProperties === 'object' ? json.additionalProperties : []
            return json.properties?.[String(key)] ?? other
        })
    }
    return [...new Set(at.flatMap(open).flatMap(json => Object.keys(json.properties ?? {})))]
}
