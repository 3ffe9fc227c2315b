// The simulated users, sessions, tokens and grants.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code, type ConnectRouter, type HandlerContext } from '@connectrpc/connect'
import { GrantSchema, IdentityService, TokenSchema } from '../../../gen/proto/capabilities/identity/identity_pb.js'
import { notFound, permissions, refuse, sessionIn, userOf } from './access.ts'
import { confirm, confirmed } from './confirm.ts'
import { checkFactor, factorMethods, lacksFactor } from './factor-service.ts'
import type { World } from './world.ts'

export const FIRST_SECRET = 'first-secret-of-the-simulated-node'

export function identityService(world: World, router: ConnectRouter): void {
    const login = (context: HandlerContext, user: string) => {
        const id = world.uuid()
        world.sessions.set(id, {
            id,
            user,
            createdMs: Date.now(),
            agent: context.requestHeader.get('user-agent') ?? '',
        })
        context.responseHeader.set('set-cookie', `debvisor=${id}; Path=/; HttpOnly; SameSite=Strict`)
        world.record({ who: user, what: 'login' })
        return {
            user: world.users.get(user),
            expires: timestampFromMs(Date.now() + 8 * 3600_000),
            confirmation: confirmed(world),
        }
    }
    const weak = (password: string): void => {
        if (password.length < 12)
            refuse(Code.InvalidArgument, {
                code: 'invalid',
                summary: 'The password is too short',
                detail: `${password.length} characters`,
                fix: 'Use at least 12 characters.',
                at: 'password',
            })
    }
    const need = (name: string) => world.users.get(name) ?? notFound('user', name)
    router.service(IdentityService, {
        firstLogin: (request, context) => {
            if (request.secret !== FIRST_SECRET || [...world.users.values()].some(u => u.role === 'admin'))
                refuse(Code.PermissionDenied, {
                    code: 'denied',
                    summary: 'This link has been used or is too old',
                    fix: 'Make a new one on the node: debvisor user first-login',
                })
            weak(request.password)
            world.addUser(request.user, 'admin', request.password)
            return login(context, request.user)
        },
        newFirstLogin: () => ({ path: `/#/first/${FIRST_SECRET}` }),
        login: (request, context) => {
            const user = world.users.get(request.user)
            if (!user || user.password !== request.password || user.locked)
                refuse(Code.Unauthenticated, {
                    code: 'unauthenticated',
                    summary: 'Name or password is wrong',
                    fix: 'Try again. After several failures you have to wait.',
                })
            checkFactor(world, request.user, request.oneTimePassword)
            return login(context, request.user)
        },
        confirm: (request, context) => confirm(world, userOf(context), request),
        ...factorMethods(world),
        logout: (_request, context) => {
            const id = /debvisor=([\w-]+)/.exec(context.requestHeader.get('cookie') ?? '')?.[1]
            if (id) world.sessions.delete(id)
            return {}
        },
        whoAmI: (_request, context) => {
            const name = sessionIn(world, context.requestHeader.get('cookie'))
            const user = world.users.get(name)
            return {
                user,
                permissions: lacksFactor(world, name) ? [] : (permissions[user?.role ?? ''] ?? []),
                factorRequired: lacksFactor(world, name),
                recoveryCodesLeft: world.factors.get(name)?.length ?? 0,
                grants: world.grants.filter(g => g.user === name),
                via: 'session',
            }
        },
        changePassword: (request, context) => {
            const user = need(userOf(context))
            if (user.password !== request.oldPassword)
                refuse(Code.PermissionDenied, {
                    code: 'denied',
                    summary: 'The password is wrong',
                    fix: 'Type the one you log in with.',
                })
            weak(request.newPassword)
            user.password = request.newPassword
            return {}
        },
        listSessions: (_request, context) => {
            const own = /debvisor=([\w-]+)/.exec(context.requestHeader.get('cookie') ?? '')?.[1]
            return {
                sessions: [...world.sessions.values()]
                    .filter(s => s.user === userOf(context))
                    .map(s => ({
                        id: s.id,
                        user: s.user,
                        from: '192.0.2.7',
                        agent: s.agent,
                        created: timestampFromMs(s.createdMs),
                        lastUsed: timestampFromMs(Date.now()),
                        expires: timestampFromMs(s.createdMs + 8 * 3600_000),
                        current: s.id === own,
                    })),
            }
        },
        revokeSessions: request => {
            const ended = world.sessions.delete(request.id) ? 1 : 0
            return { ended }
        },
        createToken: (request, context) => {
            const token = create(TokenSchema, {
                id: world.uuid(),
                user: userOf(context),
                name: request.name,
                scope: request.scope,
                created: timestampFromMs(Date.now()),
                expires: timestampFromMs(Date.now() + (request.days || 90) * 864e5),
            })
            world.tokens.push(token)
            return { token, secret: `dv_${world.uuid().replaceAll('-', '')}` }
        },
        listTokens: (_request, context) => ({ tokens: world.tokens.filter(t => t.user === userOf(context)) }),
        revokeToken: request => {
            world.tokens.splice(0, world.tokens.length, ...world.tokens.filter(t => t.id !== request.id))
            return {}
        },
        listUsers: () => ({ users: [...world.users.values()] }),
        createUser: request => {
            if (world.users.has(request.name))
                refuse(Code.AlreadyExists, {
                    code: 'exists',
                    summary: 'There is already a user of this name',
                    detail: request.name,
                    fix: 'Choose another name.',
                })
            weak(request.password)
            world.addUser(request.name, request.role, request.password)
            return { user: need(request.name) }
        },
        updateUser: request => {
            const user = need(request.name)
            if (request.role !== undefined) user.role = request.role
            if (request.fullName !== undefined) user.fullName = request.fullName
            if (request.locked !== undefined) user.locked = request.locked
            return { user }
        },
        deleteUser: request => {
            world.users.delete(request.name)
            return {}
        },
        listRoles: () => ({
            roles: Object.entries(permissions)
                .filter(([name]) => name !== '')
                .map(([name, list]) => ({ name, summary: '', permissions: list })),
        }),
        listGrants: () => ({ grants: world.grants }),
        addGrant: request => {
            const grant = create(GrantSchema, {
                id: world.uuid(),
                user: request.user,
                role: request.role,
                vm: request.vm,
                tag: request.tag,
            })
            world.grants.push(grant)
            return { grant }
        },
        removeGrant: request => {
            world.grants.splice(0, world.grants.length, ...world.grants.filter(g => g.id !== request.id))
            return {}
        },
    })
}
