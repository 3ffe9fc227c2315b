// Reads a file of answers: every mistake at once, with its line; and takes apart what is the node's and what is not.
import { isMap, isScalar, type Node, parseAllDocuments, parseDocument } from 'yaml'
import type { z } from 'zod'
import { type Check, type DocumentFinding, readDocument } from '../../engine/document.ts'
import type { InstallSpec } from './spec-answers.ts'

/** A document of a node with each of its keys explained is a tenth of it. */
export const MOST_BYTES = 256 * 1024

export interface Answers<T> {
    document: T & { install: InstallSpec }
    /** The document of the node: the text without the key `install`, comments and all. */
    nodeText: string
}

export interface ReadAnswers<T> {
    /** Undefined while there are errors. */
    answers?: Answers<T>
    findings: DocumentFinding[]
}

/** Never throws for what stands in the text. */
export function readAnswers<T>(
    text: string,
    schema: z.ZodType<T & { install: InstallSpec }>,
    checks: readonly Check<T & { install: InstallSpec }>[],
): ReadAnswers<T> {
    const wrong = wholeText(text)
    if (wrong) return { findings: [{ severity: 'error', at: '', line: 0, ...wrong }] }
    const { document, findings } = readDocument(text, schema, checks)
    return document === undefined ? { findings } : { answers: { document, nodeText: nodeTextOf(text) }, findings }
}

/** What is wrong with the text as a whole. */
function wholeText(text: string): Pick<DocumentFinding, 'code' | 'summary' | 'detail' | 'fix'> | undefined {
    const bytes = Buffer.byteLength(text)
    if (bytes > MOST_BYTES) {
        return {
            ...{ code: 'too-large', summary: 'This is too large for a file of answers' },
            detail: `${Math.ceil(bytes / 1024)} KiB; ${MOST_BYTES / 1024} KiB are read`,
            fix: 'See whether it is the right file.',
        }
    }
    if (text.includes('\0')) {
        return {
            ...{ code: 'no-text', summary: 'This is no text', detail: 'it has NUL characters in it' },
            fix: 'See whether it is the right file.',
        }
    }
    if (text.replace(/^\s*(#.*)?$/gm, '').trim() === '') {
        return {
            ...{ code: 'empty', summary: 'The file of answers is empty', detail: '' },
            fix: 'Begin with the example in docs/operations/install.md.',
        }
    }
    const documents = parseAllDocuments(text)
    if (Array.isArray(documents) && documents.length > 1) {
        return {
            ...{ code: 'several-documents', summary: 'There are several documents in the file' },
            detail: `${documents.length}, with lines --- between them`,
            fix: 'Leave one in it.',
        }
    }
    return undefined
}

/** All else stays as it was written, with its comments. */
export function nodeTextOf(text: string): string {
    const parsed = parseDocument(text)
    const { contents } = parsed
    if (!isMap(contents)) return text
    const pair = contents.items.find(({ key }) => isScalar(key) && key.value === 'install')
    const [key, value] = [pair?.key as Node | undefined, pair?.value as Node | undefined]
    if (!key?.range || !value?.range) return text
    if (contents.flow) {
        parsed.delete('install')
        return parsed.toString({ lineWidth: 0 })
    }
    const begin = text.lastIndexOf('\n', key.range[0]) + 1
    const lineEnd = text.indexOf('\n', value.range[1] - 1)
    return text.slice(0, begin) + (lineEnd < 0 ? '' : text.slice(lineEnd + 1))
}
