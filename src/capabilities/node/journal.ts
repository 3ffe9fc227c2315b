// journalctl: what it is asked, and what its lines mean. (journalctl(1), systemd.journal-fields(7))
import { Fault } from '../../base/fault.ts'
import { LOOK_MS } from '../../base/look.ts'
import type { Clock, Probe } from '../../ports/ports.ts'

export interface Entry {
    /** Where it stands in the journal, in journalctl's own words. */
    cursor: string
    atMs: number
    priority: number
    unit: string
    source: string
    pid: number
    text: string
}

export interface JournalWish {
    unit: string
    priority?: number
    text: string
    lines: number
    follow: boolean
}

const FIELDS = 'MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_SYSTEMD_UNIT,UNIT,_COMM,_PID'
const USUAL = 200
export const MOST_LINES = 2_000
const MOST_TEXT = 200
/** How often a journal that is followed is asked for what is new. */
const NEW_MS = 1_000
/** systemd.unit(5): what a name may hold; and it does not begin like an option. */
const UNIT = /^[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]{0,254}$/

/** @throws Fault `invalid` */
export function checkWish(wish: JournalWish): void {
    const refuse = (at: string, detail: string, fix: string): never => {
        throw new Fault('invalid', { summary: 'The journal cannot be asked that', detail, fix, at })
    }
    if (wish.unit !== '' && !UNIT.test(wish.unit))
        refuse('unit', JSON.stringify(wish.unit.slice(0, 60)), 'Name a unit, such as ssh.service.')
    if (wish.priority !== undefined && !(Number.isInteger(wish.priority) && wish.priority >= 0 && wish.priority <= 7))
        refuse('priority', String(wish.priority), 'Use 0 (emergency) to 7 (debug).')
    if (wish.lines > MOST_LINES) refuse('lines', String(wish.lines), `Ask for at most ${MOST_LINES}.`)
    if (wish.text.length > MOST_TEXT || /[\p{Cc}\p{Surrogate}]/u.test(wish.text))
        refuse('text', 'it is too long, or holds control characters', `Use at most ${MOST_TEXT} plain characters.`)
}

export function journalArgv(wish: JournalWish, after = ''): [string, ...string[]] {
    const { unit, priority, text, lines } = wish
    const argv: [string, ...string[]] = ['/usr/bin/journalctl', '--output=json', '--no-pager', '--quiet']
    argv.push(`--output-fields=${FIELDS}`)
    if (unit !== '') argv.push(`--unit=${unit}`)
    if (priority !== undefined) argv.push(`--priority=${priority}`)
    // The text itself, not a pattern: all that PCRE2 reads as more than a character is escaped.
    if (text !== '') argv.push(`--grep=${text.replace(/[\\^$.|?*+()[\]{}#\s-]/g, '\\$&')}`, '--case-sensitive=no')
    // With both --grep and --lines it reads backwards, and from a cursor on there is then nothing.
    argv.push(after === '' ? `--lines=${lines || USUAL}` : `--after-cursor=${after}`)
    return argv
}

/** A line each; one that is none of ours is left out. */
export const parseJournal = (stdout: string): Entry[] =>
    stdout.split('\n').flatMap(line => {
        try {
            const fields = line === '' ? undefined : (JSON.parse(line) as Record<string, unknown>)
            return fields ? [entryOf(fields)] : []
        } catch {
            return []
        }
    })

function entryOf(fields: Record<string, unknown>): Entry {
    const word = (...names: string[]): string => names.map(name => textOf(fields[name])).find(text => text !== '') ?? ''
    return {
        cursor: word('__CURSOR'),
        atMs: Math.floor(Number(word('__REALTIME_TIMESTAMP')) / 1000) || 0,
        // What says no priority is taken for a note, as journalctl itself does.
        priority: fields.PRIORITY === undefined ? 6 : Number(word('PRIORITY')) || 0,
        unit: word('_SYSTEMD_UNIT', 'UNIT'),
        source: word('SYSLOG_IDENTIFIER', '_COMM'),
        pid: Number(word('_PID')) || 0,
        text: textOf(fields.MESSAGE),
    }
}

/** Bytes that are no text come as numbers; a field that is there twice, as a list. */
function textOf(value: unknown): string {
    if (typeof value === 'string') return value
    if (!Array.isArray(value)) return ''
    if (value.every(one => typeof one === 'number')) return Buffer.from(value as number[]).toString('utf8')
    return value.map(textOf).join('\n')
}

/** What there is, then, if it is followed, what comes, until the signal. @throws Fault `invalid`, `unavailable` */
export async function* readJournal(
    deps: { machine: Probe; clock: Clock },
    wish: JournalWish,
    signal: AbortSignal,
): AsyncGenerator<Entry[]> {
    checkWish(wish)
    const ask = async (after: string): Promise<Entry[]> => {
        const argv = journalArgv(wish, after)
        const { exitCode, stdout, stderr } = await deps.machine.query({ argv, deadlineMs: LOOK_MS, signal })
        // 1 without a word: nothing fits.
        if (exitCode === 0 || (exitCode === 1 && stderr.trim() === '')) {
            const found = parseJournal(stdout).slice(-MOST_LINES)
            return after === '' && wish.text !== '' ? found.reverse() : found
        }
        throw new Fault('unavailable', {
            summary: 'The journal cannot be read',
            detail: stderr.trim().split('\n')[0] ?? '',
            fix: 'Try it on the node: journalctl -n 20',
        })
    }
    let entries = await ask('')
    // Where nothing fits yet, what comes is found from the journal's present end on.
    let cursor = entries.at(-1)?.cursor ?? (wish.follow ? await endOf(deps.machine, signal) : '')
    yield entries
    while (wish.follow) {
        await pause(deps.clock, NEW_MS, signal)
        if (signal.aborted) return
        entries = cursor === '' ? await ask('') : await ask(cursor)
        cursor = entries.at(-1)?.cursor ?? cursor
        if (entries.length > 0) yield entries
    }
}

/** The cursor of the last entry of all. */
async function endOf(machine: Probe, signal: AbortSignal): Promise<string> {
    const argv = journalArgv({ unit: '', text: '', lines: 1, follow: false })
    const { stdout } = await machine.query({ argv, deadlineMs: LOOK_MS, signal })
    return parseJournal(stdout).at(-1)?.cursor ?? ''
}

const pause = (clock: Clock, ms: number, signal: AbortSignal): Promise<void> =>
    new Promise(resolve => {
        const end = (): void => {
            cancel()
            signal.removeEventListener('abort', end)
            resolve()
        }
        const cancel = clock.after(ms, end)
        signal.addEventListener('abort', end)
        if (signal.aborted) end()
    })
