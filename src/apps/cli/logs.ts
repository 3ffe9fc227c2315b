// What containers wrote, on this terminal: line by line, harmless, at its reader's pace.
import { type Timestamp, timestampDate, timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Fault } from '../../base/fault.ts'
import { whole } from '../../capabilities/value.ts'
import type { Option, VerbContext, View } from '../../capabilities/verb.ts'
import type { Io } from './io.ts'

export const LOG_OPTIONS: Option[] = [
    { name: 'follow', short: 'f', summary: 'stay, and show what comes' },
    { name: 'tail', value: 'LINES', summary: 'so many lines from the end; otherwise all' },
    { name: 'since', value: 'TIME', summary: 'such as 10m, 2h, 3d or 2026-11-27T08:00:00Z' },
    { name: 'search', short: 's', value: 'TEXT', summary: 'only lines with this text in them' },
    { name: 'times', short: 't', summary: 'say when each line was written' },
]

interface Asked {
    follow: boolean
    tail: number
    since?: Timestamp
    search: string
}

interface Line {
    at?: Timestamp
    error: boolean
    text: string
    /** Where several write. */
    container?: string
}

type Open = (asked: Asked, how: { signal: AbortSignal }) => AsyncIterable<{ lines: Line[] }>

/** Shows the lines until they end, or Ctrl-C. */
export async function showLogs(context: VerbContext, io: Io, open: Open): Promise<View> {
    const { options } = context
    const asked = {
        follow: options.follow !== undefined,
        tail: options.tail === undefined ? 0 : whole(options.tail, '--tail', { least: 1 }),
        since: options.since === undefined ? undefined : momentOf(options.since),
        search: options.search ?? '',
    }
    const left = new AbortController()
    const stop = () => left.abort()
    process.once('SIGINT', stop)
    const write = (to: Io['stdout'] | Io['stderr'], text: string) =>
        to.write(text) ? undefined : new Promise(resolve => to.once('drain', resolve))
    try {
        for await (const { lines } of open(asked, { signal: left.signal })) {
            for (const { at, error, text, container } of lines) {
                if (options.json) {
                    const line = { at: at ? timestampDate(at).toISOString() : '', error, container, text }
                    await write(io.stdout, `${JSON.stringify(line)}\n`)
                    continue
                }
                const time = options.times && at ? `${timestampDate(at).toISOString()} ` : ''
                const who = container === undefined ? '' : `${container} | `
                await write(error ? io.stderr : io.stdout, `${time}${who}${shown(text, io)}\n`)
            }
        }
    } catch (thrown) {
        if (!left.signal.aborted) throw thrown
    } finally {
        process.off('SIGINT', stop)
    }
    return { kind: 'nothing' }
}

/** On a terminal its commands would be obeyed: all but colours become visible marks. */
const shown = (text: string, { stdout }: Io): string =>
    stdout.isTTY
        ? text.replace(/\u001b\[[\d;]*m|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, found =>
              found.length > 1 ? found : '\ufffd',
          )
        : text

/** @throws Fault `invalid` */
function momentOf(text: string): Timestamp {
    const ago = /^(\d{1,6})([smhd])$/.exec(text)
    const unit = { s: 1, m: 60, h: 3600, d: 86_400 }[ago?.[2] ?? 's'] ?? 1
    const ms = ago ? Date.now() - Number(ago[1]) * unit * 1000 : Date.parse(text)
    if (!Number.isNaN(ms)) return timestampFromMs(ms)
    throw new Fault('invalid', {
        summary: 'That is not a time',
        detail: text.slice(0, 40),
        at: '--since',
        fix: 'Write how long ago, such as 10m, or a time such as 2026-11-27T08:00:00Z.',
    })
}
