// The bytes of volumes, to and fro: by libvirt, and for RBD, which libvirt can neither fill nor read, by Ceph's own tool.
import { Fault } from '../../base/fault.ts'
import { isHole, type Piece, sizeOf } from '../../base/pieces.ts'
import { fillImage, type RbdImage, readImage } from '../../drivers/ceph/rbd.ts'
import { type DownloadOptions, type UploadOptions, volumeRef } from '../../drivers/libvirt/libvirt.ts'
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import type { System } from '../../ports/ports.ts'
import { isOnFiles, type PoolEntry } from './entries.ts'

export interface Bytes {
    /** Over a volume that is there, from its beginning. @throws Fault as libvirt's upload does */
    upload(
        to: VolumeName,
        source: AsyncIterable<Piece>,
        options: UploadOptions & { lengthBytes: number },
    ): Promise<void>
    download(from: VolumeName, options?: DownloadOptions): AsyncGenerator<Uint8Array>
    /** Holes as holes, where the pool knows of them. */
    downloadSparse(from: VolumeName, signal?: AbortSignal): AsyncGenerator<Piece>
    /** Volumes whose holes are given and taken as such. */
    isSparse(pool: Pick<PoolEntry, 'type'>): boolean
}

interface VolumeName {
    pool: string
    name: string
}

const ZERO_BYTES = 1024 * 1024
const ZEROS = new Uint8Array(ZERO_BYTES)

export function createBytes(deps: {
    libvirt: LibvirtLink
    system: Pick<System, 'pipe'>
    pool: (name: string) => PoolEntry
}): Bytes {
    const { libvirt, system, pool } = deps
    const isSparse = ({ type }: Pick<PoolEntry, 'type'>) => isOnFiles(type) || type === 'rbd'
    const imageOf = ({ pool: poolName, name }: VolumeName): RbdImage | undefined => {
        const { type, remote } = pool(poolName)
        if (type !== 'rbd' || !remote) return undefined
        const cluster = { hosts: remote.hosts, username: remote.auth?.username }
        return { cluster, pool: remote.name ?? poolName, name }
    }

    return {
        isSparse,
        async upload(to, source, options) {
            const image = imageOf(to)
            if (image) {
                await fillImage(system, image, { pieces: counted(source, options), signal: options.signal })
                return
            }
            await libvirt.connection().uploadVolume(volumeRef(to), source, options)
        },
        async *download(from, options = {}) {
            const image = imageOf(from)
            if (!image) return yield* libvirt.connection().downloadVolume(volumeRef(from), options)
            yield* part(readImage(system, image, options.signal), options)
        },
        async *downloadSparse(from, signal) {
            const image = imageOf(from)
            const { connection } = libvirt
            if (image) yield* readImage(system, image, signal)
            else if (isSparse(pool(from.pool))) yield* connection().downloadSparse(volumeRef(from), { signal })
            else yield* connection().downloadVolume(volumeRef(from), { signal })
        },
    }
}

/** The pieces, when they are as long as was announced. */
async function* counted(
    source: AsyncIterable<Piece>,
    { lengthBytes, onProgress }: UploadOptions & { lengthBytes: number },
): AsyncGenerator<Piece> {
    let doneBytes = 0
    for await (const piece of source) {
        doneBytes += sizeOf(piece)
        if (doneBytes > lengthBytes) throw wrongLength(`more than ${lengthBytes} bytes came`)
        yield piece
        onProgress?.(doneBytes)
    }
    if (doneBytes < lengthBytes) throw wrongLength(`it ended after ${doneBytes} of ${lengthBytes} bytes`)
}

const wrongLength = (detail: string): Fault =>
    new Fault('invalid', {
        summary: 'The content does not have the length that was announced',
        detail,
        fix: 'Compare the size of the source with what was announced, then begin again.',
    })

/** From an offset, so many bytes, holes as zeros. */
async function* part(
    pieces: AsyncIterable<Piece>,
    { offsetBytes = 0, lengthBytes = Number.POSITIVE_INFINITY }: DownloadOptions,
): AsyncGenerator<Uint8Array> {
    let [skip, left] = [offsetBytes, lengthBytes]
    for await (const piece of pieces) {
        for (let atBytes = 0; atBytes < sizeOf(piece); ) {
            const rest = sizeOf(piece) - atBytes
            const skipped = Math.min(skip, rest)
            const most = Math.min(left, rest - skipped, isHole(piece) ? ZERO_BYTES : rest)
            const from = atBytes + skipped
            if (most > 0) yield isHole(piece) ? ZEROS.subarray(0, most) : piece.subarray(from, from + most)
            skip -= skipped
            left -= most
            if (left <= 0) return
            atBytes = from + most
        }
    }
}
