// Answers of an installation as the command line reads them: whole, or refused with every mistake and its line.
import { Fault } from '../../base/fault.ts'
import { type Answers, readAnswers } from '../../capabilities/install/answers.ts'
import { answersChecks, answersSchema, type NodeDocument } from '../../capabilities/table.provision.ts'
import type { DocumentFinding } from '../../engine/document.ts'
import { findingLines } from '../../engine/render.ts'

export type NodeAnswers = Answers<NodeDocument>

/** @throws Fault `invalid` with all findings */
export function checkedAnswers(text: string): NodeAnswers & { findings: DocumentFinding[] } {
    const { answers, findings } = readAnswers<NodeDocument>(text, answersSchema, answersChecks)
    if (answers) return { ...answers, findings }
    const errors = findings.filter(({ severity }) => severity === 'error')
    throw new Fault('invalid', {
        summary: errors.length === 1 ? 'The answers have a mistake' : 'The answers have mistakes',
        detail: errors.map(one => findingWords(one)[0]).join('; '),
        fix: errors[0]?.fix ?? '',
        findings: errors.map(({ line, ...one }) => ({ ...one, at: placeOf(line, one.at) })),
    })
}

const placeOf = (line: number, at: string) => [line > 0 ? `line ${line}` : '', at].filter(Boolean).join(': ')

export const findingWords = ({ line, ...finding }: DocumentFinding): string[] =>
    findingLines({ ...finding, at: placeOf(line, finding.at) })
