// Holds a change of the firewall open: a timer of systemd loads the rules of before, whether this process lives or not.
import { Fault } from '../../base/fault.ts'
import type { Guard } from '../../engine/kit.ts'
import type { System } from '../../ports/ports.ts'
import { BEFORE_FILE, RESTORE_UNIT, RULES_FILE } from './plan.ts'
import { TABLE } from './rules.ts'

const TIMER = RESTORE_UNIT.replace(/service$/, 'timer')
const NONE = `table inet ${TABLE}\ndelete table inet ${TABLE}\n`

async function told(machine: System, argv: [string, ...string[]]): Promise<void> {
    const { exitCode } = await machine.run({ argv, deadlineMs: 30_000 })
    if (exitCode === 0) return
    throw new Fault('unavailable', {
        summary: 'The way back from a change of the firewall could not be prepared or ended',
        detail: argv.slice(0, 2).join(' '),
        fix: `Look at it: systemctl status ${RESTORE_UNIT}`,
    })
}

export const firewallGuard: Guard = {
    name: 'firewall',
    async open(machine, rollbackAfterMs) {
        // One that stands is from a change that was cut off: what was there before it is what comes back.
        if ((await machine.readText(BEFORE_FILE)) === undefined)
            await machine.writeFile(BEFORE_FILE, (await machine.readText(RULES_FILE)) ?? NONE, 0o600)
        await told(machine, ['systemctl', 'daemon-reload'])
        // A timer of that name may be left over, and would fire too early.
        await machine.run({ argv: ['systemctl', 'stop', '--', TIMER], deadlineMs: 30_000 })
        const after = `--on-active=${Math.ceil(rollbackAfterMs / 1000)}s`
        await told(machine, ['systemd-run', after, '--timer-property=AccuracySec=1s', `--unit=${RESTORE_UNIT}`])
        return TIMER
    },
    async commit(machine, timer) {
        // First the file: a timer that fires now finds nothing to bring back.
        await machine.remove(BEFORE_FILE)
        await told(machine, ['systemctl', 'stop', '--', timer])
    },
    async rollback(machine, timer) {
        await told(machine, ['systemctl', 'start', '--', RESTORE_UNIT])
        await told(machine, ['systemctl', 'stop', '--', timer])
    },
}
