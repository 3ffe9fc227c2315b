// The UEFI variables of a VM copied for its clone, without touching files: libvirt copies them, as a volume.
import { asFault } from '../../base/fault.ts'
import { volumeRef } from '../../drivers/libvirt/libvirt.ts'
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import { notFoundIsFine } from './make.ts'
import { xmlText } from './xml/build-text.ts'

/** Where libvirt keeps them unless a definition says otherwise. */
const FOLDER = '/var/lib/libvirt/qemu/nvram'
/** A transient pool on that folder, there only while a copy is made. */
const POOL = 'debvisor-nvram'

/** Where the UEFI variables of a VM are. */
export const nvramPathOf = (vm: { name: string; nvramPath: string }): string =>
    vm.nvramPath || `${FOLDER}/${vm.name}_VARS.fd`

/** The same folder, the name of another VM. */
export const nvramPathFor = (path: string, name: string): string =>
    `${path.slice(0, path.lastIndexOf('/'))}/${name}_VARS.fd`

let queue: Promise<unknown> = Promise.resolve()

/**
 * Copies a file of UEFI variables beside itself. False where there is none: a VM that never ran has none yet, and its
 * clone begins with fresh ones just as well. Never overwrites.
 */
export function copyNvram(libvirt: LibvirtLink, fromPath: string, name: string): Promise<boolean> {
    const copied = queue.then(() => copy(libvirt, fromPath, name))
    queue = copied.catch(() => undefined)
    return copied
}

async function copy(libvirt: LibvirtLink, fromPath: string, name: string): Promise<boolean> {
    const { call } = libvirt.connection()
    const folder = fromPath.slice(0, fromPath.lastIndexOf('/'))
    const file = fromPath.slice(folder.length + 1)
    const old = await call('storagePoolLookupByName', { name: POOL }).catch(notFoundIsFine)
    // Left by a daemon that died: it may be on another folder.
    if (old) await call('storagePoolDestroy', { pool: old.pool })
    const xml = xmlText({
        name: 'pool',
        attributes: { type: 'dir' },
        children: [
            { name: 'name', text: POOL },
            { name: 'target', children: [{ name: 'path', text: folder }] },
        ],
    })
    const { pool } = await call('storagePoolCreateXML', { xml })
    try {
        const vol = volumeRef({ pool: POOL, name: file })
        const facts = await call('storageVolGetInfo', { vol }).catch(notFoundIsFine)
        if (!facts) return false
        const volume = xmlText({
            name: 'volume',
            children: [
                { name: 'name', text: `${name}_VARS.fd` },
                { name: 'capacity', text: String(facts.capacity) },
                { name: 'target', children: [{ name: 'format', attributes: { type: 'raw' } }] },
            ],
        })
        await call('storageVolCreateXMLFrom', { pool, xml: volume, clonevol: vol, flags: 0 })
        return true
    } catch (thrown) {
        if (asFault(thrown).code === 'exists') return false
        throw thrown
    } finally {
        await call('storagePoolDestroy', { pool }).catch(() => undefined)
    }
}
