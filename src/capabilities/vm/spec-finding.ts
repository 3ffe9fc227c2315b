// How the checks of VM requests make findings, and how findings become the one Fault that refuses a request.
import { Fault, type FaultCode } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'

/** The finding for what `check` throws, or none. */
export function caught(code: string, check: () => unknown): Finding[] {
    try {
        check()
        return []
    } catch (thrown) {
        if (!(thrown instanceof Fault)) throw thrown
        return [findingOf(thrown, code)]
    }
}

/** A Fault as an error among others. */
export function findingOf(fault: Fault, code: string = fault.code, at = fault.at): Finding {
    const { summary, detail, fix } = fault
    return { severity: 'error', code, at, summary, detail, fix }
}

/** Words of findings that are a class of error of their own; all others are `invalid`. */
const CODES: Record<string, FaultCode> = {
    'name-taken': 'exists',
    'mac-taken': 'exists',
    exists: 'exists',
    'not-found': 'not-found',
    exhausted: 'exhausted',
    'volume-in-use': 'conflict',
    'host-cannot': 'unsupported',
}

/** Refuses with all findings when one of them is an error. @throws Fault */
export function refuseErrors(findings: readonly Finding[]): void {
    const errors = findings.filter(f => f.severity === 'error')
    const first = errors[0]
    if (!first) return
    const codes = new Set(errors.map(f => CODES[f.code] ?? 'invalid'))
    const [code] = codes.size === 1 ? codes : (['invalid'] as const)
    const one = errors.length === 1
    throw new Fault(code ?? 'invalid', {
        summary: one ? first.summary : 'Several things are wrong with the request',
        detail: one ? first.detail : errors.map(f => `${f.at}: ${f.summary}`).join('; '),
        fix: one ? first.fix : 'Correct each of the findings.',
        at: first.at,
        findings: [...findings],
    })
}

/** Makes findings of one severity; summaries are constant text. */
export const finding = (
    severity: Finding['severity'],
    code: string,
    words: Pick<Finding, 'at' | 'summary' | 'detail' | 'fix'>,
): Finding => ({ severity, code, ...words })
