// The state folder of `make run`: where it is, who runs, what was said last.
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { root } from '../stages.ts'
import { isBooted } from './systemd.ts'

/** What a running `make run` knows and a second one prints. */
export interface RunRecord {
    pid: number
    /** When the process began, in clock ticks since boot: tells a reused process id. */
    startTicks: string
    url?: string
    fingerprint?: string
}

/**
 * Absolute path of the state folder: DEBVISOR_STATE, or .state in the repository. With systemd QEMU runs as a user of
 * its own, who cannot reach disks below a closed folder such as /root: there it is /var/lib/debvisor-dev.
 */
export function stateFolder(): string {
    if (process.env.DEBVISOR_STATE) return resolve(root, process.env.DEBVISOR_STATE)
    const closed = isBooted() && process.getuid?.() === 0 && closedFolderOn(resolve(root)) !== undefined
    return closed ? '/var/lib/debvisor-dev' : resolve(root, '.state')
}

/** The first folder on the way to the path that others may not pass, or undefined. */
export function closedFolderOn(path: string): string | undefined {
    for (let at = path; at !== '/'; at = dirname(at)) if ((statSync(at).mode & 0o001) === 0) return at
    return undefined
}

const recordPath = (state: string) => join(state, 'run.json')

/** When a process began, or undefined when there is none. */
function startTicksOf(pid: number): string | undefined {
    try {
        return readFileSync(`/proc/${pid}/stat`, 'utf8')
            .replace(/^.*\) /s, '')
            .split(' ')[19]
    } catch {
        return undefined
    }
}

/** The record of the `make run` that holds the state folder now, or undefined when none does. */
export function whoRuns(state: string): RunRecord | undefined {
    try {
        const record = JSON.parse(readFileSync(recordPath(state), 'utf8')) as RunRecord
        return startTicksOf(record.pid) === record.startTicks ? record : undefined
    } catch {
        return undefined
    }
}

/** Takes the state folder for this process; answers the holder instead when there is one. */
export function take(state: string): RunRecord | undefined {
    mkdirSync(state, { recursive: true, mode: 0o711 })
    const mine = { pid: process.pid, startTicks: startTicksOf(process.pid)! }
    try {
        writeFileSync(recordPath(state), JSON.stringify(mine), { flag: 'wx' })
        return undefined
    } catch {
        const holder = whoRuns(state)
        if (holder) return holder
        // Left by one that was killed.
        rmSync(recordPath(state), { force: true })
        return take(state)
    }
}

/** Notes what the second `make run` shall print. */
export function note(state: string, facts: { url: string; fingerprint: string }): void {
    const mine: RunRecord = { pid: process.pid, startTicks: startTicksOf(process.pid)!, ...facts }
    writeFileSync(recordPath(state), JSON.stringify(mine))
}

/** Gives the state folder back. */
export const release = (state: string): void => rmSync(recordPath(state), { force: true })
