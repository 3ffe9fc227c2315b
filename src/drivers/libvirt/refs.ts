// How libvirt's protocol points at objects: references with UUIDs of 16 bytes, made from what people and XML use.
import { Fault } from '../../base/fault.ts'
import { isUuid } from '../../base/ids.ts'
import type { DomainRef, NetworkRef, SecretRef, StoragePoolRef, StorageVolRef } from '../../gen/libvirt/protocol.ts'

/** The 16 bytes of '0d1f…-…'. @throws Fault `invalid` */
export function uuidToBytes(uuid: string): Buffer {
    if (isUuid(uuid)) return Buffer.from(uuid.replaceAll('-', ''), 'hex')
    throw new Fault('invalid', {
        summary: 'That is not a UUID',
        detail: JSON.stringify(uuid.slice(0, 60)),
        fix: 'Give 32 hexadecimal digits in groups of 8-4-4-4-12.',
        at: 'uuid',
    })
}

/** '0d1f…-…' in lower case, from 16 bytes. */
export function uuidFromBytes(bytes: Uint8Array): string {
    const hex = Buffer.from(bytes).toString('hex')
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/**
 * A reference to a domain. libvirt finds it by the UUID; the name serves its error messages. The id is that of the
 * running domain or -1, and the qemu driver does not look at it.
 */
export const domainRef = (domain: { uuid: string; name?: string; id?: number }): DomainRef => ({
    name: domain.name ?? '',
    uuid: uuidToBytes(domain.uuid),
    id: domain.id ?? -1,
})

export const networkRef = (network: { uuid: string; name?: string }): NetworkRef => ({
    name: network.name ?? '',
    uuid: uuidToBytes(network.uuid),
})

export const poolRef = (pool: { uuid: string; name?: string }): StoragePoolRef => ({
    name: pool.name ?? '',
    uuid: uuidToBytes(pool.uuid),
})

/** A volume is found by its pool's name and its own; the key may be left out. */
export const volumeRef = (volume: { pool: string; name: string; key?: string }): StorageVolRef => ({
    pool: volume.pool,
    name: volume.name,
    key: volume.key ?? '',
})

export const secretRef = (secret: { uuid: string; usageType?: number; usageId?: string }): SecretRef => ({
    uuid: uuidToBytes(secret.uuid),
    usageType: secret.usageType ?? 0,
    usageID: secret.usageId ?? '',
})

/** Text from a fixed list of characters, such as `model` of nodeGetInfo. */
export function textFromChars(chars: readonly number[]): string {
    const end = chars.indexOf(0)
    return String.fromCharCode(...(end < 0 ? chars : chars.slice(0, end)))
}
