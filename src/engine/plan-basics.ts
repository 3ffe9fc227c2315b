// The steps between the packages, files and units that are seen and those that are wanted, in the one order that works.
import type { Basics, BasicsSeen, FileSeen, FileWant, FolderWant, UnitSeen, UnitWant } from './basics.ts'
import type { Step } from './step.ts'

const OWNER = 'root:root'

/** What stands before a resource's own steps: packages, folders, files, links. */
export function planBefore(want: Basics, seen: BasicsSeen): Step[] {
    const missing = (want.packages ?? []).filter(name => !seen.installed.has(name))
    const steps: Step[] = []
    if (missing.length > 0) {
        const say = `Install ${missing.length === 1 ? 'the package' : 'the packages'} ${missing.join(', ')}`
        steps.push({ do: 'install', say, packages: missing })
    }
    for (const folder of want.folders ?? []) steps.push(...folderSteps(folder, seen.folders.get(folder.path)))
    const readers = (path: string) =>
        (want.units ?? []).filter(unit => unit.reads?.includes(path)).map(unit => unit.unit)
    for (const file of want.files ?? []) steps.push(...fileSteps(file, seen.files.get(file.path), readers(file.path)))
    for (const { path, target } of want.links ?? []) {
        if (seen.links.get(path) !== target) steps.push({ do: 'link', say: `Link ${path} to ${target}`, path, target })
    }
    return steps
}

/** What stands after them: units. `changed` are the paths that the steps before write or remove. */
export function planAfter(want: Basics, seen: BasicsSeen, changed: ReadonlySet<string>): Step[] {
    return (want.units ?? []).flatMap(unit => unitSteps(unit, seen.units.get(unit.unit), changed))
}

function folderSteps({ path, mode = 0o755, owner = OWNER }: FolderWant, seen: FileSeen | undefined): Step[] {
    if (seen && seen.mode === mode && seen.owner === owner) return []
    const say = seen ? `Give ${path} to ${owner}, mode ${mode.toString(8)}` : `Make the folder ${path}`
    return [{ do: 'folder', say, path, mode, owner }]
}

function fileSteps(want: FileWant, seen: FileSeen | undefined, unsettles: string[]): Step[] {
    const { path, content, mode = 0o644, owner = OWNER, secret } = want
    const told = unsettles.length > 0 ? { unsettles } : {}
    if (content === undefined) {
        return seen ? [{ do: 'remove', say: `Remove ${path} (${want.for})`, path, ...told }] : []
    }
    const same = typeof content === 'string' ? seen?.content === content : seen?.same === true
    if (seen && same && seen.mode === mode && seen.owner === owner) return []
    const say = `${seen ? 'Change' : 'Write'} ${path} (${want.for})`
    const step: Step = { do: 'write', say, path, content, mode, ...told }
    if (owner !== OWNER) step.owner = owner
    if (secret) step.secret = true
    else if (seen?.content !== undefined) step.was = seen.content
    return [step]
}

function unitSteps(want: UnitWant, seen: UnitSeen | undefined, changed: ReadonlySet<string>): Step[] {
    const { unit, deadlineMs, disrupts } = want
    const now = seen ?? { known: false, enabled: false, active: false, masked: false, failed: false }
    const steps: Step[] = []
    const add = (action: 'enable' | 'disable' | 'start' | 'stop' | 'mask' | 'unmask', say: string) =>
        steps.push({ do: 'unit', say, unit, action, ...(deadlineMs ? { deadlineMs } : {}) })
    if (want.masked === true) {
        if (now.active) add('stop', `Stop ${unit}`)
        if (!now.masked) add('mask', `Keep ${unit} from ever starting`)
        return steps
    }
    if (now.masked) add('unmask', `Let ${unit} start again`)
    if (want.enabled === true && !now.enabled) add('enable', `Start ${unit} at every boot`)
    if (want.enabled === false && now.enabled) add('disable', `Do not start ${unit} at boot any more`)
    if (want.active === false) {
        if (now.active) add('stop', `Stop ${unit}`)
        return steps
    }
    const reads = want.reads ?? []
    const stale = reads.length > 0 && (now.settled !== now.shouldSettle || reads.some(path => changed.has(path)))
    const settles = now.shouldSettle ? { settles: now.shouldSettle } : {}
    if (want.active === true && !now.active) {
        const say = now.failed ? `Start ${unit} again (it has failed)` : `Start ${unit}`
        // Restart, not start: what began by itself when its package was installed has not read the new files.
        const action = stale ? 'restart' : 'start'
        steps.push({ do: 'unit', say, unit, action, ...settles, ...(deadlineMs ? { deadlineMs } : {}) })
    } else if (stale && (now.active || want.active === true)) {
        const action = want.reloads ? 'reload' : 'restart'
        const say = want.reloads
            ? `Let ${unit} read its configuration again`
            : `Restart ${unit} with its new configuration`
        const step: Step = { do: 'unit', say, unit, action, ...settles, ...(deadlineMs ? { deadlineMs } : {}) }
        if (disrupts && action === 'restart') step.disrupts = disrupts
        steps.push(step)
    }
    return steps
}
