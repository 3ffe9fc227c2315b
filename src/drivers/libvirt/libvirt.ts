// The front of the libvirt driver: open a connection, call, watch, move volumes and consoles. Protocol only.

import type { Fault } from '../../base/fault.ts'
import type { Piece } from '../../base/pieces.ts'
import type { Calls, DomainRef, StorageVolRef } from '../../gen/libvirt/protocol.ts'
import { isAlone } from './alone.ts'
import type { Call, CallArguments, CallOptions } from './calls.ts'
import { Connection, type ConnectionOptions } from './connection.ts'
import { type Watch, watchEvents } from './events.ts'
import { openStream, type Stream } from './stream.ts'
import {
    type Console,
    type DownloadOptions,
    downloadSparse,
    downloadVolume,
    openChannel,
    openConsole,
    takeScreenshot,
    type UploadOptions,
    uploadVolume,
} from './transfer.ts'
import { type CountedCall, type ParamValue, readParams } from './typed-params.ts'

export { type Hole, isHole, type Piece } from '../../base/pieces.ts'
export { ERROR_NUMBERS, VIR } from '../../gen/libvirt/constants.ts'
export type * from '../../gen/libvirt/protocol.ts'
export type { Call, CallOptions } from './calls.ts'
export type { ConnectionOptions } from './connection.ts'
export { type LibvirtError, libvirtErrorOf } from './errors.ts'
export type { EventKind, EventNoun, EventPayload, LibvirtEvent, Watch } from './events.ts'
export * from './refs.ts'
export type { Stream } from './stream.ts'
export type { Console, DownloadOptions, UploadOptions } from './transfer.ts'
export * from './typed-params.ts'

export interface Libvirt {
    /**
     * Calls a procedure of libvirt's protocol: `call('domainGetXMLDesc', { dom, flags })`. See `Connection.call`. What
     * may take long (alone.ts) goes over a connection of its own, so that the four places here stay free.
     */
    call: Call
    /** Listens for events: `watch('domain', 'lifecycle', e => …)`; the result ends it. */
    watch: Watch
    /** Calls once when the connection ends (at once when it has); the result takes it back. */
    onClose(listener: (why: Fault) => void): () => void
    /** Why the connection ended, or undefined while it lives. */
    readonly ended: Fault | undefined
    close(): Promise<void>
    /** The same call on a connection of its own, for what may take minutes: the four places stay free. */
    callAlone<N extends keyof Calls>(name: N, args: Calls[N][0], options?: CallOptions): Promise<Calls[N][1]>
    /** The typed parameters of a call that wants to be asked twice, as an object. */
    readParams<N extends CountedCall>(name: N, args: Omit<Calls[N][0], 'nparams'>): Promise<Record<string, ParamValue>>
    // Each of the following has a connection of its own, and outlives this one.
    uploadVolume(volume: StorageVolRef, source: AsyncIterable<Piece>, options?: UploadOptions): Promise<number>
    downloadVolume(volume: StorageVolRef, options?: DownloadOptions): AsyncGenerator<Uint8Array>
    downloadSparse(volume: StorageVolRef, options?: DownloadOptions): AsyncGenerator<Piece>
    openConsole(dom: DomainRef, options?: { device?: string; force?: boolean }): Promise<Console>
    openChannel(dom: DomainRef, name: string): Promise<Console>
    takeScreenshot(dom: DomainRef, screen?: number): Promise<{ mime: string; data: Buffer }>
    openStream<N extends keyof Calls>(name: N, args: Calls[N][0]): Promise<Stream<N>>
}

/**
 * Connects to libvirtd. With `own` the connection is its user's alone, and all of its calls go over it.
 * @throws Fault `unavailable` when there is no daemon or it does not answer within the deadline, `denied` when the
 * socket or polkit refuses
 */
export async function openLibvirt(options: ConnectionOptions, how: { own?: boolean } = {}): Promise<Libvirt> {
    const connection = await Connection.open(options)
    const callAlone: Libvirt['callAlone'] = async (name, args, { deadlineMs } = {}) => {
        const own = await Connection.open(options)
        try {
            return await own.callHooked(name, args, { deadlineMs })
        } finally {
            await own.close()
        }
    }
    const call = <N extends keyof Calls>(name: N, ...rest: CallArguments<N>): Promise<Calls[N][1]> => {
        if (how.own || !isAlone(name)) return connection.call(name, ...rest)
        const [args, callOptions] = rest as [Calls[N][0], CallOptions?]
        // One that has ended says why, as for every other call.
        return connection.ended ? connection.call(name, ...rest) : callAlone(name, args, callOptions)
    }
    return {
        call,
        watch: watchEvents(connection),
        onClose: listener => connection.onClose(listener),
        get ended() {
            return connection.ended
        },
        close: () => connection.close(),
        callAlone,
        readParams: (name, args) => readParams(connection.call, name, args),
        uploadVolume: (volume, source, how) => uploadVolume(options, { volume, source }, how),
        downloadVolume: (volume, how) => downloadVolume(options, volume, how),
        downloadSparse: (volume, how) => downloadSparse(options, volume, how),
        openConsole: (dom, how) => openConsole(options, dom, how),
        openChannel: (dom, name) => openChannel(options, dom, name),
        takeScreenshot: (dom, screen) => takeScreenshot(options, dom, screen),
        openStream: (name, args) => openStream(options, name, args),
    }
}
