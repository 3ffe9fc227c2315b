// Grants: a role for one user on one VM, or on every VM with a tag.

import { asFault, Fault } from '../../base/fault.ts'
import { isUuid } from '../../base/ids.ts'
import type { Caller } from '../caller.ts'
import type { Access } from './access.ts'
import { type GrantDoc, keyOf } from './documents.ts'
import { noSuchUser, type Parts } from './parts.ts'
import { ROLES, roleNamed, within } from './permissions.ts'
import { needsStore } from './replica.ts'
import { hashSecret } from './secrets.ts'

export interface Grants {
    add(caller: Caller, asked: { user: string; role: string; vm: string; tag: string }): Promise<GrantDoc>
    remove(id: string): Promise<void>
    list(filter: { user: string; vm: string }): GrantDoc[]
    /** Those that count: of users that exist. */
    of(user: string): GrantDoc[]
    tags(): Set<string>
}

export function createGrants({ replica }: Parts, access: Access): Grants {
    const counts = (grant: GrantDoc): boolean => replica.get('users', grant.user)?.doc.uid === grant.uid
    const all = (): GrantDoc[] =>
        replica
            .all('grants')
            .map(kept => kept.doc)
            .filter(counts)

    return {
        async add(caller, asked) {
            const role = roleNamed(asked.role)
            const tag = asked.tag.trim()
            const vm = asked.vm.toLowerCase()
            if (!role.grantable) {
                throw new Fault('invalid', {
                    summary: 'That role cannot be given on VMs',
                    detail: role.name,
                    fix: `Use ${ROLES.filter(r => r.grantable)
                        .map(r => r.name)
                        .join(' or ')}.`,
                    at: 'role',
                })
            }
            if ((vm === '') === (tag === '')) {
                throw new Fault('invalid', {
                    summary: 'A grant is on one VM or on one tag',
                    fix: 'Give exactly one of vm (its UUID) and tag.',
                    at: vm === '' ? 'vm' : 'tag',
                })
            }
            if (vm !== '' && !isUuid(vm)) {
                throw new Fault('invalid', {
                    summary: 'A grant names a VM by its UUID',
                    detail: JSON.stringify(asked.vm.slice(0, 64)),
                    fix: 'Look up the UUID; a name could pass to another VM.',
                    at: 'vm',
                })
            }
            if (tag !== '' && !/^[^\p{C}\s,]{1,63}$/u.test(tag)) {
                throw new Fault('invalid', {
                    summary: 'That is not a tag',
                    detail: JSON.stringify(tag.slice(0, 64)),
                    fix: 'Use 1 to 63 characters without spaces or commas.',
                    at: 'tag',
                })
            }
            if (!within(access.tokenOf(caller)?.scope ?? [], role.permissions)) {
                throw new Fault('denied', {
                    summary: 'The token may not give that role',
                    detail: `its scope holds less than the role ${role.name}`,
                    fix: 'Log in, or use a token without a scope.',
                })
            }
            const user = replica.get('users', asked.user)
            if (!user) throw noSuchUser(asked.user)
            const about = { user: user.doc.name, uid: user.doc.uid, role: role.name, vm, tag }
            // By its content, so that the same grant cannot be there twice.
            const grant: GrantDoc = { id: hashSecret(JSON.stringify(about)).slice(0, 16), ...about }
            const key = keyOf('grants', grant.id)
            try {
                await replica.commit({
                    checks: [{ key, revision: 0 }],
                    writes: [{ put: key, value: JSON.stringify(grant) }],
                })
            } catch (thrown) {
                if (asFault(thrown).code !== 'conflict') throw needsStore(thrown)
                throw new Fault('exists', { summary: 'The user has that grant', fix: 'Nothing needs to be done.' })
            }
            return grant
        },
        async remove(id) {
            const key = keyOf('grants', id)
            if (!/^[0-9a-f]{16}$/.test(id) || !replica.get('grants', id)) {
                throw new Fault('not-found', {
                    summary: 'There is no such grant',
                    fix: 'Look at the list of grants.',
                    at: 'id',
                })
            }
            try {
                await replica.commit({ checks: [], writes: [{ remove: key }] })
            } catch (thrown) {
                throw needsStore(thrown)
            }
        },
        list: ({ user, vm }) =>
            all().filter(g => (user === '' || g.user === user) && (vm === '' || g.vm === vm.toLowerCase())),
        of: user => replica.grantsOf(user).filter(counts),
        tags: () => new Set(all().flatMap(g => (g.tag === '' ? [] : [g.tag]))),
    }
}
