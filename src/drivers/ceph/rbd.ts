// Images of RBD as bytes, by Ceph's own `rbd`: libvirt neither fills nor reads them. (rbd(8))
import { Fault } from '../../base/fault.ts'
import type { Piece } from '../../base/pieces.ts'
import type { System } from '../../ports/ports.ts'
import { decodeDiff, encodeDiff } from './diff.ts'

/** Where a cluster is, and as whom; the key is that of /etc/ceph/ceph.client.<username>.keyring. */
export interface Cluster {
    hosts: readonly { name: string; port?: string }[]
    username?: string
}

export interface RbdImage {
    cluster: Cluster
    pool: string
    name: string
}

/** A cluster without quorum answers nothing at all, and is waited for no longer. */
const STALL_MS = 120_000

/** Writes the pieces over an image that is there, from its beginning. */
export async function fillImage(
    system: Tools,
    image: RbdImage,
    how: { pieces: AsyncIterable<Piece>; signal?: AbortSignal },
): Promise<void> {
    const argv = rbd(image, 'import-diff', '-', specOf(image))
    for await (const _ of piped(system, { argv, signal: how.signal }, encodeDiff(how.pieces)));
}

/** What is in an image, holes as holes. */
export async function* readImage(system: Tools, image: RbdImage, signal?: AbortSignal): AsyncGenerator<Piece> {
    const argv = rbd(image, 'export-diff', specOf(image), '-')
    yield* decodeDiff(piped(system, { argv, signal }))
}

type Tools = Pick<System, 'pipe'>

const specOf = ({ pool, name }: RbdImage): string => `${pool}/${name}`

function rbd({ cluster }: RbdImage, ...words: string[]): [string, ...string[]] {
    const hosts = cluster.hosts.map(({ name, port }) => (port ? `${name}:${port}` : name)).join(',')
    return [
        'rbd',
        '--no-progress',
        '--mon-host',
        hosts,
        ...(cluster.username ? ['--id', cluster.username] : []),
        ...words,
    ]
}

async function* piped(
    system: Tools,
    run: { argv: [string, ...string[]]; signal?: AbortSignal },
    input?: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
    try {
        yield* system.pipe({ ...run, deadlineMs: STALL_MS }, input)
    } catch (thrown) {
        if (thrown instanceof Fault && thrown.code === 'unavailable') throw failed(thrown.detail)
        throw thrown
    }
}

function failed(said: string): Fault {
    const isKey = /keyring|permission denied|EACCES|\(13\)/i.test(said)
    return new Fault('unavailable', {
        summary: isKey ? 'Ceph does not let the service at its images' : 'Ceph could not do what was asked',
        detail: said.trim().slice(-400),
        fix: isKey
            ? "The service debvisor-rpcd has to be able to read the pool's keyring in /etc/ceph: debvisor node apply sets it right."
            : 'See that the cluster answers (ceph status), then try again.',
    })
}
