// List and watch: answered from memory, from bytes that were made when a VM was first asked for after a change.
import { create } from '@bufbuild/protobuf'
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect'
import {
    type ListRequest,
    type ListResponse,
    ListResponseSchema,
    type VmService,
    type WatchResponse,
    WatchResponseSchema,
} from '../../../gen/proto/capabilities/vm/vm_pb.js'
import { type Caller, callerOf } from '../../caller.ts'
import { answerReady, type Pieces } from '../../ready.ts'
import type { Inventory, VmEntry } from '../inventory.ts'

type Impl = ServiceImpl<typeof VmService>

// Messages of a stream stay small, so that a slow reader sees the first VMs early.
const CHUNK = 500
const LENGTH_DELIMITED = 2
const COMMA = 0x2c

const isJson = (context: HandlerContext): boolean => /json/.test(context.responseHeader.get('content-type') ?? '')

/** Which VMs the caller may see at this moment. Who may see all is asked once, not for each of thousands. */
const viewOf = (caller: Caller): ((entry: VmEntry) => boolean) =>
    caller.may('vm.view')
        ? () => true
        : entry => caller.may('vm.view', { id: entry.uuid, tags: entry.tags, owner: entry.owner })

/** The two methods that answer with what the caller may see. */
export function listMethods(inventory: Inventory): Pick<Impl, 'list' | 'watch'> {
    const listed = { json: lastPieces(inventory.json, jsonPiece), binary: lastPieces(inventory.encoded, binaryPiece) }
    return {
        list(request, context) {
            const found = select(inventory.list(), request, callerOf(context))
            const answer = create(ListResponseSchema)
            const json = isJson(context)
            const ready = () => (json ? asJson(listed.json(found)) : listed.binary(found))
            if (found.length > 0 && answerReady(context, ready)) return answer
            fill(inventory, answer, { entries: found, json })
            return answer
        },
        async *watch(_request, context) {
            const caller = callerOf(context)
            const json = isJson(context)
            // A VM that the caller may no longer see is gone for that caller.
            const shown = new Set<string>()
            for await (const change of inventory.watch(context.signal)) {
                const mayView = viewOf(caller)
                const visible = change.changed.filter(mayView)
                const hidden = change.changed.filter(entry => shown.has(entry.uuid) && !mayView(entry))
                const removed = [...change.removed, ...hidden.map(entry => entry.uuid)].filter(uuid => shown.has(uuid))
                for (const uuid of removed) shown.delete(uuid)
                for (const entry of visible) shown.add(entry.uuid)
                yield* messages(inventory, { ...change, visible, removed, json })
            }
        },
    }
}

function* messages(
    inventory: Inventory,
    change: { visible: VmEntry[]; removed: string[]; synced: boolean; stale: boolean; json: boolean },
): Generator<WatchResponse> {
    const { visible, removed, synced, stale, json } = change
    for (let i = 0; i === 0 || i < visible.length; i += CHUNK) {
        const last = i + CHUNK >= visible.length
        const answer = create(WatchResponseSchema, { removed: i === 0 ? removed : [], synced: synced && last, stale })
        fill(inventory, answer, { entries: visible.slice(i, i + CHUNK), json })
        yield answer
    }
}

/**
 * Puts VMs into field 1 of a message. Binary: as bytes that need no encoding any more, in the place where protobuf keeps
 * fields it does not know; they go out as they are. 5,000 VMs take less than 2 ms so, instead of 50.
 */
function fill(
    inventory: Inventory,
    answer: ListResponse | WatchResponse,
    { entries, json }: { entries: readonly VmEntry[]; json: boolean },
): void {
    if (entries.length === 0) return
    if (json) answer.vms = entries.map(inventory.line)
    else {
        const data = binaryPiece(entries.map(inventory.encoded)).subarray(1)
        answer.$unknown = [{ no: 1, wireType: LENGTH_DELIMITED, data }]
    }
}

/** So many VMs lie in one piece, and are put together again when one of them changes. */
const PIECE = 250

/**
 * The pieces of a list, those of the list before where nothing changed. It spares less the copying than the garbage: V8
 * collects the whole heap for every 64 MB that lie beside it, which two dozen lists of 5,000 VMs are.
 */
function lastPieces(bytesOf: (entry: VmEntry) => Uint8Array, join: (parts: readonly Uint8Array[]) => Uint8Array) {
    let last: { entries: readonly VmEntry[]; pieces: Pieces } = { entries: [], pieces: [] }
    return (entries: readonly VmEntry[]): Pieces => {
        let same = last.entries.length === entries.length
        const pieces: Uint8Array[] = []
        for (let i = 0; i < entries.length; i += PIECE) {
            const part = entries.slice(i, i + PIECE)
            const before = last.entries.slice(i, i + PIECE)
            const isSame = part.length === before.length && part.every((entry, at) => entry === before[at])
            same &&= isSame
            pieces.push(isSame ? last.pieces[i / PIECE]! : join(part.map(bytesOf)))
        }
        if (!same) last = { entries, pieces }
        return last.pieces
    }
}

/** Each VM with the field's tag and its length before it. */
function binaryPiece(encoded: readonly Uint8Array[]): Uint8Array {
    let size = 0
    for (const { length } of encoded) size += 1 + varintLength(length) + length
    const out = new Uint8Array(size)
    let at = 0
    for (const bytes of encoded) {
        out[at++] = (1 << 3) | LENGTH_DELIMITED
        let { length } = bytes
        for (; length > 127; length >>>= 7) out[at++] = (length & 127) | 128
        out[at++] = length
        out.set(bytes, at)
        at += bytes.length
    }
    return out
}

/** Each VM with a comma before it. */
function jsonPiece(texts: readonly Uint8Array[]): Uint8Array {
    let size = texts.length
    for (const { length } of texts) size += length
    const out = new Uint8Array(size)
    let at = 0
    for (const text of texts) {
        out[at++] = COMMA
        out.set(text, at)
        at += text.length
    }
    return out
}

const [OPEN, CLOSE] = ['{"vms":[', ']}'].map(text => new Uint8Array(Buffer.from(text))) as [Uint8Array, Uint8Array]
const jsonAnswers = new WeakMap<Pieces, Pieces>()

/** The same answer for the same pieces, so that what is known of it (its gzip) is known the next time. */
function asJson(pieces: Pieces): Pieces {
    let answer = jsonAnswers.get(pieces)
    if (!answer) {
        answer = [OPEN, pieces[0]!.subarray(1), ...pieces.slice(1), CLOSE]
        jsonAnswers.set(pieces, answer)
    }
    return answer
}

const varintLength = (value: number): number => (value < 128 ? 1 : 1 + varintLength(value >>> 7))

function select(all: readonly VmEntry[], request: ListRequest, caller: Caller): readonly VmEntry[] {
    const search = request.search.toLowerCase()
    const states = new Set(request.states)
    const { tag, network, after, limit } = request
    const mayView = viewOf(caller)
    const wanted = (entry: VmEntry): boolean =>
        (search === '' ||
            entry.name.toLowerCase().includes(search) ||
            entry.description.toLowerCase().includes(search) ||
            entry.uuid === search) &&
        (states.size === 0 || states.has(entry.state)) &&
        (tag === '' || entry.tags.includes(tag)) &&
        (network === '' || entry.networks.includes(network)) &&
        (after === '' || entry.name > after) &&
        mayView(entry)
    const found: VmEntry[] = []
    for (const entry of all) {
        if (!wanted(entry)) continue
        found.push(entry)
        if (limit > 0 && found.length === limit) break
    }
    return found
}
