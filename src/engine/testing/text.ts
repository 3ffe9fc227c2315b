// The text of what one resource plans, for golden files.
import { type Agreed, makePlan } from '../plan.ts'
import { renderPlan } from '../render.ts'
import { type OwnPlan, resource } from '../resource.ts'

/** As `node plan --verbose` would show it, when there were nothing else. */
export function textOf(name: string, own: OwnPlan, agreed: Agreed = new Map()): string {
    const one = resource<object, object, object>({ name, phases: ['boot'], want: () => ({}), plan: () => own })
    const nothing = {
        installed: new Set<string>(),
        files: new Map(),
        folders: new Map(),
        links: new Map(),
        units: new Map(),
    }
    const resources = new Map([[name, { want: {}, basics: {}, own: {} }]])
    return renderPlan(makePlan([one], { basis: '', phase: 'boot', seen: nothing, resources }, agreed), {
        verbose: true,
    })
}
