// Takes back what a task had made: its undo steps in reverse, and what could not be taken back as findings.
import { asFault, type Fault } from '../base/fault.ts'
import type { Finding } from '../base/finding.ts'
import type { TaskProblem, UndoStep } from './task.ts'

export type Undoers = Map<string, (step: UndoStep) => Promise<void>>

const NOT_TAKEN_BACK = 'not-taken-back'

/**
 * Undoes the steps, last first. Stops at the first that fails, because what was made earlier may be needed by what
 * could not be taken back; answers the steps that are left, in their order, and why.
 */
export async function takeBack(
    steps: readonly UndoStep[],
    undoers: Undoers,
): Promise<{ left: UndoStep[]; why?: Fault }> {
    for (let at = steps.length - 1; at >= 0; at--) {
        const step = steps[at]!
        try {
            const undo = undoers.get(step.kind)
            if (!undo) throw new Error(`nothing here knows how to undo '${step.kind}'`)
            await undo(step)
        } catch (thrown) {
            return { left: steps.slice(0, at + 1), why: asFault(thrown) }
        }
    }
    return { left: [] }
}

/** The problem, with one finding for each step that was not taken back (and none for what was left before). */
export function withLeft(problem: TaskProblem, left: readonly UndoStep[], why?: Fault): TaskProblem {
    const others = problem.findings.filter(f => f.code !== NOT_TAKEN_BACK)
    const findings = left.map((step, index): Finding => {
        const last = index === left.length - 1
        return {
            severity: 'error',
            code: NOT_TAKEN_BACK,
            at: step.kind,
            summary: 'Something half made could not be taken back yet',
            detail: last && why ? `${words(step)}: ${why.message}` : words(step),
            fix: why?.fix || 'It is tried again by itself, also at the next start of DebVisor.',
        }
    })
    return { ...problem, findings: [...others, ...findings] }
}

/** `volume.remove pool=default name=web1.qcow2` */
function words(step: UndoStep): string {
    const { kind, ...rest } = step
    return [kind, ...Object.entries(rest).map(([key, value]) => `${key}=${value}`)].join(' ')
}
