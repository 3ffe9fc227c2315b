// A USB stick beside the medium: where a log is written to, and where answers may come from.
import { Fault } from '../../base/fault.ts'
import { LOOK_MS } from '../../base/look.ts'
import type { Probe, System } from '../../ports/ports.ts'

const AT = '/run/debvisor-stick'
const WRITABLE = new Set(['vfat', 'exfat', 'ext4', 'ext3', 'ext2'])

interface Part {
    path: string
    rm: boolean
    ro: boolean
    fstype: string | null
    label: string | null
    mountpoints?: (string | null)[]
    children?: Part[]
}

async function partsOf(machine: Probe): Promise<Part[]> {
    const argv: [string, ...string[]] = ['lsblk', '--json', '--output', 'PATH,RM,RO,FSTYPE,LABEL,MOUNTPOINTS']
    const { stdout, exitCode } = await machine.query({ argv, deadlineMs: LOOK_MS })
    if (exitCode !== 0) return []
    const all = (part: Part): Part[] => [part, ...(part.children ?? []).flatMap(all)]
    return (JSON.parse(stdout) as { blockdevices: Part[] }).blockdevices.flatMap(all)
}

const isMounted = ({ mountpoints = [] }: Part) => mountpoints.some(Boolean)

/** Writes a file to the first stick that takes one; answers where. @throws Fault `not-found` where there is none */
export async function writeToStick(machine: System, name: string, text: string): Promise<string> {
    const part = (await partsOf(machine)).find(
        one => one.rm && !one.ro && !isMounted(one) && WRITABLE.has(one.fstype ?? ''),
    )
    if (!part) {
        throw new Fault('not-found', {
            summary: 'There is no USB stick that could be written to',
            fix: 'Put one in that has a file system of Windows (FAT) or of Linux on it, then try again.',
        })
    }
    await mounted(machine, part.path, 'rw', () => machine.writeFile(`${AT}/${name}`, text, 0o600))
    return `${name} on ${part.label || part.path}`
}

/** A file of the stick with that label; undefined where there is no such stick or file. */
export async function readFromStick(machine: System, label: string, name: string): Promise<string | undefined> {
    const part = (await partsOf(machine)).find(one => one.label === label && !isMounted(one) && one.fstype)
    return part && (await mounted(machine, part.path, 'ro', () => machine.readText(`${AT}/${name}`)))
}

async function mounted<T>(machine: System, device: string, how: 'rw' | 'ro', work: () => Promise<T>): Promise<T> {
    await machine.makeDirectory(AT, 0o700)
    const argv: [string, ...string[]] = ['mount', '-o', `${how},nosuid,nodev,noexec`, '--', device, AT]
    const { exitCode, stderr } = await machine.run({ argv, deadlineMs: LOOK_MS })
    if (exitCode !== 0) {
        throw new Fault('unavailable', {
            summary: 'The USB stick could not be mounted',
            detail: `${device} (${stderr.trim().split('\n')[0]})`,
            fix: 'Try another one.',
        })
    }
    try {
        return await work()
    } finally {
        // It is on the stick when this returns: people pull it out at once.
        await machine.run({ argv: ['umount', '--', AT], deadlineMs: LOOK_MS })
    }
}
