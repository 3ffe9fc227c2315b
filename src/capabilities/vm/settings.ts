// What of a VM is no device: texts, tags, size, CPU, firmware, start order, name, and whether it is a template.
import { Fault } from '../../base/fault.ts'
import { type Libvirt, VIR } from '../../drivers/libvirt/libvirt.ts'
import type { RunningTask } from '../../engine/task.ts'
import type { UpdateRequest } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { type Change, entryNow, needPersistent, nextStart, notNow, type PlanStep } from './begin.ts'
import { needNoClones } from './clones.ts'
import { type VmDeps, vncSocketOf } from './deps.ts'
import type { Host } from './host.ts'
import { checkRevision, type VmEntry } from './inventory.ts'
import { takeNvramAlong } from './nvram-owner.ts'
import { changedMetadata, checkUpdate, type Part, type Present, partsOf } from './settings-parts.ts'
import { checkIdentity, nameTaken } from './spec.ts'
import { refuseErrors } from './spec-finding.ts'
import { type Element, parseRoot, VM_NAMESPACE } from './xml/document.ts'
import { editDomain } from './xml/edit.ts'
import { METADATA_KEY, metadataText, readMetadata, type VmMetadata } from './xml/metadata.ts'
import { readSummary } from './xml/read-summary.ts'

export type SettingsDeps = Pick<VmDeps, 'libvirt' | 'inventory' | 'volumes' | 'vncFolder'> & {
    host: Host
    /** Throws where the caller may not change the tags so. Absent: he may. */
    checkTags?(before: readonly string[], after: readonly string[]): void
}

const LIVE = VIR.VIR_DOMAIN_AFFECT_LIVE
const CONFIG = VIR.VIR_DOMAIN_AFFECT_CONFIG

/** @throws Fault with all findings for what cannot be; `conflict` for an old revision */
export async function planUpdate(deps: SettingsDeps, entry: VmEntry, request: UpdateRequest): Promise<Change> {
    const { inventory } = deps
    const { xml, revision } = await inventory.inactiveXml(entry.uuid)
    checkRevision(request.revision, revision)
    const summary = readSummary(xml)
    const domain = parseRoot(xml, 'domain')
    const active = entry.active ? await inventory.activeXml(entry.uuid) : undefined
    const running = active === undefined ? undefined : parseRoot(active, 'domain')
    const present: Present = { summary, domain, running, vncSocket: vncSocketOf(deps, entry.uuid) }
    const findings = await checkUpdate(deps, request, present)
    refuseErrors(findings)

    const metadataOf = (tree: Element, seen: VmEntry) => {
        const before = readMetadata(tree)
        const change = changedMetadata(before, request, seen)
        deps.checkTags?.(before.tags, change.next.tags)
        return change
    }
    const metadata = metadataOf(domain, entry)
    const parts = partsOf(request, present)
    const { description } = request
    const texts = description !== undefined && description !== entry.description
    if (parts.length > 0) needPersistent(entry)
    const plan: PlanStep[] = [
        ...(texts ? [{ sentence: `Describe ${entry.name} anew` }] : []),
        ...metadata.sentences.map(sentence => ({ sentence })),
        ...parts.map(({ sentence }) => ({ sentence })),
    ]
    if (plan.length === 0) plan.push({ sentence: 'Nothing: all is as it is asked for' })
    const said = entry.active
        ? parts.filter(part => !part.live || part.laterFinding).map(part => nextStart(entry, part.sentence))
        : []
    return {
        kind: 'vm.update',
        title: `Change ${entry.name}`,
        plan,
        findings: [...findings, ...said],
        work: task =>
            inventory.edit(entry.uuid, request.revision, async now => {
                const connection = deps.libvirt.connection()
                // Others may have changed it since the plan: what is not asked for stays as it is now.
                const present = inventory.byUuid(entry.uuid) ?? entry
                const fresh = metadataOf(parseRoot(now, 'domain'), present)
                // The one step that libvirt may refuse comes first: when it does, nothing is changed.
                if (parts.some(part => part.edit)) {
                    const edited = editDomain(now, tree => {
                        for (const part of parts) part.edit?.(tree)
                    })
                    await connection.call('domainDefineXMLFlags', { xml: edited, flags: 0 })
                }
                if (texts) await setDescriptionOf(connection, present, description)
                if (fresh.changed) await setMetadataOf(connection, present, fresh.next)
                if (fresh.autostart !== present.autostart)
                    await connection.call('domainSetAutostart', {
                        dom: entry.dom,
                        autostart: fresh.autostart ? 1 : 0,
                    })
                for (const part of parts) await live(connection, entry, { part, task })
            }),
    }
}

async function live(connection: Libvirt, entry: VmEntry, what: { part: Part; task: RunningTask }) {
    const { part, task } = what
    if (!entry.active) return
    if (!part.live) return task.say(`takes effect at the next start: ${part.sentence}`)
    try {
        await part.live(connection, entry)
    } catch (trouble) {
        // The definition has it; that the running guest would not take it is worth a word, not a failure.
        task.say(`takes effect at the next start: ${part.sentence} (${(trouble as Error).message})`)
    }
}

const affect = (entry: VmEntry): number => (entry.active ? LIVE : 0) | (entry.persistent ? CONFIG : 0)

/** Sets the description by itself: the rest of the definition is not touched. */
const setDescriptionOf = (connection: Libvirt, entry: VmEntry, description: string) =>
    connection.call('domainSetMetadata', {
        dom: entry.dom,
        type: VIR.VIR_DOMAIN_METADATA_DESCRIPTION,
        metadata: description === '' ? null : description,
        flags: affect(entry),
    })

/** Sets what DebVisor keeps with a VM by itself: the rest of the definition is not touched. */
export const setMetadataOf = (connection: Libvirt, entry: VmEntry, metadata: VmMetadata) =>
    connection.call('domainSetMetadata', {
        dom: entry.dom,
        type: VIR.VIR_DOMAIN_METADATA_ELEMENT,
        metadata: metadataText(metadata),
        key: METADATA_KEY,
        uri: VM_NAMESPACE,
        flags: affect(entry),
    })

/** Only while it does not run. @throws Fault `exists`, `invalid`, `precondition`, `conflict` */
export async function planRename(
    deps: SettingsDeps,
    entry: VmEntry,
    request: { name: string; revision: string },
): Promise<Change> {
    const { name } = request
    const { revision } = await deps.inventory.inactiveXml(entry.uuid)
    checkRevision(request.revision, revision)
    refuseErrors([
        ...checkIdentity({ name, description: '', notes: '', tags: [] }, { name: () => false }),
        ...(name !== entry.name && deps.inventory.byName(name) ? [nameTaken(name)] : []),
    ])
    if (name === entry.name) throw notNow(entry, 'The VM has that name already', 'Nothing is to be done.')
    if (entry.active) throw notNow(entry, 'A running VM cannot be renamed', 'Shut it down first.')
    return {
        kind: 'vm.rename',
        title: `Rename ${entry.name} to ${name}`,
        plan: [{ sentence: `Rename ${entry.name} to ${name}; its disks keep their names` }],
        work: () =>
            deps.inventory.edit(entry.uuid, request.revision, async xml => {
                const clear = await takeNvramAlong(deps, entry, xml)
                await deps.libvirt.connection().call('domainRename', { dom: entry.dom, new_name: name, flags: 0 })
                await clear()
            }),
    }
}

/** Only while it does not run. @throws Fault `precondition`, and `conflict` where clones stand on what would be a VM again */
export async function planTemplate(deps: SettingsDeps, entry: VmEntry, template: boolean): Promise<Change> {
    if (entry.template === template)
        throw notNow(
            entry,
            template ? 'The VM is a template already' : 'The VM is no template',
            'Nothing is to be done.',
        )
    const needStopped = (vm: VmEntry) => {
        if (vm.active) throw notNow(vm, 'A running VM cannot become a template', 'Shut it down first.')
    }
    needStopped(entry)
    needPersistent(entry)
    if (!template) await needNoClones(deps, entry, { unknown: true })
    const starts = template && (entry.autostart || entry.ordered)
    return {
        kind: 'vm.template',
        title: template ? `Make ${entry.name} a template` : `Make ${entry.name} a VM again`,
        plan: [
            {
                sentence: template
                    ? `Make ${entry.name} a template: it cannot be started, and is there to be cloned`
                    : `Make the template ${entry.name} a VM that can be started`,
            },
            ...(starts ? [{ sentence: 'No longer start it when the node starts' }] : []),
        ],
        work: () =>
            deps.inventory.edit(entry.uuid, '', async xml => {
                const now = await entryNow(deps, entry)
                needStopped(now)
                if (!template) await needNoClones(deps, now, { unknown: true })
                const connection = deps.libvirt.connection()
                const present = readMetadata(parseRoot(xml, 'domain'))
                const ordered = present.ordered && !template
                await setMetadataOf(connection, entry, { ...present, template, ordered })
                if (template && entry.autostart)
                    await connection.call('domainSetAutostart', { dom: entry.dom, autostart: 0 })
            }),
    }
}

/**
 * A tag that grants rest on gives rights: who may not manage those may neither set nor take it.
 * @throws Fault `denied`
 */
export function checkGrantingTags(
    before: readonly string[],
    after: readonly string[],
    granting: ReadonlySet<string>,
): void {
    const touched = [
        ...before.filter(tag => !after.includes(tag)),
        ...after.filter(tag => !before.includes(tag)),
    ].filter(tag => granting.has(tag))
    if (touched.length === 0) return
    throw new Fault('denied', {
        summary: 'Rights rest on that tag: only an administrator may set or take it',
        detail: touched.join(', '),
        fix: 'Leave the tag as it is, or ask an administrator.',
        at: 'tags',
    })
}
