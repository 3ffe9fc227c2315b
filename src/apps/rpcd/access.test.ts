// The gate: every method has a rule, nobody passes without one, and what is changed leaves a record.
import { create } from '@bufbuild/protobuf'
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, createClient, createContextValues, createRouterTransport } from '@connectrpc/connect'
import { describe, expect, it } from 'vitest'
import { Fault } from '../../base/fault.ts'
import type { AuditSink } from '../../capabilities/audit/audit.ts'
import { type Caller, callerKey, type Guarded } from '../../capabilities/caller.ts'
import { services } from '../../capabilities/table.node.ts'
import { type Access, BegunSchema, ProblemSchema } from '../../gen/proto/capabilities/debvisor_pb.js'
import { GetResponseSchema, ListResponseSchema, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import type { Log } from '../../ports/ports.ts'
import { accessInterceptor, accessOf } from './access.ts'

const silent: Log = { info() {}, warn() {}, error() {}, debug() {}, child: () => silent }

function callerWith(
    permissions: string[],
    grants: Record<string, string[]> = {},
    via: Caller['via'] = 'session',
): Caller {
    const may = (permission: string, object?: Guarded) =>
        permissions.includes(permission) || (object !== undefined && (grants[object.id] ?? []).includes(permission))
    return {
        user: 'ann',
        via,
        viaId: 's1',
        from: '192.0.2.7',
        may,
        need(permission, object) {
            if (!may(permission, object))
                throw new Fault('denied', { summary: 'You may not do this', detail: permission })
        },
    }
}

function world(caller: Caller | undefined, audit: Partial<AuditSink> = {}) {
    const records: unknown[] = []
    const sink: AuditSink = {
        async intent(words) {
            records.push({ intent: words })
            return 7
        },
        async close(number, result) {
            records.push({ close: number, ...result })
        },
        async event(words) {
            records.push({ event: words })
            return 8
        },
        ...audit,
    }
    const reached: string[] = []
    const interceptor = accessInterceptor({
        audit: sink,
        log: silent,
        resolve: async (_kind, ref) => (ref === 'web1' ? { id: 'u-1', name: 'web1', tags: [] } : undefined),
    })
    const transport = createRouterTransport(
        router =>
            router.service(VmService, {
                get: () => create(GetResponseSchema),
                list: () => create(ListResponseSchema),
                start() {
                    reached.push('start')
                    return create(BegunSchema, { task: 't1' })
                },
                stop() {
                    reached.push('stop')
                    return create(BegunSchema, { task: 't2' })
                },
                rename() {
                    throw new Fault('exists', { summary: 'That name is taken', detail: 'web2', fix: 'Choose another.' })
                },
                async *watchFigures() {
                    yield {}
                    reached.push('watch')
                },
            }),
        {
            router: {
                interceptors: [
                    next => request => {
                        if (caller) request.contextValues.set(callerKey, caller)
                        return next(request)
                    },
                    interceptor,
                ],
            },
        },
    )
    return { vm: createClient(VmService, transport), records, reached }
}

const refused = async (call: Promise<unknown>): Promise<ConnectError> => {
    try {
        await call
    } catch (thrown) {
        return ConnectError.from(thrown)
    }
    throw new Error('the call was not refused')
}

describe('every method of every service', () => {
    const methods = services.flatMap(service =>
        service.methods.map(method => [`${service.typeName}/${method.name}`, method] as const),
    )

    it.each(methods)('%s names who may call it', (_name, method) => {
        const rule = accessOf(method)
        expect(rule).toBeDefined()
        expect(Boolean(rule!.permission) || rule!.self || rule!.open).toBe(true)
    })

    const those = (test: (rule: Access) => boolean) => methods.filter(([, method]) => test(accessOf(method)!))

    it.each(those(rule => rule.on !== ''))('%s has the field that it is guarded by', (_name, method) => {
        expect(method.input.fields.map(f => f.name)).toContain(accessOf(method)!.on)
    })

    it.each(those(rule => rule.permission.endsWith('.view')))(
        '%s only reads, as its permission says',
        (_name, method) => {
            expect(method.idempotency).toBe(MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS)
        },
    )

    it('only the first login and login are open', () => {
        const open = methods.filter(([, method]) => accessOf(method)!.open).map(([, method]) => method.name)
        expect(open).toEqual(['FirstLogin', 'Login'])
    })
})

describe('the gate', () => {
    it('refuses nobody with unauthenticated', async () => {
        const { vm, reached } = world(undefined)
        expect((await refused(vm.start({ vm: 'web1' }))).code).toBe(Code.Unauthenticated)
        expect(reached).toEqual([])
    })

    it('refuses a caller without the permission, and records it', async () => {
        const { vm, reached, records } = world(callerWith(['vm.view']))
        const error = await refused(vm.start({ vm: 'web1' }))
        expect(error.code).toBe(Code.PermissionDenied)
        expect(reached).toEqual([])
        expect(records).toMatchObject([{ event: { who: 'ann', what: 'vm.power', result: 'denied' } }])
    })

    it('lets a grant on the object pass', async () => {
        const { vm, reached } = world(callerWith([], { 'u-1': ['vm.power'] }))
        await vm.start({ vm: 'web1' })
        expect(reached).toEqual(['start'])
    })

    it('does not tell a stranger which VMs exist', async () => {
        const { vm } = world(callerWith([]))
        const [hidden, missing] = [await refused(vm.start({ vm: 'web1' })), await refused(vm.start({ vm: 'nothing' }))]
        expect([hidden.code, hidden.message]).toEqual([missing.code, missing.message])
    })

    it('reads the object of a stream from its first message', async () => {
        const { vm, reached } = world(callerWith([]))
        const error = await refused(
            (async () => {
                for await (const _ of vm.watchFigures({ vm: 'web1' }));
            })(),
        )
        expect(error.code).toBe(Code.PermissionDenied)
        expect(reached).toEqual([])
    })

    it('sends the Problem with its fix beside an error', async () => {
        const { vm } = world(callerWith(['vm.update']))
        const error = await refused(vm.rename({ vm: 'web1', name: 'web2' }))
        expect(error.code).toBe(Code.AlreadyExists)
        expect(error.findDetails(ProblemSchema)[0]).toMatchObject({
            code: 'exists',
            detail: 'web2',
            fix: 'Choose another.',
        })
    })
})

describe('the record', () => {
    it('has intent before effect and the task in the result', async () => {
        const { vm, records } = world(callerWith(['vm.power']))
        await vm.start({ vm: 'web1' })
        expect(records).toMatchObject([
            { intent: { who: 'ann', from: '192.0.2.7', what: 'vm.Start', onId: 'u-1', onName: 'web1' } },
            { close: 7, result: 'done', task: 't1' },
        ])
    })

    it('has the problem of what failed', async () => {
        const { vm, records } = world(callerWith(['vm.update']))
        await refused(vm.rename({ vm: 'web1', name: 'web2' }))
        expect(records[1]).toMatchObject({ close: 7, result: 'failed', detail: { code: 'exists' } })
    })

    it('has nothing of reads and dry runs', async () => {
        const { vm, records } = world(callerWith(['vm.view', 'vm.power']))
        await vm.get({ vm: 'web1' })
        await vm.start({ vm: 'web1', dryRun: true })
        expect(records).toEqual([])
    })

    it('when it cannot be written, changes are refused and stopping goes on', async () => {
        const intent = async () => {
            throw new Fault('unavailable', { summary: 'The audit record cannot be written' })
        }
        const { vm, reached } = world(callerWith(['vm.power']), { intent })
        expect((await refused(vm.start({ vm: 'web1' }))).code).toBe(Code.Unavailable)
        await vm.stop({ vm: 'web1' })
        expect(reached).toEqual(['stop'])
    })
})

it('a context that was never given a caller is nobody', () => {
    expect(createContextValues().get(callerKey).via).toBe('nobody')
})
