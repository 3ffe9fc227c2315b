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
import { ImageService } from '../../gen/proto/capabilities/image/image_pb.js'
import { GetResponseSchema, ListResponseSchema, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { fakeClock, fakeLog } from '../../ports/fake.ts'
import { accessInterceptor, accessOf } from './access.ts'

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
    const clock = fakeClock()
    const stream: { thrown?: unknown; object: Guarded & { name: string } } = {
        object: { id: 'u-1', name: 'web1', tags: [] },
    }
    const log = fakeLog()
    const records: unknown[] = []
    const sink: AuditSink = {
        async intent(words) {
            records.push({ intent: words })
            return 7
        },
        async close(number, result) {
            records.push({ close: number, ...result })
        },
        async begun(number, task, object) {
            records.push({ begun: number, task, object })
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
        clock,
        log,
        // As identity does it: root of the node is not asked.
        needConfirmation(who, token) {
            if (who.via !== 'root' && token !== 'proof')
                throw new Fault('denied', { summary: 'This is to be confirmed', at: 'confirmation' })
        },
        resolve: async (_kind, ref) => (['web1', 'u-1'].includes(ref) ? stream.object : undefined),
    })
    const transport = createRouterTransport(
        router => {
            router.service(ImageService, {
                deleteVolume() {
                    reached.push('deleteVolume')
                    return create(BegunSchema)
                },
                stopPool: () => create(BegunSchema),
            })
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
                create: () => create(BegunSchema, { task: 't3', object: 'u-3' }),
                delete() {
                    reached.push('delete')
                    return create(BegunSchema, { task: 't4' })
                },
                rename() {
                    throw new Fault('exists', { summary: 'That name is taken', detail: 'web2', fix: 'Choose another.' })
                },
                async *watchFigures(_request, context) {
                    yield {}
                    reached.push('watch')
                    if (stream.thrown) throw stream.thrown
                    await new Promise(resolve => context.signal.addEventListener('abort', resolve))
                    reached.push('left')
                    // What a lost connection does to a handler that is in the middle of something.
                    throw new Error('cut off')
                },
            })
        },
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
    return {
        vm: createClient(VmService, transport),
        images: createClient(ImageService, transport),
        records,
        reached,
        clock,
        log,
        stream,
    }
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

    it('what is dangerous is confirmed by its person: rights, tokens, and what destroys', () => {
        const rules = those(rule => rule.confirm !== '').map(([name, method]) => [name, accessOf(method)!.confirm])
        const always = ['AddGrant', 'CreateToken', 'CreateUser', 'DeleteUser', 'RemoveGrant', 'ResetFactor']
        const identity = [...always, 'SetFactorPolicy', 'UpdateUser'].map(name => [
            `debvisor.identity.v1.IdentityService/${name}`,
            'always',
        ])
        expect(rules.sort()).toEqual([
            ...identity,
            ['debvisor.image.v1.ImageService/DeleteVolume', 'always'],
            ['debvisor.vm.v1.VmService/Delete', 'disks'],
            ['debvisor.vm.v1.VmService/DetachDisk', 'delete'],
        ])
    })

    it.each(those(rule => rule.confirm !== ''))('%s has the fields of its confirmation', (_name, method) => {
        const fields = method.input.fields.map(f => f.name)
        expect(fields).toContain('confirmation_token')
        const { confirm } = accessOf(method)!
        if (confirm !== 'always') expect(fields).toContain(confirm)
    })

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

describe('a stream', () => {
    const follow = async (vm: ReturnType<typeof world>['vm'], signal?: AbortSignal) => {
        for await (const _ of vm.watchFigures({ vm: 'web1' }, { signal }));
    }

    it('that fails later says why and what to do, like a call', async () => {
        const { vm, stream, log } = world(callerWith(['vm.view']))
        stream.thrown = new Fault('conflict', { summary: 'It is in use', detail: 'by bob', fix: 'Wait.' })
        const error = await refused(follow(vm))
        expect(error.code).toBe(Code.Aborted)
        expect(error.findDetails(ProblemSchema)[0]).toMatchObject({ code: 'conflict', detail: 'by bob', fix: 'Wait.' })
        expect(log.lines).toEqual([])
    })

    it('that fails unexpectedly is logged, and its words stay here', async () => {
        const { vm, stream, log } = world(callerWith(['vm.view']))
        stream.thrown = new TypeError('secret is not a function')
        const error = await refused(follow(vm))
        expect([error.code, error.message.includes('secret')]).toEqual([Code.Internal, false])
        expect(log.lines).toMatchObject([{ level: 'error', facts: { method: 'WatchFigures', err: stream.thrown } }])
    })

    it('ends within 15 s when the right to it is lost, by role, grant or tag of the VM', async () => {
        const permissions = ['vm.view']
        const caller = callerWith(permissions)
        const may = caller.may
        // As identity does it: a grant on the tag 'web'.
        caller.may = (permission, object) => may(permission, object) || object?.tags?.includes('web') === true
        caller.need = (permission, object) => expect(caller.may(permission, object)).toBe(true)
        for (const lose of ['role', 'tag'] as const) {
            const { vm, stream, clock, reached } = world(caller)
            if (lose === 'tag') stream.object = { ...stream.object, tags: ['web'] }
            const end = refused(follow(vm))
            await expect.poll(() => reached).toEqual(['watch'])
            await clock.advance(60_000)
            expect(reached).toEqual(['watch'])
            permissions.length = 0
            stream.object = { ...stream.object, tags: [] }
            await clock.advance(15_000)
            expect((await end).code).toBe(Code.PermissionDenied)
            await expect.poll(() => reached).toEqual(['watch', 'left'])
        }
    })

    it('has what is dangerous confirmed before anything is done or recorded as meant', async () => {
        const { vm, images, reached, records } = world(callerWith(['vm.delete', 'image.delete']))
        for (const token of ['', 'another']) {
            const error = await refused(vm.delete({ vm: 'web1', disks: true, confirmationToken: token }))
            expect(error.code).toBe(Code.PermissionDenied)
            expect(error.findDetails(ProblemSchema)[0]).toMatchObject({ at: 'confirmation' })
        }
        await refused(images.deleteVolume({ pool: 'default', volume: 'old.qcow2' }))
        expect(reached).toEqual([])
        expect(records).toMatchObject([{ event: { result: 'denied' } }, { event: { result: 'denied' } }])
        await vm.delete({ vm: 'web1', disks: true, confirmationToken: 'proof' })
        expect(reached).toEqual(['delete'])
    })

    it('asks nobody to confirm what destroys nothing, a dry run, or what root of the node does', async () => {
        const { vm, images, reached } = world(callerWith(['vm.delete', 'image.delete']))
        await vm.delete({ vm: 'web1' })
        await images.deleteVolume({ pool: 'default', volume: 'old.qcow2', dryRun: true })
        const root = world(callerWith(['vm.delete'], {}, 'root'))
        await root.vm.delete({ vm: 'web1', disks: true })
        expect([...reached, ...root.reached]).toEqual(['delete', 'deleteVolume', 'delete'])
    })

    it('that its caller leaves is no failure', async () => {
        const { vm, reached, log } = world(callerWith(['vm.view']))
        const leave = new AbortController()
        const end = refused(follow(vm, leave.signal))
        await expect.poll(() => reached).toEqual(['watch'])
        leave.abort()
        await end
        await expect.poll(() => reached).toEqual(['watch', 'left'])
        expect(log.lines).toEqual([])
    })
})

describe('the record', () => {
    it('has intent before effect and the task in the result', async () => {
        const { vm, records } = world(callerWith(['vm.power']))
        await vm.start({ vm: 'web1' })
        expect(records).toMatchObject([
            {
                intent: {
                    who: 'ann',
                    from: '192.0.2.7',
                    via: 'session s1',
                    what: 'vm.Start',
                    onId: 'u-1',
                    onName: 'web1',
                },
            },
            { begun: 7, task: 't1' },
        ])
    })

    it('names what a call is about by the words of its request, and what it made', async () => {
        const { vm, images, records } = world(callerWith(['vm.create', 'image.delete', 'image.pools']))
        await vm.create({ name: 'new' })
        await images.deleteVolume({ pool: 'default', volume: 'old.qcow2', confirmationToken: 'proof' })
        await images.stopPool({ pool: 'tank' })
        expect(records.filter(record => !('close' in (record as object)))).toMatchObject([
            { intent: { what: 'vm.Create', onName: 'new' } },
            { begun: 7, task: 't3', object: 'u-3' },
            { intent: { what: 'image.DeleteVolume', onName: 'default/old.qcow2' } },
            { intent: { what: 'image.StopPool', onName: 'tank' } },
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
