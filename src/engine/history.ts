// What every apply left behind: its document, its journal of steps, and the files that it replaced, for a rollback.
import { randomBytes } from 'node:crypto'
import { Fault } from '../base/fault.ts'
import type { Clock, System } from '../ports/ports.ts'
import { openJournal, parseLines } from './journal.ts'

export const STATE = '/var/lib/debvisor'
const APPLIES = `${STATE}/applies`
const REJECTED = `${STATE}/rejected.json`

/** One apply, as `history` lists it. */
export interface ApplyRecord {
    id: string
    startedMs: number
    endedMs?: number
    by: string
    /** `running` also for one that was cut off, until somebody who knows the lock says `interrupted`. */
    state: 'running' | 'done' | 'failed' | 'cancelled' | 'interrupted'
    steps: number
    failed: number
    summary?: string
}

export interface KeptFile {
    path: string
    /** Undefined: there was no file. */
    copy?: string
    mode: number
    uid: number
    gid: number
    secret: boolean
}

export interface Recorder {
    id: string
    /** Durable when it returns. @throws Fault when it cannot be written: then no step may run */
    note(entry: object): Promise<void>
    keep(path: string, secret: boolean): Promise<void>
    end(state: ApplyRecord['state'], counts: { steps: number; failed: number; summary?: string }): Promise<void>
}

/** Begins the record of one apply below `root`'s state folder. */
export async function openRecord(
    root: System,
    clock: Clock,
    about: { by: string; document: string },
): Promise<Recorder> {
    const startedMs = clock.now()
    await root.makeDirectory(STATE, 0o711)
    await root.makeDirectory(APPLIES, 0o700)
    const id = nextId(
        (await root.list(APPLIES)).findLast(one => STAMP.test(one)),
        startedMs,
    )
    const folder = `${APPLIES}/${id}`
    await root.makeDirectory(folder, 0o700)
    await root.makeDirectory(`${folder}/kept`, 0o700)
    await root.makeDirectory(`${folder}/kept-secret`, 0o700)
    await root.writeFile(`${folder}/node.yaml`, about.document, 0o600)
    const { journal } = await openJournal({ system: root, clock, path: `${folder}/journal` })
    const note = (entry: object) => journal.append({ atMs: clock.now(), ...entry })
    await note({ op: 'begin', by: about.by })
    const kept = new Set<string>()
    return {
        id,
        note,
        async keep(path, secret) {
            // The first contents are those of before this apply.
            if (kept.has(path)) return
            kept.add(path)
            const facts = await root.look(path)
            const { mode = 0, uid = 0, gid = 0 } = facts ?? {}
            const entry: KeptFile = { path, mode, uid, gid, secret }
            if (facts?.kind === 'file') {
                entry.copy = `${secret ? 'kept-secret' : 'kept'}/${kept.size}`
                await root.writeFile(`${folder}/${entry.copy}`, (await root.readText(path)) ?? '', 0o600)
            }
            await note({ op: 'kept', ...entry })
        },
        async end(state, counts) {
            await note({ op: 'end', state, ...counts })
            await journal.close()
        },
    }
}

const STAMP = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d{3})/

/** Sorts behind all that came before, also when the clock was set back since; by its end two of one moment stay apart. */
function nextId(last: string | undefined, nowMs: number): string {
    const [, ...parts] = (STAMP.exec(last ?? '') ?? []).map(Number)
    const [year = 0, month = 1, ...rest] = parts
    const lastMs = parts.length > 0 ? Date.UTC(year, month - 1, ...rest) : 0
    const stamp = new Date(Math.max(nowMs, lastMs + 1)).toISOString().replace(/\D/g, '')
    return `${stamp}-${randomBytes(2).toString('hex')}`
}

/** Newest first. A folder that cannot be understood is left out. */
export async function listApplies(root: Pick<System, 'list' | 'readText'>): Promise<ApplyRecord[]> {
    const found: ApplyRecord[] = []
    for (const id of (await root.list(APPLIES)).toReversed()) {
        const entries = await entriesOf(root, id)
        const begin = entries.find(entry => entry.op === 'begin')
        if (!begin) continue
        const end = entries.findLast(entry => entry.op === 'end')
        const count = (op: string) => entries.filter(entry => entry.op === op).length
        found.push({
            id,
            startedMs: Number(begin.atMs),
            by: String(begin.by ?? ''),
            state: (end?.state as ApplyRecord['state']) ?? 'running',
            steps: count('done'),
            failed: count('failed'),
            ...(end ? { endedMs: Number(end.atMs) } : {}),
            ...(end?.summary ? { summary: String(end.summary) } : {}),
        })
    }
    return found
}

export type Noted = Record<string, unknown> & { op: string; atMs: number }

/** What the journal of one apply says. */
export async function entriesOf(root: Pick<System, 'readText'>, id: string): Promise<Noted[]> {
    return parseLines((await root.readText(`${APPLIES}/${id}/journal`)) ?? '').entries as Noted[]
}

/** The files that an apply replaced, and the document that it carried out. @throws Fault `not-found` */
export async function keptBy(root: Pick<System, 'readText'>, id: string) {
    const document = await root.readText(`${APPLIES}/${id}/node.yaml`)
    if (document === undefined) {
        throw new Fault('not-found', {
            summary: 'There is no such apply',
            detail: id,
            fix: 'See: debvisor node history',
        })
    }
    const kept = (await entriesOf(root, id)).filter(entry => entry.op === 'kept') as unknown as KeptFile[]
    return { document, kept, read: (copy: string) => root.readText(`${APPLIES}/${id}/${copy}`) }
}

/** Guards whose change came back by itself. */
export async function openRejected(root: System) {
    let hashes: string[] = []
    try {
        hashes = JSON.parse((await root.readText(REJECTED)) ?? '[]') as string[]
    } catch {
        hashes = []
    }
    const write = (next: string[]) => {
        hashes = next
        return root.writeFile(REJECTED, JSON.stringify(hashes), 0o600)
    }
    return {
        has: (hash: string) => hashes.includes(hash),
        add: (hash: string) => write([...hashes.filter(one => one !== hash), hash].slice(-50)),
        drop: async (hash: string) => {
            if (hashes.includes(hash)) await write(hashes.filter(one => one !== hash))
        },
    }
}
