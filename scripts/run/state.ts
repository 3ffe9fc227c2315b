// The state folder of `make run`: where it is, that it is ours, who runs, what was said last.
import {
    linkSync,
    mkdirSync,
    readdirSync,
    readFileSync,
    renameSync,
    rmdirSync,
    rmSync,
    statSync,
    writeFileSync,
} from 'node:fs'
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

const markerName = '.debvisor-state'
const markerText =
    'This folder was made by `make run` of DebVisor; `make clean-run` removes what DebVisor made in it.\n'

/** Everything that DebVisor and what it starts make in the state folder. What a person puts into `import` is theirs. */
const ourNames = [
    'audit',
    'boot',
    'etcd',
    'identity',
    'images',
    'libvirt',
    'log',
    'pki',
    'staging',
    'tasks',
    'vms',
    'containers',
    'stacks',
    'vnc',
].concat(['rpcd.sock', 'before.json', 'run.json'])

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

/** Why the folder is not one that `make run` made; undefined when it is. */
export function notOurs(state: string): string | undefined {
    const names = readdirSync(state)
    if (names.includes(markerName)) return undefined
    return names.length === 0 ? 'it is empty' : `it holds ${names.slice(0, 3).join(', ')} and no ${markerName}`
}

/** Makes the folder ours, or refuses one that holds what we did not make. */
function claim(state: string): void {
    mkdirSync(state, { recursive: true, mode: 0o711 })
    const why = notOurs(state)
    if (why !== undefined && why !== 'it is empty')
        throw new Error(
            `${state} is not a state folder of DebVisor: ${why}. Set DEBVISOR_STATE to a new or empty folder` +
                `; where \`make run\` did make this one, mark it: touch ${join(state, markerName)}`,
        )
    try {
        writeFileSync(join(state, markerName), markerText, { flag: 'wx', mode: 0o644 })
    } catch (trouble) {
        if (codeOf(trouble) !== 'EEXIST') throw trouble
    }
}

const codeOf = (trouble: unknown) => (trouble as NodeJS.ErrnoException).code
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

/** The record in the file when its process lives, or undefined. */
function liveRecord(path: string): RunRecord | undefined {
    let text: string
    try {
        text = readFileSync(path, 'utf8')
    } catch (trouble) {
        if (codeOf(trouble) === 'ENOENT') return undefined
        throw trouble
    }
    try {
        const record = JSON.parse(text) as RunRecord
        return startTicksOf(record.pid) === record.startTicks ? record : undefined
    } catch {
        // Torn by a power cut.
        return undefined
    }
}

/** The record of the `make run` that holds the state folder now, or undefined when none does. */
export const whoRuns = (state: string): RunRecord | undefined => liveRecord(recordPath(state))

/** Writes our record beside the final name and answers its path; readable by its owner alone. */
function prepared(state: string, facts: Partial<RunRecord> = {}): string {
    const path = `${recordPath(state)}.${process.pid}`
    const mine: RunRecord = { ...facts, pid: process.pid, startTicks: startTicksOf(process.pid)! }
    rmSync(path, { force: true })
    writeFileSync(path, JSON.stringify(mine), { flag: 'wx', mode: 0o600 })
    return path
}

/**
 * Takes the state folder for this process; answers the holder instead when there is one. Throws for a folder that is
 * not ours, and for one that this user may not use.
 */
export function take(state: string): RunRecord | undefined {
    claim(state)
    const [path, mine] = [recordPath(state), prepared(state)]
    const aside = `${mine}.old`
    try {
        for (;;) {
            try {
                // A link appears whole or not at all, so that nobody reads half a record.
                linkSync(mine, path)
                return undefined
            } catch (trouble) {
                if (codeOf(trouble) !== 'EEXIST') throw trouble
            }
            const holder = liveRecord(path)
            if (holder) return holder
            putAside(path, aside)
        }
    } finally {
        for (const one of [mine, aside]) rmSync(one, { force: true })
    }
}

/** Moves the record of a run that was killed out of the way; one that another took meanwhile goes back. */
function putAside(path: string, aside: string): void {
    try {
        renameSync(path, aside)
    } catch (trouble) {
        if (codeOf(trouble) === 'ENOENT') return
        throw trouble
    }
    if (liveRecord(aside)) linkSync(aside, path)
}

/** Notes what the second `make run` shall print: nothing that is secret. */
export function note(state: string, { url, fingerprint }: { url: string; fingerprint: string }): void {
    renameSync(prepared(state, { url, fingerprint }), recordPath(state))
}

/** Gives the state folder back. */
export const release = (state: string): void => rmSync(recordPath(state), { force: true })

/** Removes what DebVisor made in the folder, and the folder when nothing else is in it; answers what stays. */
export function removeOurs(state: string): string[] {
    for (const name of ourNames) rmSync(join(state, name), { recursive: true, force: true })
    for (const name of readdirSync(state).filter(name => name.startsWith('run.json.'))) rmSync(join(state, name))
    removeIfEmpty(join(state, 'import'))
    const stays = readdirSync(state).filter(name => name !== markerName)
    if (stays.length > 0) return stays
    rmSync(join(state, markerName), { force: true })
    rmdirSync(state)
    return []
}

function removeIfEmpty(folder: string): void {
    try {
        rmdirSync(folder)
    } catch (trouble) {
        if (!['ENOENT', 'ENOTEMPTY'].includes(codeOf(trouble) ?? '')) throw trouble
    }
}
