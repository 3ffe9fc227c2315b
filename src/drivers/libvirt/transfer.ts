// What streams are for: volumes up and down (sparse too), a guest's console, a picture of its screen.
import { Fault } from '../../base/fault.ts'
import { isHole, type Piece } from '../../base/pieces.ts'
import { VIR } from '../../gen/libvirt/constants.ts'
import type { Calls, DomainRef, StorageVolRef } from '../../gen/libvirt/protocol.ts'
import type { ConnectionOptions } from './connection.ts'
import { cancelledFault, openStream, type Stream } from './stream.ts'

export interface UploadOptions {
    /** Where in the volume it begins. */
    offsetBytes?: number
    /** What the source will give, holes included; more or less is refused. Left out: until the source ends. */
    lengthBytes?: number
    /** The source gives holes too. */
    sparse?: boolean
    signal?: AbortSignal
    /** Called with all bytes so far, holes included. */
    onProgress?: (doneBytes: number) => void
}

export interface DownloadOptions {
    offsetBytes?: number
    /** Left out: to the end of the volume. */
    lengthBytes?: number
    signal?: AbortSignal
}

/** A guest's serial port, or a channel, as bytes both ways. */
export interface Console {
    /** What the guest sends; it ends when the guest or the connection does. */
    output: AsyncIterable<Uint8Array>
    write(data: Uint8Array): Promise<void>
    /** Resolves when libvirt has let go of the device, so that the next one can have it. */
    close(): Promise<void>
}

function checkAborted(signal: AbortSignal | undefined): void {
    if (signal?.aborted) throw cancelledFault()
}

const wrongLength = (detail: string): Fault =>
    new Fault('invalid', {
        summary: 'The upload does not have the length that was announced',
        detail,
        fix: 'Compare the size of the source with what was announced, then begin again.',
        at: 'lengthBytes',
    })

/** The items of a source; when the signal is given, the wait for the next one ends, and the source with it. */
async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncGenerator<T> {
    if (!signal) return yield* source
    const items = source[Symbol.asyncIterator]()
    let giveUp = (): void => undefined
    const aborted = new Promise<never>((_, reject) => {
        giveUp = () => reject(cancelledFault())
        signal.addEventListener('abort', giveUp)
    })
    aborted.catch(() => undefined)
    try {
        checkAborted(signal)
        for (;;) {
            const next = await Promise.race([items.next(), aborted])
            if (next.done) return
            yield next.value
        }
    } finally {
        signal.removeEventListener('abort', giveUp)
        // Not waited for: a generator that hangs in its own wait would never return.
        items.return?.()?.catch?.(() => undefined)
    }
}

async function pour(stream: Stream<'storageVolUpload'>, source: AsyncIterable<Piece>, options: UploadOptions) {
    const { lengthBytes, signal } = options
    let doneBytes = 0
    for await (const piece of untilAborted(source, signal)) {
        const sizeBytes = isHole(piece) ? piece.holeBytes : piece.length
        doneBytes += sizeBytes
        // One byte too many crashes or hangs libvirtd: it must not be sent.
        if (lengthBytes !== undefined && doneBytes > lengthBytes) {
            throw wrongLength(`more than ${lengthBytes} bytes came`)
        }
        if (isHole(piece)) await stream.writeHole(sizeBytes)
        else await stream.write(piece)
        options.onProgress?.(doneBytes)
    }
    if (lengthBytes !== undefined && doneBytes < lengthBytes) {
        throw wrongLength(`it ended after ${doneBytes} of ${lengthBytes} bytes`)
    }
    return doneBytes
}

/**
 * Writes a source into a volume and resolves with the bytes written when libvirt has them all. On any failure the
 * stream is aborted; what was written by then stays in the volume. The source gives a new buffer each time: one that it
 * fills again may not have been sent yet.
 * @throws Fault `invalid` when the source is longer or shorter than announced, `cancelled` by the signal
 */
export async function uploadVolume(
    connect: ConnectionOptions,
    to: { volume: StorageVolRef; source: AsyncIterable<Piece> },
    options: UploadOptions = {},
): Promise<number> {
    checkAborted(options.signal)
    const stream = await openStream(connect, 'storageVolUpload', {
        vol: to.volume,
        offset: BigInt(options.offsetBytes ?? 0),
        length: BigInt(options.lengthBytes ?? 0),
        flags: options.sparse ? VIR.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM : 0,
    })
    try {
        const doneBytes = await pour(stream, to.source, options)
        await stream.finish()
        return doneBytes
    } catch (thrown) {
        await stream.abort()
        throw thrown
    }
}

async function* drain<N extends keyof Calls>(stream: Stream<N>, signal?: AbortSignal): AsyncGenerator<Piece> {
    const stop = (): void => void stream.abort()
    signal?.addEventListener('abort', stop)
    let whole = false
    try {
        for (;;) {
            checkAborted(signal)
            const piece = await stream.read().catch(thrown => {
                checkAborted(signal)
                throw thrown
            })
            if (!piece) break
            yield piece
        }
        checkAborted(signal)
        await stream.finish()
        whole = true
    } finally {
        signal?.removeEventListener('abort', stop)
        if (!whole) await stream.abort()
    }
}

/** The pieces of a volume, holes as holes. Leaving the loop early aborts the stream. */
export async function* downloadSparse(
    connect: ConnectionOptions,
    volume: StorageVolRef,
    options: DownloadOptions = {},
): AsyncGenerator<Piece> {
    const flags = VIR.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM
    yield* drain(await openDownload(connect, volume, { ...options, flags }), options.signal)
}

/** The bytes of a volume. Leaving the loop early aborts the stream. */
export async function* downloadVolume(
    connect: ConnectionOptions,
    volume: StorageVolRef,
    options: DownloadOptions = {},
): AsyncGenerator<Uint8Array> {
    const stream = await openDownload(connect, volume, { ...options, flags: 0 })
    for await (const piece of drain(stream, options.signal)) yield piece as Uint8Array
}

function openDownload(connect: ConnectionOptions, vol: StorageVolRef, options: DownloadOptions & { flags: number }) {
    checkAborted(options.signal)
    return openStream(connect, 'storageVolDownload', {
        vol,
        offset: BigInt(options.offsetBytes ?? 0),
        length: BigInt(options.lengthBytes ?? 0),
        flags: options.flags,
    })
}

function asConsole<N extends keyof Calls>(stream: Stream<N>): Console {
    let closing: Promise<void> | undefined
    async function* output(): AsyncGenerator<Uint8Array> {
        for (;;) {
            const piece = await stream.read().catch(thrown => {
                if (closing) return undefined
                throw thrown
            })
            if (!piece) return
            if (!isHole(piece)) yield piece
        }
    }
    return {
        output: output(),
        write: data => stream.write(data),
        close: () => {
            closing ??= stream.abort()
            return closing
        },
    }
}

/**
 * Opens the console of a running domain: the first one, or the device of that alias.
 * @throws Fault when somebody else has it and `force` is not given
 */
export async function openConsole(
    connect: ConnectionOptions,
    dom: DomainRef,
    options: { device?: string; force?: boolean } = {},
): Promise<Console> {
    const flags = options.force ? VIR.VIR_DOMAIN_CONSOLE_FORCE : VIR.VIR_DOMAIN_CONSOLE_SAFE
    return asConsole(await openStream(connect, 'domainOpenConsole', { dom, dev_name: options.device ?? null, flags }))
}

/** Opens a channel of a running domain by its name, such as `org.qemu.guest_agent.0`. */
export async function openChannel(connect: ConnectionOptions, dom: DomainRef, name: string): Promise<Console> {
    return asConsole(await openStream(connect, 'domainOpenChannel', { dom, name, flags: 0 }))
}

/** A picture of the domain's screen, of the MIME type that libvirt names. */
export async function takeScreenshot(
    connect: ConnectionOptions,
    dom: DomainRef,
    screen = 0,
): Promise<{ mime: string; data: Buffer }> {
    const stream = await openStream(connect, 'domainScreenshot', { dom, screen, flags: 0 })
    const parts: Uint8Array[] = []
    for await (const piece of drain(stream)) if (!isHole(piece)) parts.push(piece)
    return { mime: stream.reply.mime ?? '', data: Buffer.concat(parts) }
}
