// Whose UEFI variables a file holds: libvirt names it by the VM, and names pass from one VM to another.
import type { VmDeps } from './deps.ts'
import type { VmEntry } from './inventory.ts'
import { copyNvram, removeNvram } from './nvram.ts'
import { readCloneSource } from './xml/clone.ts'
import { parseRoot, textAt } from './xml/document.ts'
import { editDomain } from './xml/edit.ts'
import { nvramPathOf, ownNvramPath, setNvram } from './xml/nvram-path.ts'

export interface Firmware {
    uuid: string
    uefi: boolean
    /** Where its variables are. */
    path: string
}

/** @param xml the definition of the next start */
export function firmwareOf(xml: string): Firmware {
    const root = parseRoot(xml, 'domain')
    const { uefi, nvramPath } = readCloneSource(xml)
    return { uuid: textAt(root, 'uuid'), uefi, path: nvramPathOf({ name: textAt(root, 'name'), nvramPath }) }
}

/**
 * Before a VM gives its name away: its variables get a place of their own, if they were kept by the name. Answers how to
 * clear the old place, for when the VM has its new name.
 */
export async function takeNvramAlong(
    deps: Pick<VmDeps, 'libvirt' | 'inventory'>,
    entry: Pick<VmEntry, 'uuid' | 'name'>,
    xml: string,
): Promise<() => Promise<void>> {
    const { uefi, nvramPath, nvramFormat, secureBoot } = readCloneSource(xml)
    const byName = nvramPathOf({ name: entry.name, nvramPath: '' })
    if (!uefi || nvramPathOf({ name: entry.name, nvramPath }) !== byName) return async () => undefined
    const own = ownNvramPath(entry.uuid, secureBoot)
    await copyNvram(deps.libvirt, { from: byName, to: own, format: nvramFormat })
    const pinned = editDomain(xml, domain => setNvram(domain, own))
    await deps.libvirt.connection().call('domainDefineXMLFlags', { xml: pinned, flags: 0 })
    return async () => {
        const others = deps.inventory.usersOfPath(byName).filter(other => other.uuid !== entry.uuid)
        if (others.length === 0) await removeNvram(deps.libvirt, [byName])
    }
}
