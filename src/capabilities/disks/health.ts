// What disks say of themselves: one that is failing, one that shows signs of it.
import type { Finding } from '../../base/finding.ts'
import type { HealthCheck } from '../../engine/health.ts'
import type { Disk } from './disk.ts'
import { seeDisks } from './observe.ts'
import { parseSmart, type Smart, smartArgv } from './smartctl.ts'

export const SMART_MS = 60_000

export function diskFindings({ id, model }: Pick<Disk, 'id' | 'model'>, { passed, signs }: Smart): Finding[] {
    const what = [id, model].filter(Boolean).join(', ')
    const at = `disk:${id}`
    if (passed === false) {
        return [
            {
                ...{ severity: 'error', code: 'disk-failing', at, summary: 'A disk says that it is failing' },
                detail: [what, ...signs].join('; '),
                fix: 'Replace it now, and see that what is on it is elsewhere too.',
            },
        ]
    }
    if (signs.length === 0) return []
    return [
        {
            ...{ severity: 'warning', code: 'disk-signs', at, summary: 'A disk shows signs of failing' },
            detail: [what, ...signs].join('; '),
            fix: `Look at it: smartctl -a ${id}. Have another one at hand.`,
        },
    ]
}

export const unasked: Finding = {
    ...{ severity: 'warning', code: 'no-smartctl', at: 'disks' },
    ...{ summary: 'Disks cannot be asked how they are', detail: 'smartctl is not installed' },
    fix: 'debvisor node apply installs it, or: apt install smartmontools',
}

export const disksHealth: HealthCheck = {
    name: 'disks',
    async look(machine) {
        if (!(await machine.look(smartArgv('')[0]))) return [unasked]
        const disks = (await seeDisks(machine)).filter(({ removable }) => !removable)
        const found = await Promise.all(
            disks.map(async disk => {
                const { stdout } = await machine.query({ argv: smartArgv(disk.path), deadlineMs: SMART_MS })
                return diskFindings(disk, parseSmart(stdout))
            }),
        )
        return found.flat()
    },
}
