// The one error class that is thrown: a closed code, constant words, and what to do next.
import type { Finding } from './finding.ts'

/**
 * What went wrong, as a class of its own kind. Each maps to one Connect code (apps/rpcd) and one exit code (apps/cli).
 * `conflict` means that somebody else has it or has changed it; `unknown` that the effect may or may not have happened
 * (a write that timed out), never 'something else'.
 */
export type FaultCode =
    | 'invalid'
    | 'not-found'
    | 'exists'
    | 'conflict'
    | 'denied'
    | 'unauthenticated'
    | 'precondition'
    | 'unsupported'
    | 'exhausted'
    | 'unavailable'
    | 'cancelled'
    | 'deadline'
    | 'unknown'
    | 'internal'

export interface FaultWords {
    /** Constant text: the same for every object, so that it can be searched for. */
    summary: string
    /** Names, values, what was seen. Never a tool's raw output, never a secret. */
    detail?: string
    /** What to do next. */
    fix?: string
    /** Where: the field of a request, a path, an object. */
    at?: string
    /** All that was found wrong, where a check found more than one thing. */
    findings?: Finding[]
    cause?: unknown
}

export class Fault extends Error {
    readonly code: FaultCode
    readonly summary: string
    readonly detail: string
    readonly fix: string
    readonly at: string
    readonly findings: Finding[]

    constructor(code: FaultCode, words: FaultWords) {
        super(words.detail ? `${words.summary}: ${words.detail}` : words.summary, { cause: words.cause })
        this.name = 'Fault'
        this.code = code
        this.summary = words.summary
        this.detail = words.detail ?? ''
        this.fix = words.fix ?? ''
        this.at = words.at ?? ''
        this.findings = words.findings ?? []
    }
}

/** Any thrown thing as a Fault; what is not one becomes `internal` with its message as the detail. */
export function asFault(thrown: unknown): Fault {
    if (thrown instanceof Fault) return thrown
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    return new Fault('internal', {
        summary: 'DebVisor failed in a way it did not expect',
        detail: message,
        fix: 'Look at the log of debvisor-rpcd for the whole story, and report it.',
        cause: thrown,
    })
}

/** A Fault as plain data: what a task keeps, and what is sent. */
export type Problem = Pick<Fault, 'code' | 'summary' | 'detail' | 'fix' | 'at' | 'findings'>

export const problemOf = ({ code, summary, detail, fix, at, findings }: Fault): Problem => ({
    code,
    summary,
    detail,
    fix,
    at,
    findings,
})
