// What a container wrote, line by line at the reader's pace: nothing is gathered, however much there is.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { type Frame, frameBatches, plainBatches } from '../../drivers/docker/frames.ts'
import type { DockerLink } from '../../drivers/docker/link.ts'
import {
    type LogLine,
    LogLineSchema,
    type WatchLogsRequest,
} from '../../gen/proto/capabilities/container/container_pb.js'
import { pathOf } from './begin.ts'
import type { ContainerEntry } from './entry.ts'

/** A message carries so much at most, and does not wait for more. */
const LINES_AT_ONCE = 500
/** A line beyond this comes in parts. */
const LINE_MAX_BYTES = 32 * 1024

export type Asked = Pick<WatchLogsRequest, 'follow' | 'tail' | 'since' | 'until' | 'search'>

/** The lines, some at a time. @throws Fault where Docker refuses, or has gone */
export async function* readLogs(
    docker: DockerLink,
    entry: ContainerEntry,
    { signal, ...asked }: Asked & { signal: AbortSignal },
): AsyncGenerator<LogLine[]> {
    const seconds = (at: Asked['since']) => (at ? `${at.seconds}.${String(at.nanos).padStart(9, '0')}` : undefined)
    const { stream } = await docker.ask({
        path: pathOf(entry, 'logs'),
        query: {
            ...{ stdout: true, stderr: true, timestamps: true, follow: asked.follow },
            ...{ tail: asked.tail || 'all', since: seconds(asked.since), until: seconds(asked.until) },
        },
        own: true,
        signal,
    })
    const search = asked.search.toLowerCase()
    const fits = (line: LogLine) => search === '' || line.text.replace(COLOURS, '').toLowerCase().includes(search)
    try {
        for await (const lines of linesOf(entry.terminal ? plainBatches(stream) : frameBatches(stream))) {
            const wanted = lines.filter(fits)
            for (let i = 0; i < wanted.length; i += LINES_AT_ONCE) yield wanted.slice(i, i + LINES_AT_ONCE)
        }
    } catch (thrown) {
        if (!signal.aborted) throw thrown
    } finally {
        stream.destroy()
    }
}

/** The whole lines of what came together; a line may come in several frames, and one frame may hold many lines. */
export async function* linesOf(pieces: AsyncIterable<Frame[]>): AsyncGenerator<LogLine[]> {
    const rest: Record<Frame['from'], Buffer> = { out: Buffer.alloc(0), err: Buffer.alloc(0) }
    for await (const batch of pieces) {
        const lines: LogLine[] = []
        for (const { from, data } of batch) {
            let all = rest[from].length > 0 ? Buffer.concat([rest[from], data]) : data
            for (let end = all.indexOf(10); end >= 0; end = all.indexOf(10)) {
                lines.push(lineOf(all.subarray(0, end), from))
                all = all.subarray(end + 1)
            }
            while (all.length > LINE_MAX_BYTES) {
                lines.push(lineOf(all.subarray(0, LINE_MAX_BYTES), from))
                all = all.subarray(LINE_MAX_BYTES)
            }
            // A copy, so that a few bytes do not hold the whole piece.
            rest[from] = Buffer.from(all)
        }
        if (lines.length > 0) yield lines
    }
    const last = (['out', 'err'] as const).filter(from => rest[from].length > 0)
    if (last.length > 0) yield last.map(from => lineOf(rest[from], from))
}

/** What is searched for stands on the screen, between which no colours are seen. */
const COLOURS = /\u001b\[[\d;]*m/g
const STAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d) ?/

function lineOf(bytes: Buffer, from: Frame['from']): LogLine {
    const whole = bytes.toString('utf8').replace(/\r$/, '')
    const stamp = STAMP.exec(whole)
    const at = stamp ? timestampFromMs(Date.parse(`${stamp[1]}${stamp[3]}`)) : undefined
    if (at && stamp?.[2]) at.nanos = Math.round(Number(stamp[2]) * 1e9)
    return create(LogLineSchema, { at, error: from === 'err', text: stamp ? whole.slice(stamp[0].length) : whole })
}
