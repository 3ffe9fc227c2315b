// lsblk, wipefs and pvs: what they are asked, and what their answers mean. (lsblk(8), wipefs(8), pvs(8))
import { Fault } from '../../base/fault.ts'

/** A block device and what stands on it: partitions, LVM, mdraid, dm-crypt, multipath. */
export interface Block {
    path: string
    kernelName: string
    /** disk, part, lvm, raid1, crypt, mpath, loop, rom … */
    type: string
    sizeBytes: number
    model: string
    serial: string
    wwn: string
    readOnly: boolean
    removable: boolean
    rotational: boolean
    /** sata, nvme, usb, … or empty. */
    transport: string
    fileSystem: string
    mountpoints: string[]
    children: Block[]
}

const COLUMNS = 'NAME,KNAME,PATH,TYPE,SIZE,MODEL,SERIAL,WWN,RO,RM,ROTA,TRAN,FSTYPE,MOUNTPOINTS'

export const lsblkArgv: [string, ...string[]] = ['lsblk', '--json', '--bytes', '--output', COLUMNS]

interface RawBlock {
    kname: string
    path: string
    type: string
    size: number | string | null
    model?: string | null
    serial?: string | null
    wwn?: string | null
    ro: boolean
    rm: boolean
    rota: boolean
    tran?: string | null
    fstype?: string | null
    mountpoints?: (string | null)[]
    children?: RawBlock[]
}

/** @throws Fault `unsupported` when the answer is not what lsblk says */
export function parseLsblk(stdout: string): Block[] {
    const { blockdevices } = parsed<{ blockdevices?: RawBlock[] }>(stdout, 'lsblk')
    if (!Array.isArray(blockdevices)) throw notUnderstood('lsblk')
    return blockdevices.map(blockOf)
}

const blockOf = (raw: RawBlock): Block => ({
    ...{ path: raw.path, kernelName: raw.kname, type: raw.type, sizeBytes: Number(raw.size ?? 0) },
    ...{ model: raw.model?.trim() ?? '', serial: raw.serial?.trim() ?? '', wwn: raw.wwn ?? '' },
    ...{ readOnly: raw.ro, removable: raw.rm, rotational: raw.rota, transport: raw.tran ?? '' },
    fileSystem: raw.fstype ?? '',
    mountpoints: (raw.mountpoints ?? []).filter((one): one is string => !!one),
    children: (raw.children ?? []).map(blockOf),
})

/** Only lists: nothing is wiped (wipefs(8), --no-act is its way without --all). */
export const wipefsArgv = (path: string): [string, ...string[]] => ['wipefs', '--json', '--no-act', path]

/** Signatures of a device, such as `gpt` or `ext4 1f0c…`, sorted. Nothing found is an empty answer. */
export function parseWipefs(stdout: string): string[] {
    if (stdout.trim() === '') return []
    const { signatures } = parsed<{ signatures?: { type: string; uuid?: string | null }[] }>(stdout, 'wipefs')
    if (!Array.isArray(signatures)) throw notUnderstood('wipefs')
    return [...new Set(signatures.map(({ type, uuid }) => (uuid ? `${type} ${uuid}` : type)))].sort()
}

export const pvsArgv: [string, ...string[]] = ['pvs', '--reportformat', 'json', '--options', 'pv_name,vg_name']

/** Volume group by the path of its physical volume. */
export function parsePvs(stdout: string): Map<string, string> {
    const { report } = parsed<{ report?: { pv?: { pv_name: string; vg_name: string }[] }[] }>(stdout, 'pvs')
    return new Map((report ?? []).flatMap(({ pv }) => pv ?? []).map(one => [one.pv_name, one.vg_name]))
}

function parsed<T>(stdout: string, tool: string): T {
    try {
        return JSON.parse(stdout) as T
    } catch {
        throw notUnderstood(tool)
    }
}

const notUnderstood = (tool: string) =>
    new Fault('unsupported', {
        summary: 'The answer of a tool was not understood',
        detail: tool,
        fix: `Try ${tool} by hand; report it with the version of util-linux or lvm2.`,
    })
