// The simulated tasks: listed, followed, cancelled.
import type { ConnectRouter } from '@connectrpc/connect'
import { TaskService, State as TaskState } from '../../../gen/proto/capabilities/task/task_pb.js'
import { changes, notFound } from './access.ts'
import type { World } from './world.ts'

export function taskService(world: World, router: ConnectRouter): void {
    const brief = (id: string) => {
        const task = world.tasks.get(id)
        return task && { ...task, log: [] }
    }
    router.service(TaskService, {
        list: () => ({ tasks: [...world.tasks.values()].reverse() }),
        get: request => ({ task: world.tasks.get(request.id) ?? notFound('task', request.id) }),
        async *watch(request, context) {
            const asked = (id: string): boolean => request.id === '' || request.id === id
            if (request.id === '') yield {}
            for (const id of world.tasks.keys()) if (asked(id)) yield { task: brief(id), existing: true }
            for await (const batch of changes(world, ['task'], context.signal))
                for (const { key } of batch) if (asked(key)) yield { task: brief(key) }
        },
        cancel: request => {
            const task = world.tasks.get(request.id) ?? notFound('task', request.id)
            task.state = TaskState.CANCELLED
            world.say({ kind: 'task', key: task.id })
            return { task }
        },
    })
}
