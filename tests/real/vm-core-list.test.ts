// The list over the API: the same for binary and JSON clients, only what the caller may see, and quick for thousands.

import { toJson } from '@bufbuild/protobuf'
import { createClient, createRouterTransport, type Transport } from '@connectrpc/connect'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, callerKey } from '../../src/capabilities/caller.ts'
import {
    ListResponseSchema,
    State,
    VmSchema,
    VmService,
    type WatchResponse,
} from '../../src/gen/proto/capabilities/vm/vm_pb.js'
import { bareDomain, rootCaller, startVmWorld, type VmWorld } from './vm-core-world.ts'
import { until } from './world.ts'

let own: VmWorld
let caller: Caller = rootCaller
beforeAll(async () => {
    own = await startVmWorld({ name: 'vmlist', caller: () => caller })
    for (const name of ['a', 'b', 'c']) await own.define(bareDomain(name))
    await own.done(await own.client.update({ vm: 'b', tags: { tags: ['web'] }, description: 'The <web> one' }))
})
afterAll(() => own?.stop())

const transport = (useBinaryFormat: boolean): Transport =>
    createRouterTransport(router => own.vm.services?.(router), {
        transport: { useBinaryFormat },
        router: {
            interceptors: [
                next => request => {
                    request.contextValues.set(callerKey, caller)
                    return next(request)
                },
            ],
        },
    })

test('binary and JSON clients get the same list, also when it is longer than one length byte tells', async () => {
    const binary = await createClient(VmService, transport(true)).list({})
    const json = await createClient(VmService, transport(false)).list({})
    expect(binary.vms.map(vm => vm.name)).toEqual(['a', 'b', 'c'])
    expect(toJson(ListResponseSchema, json)).toEqual(toJson(ListResponseSchema, binary))
    expect(binary.vms[1]).toMatchObject({ tags: ['web'], description: 'The <web> one', state: State.STOPPED, vcpus: 1 })
    expect(binary.$unknown).toBeUndefined()
    for (const useBinaryFormat of [true, false]) {
        const ending = new AbortController()
        const client = createClient(VmService, transport(useBinaryFormat))
        for await (const { vms, synced } of client.watch({}, { signal: ending.signal })) {
            expect(vms.map(vm => toJson(VmSchema, vm))).toEqual(binary.vms.map(vm => toJson(VmSchema, vm)))
            if (synced) break
        }
        ending.abort()
    }
})

test('search, tag, state, limit and paging', async () => {
    const names = async (request: Parameters<typeof own.client.list>[0]) =>
        (await own.client.list(request)).vms.map(vm => vm.name)
    expect(await names({ search: 'WEB' })).toEqual(['b'])
    expect(await names({ tag: 'web' })).toEqual(['b'])
    expect(await names({ states: [State.RUNNING] })).toEqual([])
    expect(await names({ states: [State.STOPPED], limit: 2 })).toEqual(['a', 'b'])
    expect(await names({ limit: 2, after: 'b' })).toEqual(['c'])
})

test('who has a grant on one tag sees those VMs alone, in list and watch, until the tag goes', async () => {
    const may: Caller['may'] = (permission, object) => permission === 'vm.view' && (object?.tags ?? []).includes('web')
    caller = { ...rootCaller, user: 'eve', may }
    const heard: WatchResponse[] = []
    const ending = new AbortController()
    const client = createClient(VmService, transport(true))
    expect((await client.list({})).vms.map(vm => vm.name)).toEqual(['b'])
    const watching = (async () => {
        for await (const answer of client.watch({}, { signal: ending.signal })) heard.push(answer)
    })().catch(() => undefined)
    await until('the first answer', 5000, () => heard.some(answer => answer.synced))
    caller = rootCaller
    await own.done(await own.client.update({ vm: 'a', description: 'unseen' }))
    await own.done(await own.client.update({ vm: 'b', tags: {} }))
    await until('b to go', 5000, () => heard.some(answer => answer.removed.length > 0))
    const seen = heard.flatMap(answer => answer.vms.map(vm => vm.name))
    expect(new Set(seen)).toEqual(new Set(['b']))
    expect(heard.flatMap(answer => answer.removed)).toEqual([own.vm.inventory.resolve('b').uuid])
    ending.abort()
    await watching
})
