// People of the fake node: ann is the administrator, ben an operator of the VMs with the tag shop.
import type { ConnectRouter } from '@connectrpc/connect'
import { Fault } from '../../../base/fault.ts'
import { IdentityService } from '../../../gen/proto/capabilities/identity/identity_pb.js'
import type { Calls } from './fake-node.ts'

export const PASSWORD = 'correct horse battery'

export function fakeIdentity(router: ConnectRouter, calls: Calls): void {
    const noted =
        <T extends object>(method: string, answer: T = {} as T) =>
        (request: object): T => {
            calls.push([method, request])
            return answer
        }
    router.service(IdentityService, {
        whoAmI: (_, context) =>
            context.requestHeader.has('authorization')
                ? { user: { name: 'ann', role: 'admin' }, via: 'token' }
                : { user: { name: 'root', role: 'admin' }, via: 'root' },
        login({ user, password }, context) {
            if (user !== 'ann' || password !== PASSWORD)
                throw new Fault('unauthenticated', { summary: 'User name or password is wrong' })
            context.responseHeader.append('set-cookie', 'session=s-1; HttpOnly')
            return { user: { name: user } }
        },
        logout: noted('logout'),
        changePassword(request, context) {
            if (!context.requestHeader.get('cookie')?.includes('session=s-1'))
                throw new Fault('denied', { summary: 'A password is changed by its owner, logged in with it' })
            calls.push(['changePassword', request])
            return {}
        },
        listUsers: () => ({ users: [{ name: 'ann', role: 'admin', factor: true }, { name: 'ben' }] }),
        resetFactor: noted('resetFactor'),
        getFactorPolicy: () => ({ roles: ['admin'] }),
        setFactorPolicy: noted('setFactorPolicy'),
        createUser: noted('createUser'),
        updateUser: noted('updateUser'),
        deleteUser: noted('deleteUser'),
        newFirstLogin: noted('newFirstLogin', { path: '/#/first/x' }),
        listTokens: ({ user }) => ({ tokens: user === 'ann' ? [{ id: 'tok1', name: 'backup', user }] : [] }),
        createToken: noted('createToken', { secret: 'dv_1_x' }),
        revokeToken: noted('revokeToken'),
        listGrants: ({ user }) => ({
            grants: [{ id: 'g1', user: 'ben', role: 'operator', tag: 'shop' }].filter(g => !user || g.user === user),
        }),
        addGrant: noted('addGrant'),
        removeGrant: noted('removeGrant'),
        listSessions: ({ user }) => ({ sessions: user === 'ann' ? [{ id: 's1', user: 'ann' }] : [] }),
        revokeSessions: noted('revokeSessions', { ended: 1 }),
    })
}
