// What the verbs on people, tokens and grants have in common: who is meant, and how times and roles are written.
import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt'
import { IdentityService, type User } from '../../gen/proto/capabilities/identity/identity_pb.js'
import type { Argument, VerbContext } from '../verb.ts'
import { noSuchUser } from './parts.ts'
import { ROLES } from './permissions.ts'

export const USER: Argument = { name: 'user', summary: 'name of the user', complete: 'user' }

export const ROLE_WORDS = [...ROLES.map(role => role.name), 'none']
export const GRANTABLE = ROLES.filter(role => role.grantable).map(role => role.name)

/** etcd is away: it holds on this node at once, and is told to the others later. */
export const HERE_FIRST = ' on this node; the other nodes are told when etcd is back'

export const time = (at: Timestamp | undefined) => (at ? timestampDate(at).toLocaleString() : '')

export const usersOf = async (context: VerbContext): Promise<User[]> =>
    (await context.client(IdentityService).listUsers({})).users

/** @throws Fault `not-found` */
export async function userNamed(context: VerbContext, name: string): Promise<User> {
    const user = (await usersOf(context)).find(one => one.name === name)
    if (user) return user
    throw noSuchUser(name)
}
