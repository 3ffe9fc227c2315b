// Who calls the simulated server, what they may do, and how it refuses: the same rules as the real one, in short.
import { getOption } from '@bufbuild/protobuf'
import { Code, ConnectError, createContextKey, type HandlerContext, type Interceptor } from '@connectrpc/connect'
import { isDangerous } from '../../../capabilities/dangerous.ts'
import { access, type Problem, ProblemSchema } from '../../../gen/proto/capabilities/debvisor_pb.js'
import type { World } from './world.ts'

export const userKey = createContextKey<string>('')
export const userOf = (context: HandlerContext): string => context.values.get(userKey)

export const permissions: Record<string, string[]> = {
    admin: ['*'],
    operator: [
        'vm.*',
        ...[
            'view',
            'logs',
            'create',
            'power',
            'update',
            'delete',
            'exec',
            'expose',
            'images',
            'volumes',
            'networks',
            'prune',
        ].map(verb => `container.${verb}`),
        'stack.*',
        'image.view',
        'image.manage',
        'image.import',
        'image.delete',
        'image.download',
        'network.view',
        'network.bridge',
        'node.view',
        'certificate.view',
        'console.open',
        'task.view',
        'task.cancel',
    ],
    viewer: [
        'vm.view',
        'container.view',
        'stack.view',
        'image.view',
        'network.view',
        'node.view',
        'certificate.view',
        'task.view',
    ],
    auditor: ['audit.view', 'task.view'],
    '': [],
}

export const allows = (role: string, wanted: string): boolean =>
    (permissions[role] ?? []).some(
        p => p === '*' || p === wanted || (p.endsWith('.*') && wanted.startsWith(p.slice(0, -1))),
    )

/** Refuses in the words of the real server. */
export function refuse(code: Code, problem: Partial<Problem> & { summary: string }): never {
    const { $typeName: _, ...value } = problem
    throw new ConnectError(problem.summary, code, undefined, [
        { desc: ProblemSchema, value: { code: Code[code]?.toLowerCase() ?? '', ...value } as never },
    ])
}

export const notFound = (what: string, name: string): never =>
    refuse(Code.NotFound, {
        code: 'not-found',
        summary: `There is no such ${what}`,
        detail: name,
        fix: 'Look at the list.',
    })

/** The session of a request's cookie. */
export function sessionIn(world: World, cookie: string | null | undefined): string {
    const id = /(?:^|;\s*)debvisor=([\w-]+)/.exec(cookie ?? '')?.[1]
    return (id && world.sessions.get(id)?.user) || ''
}

export const interceptor =
    (world: World): Interceptor =>
    next =>
    async request => {
        const rule = getOption(request.method, access)
        const user = sessionIn(world, request.header.get('cookie'))
        request.contextValues.set(userKey, user)
        if (rule.open) return next(request)
        if (user === '')
            refuse(Code.Unauthenticated, { code: 'unauthenticated', summary: 'You are not logged in', fix: 'Log in.' })
        const role = world.users.get(user)?.role ?? ''
        const granted = world.grants.some(g => g.user === user)
        if (
            !rule.self &&
            !(rule.filtered && granted) &&
            !allows(role, rule.permission) &&
            !(granted && rule.on === 'vm')
        )
            refuse(Code.PermissionDenied, {
                code: 'denied',
                summary: 'You may not do this',
                detail: `it needs ${rule.permission}`,
                fix: 'Ask an administrator for the rights.',
            })
        const message = request.message as unknown as Record<string, unknown>
        if (!request.stream && isDangerous(request.method, message))
            needConfirmation(world, String(message.confirmationToken))
        return next(request)
    }

export function needConfirmation(world: World, token: string): void {
    if (world.confirmations.has(token)) return
    refuse(Code.PermissionDenied, {
        ...{ code: 'denied', at: 'confirmation', fix: 'Type your password, then do it again.' },
        summary: 'This is to be confirmed with your password',
    })
}

/** Keys that changed, without doubles, until the caller goes. */
export async function* changes(
    world: World,
    kinds: readonly string[],
    signal: AbortSignal,
): AsyncGenerator<{ kind: string; key: string; stale?: boolean }[]> {
    let waiting = new Map<string, { kind: string; key: string; stale?: boolean }>()
    let wake = (): void => undefined
    const listener = (change: { kind: string; key: string; stale?: boolean }): void => {
        if (!kinds.includes(change.kind)) return
        waiting.set(`${change.kind} ${change.key}`, change)
        wake()
    }
    world.listeners.add(listener)
    const abort = (): void => wake()
    signal.addEventListener('abort', abort)
    try {
        while (!signal.aborted) {
            if (waiting.size === 0) await new Promise<void>(resolve => (wake = resolve))
            if (signal.aborted) return
            // A moment, so that a burst becomes one message.
            await new Promise(resolve => setTimeout(resolve, 20))
            const batch = [...waiting.values()]
            waiting = new Map()
            if (batch.length > 0) yield batch
        }
    } finally {
        world.listeners.delete(listener)
        signal.removeEventListener('abort', abort)
    }
}
