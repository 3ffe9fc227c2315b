// The store over a real etcd (3.4 and 3.5), by the etcd3 library: one member at a time, deadlines on all, no retries
// that could do a thing twice.
import { Etcd3, type IOptions, type IRangeRequest, type IRequestOp, type ITxnRequest } from 'etcd3'
import { Fault } from '../../base/fault.ts'
import type { Clock, Log } from '../../ports/ports.ts'
import { followMembers } from './health.ts'
import { asEntry, rangeEnd } from './range.ts'
import { away, type Check, type Entry, lostAnswer, lostCheck, type Snapshot, type Store, type Write } from './store.ts'
import { classify, refusal } from './trouble.ts'
import { followPrefix } from './watch.ts'

export interface EtcdOptions {
    /** Client addresses of the members, `http://` or `https://`. */
    endpoints: string[]
    /** PEM texts. Needed for `https://`; `cert` and `key` where etcd asks for client certificates. */
    tls?: { ca: string; cert?: string; key?: string }
    clock: Clock
    log: Log
    /** Of one call, in all. */
    deadlineMs?: number
    /** How often the member is asked whether it still answers. */
    heartbeatMs?: number
}

const MESSAGE_MAX_BYTES = 64 * 1024 * 1024
/** Documents of one answer: small, so that an answer is within its deadline on a slow line. */
const PAGE_KEYS = 500

/**
 * A policy of the library that does nothing: its own retries could repeat a write whose answer was lost. It has to be
 * async, as the library hangs a `catch` on what it returns and throws inside stream events.
 */
const plainly = { execute: async (call: (context: object) => unknown) => call({}) }

function connect(endpoint: string, tls: EtcdOptions['tls']): Etcd3 {
    const options: IOptions = {
        hosts: endpoint,
        grpcOptions: {
            // A member that vanished without a word is noticed by a stream within 14 s.
            'grpc.keepalive_time_ms': 10_000,
            'grpc.keepalive_timeout_ms': 4_000,
            'grpc.initial_reconnect_backoff_ms': 100,
            'grpc.max_reconnect_backoff_ms': 1_000,
            'grpc.use_local_subchannel_pool': 1,
            // Above the 4 MB that are the default: one transaction can change much, and a watch tells it in one message.
            'grpc.max_receive_message_length': MESSAGE_MAX_BYTES,
        },
        faultHandling: { host: () => plainly as never, global: plainly as never },
    }
    if (tls) {
        options.credentials = { rootCertificate: Buffer.from(tls.ca) }
        if (tls.cert && tls.key) {
            options.credentials.certChain = Buffer.from(tls.cert)
            options.credentials.privateKey = Buffer.from(tls.key)
        }
    }
    return new Etcd3(options)
}

/**
 * Opens the store; answers at once and connects behind. Calls made before the first answer of a member just try.
 * Does not keep the process alive once closed.
 */
export function openEtcd({ endpoints, tls, clock, log, deadlineMs = 3_000, heartbeatMs = 3_000 }: EtcdOptions): Store {
    const clients = endpoints.map(endpoint => connect(endpoint, tls))
    const members = followMembers({ clients, clock, log, deadlineMs: Math.min(deadlineMs, 1_500), heartbeatMs })

    const watches = new Set<() => void>()

    async function call<T>(
        changes: boolean,
        run: (client: Etcd3, options: { deadline: number }) => Promise<T>,
    ): Promise<T> {
        if (members.state() === 'down') throw away('it did not answer when last asked')
        const endsMs = Date.now() + deadlineMs
        let trouble: unknown
        const first = members.current()
        for (let tries = 0; tries < clients.length && Date.now() < endsMs; tries++) {
            const member = (first + tries) % clients.length
            const left = endsMs - Date.now()
            // A silent member must leave time to ask another; a change is asked of one only.
            const share = changes ? left : left / (clients.length - tries)
            try {
                const answer = await run(clients[member]!, { deadline: Date.now() + share })
                members.moveTo(member)
                return answer
            } catch (thrown) {
                trouble = thrown
                const meaning = classify(thrown)
                if (meaning === 'refused' || meaning === 'compacted') throw refusal(thrown)
                members.suspect()
                if (meaning === 'lost' && changes) throw lostAnswer('no answer came within the time allowed', thrown)
            }
        }
        throw away(`no answer from ${endpoints.join(', ')}`, trouble)
    }

    const range = (request: IRangeRequest) => call(false, (client, options) => client.kv.range(request, options))

    /** A compaction between two pages takes the revision of the first away: then all are read again. */
    async function list(prefix: string): Promise<Snapshot> {
        for (let tries = 1; ; tries++) {
            try {
                return await pages(prefix)
            } catch (thrown) {
                if (tries >= 3 || classify((thrown as Fault).cause) !== 'compacted') throw thrown
            }
        }
    }

    /** All as they were at the revision of the first page. */
    async function pages(prefix: string): Promise<Snapshot> {
        const entries: Entry[] = []
        let key = Buffer.from(prefix)
        let revision: string | undefined
        while (true) {
            const page = await range({ key, range_end: rangeEnd(prefix), limit: PAGE_KEYS, revision })
            revision ??= page.header.revision
            entries.push(...page.kvs.map(asEntry))
            const last = page.kvs.at(-1)
            if (!page.more || !last) return { entries, revision: Number(revision) }
            // The next key after it, in the order of bytes.
            key = Buffer.concat([last.key, Buffer.of(0)])
        }
    }

    async function commit({ checks, writes }: { checks: Check[]; writes: Write[] }): Promise<number> {
        if (checks.length > 100 || writes.length > 100) {
            throw new Fault('internal', { summary: 'A change of the state store is too large' })
        }
        const request: ITxnRequest = { compare: checks.map(compareOf), success: writes.map(operationOf) }
        const answer = await call(true, (client, options) => client.kv.txn(request, options))
        if (!answer.succeeded) throw lostCheck()
        return Number(answer.header.revision)
    }

    return {
        async get(key) {
            const kv = (await range({ key: Buffer.from(key) })).kvs[0]
            return kv && asEntry(kv)
        },
        list,
        put: (key, value, expected) => commit({ checks: expectation(key, expected), writes: [{ put: key, value }] }),
        remove: (key, expected) => commit({ checks: expectation(key, expected), writes: [{ remove: key }] }),
        commit,
        watch(prefix, watcher) {
            const end = followPrefix({ prefix, list: () => list(prefix), watcher, members, clients, clock, log })
            watches.add(end)
            return () => {
                watches.delete(end)
                end()
            }
        },
        up: () => members.state() !== 'down',
        onTurn: members.onTurn,
        async close() {
            for (const end of watches) end()
            members.close()
            for (const client of clients) client.close()
        },
    }
}

const expectation = (key: string, revision: number | undefined): Check[] =>
    revision === undefined ? [] : [{ key, revision }]

function compareOf(check: Check): NonNullable<ITxnRequest['compare']>[number] {
    if ('key' in check) {
        return { key: Buffer.from(check.key), target: 'Mod', result: 'Equal', mod_revision: check.revision }
    }
    // Over a range the comparison must hold for every key in it; for none it holds.
    return {
        key: Buffer.from(check.prefix),
        range_end: rangeEnd(check.prefix),
        target: 'Mod',
        result: 'Less',
        mod_revision: check.since + 1,
    }
}

function operationOf(write: Write): IRequestOp {
    if ('put' in write) return { request_put: { key: Buffer.from(write.put), value: Buffer.from(write.value) } }
    return { request_delete_range: { key: Buffer.from(write.remove) } }
}
