// Holds a change of the network open in NetworkManager: its timer brings the old one back, whether this process lives or not.
import { Fault } from '../../../base/fault.ts'
import { LOOK_MS } from '../../../base/look.ts'
import type { Guard } from '../../../engine/kit.ts'
import type { Probe, System, ToolResult } from '../../../ports/ports.ts'

const BUSCTL = '/usr/bin/busctl'
const NAME = 'org.freedesktop.NetworkManager'
const PATH = '/org/freedesktop/NetworkManager'
/** Delete profiles that are new, disconnect interfaces that are new. Another checkpoint is never thrown away (1). */
const FLAGS = 2 | 4

const argvOf = (...args: string[]): [string, ...string[]] => [BUSCTL, '--timeout=30', ...args]

/** Whether a change waits for its confirmation: ours that was cut off, or somebody else's. */
export async function seeOpenChange(probe: Probe): Promise<boolean> {
    const argv = argvOf('get-property', NAME, PATH, NAME, 'Checkpoints')
    const result = await probe.query({ argv, deadlineMs: LOOK_MS }).catch(() => undefined)
    return result?.exitCode === 0 && countOf(result.stdout) > 0
}

/** `ao 1 "/org/freedesktop/NetworkManager/Checkpoint/1"`. */
const countOf = (text: string) => Number(/^ao (\d+)/.exec(text)?.[1] ?? 0)

async function call(machine: System, method: string, ...args: string[]): Promise<ToolResult> {
    return machine.run({ argv: argvOf('call', NAME, PATH, NAME, method, ...args), deadlineMs: 60_000 })
}

const trouble = (detail: string) =>
    new Fault('unavailable', {
        summary: 'The way back from a change of the network could not be prepared or ended',
        detail,
        fix: 'Look at it: journalctl -u NetworkManager',
    })

export const networkGuard: Guard = {
    name: 'networkmanager',
    remembersTries: true,
    async open(machine, rollbackAfterMs) {
        if (await seeOpenChange(machine)) {
            throw new Fault('conflict', {
                summary: 'Another change of the network waits for its confirmation',
                detail: 'without one, it comes back within a minute or two',
                fix: 'Wait until it is confirmed or has come back, then apply again.',
            })
        }
        const seconds = String(Math.ceil(rollbackAfterMs / 1000))
        const { exitCode, stdout } = await call(machine, 'CheckpointCreate', 'aouu', '0', seconds, String(FLAGS))
        const path = /^o "(\/[\w/]+)"/.exec(stdout)?.[1]
        if (exitCode !== 0 || !path) throw trouble('CheckpointCreate')
        return path
    },
    async commit(machine, token) {
        const { exitCode } = await call(machine, 'CheckpointDestroy', 'o', token)
        if (exitCode === 0) return
        throw new Fault('deadline', {
            summary: 'The network came back to what it was before it was confirmed',
            detail: token,
            fix: 'Apply again with --retry.',
        })
    },
    async rollback(machine, token) {
        const { exitCode } = await call(machine, 'CheckpointRollback', 'o', token)
        if (exitCode !== 0) throw trouble('CheckpointRollback')
    },
}
