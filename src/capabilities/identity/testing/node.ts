// A node for the tests of identity: the capability on a store, and clients that call it over the wire in memory.

import { getOption } from '@bufbuild/protobuf'
import {
    type Client,
    Code,
    ConnectError,
    createClient,
    createRouterTransport,
    type Interceptor,
} from '@connectrpc/connect'
import { asFault, type FaultCode } from '../../../base/fault.ts'
import type { Store } from '../../../drivers/etcd/store.ts'
import { access } from '../../../gen/proto/capabilities/debvisor_pb.js'
import { IdentityService } from '../../../gen/proto/capabilities/identity/identity_pb.js'
import type { Clock, Log, System } from '../../../ports/ports.ts'
import { type Caller, callerKey } from '../../caller.ts'
import { createIdentity, type Identity, type IdentityEvent } from '../identity.ts'

/** Who calls: root, a cookie, a token, or nobody. */
export interface Who {
    root?: true
    cookie?: string
    bearer?: string
    from?: string
}

export interface TestNode {
    identity: Identity
    events: IdentityEvent[]
    /** A client; `cookie()` is what the last answer set, as the header that a browser would send. */
    as(who?: Who): Client<typeof IdentityService> & { cookie(): string; setCookie(): string }
    caller(who: Who): Caller | undefined
}

export async function testNode(deps: {
    store: Store
    system: System
    clock: Clock
    log: Log
    stateFolder?: string
}): Promise<TestNode> {
    const identity = createIdentity({
        stateFolder: '/state/identity',
        ...deps,
        passwordCost: { n: 16, r: 1, p: 1 },
    })
    const events: IdentityEvent[] = []
    identity.events(event => events.push(event))
    await identity.start()
    const caller = ({ root, cookie, bearer, from = '192.0.2.1' }: Who) =>
        root ? identity.root() : identity.authenticate({ cookie, bearer, from, agent: 'test' })

    return {
        identity,
        events,
        caller,
        as(who = {}) {
            let set = ''
            const guard: Interceptor = next => async request => {
                const found = caller(who)
                const rule = getOption(request.method, access)
                try {
                    if (!found && !rule.open) throw new ConnectError('not logged in', Code.Unauthenticated)
                    if (rule.local && found?.via !== 'root') throw new ConnectError('local only', Code.PermissionDenied)
                    if (rule.permission && !rule.local) found?.need(rule.permission)
                    request.contextValues.set(callerKey, found ?? identity.nobody(who.from ?? '192.0.2.1'))
                    return await next(request)
                } catch (thrown) {
                    if (thrown instanceof ConnectError) throw thrown
                    const fault = asFault(thrown)
                    const metadata = new Headers({ fault: fault.code, fix: encodeURIComponent(fault.fix) })
                    throw new ConnectError(fault.message, Code.FailedPrecondition, metadata)
                }
            }
            const keepCookie: Interceptor = next => async request => {
                const response = await next(request)
                set = response.header.get('set-cookie') ?? set
                return response
            }
            const transport = createRouterTransport(router => identity.services!(router), {
                router: { interceptors: [guard] },
                transport: { interceptors: [keepCookie] },
            })
            const client = createClient(IdentityService, transport)
            return Object.assign(client, { cookie: () => set.split(';')[0]!, setCookie: () => set })
        },
    }
}

/** The code of the Fault with which the call fails; fails itself when the call does not. */
export async function faultOf(call: Promise<unknown>): Promise<FaultCode> {
    try {
        await call
    } catch (thrown) {
        const error = ConnectError.from(thrown)
        const fault = error.metadata.get('fault')
        if (fault) return fault as FaultCode
        if (error.code === Code.Unauthenticated) return 'unauthenticated'
        if (error.code === Code.PermissionDenied) return 'denied'
        throw thrown
    }
    throw new Error('the call was expected to fail')
}

export const PASSWORD = 'glacier tulip 7 marzipan'

/** Makes the first administrator `admin` and answers their cookie. */
export async function becomeAdmin(node: TestNode): Promise<string> {
    const link = await node.identity.firstLogin()
    const client = node.as()
    await client.firstLogin({ secret: link!.path.slice('/#/first/'.length), user: 'admin', password: PASSWORD })
    return client.cookie()
}

/** Makes a user as root, logs in, and answers the cookie. */
export async function addUser(node: TestNode, name: string, role: string): Promise<string> {
    await node.as({ root: true }).createUser({ name, role, password: PASSWORD })
    return logIn(node, name)
}

export async function logIn(node: TestNode, user: string, from?: string): Promise<string> {
    const client = node.as({ from })
    await client.login({ user, password: PASSWORD })
    return client.cookie()
}
