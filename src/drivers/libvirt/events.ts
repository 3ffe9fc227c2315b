// Events of libvirt: registered by kind, told apart by the callback id, decoded and given to their listener.
import { EVENT_IDS, type Events } from '../../gen/libvirt/protocol.ts'
import type { Connection } from './connection.ts'

type EventIds = typeof EVENT_IDS
export type EventNoun = keyof EventIds
export type EventKind<N extends EventNoun> = keyof EventIds[N]

type Flat<T> = T extends { msg: infer M } ? Omit<T, 'msg'> & M : T
type Carrier<N extends EventNoun, K extends EventKind<N>> = EventIds[N][K] extends { procedure: infer P } ? P : never

/** What a listener gets: the event's fields, and the id it was registered with. */
export type EventPayload<N extends EventNoun, K extends EventKind<N>> =
    Carrier<N, K> extends keyof Events ? Flat<Events[Carrier<N, K>]> : never

/** Any event, told apart by `noun` and `kind`. */
export type LibvirtEvent = {
    [N in EventNoun]: { [K in EventKind<N>]: { noun: N; kind: K; event: EventPayload<N, K> } }[EventKind<N>]
}[EventNoun]

const REGISTER = {
    domain: ['connectDomainEventCallbackRegisterAny', 'connectDomainEventCallbackDeregisterAny', 'dom'],
    network: ['connectNetworkEventRegisterAny', 'connectNetworkEventDeregisterAny', 'net'],
    storagePool: ['connectStoragePoolEventRegisterAny', 'connectStoragePoolEventDeregisterAny', 'pool'],
    nodeDevice: ['connectNodeDeviceEventRegisterAny', 'connectNodeDeviceEventDeregisterAny', 'dev'],
    secret: ['connectSecretEventRegisterAny', 'connectSecretEventDeregisterAny', 'secret'],
} as const

export type Watch = <N extends EventNoun, K extends EventKind<N> & string>(
    noun: N,
    kind: K,
    listener: (event: EventPayload<N, K>) => void,
) => Promise<() => Promise<void>>

interface Registration {
    callbackID: number
    listeners: Set<(event: never) => void>
    /** Registering and deregistering take turns; this is the end of the line. */
    turn: Promise<void>
}

/**
 * A function that registers listeners on a connection: `watch('domain', 'lifecycle', e => …)`, for all objects of the
 * noun. It returns a function that ends it; they all end with the connection. The daemon takes each kind once a client
 * ("event callback already tracked"), so listeners of one kind share a registration. It may refuse kinds that it is
 * too old for, with a Fault `invalid` or `unsupported`.
 */
export function watchEvents(connection: Connection): Watch {
    const registrations = new Map<string, Registration>()

    connection.onEvent((name, payload) => {
        const { callbackID, msg, ...rest } = payload as unknown as { callbackID: number; msg?: object }
        const registration = registrations.get(name)
        if (registration?.callbackID !== callbackID) return
        for (const listener of [...registration.listeners]) listener({ callbackID, ...rest, ...msg } as never)
    })

    return async (noun, kind, listener) => {
        const { id, procedure } = (EVENT_IDS[noun] as Record<string, { id: number; procedure: string }>)[kind]!
        const [register, deregister] = REGISTER[noun]
        const registration = registrations.get(procedure) ?? {
            callbackID: -1,
            listeners: new Set(),
            turn: Promise.resolve(),
        }
        registrations.set(procedure, registration)
        const takeTurn = (act: () => Promise<void>): Promise<void> => {
            const turn = registration.turn.then(act)
            registration.turn = turn.catch(() => undefined)
            return turn
        }
        // A wrapper, so that a function given twice is two listeners.
        const own = (event: never): void => listener(event)

        await takeTurn(async () => {
            if (registration.callbackID < 0) {
                let waits = true
                const onReply = (reply: unknown): void => {
                    // The first event may stand right behind the answer: all must be set before it is read.
                    registration.callbackID = (reply as { callbackID: number }).callbackID
                    // An answer that comes after its deadline serves the next listener: this one was told that it failed.
                    if (waits) registration.listeners.add(own)
                }
                try {
                    await connection.callHooked(register, { eventID: id }, { onReply })
                } finally {
                    waits = false
                }
            }
            registration.listeners.add(own)
        })
        return async () => {
            if (!registration.listeners.delete(own) || connection.ended) return
            await takeTurn(async () => {
                if (registration.listeners.size > 0 || registration.callbackID < 0 || connection.ended) return
                const { callbackID } = registration
                registration.callbackID = -1
                await connection.call(deregister, { callbackID })
            })
        }
    }
}
