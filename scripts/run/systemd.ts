// What systemd is asked for, where it is process 1: which units run, start them, stop those that did not run before.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Prefix of every transient unit of ours. */
export const unitPrefix = 'debvisor-dev-'

/** The unit that shuts guests down; what it needs for that is stopped after it, and says so itself. */
export const guestsUnit = `${unitPrefix}guests.service`

/** True where systemd is process 1 (sd_booted(3)). */
export const isBooted = (): boolean => existsSync('/run/systemd/system')

/** True where transient system units can be made. */
export const canMakeUnits = (): boolean => isBooted() && process.getuid?.() === 0

export async function isActive(unit: string): Promise<boolean> {
    return run('systemctl', ['is-active', '--quiet', unit]).then(
        () => true,
        () => false,
    )
}

/** Starts a unit; answers those of `family` that did not run before and do now, in the order given. */
export async function startUnit(unit: string, family: string[]): Promise<string[]> {
    const before = new Set<string>()
    for (const one of family) if (await isActive(one)) before.add(one)
    await run('systemctl', ['start', unit], { timeout: 60_000 }).catch(trouble => {
        throw new Error(`systemd did not start ${unit}: ${(trouble as { stderr?: string }).stderr?.trim() ?? trouble}`)
    })
    const now: string[] = []
    for (const one of family) if (!before.has(one) && (await isActive(one))) now.push(one)
    return now
}

export async function stopUnits(units: string[]): Promise<void> {
    if (units.length > 0) await run('systemctl', ['stop', ...units], { timeout: 60_000 })
}

/** Stops and forgets every transient unit of ours that works on this state folder; answers their names. */
export async function stopOurUnits(state: string): Promise<string[]> {
    const listed = await run('systemctl', ['list-units', '--all', '--plain', '--no-legend', `${unitPrefix}*`])
    const units: string[] = []
    for (const line of listed.stdout.split('\n')) {
        const unit = line.trim().split(/\s+/)[0]
        if (!unit) continue
        const shown = await run('systemctl', ['show', '--property=ExecStart', unit])
        if (shown.stdout.includes(`${state}/`)) units.push(unit)
    }
    await stopUnits(units)
    if (units.length > 0) await run('systemctl', ['reset-failed', ...units]).catch(() => undefined)
    return units
}
