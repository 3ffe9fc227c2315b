// Who is calling, and what they may do: what every handler can ask of the access interceptor.
import { createContextKey, type HandlerContext } from '@connectrpc/connect'

/** What a grant can cover: a VM by UUID and by its tags. */
export interface Guarded {
    id: string
    tags?: readonly string[]
    /** Name of the user who made it; owners may follow their own tasks. */
    owner?: string
}

export interface Caller {
    /** User name; `root` for the node's own socket; empty for nobody (open methods). */
    user: string
    via: 'session' | 'token' | 'root' | 'nobody'
    /** Id of the session or token. */
    viaId: string
    /** Address the call came from, or `local`. */
    from: string
    /** True where the role, or a grant that covers the object, holds the permission. */
    may(permission: string, object?: Guarded): boolean
    /** Throws Fault `denied` unless `may`. */
    need(permission: string, object?: Guarded): void
}

const nobody: Caller = {
    user: '',
    via: 'nobody',
    viaId: '',
    from: '',
    may: () => false,
    need: () => {
        throw new Error('a handler ran without a caller')
    },
}

export const callerKey = createContextKey<Caller>(nobody, { description: 'caller' })

/** The caller of this call. */
export const callerOf = (context: HandlerContext): Caller => context.values.get(callerKey)
