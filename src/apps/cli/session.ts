// A session of its own, by password and second factor, for what a token may not do; it ends when the work has ended.
import { type Client, createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { Fault } from '../../base/fault.ts'
import { OTP_AT } from '../../capabilities/identity/factors.ts'
import type { VerbContext } from '../../capabilities/verb.ts'
import {
    IdentityService,
    type LoginRequest,
    type LoginResponse,
} from '../../gen/proto/capabilities/identity/identity_pb.js'
import { overTls, type Target } from './connect.ts'
import { faultOf } from './problem.ts'

interface Address {
    server: string
    certificate?: string
}

export interface Person {
    user: string
    password: string
}

export const ONE_TIME_PASSWORD = 'One-time password, or a recovery code'

/** Where people log in with a password. @throws Fault `precondition` over the local socket, where one is root */
export function byHttps(at: Target): Address {
    if (!('socket' in at)) return at
    throw new Fault('precondition', {
        summary: 'This is done by its owner, over HTTPS',
        detail: 'this is the local socket, where you are root',
        fix: 'Name the node and yourself: --server https://NODE:8443 --user NAME',
    })
}

/**
 * Works with a session of that person, and with what the login confirms; a one-time password is asked for where the node wants one.
 * @throws Fault `unauthenticated`
 */
export async function withSession<T>(
    context: Pick<VerbContext, 'secret'>,
    at: Address & Person,
    work: (identity: Client<typeof IdentityService>, confirmationToken: string) => Promise<T>,
): Promise<T> {
    const { server, certificate, user, password } = at
    let cookie = ''
    const login = (request: Partial<Pick<LoginRequest, 'oneTimePassword'>> = {}) =>
        createClient(IdentityService, overTls({ server, token: '', certificate })).login(
            { user, password, ...request },
            { onHeader: headers => (cookie = headers.get('set-cookie')?.split(';')[0] ?? '') },
        )
    let answer: LoginResponse
    try {
        answer = await login()
    } catch (thrown) {
        if (faultOf(thrown).at !== OTP_AT) throw thrown
        answer = await login({ oneTimePassword: await context.secret(ONE_TIME_PASSWORD) })
    }
    const session = createClient(
        IdentityService,
        createConnectTransport({
            baseUrl: server,
            httpVersion: '1.1',
            nodeOptions: certificate ? { ca: certificate, checkServerIdentity: () => undefined } : {},
            interceptors: [
                next => request => {
                    request.header.set('cookie', cookie)
                    return next(request)
                },
            ],
        }),
    )
    try {
        return await work(session, answer.confirmation?.confirmationToken ?? '')
    } finally {
        // It ends by itself where this does not reach the node.
        await session.logout({}).catch(() => undefined)
    }
}
