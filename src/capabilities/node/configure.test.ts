// The document over the API where there is no rootd, and who may ask at all. (With one: tests/real/rootd.test.ts.)
import { getOption } from '@bufbuild/protobuf'
import { ConnectError, createClient, createRouterTransport, type Interceptor } from '@connectrpc/connect'
import { describe, expect, it } from 'vitest'
import { rootClient } from '../../apps/rpcd/root.ts'
import type { Tasks } from '../../engine/task.ts'
import { access } from '../../gen/proto/capabilities/debvisor_pb.js'
import { ProvisionService } from '../../gen/proto/capabilities/node/provision_pb.js'
import { fakeClock, fakeLog } from '../../ports/fake.ts'
import { allows, ROLES } from '../identity/permissions.ts'
import { connectError, sentFault } from '../problem.ts'
import { createConfigure } from './configure.ts'

/** As rpcd does: what goes wrong becomes an error of the call, also in the middle of a stream. */
const told: Interceptor = next => async request => {
    try {
        const response = await next(request)
        return response.stream ? { ...response, message: guarded(response.message) as never } : response
    } catch (thrown) {
        throw connectError(thrown)
    }
}
async function* guarded<T>(messages: AsyncIterable<T>) {
    try {
        yield* messages
    } catch (thrown) {
        throw connectError(thrown)
    }
}

const rootPath = '/nowhere/rootd.sock'
const configure = createConfigure({
    ...{ root: rootClient(rootPath), rootPath, clock: fakeClock(), log: fakeLog(), hostname: 'node1' },
    spend: () => undefined,
    adoptConfirmation: () => undefined,
    tasks: { onAnchor: () => undefined } as unknown as Tasks,
})
const client = createClient(
    ProvisionService,
    createRouterTransport(router => configure.services!(router), {
        router: { interceptors: [told] },
    }),
)

describe('without the root service', () => {
    const calls = client as unknown as Record<string, (request: object) => Promise<unknown>>
    const unary = ProvisionService.methods.filter(method => method.methodKind === 'unary')
    it.each(unary.map(method => method.localName))('%s says why not, and what to do', async name => {
        const fault = await calls[name]!({}).then(
            () => undefined,
            thrown => sentFault(ConnectError.from(thrown)),
        )
        expect(fault).toMatchObject({
            code: 'unavailable',
            summary: 'The root service of this node does not run',
            detail: `nobody answers at ${rootPath}`,
            fix: expect.stringContaining('debvisor node plan'),
        })
    })
    it('an apply cannot be watched either', async () => {
        const watch = async () => {
            for await (const _ of client.watchApply({ apply: 'a' })) throw new Error('there is none')
        }
        await expect(watch()).rejects.toThrow('The root service of this node does not run')
    })
})

it('is for administrators alone', () => {
    for (const method of ProvisionService.methods)
        expect([method.name, getOption(method, access).permission]).toEqual([method.name, 'node.configure'])
    expect(ROLES.filter(role => allows(role.permissions, 'node.configure')).map(role => role.name)).toEqual(['admin'])
})
