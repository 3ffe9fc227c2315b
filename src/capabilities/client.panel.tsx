// The one way to the server: a client per service, one error shape, and a gate that waits while a session is renewed.
import type { DescService } from '@bufbuild/protobuf'
import { type Client, Code, ConnectError, createClient, type Interceptor } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-web'
import { useSyncExternalStore } from 'react'
import { type Problem, ProblemSchema } from '../gen/proto/capabilities/debvisor_pb.js'
import { confirming } from './dangerous.ts'
import { fetchAlive } from './pulse.panel.tsx'
import { catalogue } from './words.panel.tsx'

const words = catalogue('client', {
    away: 'The server did not answer',
    awayFix: 'Check the connection, and whether it happened; then try again.',
    refused: 'The server refused this',
})

/** What every page shows when something went wrong: the server's own words. */
export interface Trouble {
    code: string
    summary: string
    detail: string
    fix: string
    at: string
    findings: Problem['findings']
}

/** Any thrown thing as what a page shows. */
export function troubleOf(thrown: unknown): Trouble {
    const error = ConnectError.from(thrown)
    const problem = error.findDetails(ProblemSchema)[0]
    if (problem) return problem
    const away = error.code === Code.Unavailable || error.code === Code.Unknown || thrown instanceof TypeError
    return {
        code: Code[error.code] ?? 'unknown',
        summary: away ? words.away : error.rawMessage || words.refused,
        detail: away ? error.rawMessage : '',
        fix: away ? words.awayFix : '',
        at: '',
        findings: [],
    }
}

/** Whether it is of a server that said nothing at all. */
export const isAway = (trouble: Trouble | undefined): boolean => !trouble || trouble.summary === words.away

/** A trouble of the browser's own making, such as a field that cannot be read. */
export const trouble = (summary: string, detail = '', fix = ''): Trouble => ({
    code: 'invalid',
    summary,
    detail,
    fix,
    at: '',
    findings: [],
})

export type SessionState = 'unknown' | 'in' | 'out' | 'expired'

let state: SessionState = 'unknown'
const listeners = new Set<() => void>()

export const session = {
    get: (): SessionState => state,
    set(next: SessionState): void {
        if (state === next) return
        state = next
        for (const listener of [...listeners]) listener()
    },
    subscribe(listener: () => void): () => void {
        listeners.add(listener)
        return () => listeners.delete(listener)
    },
    /** Resolves when somebody is logged in (again); rejects when the signal aborts. */
    renewed(signal?: AbortSignal): Promise<void> {
        return new Promise((resolve, reject) => {
            const check = (): void => {
                if (state !== 'in') return
                stop()
                resolve()
            }
            const abort = (): void => {
                stop()
                reject(new ConnectError('cancelled', Code.Canceled))
            }
            const stop = (): void => {
                listeners.delete(check)
                signal?.removeEventListener('abort', abort)
            }
            listeners.add(check)
            signal?.addEventListener('abort', abort)
            check()
        })
    },
}

export const useSession = (): SessionState => useSyncExternalStore(session.subscribe, session.get)

const open = new Set(['Login', 'FirstLogin', 'WhoAmI', 'Logout'])

/** A call that meets an expired session waits for the login in place and is then made again: no input is lost. */
const gate: Interceptor = next => async request => {
    try {
        return await next(request)
    } catch (thrown) {
        const error = ConnectError.from(thrown)
        if (error.code !== Code.Unauthenticated || open.has(request.method.name)) throw thrown
        if (state === 'in') session.set('expired')
        if (request.stream) throw thrown
        await session.renewed(request.signal)
        return await next(request)
    }
}

/** Asks who is there to show once more who they are; resolves with what proves it. Set by who can ask. */
let ask: (refused: boolean) => Promise<string> = () => Promise.resolve('')
export const onDangerous = (asked: typeof ask): void => void (ask = asked)

const transport = createConnectTransport({
    baseUrl: window.location.origin,
    useBinaryFormat: true,
    interceptors: [confirming(refused => ask(refused), { ahead: true }), gate],
    fetch: (input, init) => fetchAlive(input, { ...init, credentials: 'same-origin' }),
})

const clients = new Map<string, unknown>()

/** The client of a service; the same one each time. */
export function clientOf<S extends DescService>(service: S): Client<S> {
    let client = clients.get(service.typeName) as Client<S> | undefined
    if (!client) {
        client = createClient(service, transport)
        clients.set(service.typeName, client)
    }
    return client
}
