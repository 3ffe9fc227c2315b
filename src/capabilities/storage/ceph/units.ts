// Units whose names are known only when the node is: what it takes to have them run now and at every boot.
import type { Step } from '../../../engine/step.ts'

export interface UnitNow {
    enabled: boolean
    active: boolean
    failed: boolean
}

const STOPPED: UnitNow = { enabled: false, active: false, failed: false }

/** `what` is a noun: 'the monitor'. */
export function unitSteps(unit: string, now: UnitNow = STOPPED, what = unit, deadlineMs?: number): Step[] {
    const steps: Step[] = []
    if (!now.enabled) steps.push({ do: 'unit', say: `Start ${what} at every boot`, unit, action: 'enable' })
    if (!now.active) {
        const say = now.failed ? `Start ${what} again (it has failed)` : `Start ${what}`
        steps.push({ do: 'unit', say, unit, action: 'start', ...(deadlineMs ? { deadlineMs } : {}) })
    }
    return steps
}
