// A change that destroys something is carried out only as it was agreed to.
import { create } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { describe, expect, test, vi } from 'vitest'
import { BegunSchema } from '../gen/proto/capabilities/debvisor_pb.js'
import { carryOut, lookedUp } from './change.ts'
import type { VerbContext } from './verb.ts'
import { makeVerbs } from './vm/cli-make.ts'

const begun = (task: string, ...destroys: string[]) =>
    create(BegunSchema, { task, plan: destroys.map(one => ({ sentence: `Delete ${one}`, destroys: one })) })

const contextOf = (more: Partial<VerbContext> = {}) =>
    ({
        dryRun: false,
        args: { vm: 'web1' },
        options: {},
        lists: {},
        json: () => ({}),
        show: () => undefined,
        confirm: async () => undefined,
        follow: async () => true,
        ...more,
    }) as unknown as VerbContext

describe('consent', () => {
    test('is asked for what dies, and then it dies', async () => {
        const confirm = vi.fn(async () => undefined)
        const call = vi.fn(async (dryRun: boolean) => begun(dryRun ? '' : 't1', 'vm:web1', 'volume:default/a'))
        await carryOut(contextOf({ confirm }), { call, consent: 'web1' })
        expect(confirm).toHaveBeenCalledWith('This destroys vm:web1, volume:default/a.', 'web1')
        expect(call).toHaveBeenLastCalledWith(false)
    })

    test.each([
        ['more', ['vm:web1', 'volume:default/a']],
        ['something else', ['vm:web2']],
        ['nothing any more', []],
    ])('is not for a plan that destroys %s by then', async (_, later) => {
        let plan = ['vm:web1']
        const call = vi.fn(async (dryRun: boolean) => begun(dryRun ? '' : 't1', ...plan))
        const confirm = async () => void (plan = later)
        await expect(carryOut(contextOf({ confirm }), { call, consent: 'web1' })).rejects.toMatchObject({
            code: 'conflict',
        })
        expect(call).not.toHaveBeenCalledWith(false)
    })
})

test('deleting a VM names the revision that was read before the plan was shown', async () => {
    const asked: string[] = []
    const client = {
        get: async () => ({ detail: { revision: `r${asked.push('get')}` } }),
        delete: async (request: { dryRun: boolean; revision: string }) => {
            asked.push(`${request.dryRun ? 'plan' : 'delete'} ${request.revision}`)
            return begun(request.dryRun ? '' : 't1', 'vm:web1')
        },
    }
    const verb = makeVerbs.find(one => one.words.join(' ') === 'vm delete')!
    await verb.run(contextOf({ client: (() => client) as unknown as VerbContext['client'] }))
    expect(asked).toEqual(['get', 'plan r1', 'plan r1', 'delete r1'])
})

describe('what is looked up before a change', () => {
    const refused = (code: Code) => async () => {
        throw new ConnectError('no', code)
    }

    test('may be missing for who may not look, but a plan has to be seen', async () => {
        expect(await lookedUp(contextOf(), refused(Code.PermissionDenied))).toBeUndefined()
        await expect(lookedUp(contextOf({ dryRun: true }), refused(Code.PermissionDenied))).rejects.toThrow()
    })

    test('is refused for every other reason', async () => {
        await expect(lookedUp(contextOf(), refused(Code.NotFound))).rejects.toThrow()
        expect(await lookedUp(contextOf(), async () => 1)).toBe(1)
    })
})
