// Answers whose bytes exist before they are asked for: where the wire takes such bytes, they go out without being copied.
import { createContextKey, type HandlerContext } from '@connectrpc/connect'

/** The bytes of a whole message, in pieces that nobody changes any more. */
export type Pieces = readonly Uint8Array[]

/** What the wire puts into a call that can be answered so. */
export const readyKey = createContextKey<((pieces: Pieces) => void) | undefined>(undefined, { description: 'ready' })

/** True when the wire sends these bytes in place of what the method returns: not over gRPC, which counts them first. */
export function answerReady(context: HandlerContext, pieces: () => Pieces): boolean {
    const send = context.protocolName === 'connect' ? context.values.get(readyKey) : undefined
    send?.(pieces())
    return send !== undefined
}
