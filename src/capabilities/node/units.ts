// systemctl's list of services. (systemctl(1); JSON since systemd 248)
import { z } from 'zod'
import { Fault } from '../../base/fault.ts'
import { LOOK_MS } from '../../base/look.ts'
import type { Probe } from '../../ports/ports.ts'

export const unitsArgv = [
    ...(['/usr/bin/systemctl', 'list-units', '--type=service', '--all', '--output=json', '--no-pager'] as const),
] as const

const unit = z.object({
    unit: z.string(),
    load: z.string(),
    active: z.string(),
    sub: z.string(),
    description: z.string(),
})

export interface Unit {
    name: string
    description: string
    active: string
    sub: string
}

/** Those that are there: one that others only name is none. @throws Fault `unavailable` for what is no list */
export function parseUnits(stdout: string): Unit[] {
    let json: unknown
    try {
        json = JSON.parse(stdout)
    } catch {
        json = undefined
    }
    const read = z.array(unit).safeParse(json)
    if (!read.success) throw unlisted('its answer is no list')
    return read.data
        .filter(one => one.load !== 'not-found')
        .map(({ unit: name, description, active, sub }) => ({ name, description, active, sub }))
}

export async function seeServices(machine: Probe): Promise<Unit[]> {
    const { exitCode, stdout, stderr } = await machine.query({ argv: unitsArgv, deadlineMs: LOOK_MS })
    if (exitCode !== 0) throw unlisted(stderr.trim().split('\n')[0] ?? '')
    return parseUnits(stdout)
}

const unlisted = (detail: string): Fault =>
    new Fault('unavailable', {
        summary: 'The services cannot be listed',
        detail,
        fix: 'Try it on the node: systemctl list-units --type=service',
    })
