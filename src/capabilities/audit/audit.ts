// The audit log of this node: a sink that the access interceptor writes into, and the service that lists and verifies.
import { create } from '@bufbuild/protobuf'
import { type Timestamp, timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import type { ConnectRouter } from '@connectrpc/connect'
import { Fault } from '../../base/fault.ts'
import { redact } from '../../base/redact.ts'
import { AuditService, type Record as ProtoRecord, RecordSchema } from '../../gen/proto/capabilities/audit/audit_pb.js'
import type { Clock, Log, System } from '../../ports/ports.ts'
import type { Capability } from '../capability.ts'
import type { AuditRecord, AuditResult } from './chain.ts'
import { createEnds, type Ends } from './ends.ts'
import { readRecords } from './read.ts'
import { verifyChain } from './verify.ts'
import { cannotAudit, type Entry, openWriter, type Writer } from './writer.ts'

export interface AuditWords {
    /** The person or token; `outside` for what did not come through DebVisor. */
    who: string
    /** Address of the caller, or `local`. */
    from: string
    /** What `who` came by, as `viaWords` writes it. */
    via?: string
    /** The call, such as `vm.Delete`, or the event, such as `login`. */
    what: string
    onId?: string
    onName?: string
    /** Words, or a value that becomes JSON with its secrets hidden. */
    detail?: unknown
    task?: string
}

/** Where records go. Each promise resolves when the record is on the disk; in order of the calls. */
export interface AuditSink {
    /** Before an effect. Answers the record's number. @throws Fault `unavailable`: then nothing may be changed */
    intent(words: AuditWords): Promise<number>
    /** How the effect of an intent went. */
    close(number: number, end: { result: 'done' | 'failed' | 'denied'; detail?: unknown; task?: string }): Promise<void>
    /** The effect of an intent goes on as this task, and `taskEnded` closes it; `onId` where only the effect told it. */
    begun(number: number, task: string, onId?: string): Promise<void>
    /** What has no intent: a login, a denial, a change from outside. */
    event(words: AuditWords & { result: 'done' | 'failed' | 'denied' }): Promise<number>
}

export interface AuditDeps {
    system: System
    clock: Clock
    log: Log
    /** Holds the log and its head, and nothing else. */
    folder: string
    /** Path of the key file, in a folder that exists; made (0600) when there is none. */
    key: string
    /** Bytes after which a new file is begun; 64 MiB unless told otherwise. */
    rotateBytes?: number
}

const DETAIL_LENGTH = 8192
const WORD_LENGTH = 256
const OPEN_INTENTS = 10_000
const LIST = { default: 200, most: 2000 }

export interface Audit extends Capability {
    sink: AuditSink
    /** Records how a task ended, with the call that began it where that is known. Never throws. */
    taskEnded: Ends['ended']
    close(): Promise<void>
}

/** What a caller came by, for the record: `token 1f2e…`. */
export const viaWords = ({ via, viaId }: { via: string; viaId: string }): string =>
    via === 'nobody' ? '' : `${via} ${viaId}`.trim()

/** The audit log of a folder; it is opened by the first record or by `start`. The daemon's lock keeps others out. */
export function createAudit(deps: AuditDeps): Audit {
    const { system, clock, log } = deps
    const intents = new Map<number, AuditWords>()
    let opening: Promise<Writer> | undefined
    let verifying: ReturnType<typeof verify> | undefined

    const writer = (): Promise<Writer> => {
        opening ??= openWriter({ ...deps, keyPath: deps.key, now: () => clock.now() }).catch(thrown => {
            opening = undefined
            throw cannotAudit(thrown)
        })
        return opening
    }
    const write = async (words: AuditWords, more: Pick<Entry, 'result'> & Partial<Entry>) =>
        (await writer()).write(toEntry(words, more))

    const ends = createEnds({ write, clock, log })

    async function verify() {
        const { snapshot, hold, key } = await writer()
        const release = hold()
        try {
            const shot = await snapshot()
            return { ...(await verifyChain({ system, key, snapshot: shot })), head: shot.head.hash }
        } finally {
            release()
        }
    }

    const sink: AuditSink = {
        intent: async words => {
            const number = await write(words, { result: 'intent' })
            // Its detail can be long, and is on the disk.
            intents.set(number, { ...words, detail: undefined })
            if (intents.size > OPEN_INTENTS) intents.delete(intents.keys().next().value!)
            return number
        },
        close: async (number, { result, detail, task }) => {
            const words = intents.get(number)
            intents.delete(number)
            if (!words) log.warn('An audit record closes what was not open', { number })
            const said = words ?? { who: '', from: '', what: '' }
            await write({ ...said, detail, task: task ?? said.task }, { result, closes: number })
        },
        begun: async (number, task, onId) => {
            const words = intents.get(number) ?? { who: '', from: '', what: '' }
            intents.delete(number)
            await ends.begun(task, { number, words: { ...words, onId: words.onId || onId, task } })
        },
        event: ({ result, ...words }) => write(words, { result }),
    }

    return {
        sink,
        taskEnded: ends.ended,
        name: 'audit',
        services: (router: ConnectRouter) =>
            router.service(AuditService, {
                list: async (request, context) => {
                    const open = await writer()
                    const release = open.hold()
                    try {
                        const { rotated, path } = await open.snapshot()
                        const limit = Math.min(request.limit || LIST.default, LIST.most)
                        const before = request.before === 0n ? undefined : Number(request.before)
                        const { who, what, on } = request
                        const times = { sinceMs: toMs(request.since), untilMs: toMs(request.until) }
                        const filter = { who, what, on, ...times, before, limit }
                        const found = await readRecords({
                            system,
                            files: [...rotated, path],
                            filter,
                            signal: context.signal,
                        })
                        return { records: found.records.map(toProto), more: found.more }
                    } finally {
                        release()
                    }
                },
                verify: async () => {
                    // A second call while one runs gets the same answer: it reads the whole log.
                    verifying ??= verify().finally(() => {
                        verifying = undefined
                    })
                    const { records, findings, head } = await verifying
                    return { intact: findings.length === 0, records: BigInt(records), head, findings }
                },
            }),
        start: async () => {
            await writer().catch(thrown => {
                log.error('The audit log cannot be opened; changes are refused until it can', { why: String(thrown) })
            })
        },
        close: async () => {
            await ends.close()
            const open = opening
            opening = undefined
            await (await open?.catch(() => undefined))?.close()
        },
    }
}

const toMs = (at: Timestamp | undefined) => (at === undefined ? undefined : timestampMs(at))

const cut = (text: string, length: number) => (text.length > length ? `${text.slice(0, length)}…` : text)

function toEntry(words: AuditWords, more: Pick<Entry, 'result'> & Partial<Entry>): Entry {
    const word = (text: string | undefined) => cut(text ?? '', WORD_LENGTH)
    return {
        ...{ who: word(words.who), from: word(words.from), via: word(words.via), what: word(words.what) },
        ...{ onId: word(words.onId), onName: word(words.onName), task: word(words.task) },
        detail: toDetail(words.detail),
        closes: 0,
        ...more,
    }
}

function toDetail(detail: unknown): string {
    if (detail === undefined) return ''
    if (typeof detail === 'string') return cut(detail, DETAIL_LENGTH)
    if (detail instanceof Fault) return cut(`${detail.code}: ${detail.message}`, DETAIL_LENGTH)
    return cut(JSON.stringify(redact(detail)) ?? '', DETAIL_LENGTH)
}

function toProto(record: AuditRecord): ProtoRecord {
    const { number, atMs, closes, ...rest } = record
    return create(RecordSchema, {
        ...{
            who: rest.who,
            from: rest.from,
            via: rest.via ?? '',
            what: rest.what,
            onId: rest.onId,
            onName: rest.onName,
        },
        ...{ result: rest.result satisfies AuditResult, detail: rest.detail, task: rest.task },
        ...{ number: BigInt(number), at: timestampFromMs(atMs), closes: BigInt(closes) },
    })
}
