// Volumes that DebVisor did not make: what their first bytes name is looked at before a VM or a copy reads through them.
import { dirname, resolve } from 'node:path/posix'
import { Fault } from '../../base/fault.ts'
import type { Clock } from '../../ports/ports.ts'
import type { Bytes } from './bytes.ts'
import type { Declarations } from './declared.ts'
import { isOnFiles, type VolumeEntry } from './entries.ts'
import { checkHeader, HEAD_BYTES, isFormat, qcow2References, sniff } from './formats.ts'
import type { Inventory } from './inventory.ts'
import { patiently } from './patience.ts'
import { refuseSeed } from './volume-checks.ts'

/** Formats in which one file can make a reader open another. */
const REFERRING = ['qcow2', 'qed', 'vmdk', 'vdi', 'vhdx', 'vpc', 'parallels']
const QCOW2_HEADER_BYTES = 72
const LINKS_MAX = 64
const TAIL_BYTES = 512

export interface ExistingDeps {
    bytes: Bytes
    inventory: Inventory
    declared: Declarations
    clock: Clock
}

/**
 * Answers a check that a volume, and all that it stands on, leads to no file outside the pools and to no seed. What
 * DebVisor made is known; of others the header itself is read, because libvirt may not have looked lately, and says
 * nothing of data files.
 * @throws Fault `denied`, `conflict` when the content is not what libvirt took it for
 */
export function createExistingCheck(deps: ExistingDeps): (entry: VolumeEntry) => Promise<void> {
    const { bytes, inventory, declared, clock } = deps

    const read = async (entry: VolumeEntry, offsetBytes: number, lengthBytes: number): Promise<Uint8Array> => {
        const chunks: Uint8Array[] = []
        await patiently(clock, async () => {
            chunks.length = 0
            const range = { offsetBytes, lengthBytes: Math.min(lengthBytes, entry.physicalBytes - offsetBytes) }
            for await (const chunk of bytes.download(entry, range)) chunks.push(chunk)
        })
        return Buffer.concat(chunks)
    }

    /** Path of what it stands on, by its own header. */
    async function backingOf(entry: VolumeEntry): Promise<string | undefined> {
        if (!isOnFiles(entry.poolType) || entry.physicalBytes === 0) return undefined
        const head = await read(entry, 0, HEAD_BYTES)
        const found = sniff(head)
        const { format } = entry
        if (found !== format && (REFERRING.includes(found) || format === 'qcow2')) {
            throw new Fault('conflict', {
                summary: 'The content of the volume is of another format than libvirt knows',
                detail: `${entry.pool}/${entry.name} is known as ${format}, and begins like ${found}`,
                fix: `Have the pool looked through (debvisor pool refresh ${entry.pool}), then look at the volume again.`,
                at: 'volume',
            })
        }
        if (found !== 'qcow2') {
            if (!REFERRING.includes(found)) return undefined
            if (!isFormat(found)) throw leads(entry, `a format (${found}) that may name other files`)
            const tail = await read(entry, Math.max(0, entry.physicalBytes - TAIL_BYTES), TAIL_BYTES)
            checkHeader(found, { head, tail, sizeBytes: entry.physicalBytes })
            return undefined
        }
        if (head.length < QCOW2_HEADER_BYTES) throw leads(entry, 'a header that is cut short')
        const { backing, dataFile } = qcow2References(head)
        if (dataFile) throw leads(entry, 'an external data file')
        if (backing === undefined) return undefined
        // `json:…` and `nbd://…` are no files; qemu takes for a protocol what stands before the first colon.
        if (backing === '' || /^[^/]*:/.test(backing) || backing.includes('\0')) throw leads(entry, 'no plain file')
        return resolve(dirname(entry.path), backing)
    }

    return async first => {
        for (let at = first, depth = 0; ; depth++) {
            const backingPath = declared.get(at.pool, at.name) ? at.backingPath : await backingOf(at)
            if (backingPath === undefined) return
            const next = inventory.byPath(backingPath)
            if (!next || depth > LINKS_MAX) {
                throw new Fault('denied', {
                    summary: 'The volume stands on a file outside the pools, and is not used',
                    detail: `${at.pool}/${at.name} on ${backingPath.slice(0, 200)}`,
                    fix: 'Make a pool of the folder where that file is (administrators), or rebase the image by hand.',
                    at: 'volume',
                })
            }
            refuseSeed(next)
            at = next
        }
    }
}

const leads = (entry: VolumeEntry, what: string): Fault =>
    new Fault('denied', {
        summary: 'The volume refers to other files, and is not used',
        detail: `${entry.pool}/${entry.name} has ${what}`,
        fix: 'Make it whole where it was made (qemu-img convert), and import that.',
        at: 'volume',
    })
