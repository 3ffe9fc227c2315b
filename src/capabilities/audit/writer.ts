// The one writer of a node's audit log: seals records into the chain, durably and in order, and mends a torn tail.
import { randomBytes } from 'node:crypto'
import { asFault, Fault } from '../../base/fault.ts'
import type { LineFile, Log, System } from '../../ports/ports.ts'
import { type AuditRecord, GAP, GENESIS, type Head, open, openHead, REPAIR, seal, sealHead, sha256 } from './chain.ts'
import { readBackwards } from './lines.ts'

/** A record as it is asked for; number, time and chain are the writer's. */
export type Entry = Omit<AuditRecord, 'number' | 'atMs' | 'prev'>

export interface Snapshot {
    head: Head
    /** What the file beside the log says of the head; undefined where it is missing or not sealed by us. */
    headFile: Head | undefined
    /** Closed files, oldest first. */
    rotated: string[]
    /** The file that is written; there is none while `sizeBytes` is 0. */
    path: string
    /** Its bytes on the disk, and what they should be. */
    sizeBytes: number
    writtenBytes: number
}

export interface Writer {
    /** Number of the record, once it is on the disk. @throws Fault `unavailable` when it cannot be written */
    write(entry: Entry): Promise<number>
    /** How the log stands between two writes. */
    snapshot(): Promise<Snapshot>
    /** Keeps the files under their names until the returned function is called. */
    hold(): () => void
    readonly key: Uint8Array
    close(): Promise<void>
}

export interface WriterOptions {
    system: System
    now: () => number
    log: Log
    folder: string
    /** Path of the key file; made when there is none. */
    keyPath: string
    /** A file that has grown beyond this is closed and a new one begun; 64 MiB unless told otherwise. */
    rotateBytes?: number
}

const ROTATE_BYTES = 64 << 20
const MOST_TORN = 100
const CURRENT = 'audit.jsonl'
const ROTATED = /^audit-(\d{6})\.jsonl$/

/** Opens the log of a folder (the daemon's lock keeps other writers out), and mends or records what it finds at its end. */
export async function openWriter(options: WriterOptions): Promise<Writer> {
    const { system, now, log, folder, rotateBytes = ROTATE_BYTES } = options
    const path = `${folder}/${CURRENT}`
    const headPath = `${folder}/audit.head`
    await system.makeDirectory(folder, 0o700)
    const key = await takeKey(options)
    let file: LineFile | undefined
    let head = GENESIS
    let sizeBytes = 0
    let holds = 0
    let turn: Promise<unknown> = Promise.resolve()
    let queue: { entry: Entry; done: (number: number) => void; failed: (fault: Fault) => void }[] = []
    let savedHead = ''
    let savingHead: Promise<void> | undefined
    // True while it is not known what stands at the end of the file.
    let unsure = true

    const rotated = async () =>
        (await system.list(folder)).filter(name => ROTATED.test(name)).map(n => `${folder}/${n}`)
    const readHead = async () => openHead((await system.readText(headPath)) ?? '', key)

    /** Writes the head beside the log, again until it is the present one. Nobody waits for it: it may lag behind. */
    function saveHead(): Promise<void> {
        savingHead ??= (async () => {
            while (savedHead !== head.hash) {
                const mine = head
                await system.writeFile(headPath, sealHead(mine, key), 0o600)
                savedHead = mine.hash
            }
        })()
            .catch(thrown => log.warn('The head of the audit log could not be written', { why: String(thrown) }))
            .finally(() => {
                savingHead = undefined
            })
        return savingHead
    }

    async function append(entries: Entry[]): Promise<Head[]> {
        let at = head
        const heads: Head[] = []
        const lines = entries.map(entry => {
            const sealed = seal({ ...entry, number: at.number + 1, atMs: now(), prev: at.hash }, key)
            at = sealed.head
            heads.push(at)
            return sealed.line
        })
        const text = lines.join('\n')
        file ??= await system.openLines(path, 0o600)
        await file.append(text)
        head = at
        sizeBytes += Buffer.byteLength(text) + 1
        void saveHead()
        return heads
    }

    /**
     * Finds where the chain stands. What lies behind the last whole record was torn by a crash when the head file knows
     * no later record: then a record says so. When the head file knows more than the log, something was taken away.
     */
    async function settle(): Promise<void> {
        await savingHead
        const files = [...(await rotated()), path]
        const known = await readHead()
        let last: Head = GENESIS
        const torn: Buffer[] = []
        let unended = false
        for (const one of files.reverse()) {
            for await (const { bytes, ended } of readBackwards(system, one)) {
                const opened = open(bytes, key)
                if (one === path && !ended) unended = true
                if (opened.ok) {
                    last = { number: opened.record.number, hash: opened.hash }
                    break
                }
                // More than a hundred are not torn but foreign; those stay findings.
                if (torn.length < MOST_TORN) torn.unshift(bytes)
            }
            if (last.number > 0) break
        }
        // A forged or foreign log cannot be told from a torn one by its lines, only by the head.
        const cut = known ? known.number > last.number : last.number > 0 || torn.length > 0
        head = known && cut ? known : last
        sizeBytes = (await system.look(path))?.sizeBytes ?? 0
        if (unended) {
            file ??= await system.openLines(path, 0o600)
            await file.append('')
            sizeBytes++
        }
        if (cut) {
            const words = known
                ? `records ${last.number + 1} to ${known.number} are missing`
                : 'the head file is missing'
            log.error('The audit log was cut', { words })
            await append([note(GAP, { words, head: known ?? GENESIS, last })])
        } else if (torn.length > 0) {
            log.warn('The audit log had a torn end', { lines: torn.length })
            await append([
                note(REPAIR, { torn: torn.map(sha256), words: 'a write was torn by a crash or a full disk' }),
            ])
        } else if (!known) await saveHead()
        unsure = false
    }

    async function rotate(): Promise<void> {
        const last = (await rotated()).at(-1)?.slice(-12, -6) ?? '0'
        const next = String(Number(last) + 1).padStart(6, '0')
        await file?.close()
        file = undefined
        await system.rename(path, `${folder}/audit-${next}.jsonl`)
        sizeBytes = 0
    }

    async function flush(): Promise<void> {
        const batch = queue
        queue = []
        if (batch.length === 0) return
        try {
            if (unsure) await settle()
            const heads = await append(batch.map(({ entry }) => entry))
            for (const [index, { done }] of batch.entries()) done(heads[index]!.number)
        } catch (thrown) {
            unsure = true
            await file?.close().catch(() => undefined)
            file = undefined
            for (const { failed } of batch) failed(cannotAudit(thrown))
            return
        }
        if (sizeBytes > rotateBytes && holds === 0) {
            await rotate().catch(thrown => {
                unsure = true
                log.warn('The audit log could not be rotated', { why: String(thrown) })
            })
        }
    }
    const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
        const mine = turn.then(work)
        turn = mine.catch(() => undefined)
        return mine
    }

    await inTurn(settle)
    return {
        key,
        write: entry =>
            new Promise((done, failed) => {
                queue.push({ entry, done, failed })
                if (queue.length === 1) void inTurn(flush)
            }),
        snapshot: () =>
            inTurn(async () => {
                if (unsure) await settle()
                await saveHead()
                const onDisk = (await system.look(path))?.sizeBytes ?? 0
                const sizes = { sizeBytes: onDisk, writtenBytes: sizeBytes }
                return { head, headFile: await readHead(), rotated: await rotated(), path, ...sizes }
            }),
        hold: () => {
            holds++
            return () => void holds--
        },
        close: () =>
            inTurn(async () => {
                await savingHead
                await saveHead()
                await file?.close()
                file = undefined
            }),
    }
}

const note = (what: string, detail: object): Entry => ({
    ...{ who: 'debvisor', from: 'local', what, onId: '', onName: '', result: 'done' },
    ...{ detail: JSON.stringify(detail), closes: 0, task: '' },
})

async function takeKey({ system, keyPath, log }: WriterOptions): Promise<Uint8Array> {
    const text = (await system.readText(keyPath))?.trim()
    if (text && /^[0-9a-f]{64}$/.test(text)) return Buffer.from(text, 'hex')
    if (text !== undefined) log.error('The key of the audit log is damaged; a new one is made', { path: keyPath })
    const key = randomBytes(32)
    await system.writeFile(keyPath, `${key.toString('hex')}\n`, 0o600)
    return key
}

/** The Fault for a change that is refused because it cannot be recorded. */
export function cannotAudit(thrown: unknown): Fault {
    return new Fault('unavailable', {
        summary: 'The audit log cannot be written, so nothing is changed',
        detail: asFault(thrown).message,
        fix: 'Make room on the file system of the audit log, or mend it. Stopping things is still possible.',
        cause: thrown,
    })
}
