// Reads a Compose file: what is handed to Compose is what was checked here, never the text itself. Pure.
import { type Document, isNode, type ScalarTag, visit } from 'yaml'
import type { Finding } from '../../base/finding.ts'
import { type DocumentFinding, lineFinder, readDocument } from '../../engine/document.ts'
import { REFUSED } from './refused.ts'
import { type ComposeFile, composeSpec } from './spec.ts'

export interface ReadFile {
    /** Undefined while there are errors. */
    file?: ComposeFile
    findings: DocumentFinding[]
    /** Names that `${…}` and secrets ask for, sorted. */
    variables: string[]
    lineOf(at: string): number
}

/** A file of thousands of lines is no stack that somebody reads. */
export const FILE_MAX_BYTES = 256 * 1024
const EXTENSION = /^x-/
const OWN_EXTENSION = 'x-debvisor'

/** As Compose's own parser takes 0440 for a mode. */
const octal: ScalarTag = {
    tag: 'tag:yaml.org,2002:int',
    default: true,
    identify: value => typeof value === 'number',
    test: /^0[0-7]+$/,
    resolve: text => Number.parseInt(text, 8),
    stringify: ({ value }) => `0${Number(value).toString(8)}`,
}

/** Never throws for what stands in the text. */
export function readFile(text: string): ReadFile {
    if (Buffer.byteLength(text) > FILE_MAX_BYTES) return { findings: [tooLong], variables: [], lineOf: () => 0 }
    const { document, findings } = readDocument(text, composeSpec, [checkFile], {
        yaml: { merge: true, customTags: tags => [octal, ...tags] },
        look,
        prepare: withoutExtensions,
        reference: 'https://docs.docker.com/reference/compose-file/',
    })
    const lineOf = lineFinder(text)
    return { file: document, findings: findings.map(inWords), variables: variablesOf(text, document), lineOf }
}

const tooLong: DocumentFinding = {
    ...{ severity: 'error', code: 'too-long', at: '', line: 0, summary: 'The file is too long' },
    ...{ detail: `more than ${FILE_MAX_BYTES / 1024} KiB`, fix: 'Put large content into an image or a volume.' },
}

/** Tags of YAML mean other things to other parsers: none is taken. */
function look(parsed: Document): (Finding & { offset: number })[] {
    const found: (Finding & { offset: number })[] = []
    visit(parsed, {
        Node(_key, node) {
            if (!isNode(node) || !('tag' in node) || !node.tag || isUsual(node.tag)) return
            found.push({
                ...{ severity: 'error', code: 'tag', at: '', summary: 'Tags of YAML are not taken' },
                ...{ detail: node.tag, fix: 'Leave it out.', offset: node.range?.[0] ?? 0 },
            })
        },
    })
    return found
}

/** The parser notes the tags that it found by itself, too. */
const isUsual = (tag: string) =>
    tag.startsWith('tag:yaml.org,2002:') && !/:(binary|set|omap|pairs|timestamp)$/.test(tag)

/** What begins with x- is for anchors, and for others; not what the stack is told of us. */
function withoutExtensions(value: unknown): unknown {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
    const kept = ([key]: [string, unknown]) => !EXTENSION.test(key) || key === OWN_EXTENSION
    const strip = (one: unknown) =>
        one !== null && typeof one === 'object' && !Array.isArray(one)
            ? Object.fromEntries(Object.entries(one).filter(kept))
            : one
    const top = strip(value) as Record<string, unknown>
    for (const part of ['services', 'networks', 'volumes', 'secrets', 'configs']) {
        const members = top[part]
        if (members === null || typeof members !== 'object' || Array.isArray(members)) continue
        top[part] = Object.fromEntries(Object.entries(members).map(([name, one]) => [name, strip(one)]))
    }
    return top
}

function inWords(finding: DocumentFinding): DocumentFinding {
    if (finding.code !== 'unknown-key') return finding
    const refusal = REFUSED[finding.detail ?? '']
    if (!refusal) return finding
    return {
        ...{ ...finding, code: 'refused-key', summary: 'This key is not taken here' },
        ...{ detail: `${finding.detail}: ${refusal.why}`, fix: refusal.fix },
    }
}

/** What a schema alone cannot say. */
function checkFile(file: ComposeFile): Finding[] {
    const wrong = (at: string, summary: string, words: { detail?: string; fix: string }): Finding => ({
        ...{ severity: 'error', code: 'invalid-value', at, summary, detail: '', ...words },
    })
    const findings: Finding[] = []
    const services = Object.entries(file.services)
    if (services.length === 0)
        findings.push(wrong('services', 'The file has no service', { fix: 'Write one, with an image.' }))
    for (const [name, service] of services) {
        const at = `services.${name}`
        if (!service.image?.trim())
            findings.push(wrong(at, 'A service is made of an image', { detail: name, fix: 'Name one with image.' }))
        const has = (part: 'secrets' | 'configs') =>
            (service[part] ?? []).forEach((one, i) => {
                const source = typeof one === 'string' ? one : one.source
                if (file[part]?.[source]) return
                const fix = `Write it under ${part} at the top level.`
                findings.push(
                    wrong(`${at}.${part}[${i}]`, 'The file does not say what this is', { detail: source, fix }),
                )
            })
        has('secrets')
        has('configs')
    }
    for (const [name, { content, environment }] of Object.entries(file.configs ?? {}))
        if ((content === undefined) === (environment === undefined))
            findings.push(
                wrong(`configs.${name}`, 'A config has either content or environment', {
                    fix: 'Write one of the two.',
                }),
            )
    return findings
}

function variablesOf(text: string, file: ComposeFile | undefined): string[] {
    // Two dollar signs are one that is meant as such.
    const asked = [...text.replaceAll('$$', '').matchAll(/\$(?:\{\s*)?([A-Za-z_][A-Za-z0-9_]*)/g)].map(
        ([, name]) => name!,
    )
    const held = [...Object.values(file?.secrets ?? {}), ...Object.values(file?.configs ?? {})]
    return [...new Set([...asked, ...held.flatMap(({ environment }) => environment ?? [])])].sort()
}
