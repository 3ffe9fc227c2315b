// A check's result as a value: checks return all of them, not the first.

export interface Finding {
    severity: 'error' | 'warning' | 'info'
    /** Closed word of the check that made it, such as `name-taken`. */
    code: string
    /** Where: a path in the document or request, such as `disks[1].size`. */
    at: string
    /** Constant text. */
    summary: string
    detail?: string
    fix?: string
}

export const hasErrors = (findings: readonly Finding[]): boolean => findings.some(f => f.severity === 'error')
