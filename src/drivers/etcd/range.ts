// How etcd says a prefix and an entry.
import type { IKeyValue } from 'etcd3'
import type { Entry } from './store.ts'

/** The end of the range of all keys that begin with the prefix. */
export function rangeEnd(prefix: string): Buffer {
    const end = Buffer.from(prefix)
    end[end.length - 1] = end[end.length - 1]! + 1
    return end
}

export const asEntry = (kv: IKeyValue): Entry => ({
    key: kv.key.toString(),
    value: kv.value.toString(),
    revision: Number(kv.mod_revision),
})
