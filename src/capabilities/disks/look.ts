// The disks of the machine together with what each says of its health.
import type { Finding } from '../../base/finding.ts'
import type { Probe } from '../../ports/ports.ts'
import type { Disk } from './disk.ts'
import { SMART_MS, unasked } from './health.ts'
import { seeDisks } from './observe.ts'
import { parseSmart, type Smart, smartArgv } from './smartctl.ts'

export interface SeenDisk extends Disk {
    smart: Smart
    health: 'ok' | 'signs' | 'failing' | 'unknown'
}

export const healthOf = ({ passed, signs }: Smart): SeenDisk['health'] => {
    if (passed === false) return 'failing'
    if (signs.length > 0) return 'signs'
    return passed ? 'ok' : 'unknown'
}

/** All of them, also those that are never asked: what can be pulled out is somebody's own matter. */
export async function seeHealth(machine: Probe): Promise<{ disks: SeenDisk[]; findings: Finding[] }> {
    const disks = await seeDisks(machine)
    const able = (await machine.look(smartArgv('')[0])) !== undefined
    const seen = await Promise.all(
        disks.map(async disk => {
            const smart = able && !disk.removable ? await askOne(machine, disk.path) : { signs: [] }
            return { ...disk, smart, health: healthOf(smart) }
        }),
    )
    return { disks: seen, findings: able ? [] : [unasked] }
}

/** A disk that does not answer in time says nothing; the others do. */
const askOne = async (machine: Probe, path: string): Promise<Smart> =>
    machine.query({ argv: smartArgv(path), deadlineMs: SMART_MS }).then(
        ({ stdout }) => parseSmart(stdout),
        () => ({ signs: [] }),
    )
