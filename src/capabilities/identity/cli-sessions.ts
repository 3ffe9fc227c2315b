// The verbs of `debvisor session`: where people are logged in.
import { Fault } from '../../base/fault.ts'
import {
    IdentityService,
    ListSessionsResponseSchema,
    type Session,
} from '../../gen/proto/capabilities/identity/identity_pb.js'
import { carryOutAtOnce, lookedUp, said } from '../change.ts'
import type { Verb, VerbContext } from '../verb.ts'
import { HERE_FIRST, time, userNamed, usersOf } from './cli-words.ts'

export const sessionVerbs: Verb[] = [
    {
        words: ['session', 'list'],
        examples: [{ line: 'debvisor session list --user ann --wide', note: 'Where ann is logged in, and with what.' }],
        summary: 'list where you, or another user, are logged in',
        options: [{ name: 'user', value: 'USER', summary: 'of that user instead of yourself', complete: 'user' }],
        async run(context) {
            const answer = await context.client(IdentityService).listSessions({ user: context.options.user ?? '' })
            return {
                kind: 'table',
                columns: [
                    { key: 'id', label: 'ID' },
                    { key: 'user', label: 'USER' },
                    { key: 'from', label: 'FROM' },
                    { key: 'lastUsed', label: 'LAST USED' },
                    { key: 'expires', label: 'EXPIRES' },
                    { key: 'agent', label: 'BROWSER', wide: true },
                ],
                rows: answer.sessions.map(s => ({
                    id: s.id,
                    user: s.user,
                    from: s.from,
                    lastUsed: time(s.lastUsed),
                    expires: time(s.expires),
                    agent: s.agent,
                })),
                empty: 'Nobody is logged in.',
                json: context.json(ListSessionsResponseSchema, answer),
            }
        },
    },
    {
        words: ['session', 'delete'],
        summary: 'end one session, or all of a user',
        description: 'Without an id all of your own sessions end, or all of --user.',
        arguments: [{ name: 'session', summary: 'id of the session', optional: true, complete: 'session' }],
        options: [{ name: 'user', value: 'USER', summary: 'all sessions of that user', complete: 'user' }],
        changes: true,
        examples: [{ line: 'debvisor session delete --user ann', note: 'Log ann out everywhere.' }],
        async run(context) {
            const { user = '' } = context.options
            const { session: id = '' } = context.args
            if (id !== '' && user !== '')
                throw new Fault('invalid', {
                    summary: 'One session is named, or a user',
                    fix: 'Give the id of a session, or --user.',
                    at: '--user',
                })
            return carryOutAtOnce(context, {
                sentence: id === '' ? await allSessions(context, user) : await oneSession(context, id),
                question: id === '' ? `${user ? `All sessions of ${user}` : 'All your sessions'} end.` : undefined,
                async work() {
                    const answer = await context.client(IdentityService).revokeSessions({ id, user })
                    const ended = answer.ended === 1 ? 'One session is ended' : `${answer.ended} sessions are ended`
                    return said(`${ended}${answer.pending ? HERE_FIRST : ''}.`)
                },
            })
        },
    },
]

const sessionsOf = async (context: VerbContext, user: string): Promise<Session[]> =>
    (await context.client(IdentityService).listSessions({ user })).sessions

async function allSessions(context: VerbContext, user: string): Promise<string | undefined> {
    const all = `End all sessions that ${user ? `${user} has` : 'you have'}`
    const sessions = await lookedUp(context, async () => {
        if (user !== '') await userNamed(context, user)
        return sessionsOf(context, user)
    })
    if (!sessions) return all
    const { length } = sessions
    if (length === 0) return undefined
    return `End ${length === 1 ? 'the one session' : `all ${length} sessions`} that ${user ? `${user} has` : 'you have'}`
}

/** Looked for only where a plan is asked for: ending it says by itself when it is not there. */
async function oneSession(context: VerbContext, id: string): Promise<string> {
    const sentence = `End the session ${id}`
    if (!context.dryRun) return sentence
    const own = await sessionsOf(context, '')
    if (own.some(session => session.id === id)) return sentence
    for (const { name } of await usersOf(context)) {
        if ((await sessionsOf(context, name)).some(session => session.id === id)) return `${sentence} of ${name}`
    }
    throw new Fault('not-found', {
        summary: 'There is no such session',
        detail: id,
        fix: 'List them with: debvisor session list',
        at: 'session',
    })
}
