// The UEFI variables of VMs copied and removed without touching files: libvirt does it, as if they were volumes.
import { asFault } from '../../base/fault.ts'
import { type Libvirt, type StoragePoolRef, volumeRef } from '../../drivers/libvirt/libvirt.ts'
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import { notFoundIsFine } from './make.ts'
import { xmlText } from './xml/build-text.ts'
import { NVRAM_FOLDER } from './xml/nvram-path.ts'

/** A transient pool on the folder of the variables, there only while something is done in it. */
const POOL = 'debvisor-nvram'

const split = (path: string) => {
    const at = path.lastIndexOf('/')
    return { folder: path.slice(0, at), file: path.slice(at + 1) }
}

/** The format of a file of variables, as definitions say it. */
export type NvramFormat = 'raw' | 'qcow2'

/**
 * Copies a file of UEFI variables beside itself. False where there is none: a VM that never ran has none yet, and its
 * clone begins with fresh ones just as well. Never overwrites.
 */
export const copyNvram = (
    libvirt: LibvirtLink,
    what: { from: string; to: string; format: NvramFormat },
): Promise<boolean> =>
    inFolder(libvirt, split(what.from).folder, async (call, pool) => {
        const vol = volumeRef({ pool: POOL, name: split(what.from).file })
        const facts = await call('storageVolGetInfo', { vol }).catch(notFoundIsFine)
        if (!facts) return false
        const volume = xmlText({
            name: 'volume',
            children: [
                { name: 'name', text: split(what.to).file },
                { name: 'capacity', text: String(facts.capacity) },
                { name: 'target', children: [{ name: 'format', attributes: { type: what.format } }] },
            ],
        })
        try {
            await call('storageVolCreateXMLFrom', { pool, xml: volume, clonevol: vol, flags: 0 })
            return true
        } catch (thrown) {
            if (asFault(thrown).code === 'exists') return false
            throw thrown
        }
    })

/** Removes files of UEFI variables, all in libvirt's own folder; those that are not there are no trouble. */
export const removeNvram = (libvirt: LibvirtLink, paths: readonly string[]): Promise<void> =>
    inFolder(libvirt, NVRAM_FOLDER, async call => {
        for (const path of paths) {
            const vol = volumeRef({ pool: POOL, name: split(path).file })
            await call('storageVolDelete', { vol, flags: 0 }).catch(notFoundIsFine)
        }
    })

/** Takes the pool away that a daemon left when it died: it would show the variables of all VMs like images. */
export async function dropNvramPool(libvirt: LibvirtLink): Promise<void> {
    const { call } = libvirt.connection()
    const left = await call('storagePoolLookupByName', { name: POOL }).catch(notFoundIsFine)
    if (left) await call('storagePoolDestroy', { pool: left.pool })
}

// One at a time: the pool has one name.
let queue: Promise<unknown> = Promise.resolve()

function inFolder<T>(
    libvirt: LibvirtLink,
    folder: string,
    work: (call: Libvirt['call'], pool: StoragePoolRef) => Promise<T>,
): Promise<T> {
    const done = queue.then(async () => {
        // It may be on another folder.
        await dropNvramPool(libvirt)
        const { call } = libvirt.connection()
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
            return await work(call, pool)
        } finally {
            await call('storagePoolDestroy', { pool }).catch(() => undefined)
        }
    })
    queue = done.catch(() => undefined)
    return done
}
