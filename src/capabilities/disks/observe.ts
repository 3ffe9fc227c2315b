// Looks at the disks of the running machine; reads a first MiB where no signature is found, and changes nothing.
import { Fault } from '../../base/fault.ts'
import { LOOK_MS } from '../../base/look.ts'
import type { Probe } from '../../ports/ports.ts'
import { type Disk, type DiskSigns, disksOf, type Facts, isDrive } from './disk.ts'
import { type Block, lsblkArgv, parseLsblk, parsePvs, parseWipefs, pvsArgv, wipefsArgv } from './lsblk.ts'

const FIRST_BYTES = 1024 * 1024

/** All disks. @throws Fault `unavailable` when lsblk does not answer: without it nothing is known to be free */
export async function seeDisks(machine: Probe): Promise<Disk[]> {
    const listed = await machine.query({ argv: lsblkArgv, deadlineMs: LOOK_MS })
    if (listed.exitCode !== 0) {
        throw new Fault('unavailable', { summary: 'The disks could not be listed', detail: 'lsblk', fix: 'Try: lsblk' })
    }
    const blocks = parseLsblk(listed.stdout)
    const drives = blocks.filter(isDrive)
    const [links, groups, signs] = await Promise.all([
        seeLinks(machine),
        seeGroups(machine, blocks),
        Promise.all(drives.map(async drive => [drive.path, await seeSigns(machine, drive)] as const)),
    ])
    return disksOf({ blocks, links, groups, signs: new Map(signs) })
}

async function seeLinks(machine: Probe): Promise<Facts['links']> {
    const folders = ['/dev/disk/by-id', '/dev/disk/by-path']
    const found = await Promise.all(
        folders.map(async folder =>
            Promise.all(
                (await machine.list(folder)).map(async name => {
                    const target = await machine.readLink(`${folder}/${name}`)
                    return { link: `${folder}/${name}`, kernelName: target?.slice(target.lastIndexOf('/') + 1) ?? '' }
                }),
            ),
        ),
    )
    return found.flat()
}

/** Asked only where there is LVM at all. */
async function seeGroups(machine: Probe, blocks: readonly Block[]): Promise<Map<string, string>> {
    const has = (block: Block): boolean => block.fileSystem === 'LVM2_member' || block.children.some(has)
    if (!blocks.some(has)) return new Map()
    const { exitCode, stdout } = await machine.query({ argv: pvsArgv, deadlineMs: LOOK_MS })
    if (exitCode === 0) return parsePvs(stdout)
    const fix = 'Try: pvs. Where lvm2 is not installed, install it.'
    throw new Fault('unavailable', { summary: 'LVM does not say which disks are its own', detail: 'pvs', fix })
}

/** A disk that cannot be read is not blank. */
async function seeSigns(machine: Probe, drive: Block): Promise<DiskSigns> {
    const { exitCode, stdout } = await machine.query({ argv: wipefsArgv(drive.path), deadlineMs: LOOK_MS })
    if (exitCode !== 0) return { signatures: ['unreadable'], firstIsZero: false }
    const signatures = parseWipefs(stdout)
    if (signatures.length > 0) return { signatures, firstIsZero: false }
    const first = await machine.readRange(drive.path, 0, FIRST_BYTES).catch(() => undefined)
    return { signatures, firstIsZero: first?.every(byte => byte === 0) ?? false }
}
