// The task service over the wire: who sees and cancels what, and streams that end with their task.
import { Code, ConnectError, createClient, createRouterTransport } from '@connectrpc/connect'
import { expect, test } from 'vitest'
import { Fault } from '../../base/fault.ts'
import type { TaskRecord } from '../../engine/task.ts'
import { createTasks } from '../../engine/tasks.ts'
import { State, TaskService } from '../../gen/proto/capabilities/task/task_pb.js'
import { fakeClock, fakeLog, fakeSystem } from '../../ports/fake.ts'
import { type Caller, callerKey } from '../caller.ts'
import { createTask } from './task.ts'

interface Rights {
    vm?: string
    tag?: string
    /** Of a token. */
    scope?: string[]
}

/** As identity gives them: owners hold what is about their own tasks, and a token’s scope narrows all of it. */
const caller = (user: string, permissions: string[] = [], { vm, tag, scope }: Rights = {}): Caller => {
    const may: Caller['may'] = (permission, object) =>
        (!scope || scope.includes(permission)) &&
        ((user !== '' && object?.owner === user && permission.startsWith('task.')) ||
            (permissions.includes(permission) &&
                (tag === undefined ? vm === undefined || object?.id === vm : object?.tags?.includes(tag) === true)))
    const need: Caller['need'] = (permission, object) => {
        if (!may(permission, object)) throw new Fault('denied', { summary: 'You may not do that' })
    }
    return { user, via: 'session', viaId: 's', from: 'local', may, need }
}

async function world() {
    const system = fakeSystem({ writable: ['/state'] })
    const tasks = await createTasks({ system, clock: fakeClock(), log: fakeLog(), folder: '/state/tasks' })
    const tags = new Map<string, string[]>()
    const as = (who: Caller) =>
        createClient(
            TaskService,
            createRouterTransport(router => createTask({ tasks, tagsOf: vm => tags.get(vm) ?? [] }).services!(router), {
                router: {
                    interceptors: [
                        next => async request => {
                            request.contextValues.set(callerKey, who)
                            return next(request).catch((fault: Error) => {
                                throw new ConnectError(fault.message, Code.FailedPrecondition)
                            })
                        },
                    ],
                },
            }),
        )
    const begin = async (owner: string, id: string) => {
        const aborted = (signal: AbortSignal) =>
            new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        const on = { kind: 'vm', id, name: 'web1' }
        const spec = { kind: 'vm.create', title: `Create for ${owner}`, owner, on, cancellable: true }
        return tasks.begin(spec, async running => {
            running.say('hello')
            await aborted(running.signal)
        })
    }
    return { tasks, tags, as, begin }
}

test('one sees one’s own, all with the role, and those of a VM with a grant on it', async () => {
    const { as, begin } = await world()
    await begin('ann', 'vm-a')
    await begin('bob', 'vm-b')
    const owners = async (who: Caller) => (await as(who).list({})).tasks.map(t => t.owner).sort()
    expect(await owners(caller('ann'))).toEqual(['ann'])
    expect(await owners(caller('eve'))).toEqual([])
    expect(await owners(caller('eve', ['task.view']))).toEqual(['ann', 'bob'])
    expect(await owners(caller('eve', ['task.view'], { vm: 'vm-b' }))).toEqual(['bob'])
    expect(await owners(caller(''))).toEqual([])
    const { tasks } = await as(caller('root', ['task.view'])).list({ onId: 'vm-a', states: [State.RUNNING] })
    expect(tasks).toHaveLength(1)
    expect(tasks[0]).toMatchObject({ onKind: 'vm', onName: 'web1', cancellable: true })
    expect((await as(caller('root', ['task.view'])).list({ states: [State.DONE] })).tasks).toEqual([])
})

test('a grant on a tag covers the tasks of the VMs that have it, as long as they do', async () => {
    const { as, begin, tags } = await world()
    const { task } = await begin('ann', 'vm-a')
    await begin('ann', 'vm-b')
    tags.set('vm-a', ['web'])
    const who = as(caller('eve', ['task.view', 'task.cancel'], { tag: 'web' }))
    expect((await who.list({})).tasks.map(t => t.onId)).toEqual(['vm-a'])
    const watch = who.watch({ id: task.id })[Symbol.asyncIterator]()
    expect((await watch.next()).value?.task?.id).toBe(task.id)
    tags.clear()
    expect((await who.list({})).tasks).toEqual([])
    await as(caller('ann')).cancel({ id: task.id })
    await expect(watch.next()).rejects.toThrow()
})

test('what one may not see is not there, and cannot be cancelled', async () => {
    const { as, begin } = await world()
    const { task, settled } = await begin('ann', 'vm-a')
    const eve = as(caller('eve'))
    await expect(eve.get({ id: task.id })).rejects.toThrow(/no such task/)
    await expect(eve.cancel({ id: task.id })).rejects.toThrow(/no such task/)
    await expect(as(caller('viv', ['task.view'])).cancel({ id: task.id })).rejects.toThrow(/may not/)
    expect((await as(caller('ann')).get({ id: task.id })).task?.log.map(l => l.text)).toEqual(['hello'])
    await as(caller('ann')).cancel({ id: task.id })
    const ended: TaskRecord = await settled
    expect(ended.state).toBe('cancelled')
    expect((await as(caller('ann')).get({ id: task.id })).task).toMatchObject({
        state: State.CANCELLED,
        cancellable: false,
    })
})

test('a token whose scope leaves tasks out sees and cancels none, not even its owner’s', async () => {
    const { as, begin, tasks } = await world()
    const { task } = await begin('ann', 'vm-a')
    const blind = as(caller('ann', [], { scope: ['vm.view'] }))
    expect((await blind.list({})).tasks).toEqual([])
    await expect(blind.get({ id: task.id })).rejects.toThrow(/no such task/)
    await expect(blind.cancel({ id: task.id })).rejects.toThrow(/no such task/)
    await expect(blind.watch({ id: task.id })[Symbol.asyncIterator]().next()).rejects.toThrow()
    const seeing = as(caller('ann', [], { scope: ['task.view'] }))
    expect((await seeing.get({ id: task.id })).task?.id).toBe(task.id)
    await expect(seeing.cancel({ id: task.id })).rejects.toThrow(/may not/)
    expect(tasks.get(task.id)?.state).toBe('running')
    await as(caller('ann', [], { scope: ['task.view', 'task.cancel'] })).cancel({ id: task.id })
    await expect.poll(() => tasks.get(task.id)?.state).toBe('cancelled')
})

test('watching one task ends with it; others never show', async () => {
    const { as, begin } = await world()
    const { task } = await begin('ann', 'vm-a')
    await begin('bob', 'vm-b')
    const states: State[] = []
    for await (const { task: seen } of as(caller('ann')).watch({ id: task.id })) {
        expect(seen?.id).toBe(task.id)
        states.push(seen!.state)
        if (states.length === 1) await as(caller('op', ['task.view', 'task.cancel'])).cancel({ id: task.id })
    }
    expect(states[0]).toBe(State.RUNNING)
    expect(states.at(-1)).toBe(State.CANCELLED)
    for await (const again of as(caller('ann')).watch({ id: task.id })) expect(again).toMatchObject({ existing: true })
})
