// Who is logged in, and what they may do: what a person may not do is not offered.
import { useQuery } from '@tanstack/react-query'
import { useCallback } from 'react'
import { IdentityService, type WhoAmIResponse } from '../gen/proto/capabilities/identity/identity_pb.js'
import { clientOf, useSession } from './client.panel.tsx'

/** What a grant can cover. */
export interface Covered {
    uuid: string
    tags: readonly string[]
}

const covers = (permissions: readonly string[], wanted: string): boolean =>
    permissions.some(p => p === wanted || p === '*' || (p.endsWith('.*') && wanted.startsWith(p.slice(0, -1))))

export function useMe(): WhoAmIResponse | undefined {
    const state = useSession()
    const query = useQuery({
        queryKey: ['me'],
        queryFn: ({ signal }) => clientOf(IdentityService).whoAmI({}, { signal }),
        enabled: state === 'in',
        staleTime: 60_000,
    })
    return query.data
}

/** Whether the person may do something, anywhere or on one object; the server checks again. */
export function useMay(): (permission: string, on?: Covered) => boolean {
    const me = useMe()
    const granted = (me?.grants.length ?? 0) > 0
    const roles = useQuery({
        queryKey: ['roles'],
        queryFn: ({ signal }) => clientOf(IdentityService).listRoles({}, { signal }),
        enabled: granted,
        staleTime: 600_000,
    })
    return useCallback(
        (permission, on) => {
            if (!me) return false
            if (covers(me.permissions, permission)) return true
            return me.grants.some(grant => {
                if (on && grant.vm !== on.uuid && !(grant.tag !== '' && on.tags.includes(grant.tag))) return false
                if (!on && !permission.endsWith('.view')) return false
                return covers(roles.data?.roles.find(role => role.name === grant.role)?.permissions ?? [], permission)
            })
        },
        [me, roles.data],
    )
}
