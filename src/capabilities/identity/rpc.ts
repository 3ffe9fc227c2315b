// The identity service on the wire: messages to calls and back, and the cookie.

import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect'
import { asFault, Fault } from '../../base/fault.ts'
import {
    ConfirmationSchema,
    GrantSchema,
    type IdentityService,
    LoginResponseSchema,
    SessionSchema,
    TokenSchema,
    UserSchema,
} from '../../gen/proto/capabilities/identity/identity_pb.js'
import { callerOf } from '../caller.ts'
import type { Access } from './access.ts'
import type { Confirm } from './confirm.ts'
import type { Confirmed } from './confirmed.ts'
import type { GrantDoc, SessionDoc, TokenDoc, UserDoc } from './documents.ts'
import { type Factors, lacksFactor } from './factors.ts'
import type { FirstLogin } from './first.ts'
import type { Grants } from './grants.ts'
import { type Parts, whose } from './parts.ts'
import { ROLES } from './permissions.ts'
import { setCookie } from './secrets.ts'
import type { LoggedIn, Sessions } from './sessions.ts'
import type { Tokens } from './tokens.ts'
import type { Users } from './users.ts'

export function identityService(
    parts: Parts,
    made: {
        access: Access
        sessions: Sessions
        users: Users
        first: FirstLogin
        tokens: Tokens
        grants: Grants
        factors: Factors
        confirm: Confirm
    },
): ServiceImpl<typeof IdentityService> {
    const { replica } = parts
    const { access, sessions, users, first, tokens, grants, factors, confirm } = made

    const userOf = (doc: UserDoc) => {
        const login = replica.get('logins', doc.name)?.doc
        return create(UserSchema, {
            name: doc.name,
            role: doc.role,
            fullName: doc.fullName,
            locked: doc.locked,
            created: timestampFromMs(doc.createdMs),
            factor: doc.factor !== undefined,
            lastLogin: login && login.uid === doc.uid ? timestampFromMs(login.atMs) : undefined,
        })
    }
    const sessionOf = (doc: SessionDoc, current: string) =>
        create(SessionSchema, {
            id: doc.id,
            user: doc.user,
            from: doc.from,
            agent: doc.agent,
            created: timestampFromMs(doc.createdMs),
            lastUsed: timestampFromMs(access.lastUsedMs(doc)),
            expires: timestampFromMs(doc.expiresMs),
            current: doc.id === current,
        })
    const tokenOf = (doc: TokenDoc) => {
        const usedMs = access.lastUsedMs(doc)
        return create(TokenSchema, {
            id: doc.id,
            user: doc.user,
            name: doc.name,
            scope: doc.scope,
            created: timestampFromMs(doc.createdMs),
            expires: timestampFromMs(doc.expiresMs),
            lastUsed: usedMs > 0 ? timestampFromMs(usedMs) : undefined,
        })
    }
    const grantOf = ({ id, user, role, vm, tag }: GrantDoc) => create(GrantSchema, { id, user, role, vm, tag })

    const confirmationOf = ({ token, expiresMs }: Confirmed) =>
        create(ConfirmationSchema, { confirmationToken: token, expires: timestampFromMs(expiresMs) })

    const originOf = (context: HandlerContext) => ({
        from: callerOf(context).from,
        agent: context.requestHeader.get('user-agent') ?? '',
    })
    const welcome = ({ user, session, presented }: LoggedIn, context: HandlerContext) => {
        context.responseHeader.append('set-cookie', setCookie(presented, session.expiresMs - session.createdMs))
        return create(LoginResponseSchema, {
            user: userOf(user),
            expires: timestampFromMs(session.expiresMs),
            confirmation: confirmationOf(confirm.byLogin(user, session)),
        })
    }

    return {
        firstLogin: async (request, context) => welcome(await first.redeem(request, originOf(context)), context),
        async newFirstLogin() {
            const link = await first.link()
            if (link) return { path: link.path, expires: timestampFromMs(link.expiresMs) }
            throw new Fault('precondition', {
                summary: 'There is an administrator already',
                fix: 'Set their password instead: debvisor user set NAME --password',
            })
        },
        login: async ({ user, password, oneTimePassword: code }, context) =>
            welcome(await sessions.login({ user, password, code }, originOf(context)), context),
        confirm: async ({ password, oneTimePassword: code }, context) =>
            confirmationOf(await confirm.confirm(callerOf(context), { password, code })),
        async logout(_, context) {
            await sessions.logout(callerOf(context))
            context.responseHeader.append('set-cookie', setCookie(undefined))
            return {}
        },
        async whoAmI(_, context) {
            const caller = callerOf(context)
            if (caller.via === 'root') {
                return { user: { name: 'root', role: 'admin' }, permissions: ['*'], grants: [], via: 'root' }
            }
            const user = replica.get('users', caller.user)?.doc
            const scope = access.tokenOf(caller)?.scope ?? []
            const held = [...(ROLES.find(role => role.name === user?.role)?.permissions ?? [])]
            return {
                user: user && userOf(user),
                // Of a token, its scope; never more than the role, which is asked at each call.
                permissions:
                    scope.length === 0 ? held : scope.filter(pattern => pattern.includes('*') || caller.may(pattern)),
                grants: grants.of(caller.user).map(grantOf),
                via: caller.via,
                factorRequired: user !== undefined && lacksFactor(replica, user),
                recoveryCodesLeft: user?.factor?.recovery.length ?? 0,
            }
        },
        beginFactor: (request, context) => factors.begin(callerOf(context), request.password),
        confirmFactor: async (request, context) => ({
            recoveryCodes: await factors.confirm(callerOf(context), request.oneTimePassword),
        }),
        async removeFactor({ password, oneTimePassword: code }, context) {
            await factors.remove(callerOf(context), { password, code })
            return {}
        },
        renewRecoveryCodes: async ({ password, oneTimePassword: code }, context) => ({
            recoveryCodes: await factors.renewCodes(callerOf(context), { password, code }),
        }),
        async resetFactor(request, context) {
            await factors.reset(callerOf(context), request.user)
            return {}
        },
        getFactorPolicy: async () => ({ roles: factors.requiredRoles() }),
        setFactorPolicy: async request => ({ roles: await factors.require(request.roles) }),
        async changePassword(request, context) {
            await users.changePassword(callerOf(context), { old: request.oldPassword, next: request.newPassword })
            return {}
        },
        async listSessions(request, context) {
            const caller = callerOf(context)
            const current = caller.via === 'session' ? caller.viaId : ''
            return { sessions: sessions.list(caller, request.user).map(doc => sessionOf(doc, current)) }
        },
        async revokeSessions(request, context) {
            const caller = callerOf(context)
            const answer = await sessions.revoke(caller, request)
            if (request.id === '' && !answer.pending) {
                // Also those that another node is making at this moment.
                const user = whose(caller, request.user, 'identity.manage')
                await users.endSessions(user).catch(thrown => {
                    if (!['unavailable', 'unknown', 'not-found'].includes(asFault(thrown).code)) throw thrown
                })
            }
            return answer
        },
        async createToken(request, context) {
            const { token, secret } = await tokens.create(callerOf(context), request)
            return { token: tokenOf(token), secret }
        },
        listTokens: async (request, context) => ({
            tokens: tokens.list(callerOf(context), request.user).map(tokenOf),
        }),
        revokeToken: (request, context) => tokens.revoke(callerOf(context), request.id),
        listUsers: async () => ({ users: users.list().map(userOf) }),
        createUser: async (request, context) => ({ user: userOf(await users.create(callerOf(context), request)) }),
        updateUser: async (request, context) => ({
            user: userOf(await users.update(callerOf(context), request.name, request)),
        }),
        async deleteUser(request, context) {
            await users.remove(callerOf(context), request.name)
            return {}
        },
        listRoles: async () => ({
            roles: ROLES.map(({ name, summary, permissions }) => ({ name, summary, permissions: [...permissions] })),
        }),
        listGrants: async request => ({ grants: grants.list(request).map(grantOf) }),
        addGrant: async (request, context) => ({ grant: grantOf(await grants.add(callerOf(context), request)) }),
        async removeGrant(request) {
            await grants.remove(request.id)
            return {}
        },
    }
}
