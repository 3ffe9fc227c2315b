// The second factors of the simulated users: one code is always right.
import { Code, type ServiceImpl } from '@connectrpc/connect'
import type { IdentityService } from '../../../gen/proto/capabilities/identity/identity_pb.js'
import { notFound, refuse, userOf } from './access.ts'
import type { World } from './world.ts'

export const FACTOR_CODE = '246810'
export const FACTOR_SECRET = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'
const CODES = Array.from({ length: 10 }, (_, n) => `abcd-efgh-jkmn-pqr${n}`)

type Service = ServiceImpl<typeof IdentityService>
export type FactorMethods = Pick<
    Service,
    | 'beginFactor'
    | 'confirmFactor'
    | 'removeFactor'
    | 'renewRecoveryCodes'
    | 'resetFactor'
    | 'getFactorPolicy'
    | 'setFactorPolicy'
>

const wrong = (code: Code, at: string, summary: string): never =>
    refuse(code, {
        code: code === Code.Unauthenticated ? 'unauthenticated' : 'invalid',
        summary,
        fix: 'Try again.',
        at,
    })

/** Refuses a login that lacks its code; a recovery code is good once. */
export function checkFactor(world: World, user: string, typed: string, code = Code.Unauthenticated): void {
    const left = world.factors.get(user)
    if (!left) return
    if (typed === '') wrong(code, 'one_time_password', 'A one-time password is needed')
    if (typed === FACTOR_CODE) return
    if (!left.includes(typed)) wrong(code, 'one_time_password', 'The one-time password is wrong')
    world.factors.set(
        user,
        left.filter(one => one !== typed),
    )
}

export function factorMethods(world: World): FactorMethods {
    const checkPassword = (name: string, password: string): void => {
        if (world.users.get(name)?.password !== password)
            wrong(Code.InvalidArgument, 'password', 'The password is wrong')
    }
    const give = (name: string) => {
        world.factors.set(name, [...CODES])
        const user = world.users.get(name) ?? notFound('user', name)
        user.factor = true
        return { recoveryCodes: CODES }
    }
    const take = (name: string): void => {
        world.factors.delete(name)
        const user = world.users.get(name) ?? notFound('user', name)
        user.factor = false
    }
    return {
        beginFactor: (request, context) => {
            checkPassword(userOf(context), request.password)
            const uri = `otpauth://totp/DebVisor%20node1:${userOf(context)}?secret=${FACTOR_SECRET}&issuer=DebVisor%20node1`
            return { secret: FACTOR_SECRET, uri }
        },
        confirmFactor: (request, context) => {
            if (request.oneTimePassword !== FACTOR_CODE)
                wrong(Code.InvalidArgument, 'one_time_password', 'The one-time password is wrong')
            return give(userOf(context))
        },
        removeFactor: (request, context) => {
            checkPassword(userOf(context), request.password)
            checkFactor(world, userOf(context), request.oneTimePassword, Code.InvalidArgument)
            take(userOf(context))
            return {}
        },
        renewRecoveryCodes: (request, context) => {
            checkPassword(userOf(context), request.password)
            checkFactor(world, userOf(context), request.oneTimePassword, Code.InvalidArgument)
            return give(userOf(context))
        },
        resetFactor: request => {
            take(request.user)
            return {}
        },
        getFactorPolicy: () => ({ roles: [...world.factorRoles] }),
        setFactorPolicy: request => {
            world.factorRoles.clear()
            for (const role of request.roles) world.factorRoles.add(role)
            return { roles: request.roles }
        },
    }
}

/** Whether somebody's role needs a second factor that they do not have. */
export const lacksFactor = (world: World, user: string): boolean =>
    world.factorRoles.has(world.users.get(user)?.role ?? '') && !world.factors.has(user)
