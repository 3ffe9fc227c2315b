// What an error of etcd or of gRPC means for the call that met it; the only place that knows their words.
import { Fault } from '../../base/fault.ts'

/**
 * `unsent`: it never left, or was refused before anything happened. `lost`: no answer; it may have happened.
 * `refused`: etcd answered no. `compacted`: the revision asked for is no longer kept.
 */
export type Trouble = 'unsent' | 'lost' | 'refused' | 'compacted'

const UNSENT =
    /No connection established|Name resolution failed|too many requests|Channel closed before call started|Channel has been shut down/i

export function classify(thrown: unknown): Trouble {
    const { name, message } = thrown instanceof Error ? thrown : new Error(String(thrown))
    if (/compacted/.test(message)) return 'compacted'
    if (UNSENT.test(message)) return 'unsent'
    if (/Unavailable|DeadlineExceeded|Cancelled|Internal|Unknown|Aborted|WatchStreamEnded/.test(name)) return 'lost'
    if (/UNAVAILABLE|DEADLINE_EXCEEDED|CANCELLED|INTERNAL|UNKNOWN|timed out|leader changed/.test(message)) return 'lost'
    return 'refused'
}

/** For `refused`: an answer that waiting does not heal. */
export function refusal(thrown: unknown): Fault {
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    if (/database space exceeded|NOSPACE/i.test(message)) {
        return new Fault('exhausted', {
            summary: 'The state store is full',
            detail: 'etcd reached its space quota and takes no writes',
            fix: 'Compact and defragment it (etcdctl compact, etcdctl defrag, etcdctl alarm disarm), then try again.',
            cause: thrown,
        })
    }
    return new Fault('internal', {
        summary: 'The state store refused the call',
        detail: message.slice(0, 300),
        fix: 'Look at the logs of etcd and of debvisor-rpcd.',
        cause: thrown,
    })
}
