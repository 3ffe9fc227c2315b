// What identity keeps in the state store: users, sessions, tokens, grants, policies, and the link of the first login.
import { z } from 'zod'

export const PREFIX = '/debvisor/identity/'
export const FIRST_KEY = `${PREFIX}first-login`

// Loose: fields of a newer version survive when an older one writes the document again.
const password = z.looseObject({
    kind: z.literal('scrypt'),
    n: z.number(),
    r: z.number(),
    p: z.number(),
    salt: z.string(),
    hash: z.string().min(1),
})

/** Second factor: one-time passwords by time, and what is left of the codes for when the device is lost. */
const factor = z.looseObject({
    /** Base32. It has to be known to be checked, so it is kept as it is, where hashes of passwords are kept. */
    secret: z.string().min(16),
    /** SHA-256 of each recovery code that was not used. */
    recovery: z.array(z.string()),
    createdMs: z.number(),
})

const user = z.looseObject({
    name: z.string(),
    /** Random; a user made anew under an old name is another one, and old sessions, tokens and grants are not theirs. */
    uid: z.string(),
    role: z.string(),
    fullName: z.string(),
    locked: z.boolean(),
    password,
    /** Random; sessions hold it, so that one write ends them all. */
    generation: z.string(),
    createdMs: z.number(),
    factor: factor.optional(),
})

const session = z.looseObject({
    id: z.string(),
    user: z.string(),
    uid: z.string(),
    generation: z.string(),
    /** SHA-256 of the secret in the cookie. */
    hash: z.string(),
    from: z.string(),
    agent: z.string(),
    createdMs: z.number(),
    expiresMs: z.number(),
    usedMs: z.number(),
})

const token = z.looseObject({
    id: z.string(),
    user: z.string(),
    uid: z.string(),
    name: z.string(),
    scope: z.array(z.string()),
    hash: z.string(),
    createdMs: z.number(),
    expiresMs: z.number(),
    /** 0: never. */
    usedMs: z.number(),
})

const grant = z.looseObject({
    id: z.string(),
    user: z.string(),
    uid: z.string(),
    role: z.string(),
    /** One of the two is empty. */
    vm: z.string(),
    tag: z.string(),
})

/** Last login of a user; apart from the user, so that logins do not get in the way of changes. */
const login = z.looseObject({
    user: z.string(),
    uid: z.string(),
    atMs: z.number(),
    /** Where from, lately: these are not held up by guesses from elsewhere. */
    groups: z.array(z.string()),
    /** Of the last one-time password that was taken: neither it nor an older one is taken again. */
    step: z.number().optional(),
})

/** What holds for everybody; so far one, `factor`: the roles that need a second factor. */
const policy = z.looseObject({ roles: z.array(z.string()) })

const first = z.looseObject({ hash: z.string(), expiresMs: z.number() })

export type UserDoc = z.infer<typeof user>
export type SessionDoc = z.infer<typeof session>
export type TokenDoc = z.infer<typeof token>
export type GrantDoc = z.infer<typeof grant>
export type LoginDoc = z.infer<typeof login>
export type FactorDoc = z.infer<typeof factor>
export type PolicyDoc = z.infer<typeof policy>
export type FirstDoc = z.infer<typeof first>

export interface Docs {
    users: UserDoc
    sessions: SessionDoc
    tokens: TokenDoc
    grants: GrantDoc
    logins: LoginDoc
    policies: PolicyDoc
}

export type Kind = keyof Docs

const SCHEMAS: { [K in Kind]: z.ZodType<Docs[K]> } = {
    users: user,
    sessions: session,
    tokens: token,
    grants: grant,
    logins: login,
    policies: policy,
}

export const KINDS = Object.keys(SCHEMAS) as Kind[]

/** The key of a document: of users, logins and policies by name, of the others by id. */
export const keyOf = (kind: Kind, id: string): string => `${PREFIX}${kind}/${id}`

export function kindOfKey(key: string): { kind: Kind; id: string } | undefined {
    const [kind, id, ...rest] = key.startsWith(PREFIX) ? key.slice(PREFIX.length).split('/') : []
    return id && rest.length === 0 && KINDS.includes(kind as Kind) ? { kind: kind as Kind, id } : undefined
}

/** The document, or undefined for what is none: such a thing gives no access. */
export function readDoc<K extends Kind>(kind: K, text: string): Docs[K] | undefined {
    return parse(SCHEMAS[kind] as z.ZodType<Docs[K]>, text)
}

export const readFirst = (text: string): FirstDoc | undefined => parse(first, text)

function parse<T>(schema: z.ZodType<T>, text: string): T | undefined {
    try {
        return schema.safeParse(JSON.parse(text)).data
    } catch {
        return undefined
    }
}
