// `debvisor factor`: the second factor of a login, set up and taken away in a terminal; and which roles need one.
import { renderUnicodeCompact } from 'uqr'
import { Fault } from '../../base/fault.ts'
import { carryOutAtOnce, lookedUp, said } from '../../capabilities/change.ts'
import { USER, userNamed } from '../../capabilities/identity/cli-words.ts'
import { ROLES } from '../../capabilities/identity/permissions.ts'
import type { Option, Verb, VerbContext } from '../../capabilities/verb.ts'
import { FactorPolicySchema, IdentityService } from '../../gen/proto/capabilities/identity/identity_pb.js'
import type { Target } from './connect.ts'
import type { Io } from './io.ts'
import { byHttps, ONE_TIME_PASSWORD, withSession } from './session.ts'

const OWN: Option = {
    name: 'user',
    short: 'u',
    value: 'NAME',
    summary: 'your name on the node; otherwise that of the login',
}
const NEEDS_PASSWORD =
    'Asks for your password, or reads it and what else it asks for as lines from a pipe. It goes to the node by HTTPS, as ' +
    'it needs a login of its own.'

const codesText = (codes: readonly string[]): string =>
    [
        'Recovery codes, each good for one login when the device is lost. They are shown only now: keep them elsewhere.',
        ...codes.map(code => `  ${code}`),
    ].join('\n')

const nameOf = async (context: VerbContext): Promise<string> =>
    context.options.user ?? (await context.client(IdentityService).whoAmI({})).user?.name ?? ''

export const factorVerbs = (io: Io, target: (options: VerbContext['options']) => Target): Verb[] => [
    {
        words: ['factor', 'enrol'],
        summary: 'set up a second factor for your own login: one-time passwords from an app',
        description: `${NEEDS_PASSWORD} The secret is shown as a QR code and as text, then the first one-time password is asked for.`,
        options: [OWN],
        changes: true,
        examples: [{ line: 'debvisor factor enrol', note: 'With an authenticator app on your phone at hand.' }],
        async run(context) {
            const at = byHttps(target(context.options))
            const user = await nameOf(context)
            return carryOutAtOnce(context, {
                sentence: `Set up a second factor for ${user}; each login then asks for a one-time password`,
                async work() {
                    const password = await context.secret(`Password of ${user}`)
                    return withSession(context, { ...at, user, password }, async identity => {
                        const { secret, uri } = await identity.beginFactor({ password })
                        // To the terminal alone: what a verb answers may be kept in a file.
                        io.stderr.write(`${renderUnicodeCompact(uri, { border: 2 })}\nOr type it in: ${secret}\n`)
                        const oneTimePassword = await context.secret('One-time password that the app shows')
                        const { recoveryCodes } = await identity.confirmFactor({ oneTimePassword })
                        return said(`Your login has a second factor.\n${codesText(recoveryCodes)}`)
                    })
                },
            })
        },
    },
    {
        words: ['factor', 'codes'],
        summary: 'make new recovery codes; the earlier ones are no longer good',
        description: NEEDS_PASSWORD,
        options: [OWN],
        changes: true,
        examples: [
            { line: 'debvisor factor codes', note: 'When most of them are used, or somebody may have seen them.' },
        ],
        async run(context) {
            const at = byHttps(target(context.options))
            const user = await nameOf(context)
            return carryOutAtOnce(context, {
                sentence: `Make new recovery codes for ${user} in the place of all earlier ones`,
                async work() {
                    const password = await context.secret(`Password of ${user}`)
                    return withSession(context, { ...at, user, password }, async identity => {
                        const oneTimePassword = await context.secret('The next one-time password that the app shows')
                        const { recoveryCodes } = await identity.renewRecoveryCodes({ password, oneTimePassword })
                        return said(codesText(recoveryCodes))
                    })
                },
            })
        },
    },
    {
        words: ['factor', 'remove'],
        summary: 'take your own second factor away',
        description: NEEDS_PASSWORD,
        options: [OWN],
        changes: true,
        examples: [{ line: 'debvisor factor remove', note: 'Before you set up one on a new device.' }],
        async run(context) {
            const at = byHttps(target(context.options))
            const user = await nameOf(context)
            return carryOutAtOnce(context, {
                sentence: `Take away the second factor of ${user}; the password alone then opens the login`,
                question: 'Logging in then takes the password alone.',
                async work() {
                    const password = await context.secret(`Password of ${user}`)
                    return withSession(context, { ...at, user, password }, async identity => {
                        const oneTimePassword = await context.secret(`The next one. ${ONE_TIME_PASSWORD}`)
                        await identity.removeFactor({ password, oneTimePassword })
                        return said('Your second factor is taken away.')
                    })
                },
            })
        },
    },
    {
        words: ['factor', 'reset'],
        summary: 'take away the second factor of a user who has lost theirs',
        arguments: [USER],
        changes: true,
        examples: [{ line: 'debvisor factor reset ann', note: 'Make sure first that it is ann who asks.' }],
        async run(context) {
            const user = context.args.user!
            const known = await lookedUp(context, () => userNamed(context, user))
            if (known && !known.factor) return said(`${user} has no second factor.`)
            return carryOutAtOnce(context, {
                sentence: `Take away the second factor of ${user}; the password alone then opens the login`,
                question: `Logging in as ${user} then takes the password alone.`,
                async work() {
                    await context.client(IdentityService).resetFactor({ user })
                    return said(`The second factor of ${user} is taken away.`)
                },
            })
        },
    },
    {
        words: ['factor', 'policy'],
        summary: 'show or set which roles need a second factor',
        description:
            'Who has such a role and no second factor may do nothing but set one up, from that moment on. Root of the node ' +
            'needs none.',
        options: [{ name: 'require', value: 'ROLES', summary: 'these roles, separated by commas; none for no role' }],
        changes: true,
        examples: [
            { line: 'debvisor factor policy', note: 'As it is.' },
            { line: 'debvisor factor policy --require admin,operator', note: 'For everybody who changes something.' },
        ],
        async run(context) {
            const identity = context.client(IdentityService)
            const { require } = context.options
            if (require === undefined) {
                const policy = await identity.getFactorPolicy({})
                return {
                    kind: 'text',
                    text: policy.roles.length
                        ? `A second factor is needed by: ${policy.roles.join(', ')}`
                        : 'No role needs a second factor.',
                    json: context.json(FactorPolicySchema, policy),
                }
            }
            const roles = rolesIn(require)
            return carryOutAtOnce(context, {
                sentence: roles.length
                    ? `Need a second factor of everybody with the role ${roles.join(' or ')}`
                    : 'Need a second factor of nobody',
                async work() {
                    await identity.setFactorPolicy({ roles })
                    return said(
                        roles.length ? `Needed from now on: ${roles.join(', ')}.` : 'No role needs a second factor.',
                    )
                },
            })
        },
    },
]

/** @throws Fault `invalid` for what is no role */
function rolesIn(text: string): string[] {
    if (text === 'none') return []
    const roles = text.split(',').map(word => word.trim())
    const wrong = roles.find(role => !ROLES.some(one => one.name === role))
    if (wrong === undefined) return roles
    throw new Fault('invalid', {
        summary: 'There is no such role',
        detail: JSON.stringify(wrong),
        fix: `Use some of ${ROLES.map(role => role.name).join(', ')}, or none.`,
        at: '--require',
    })
}
