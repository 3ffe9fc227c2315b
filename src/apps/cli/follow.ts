// A task on the terminal: progress in one line, its end in words, and what Ctrl-C means.
import type { Client } from '@connectrpc/connect'
import { Fault, type FaultCode } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import { State, type Task, type TaskService } from '../../gen/proto/capabilities/task/task_pb.js'
import type { Io } from './io.ts'
import { faultOf } from './problem.ts'
import { harmless } from './views.ts'

/**
 * Follows the task until it ends. The first Ctrl-C cancels it where it can be; the second, or the first where it
 * cannot, leaves it running and says how to follow it; then false. Throws the task's problem when it did not end well.
 */
export async function follow(io: Io, tasks: Client<typeof TaskService>, id: string): Promise<boolean> {
    const leave = new AbortController()
    let last: Task | undefined
    let asked = false
    const onInterrupt = () => {
        if (last?.cancellable && !asked) {
            asked = true
            clear(io)
            io.stderr.write('Cancelling … (Ctrl-C again leaves it running)\n')
            tasks.cancel({ id }).catch(() => leave.abort())
        } else leave.abort()
    }
    process.on('SIGINT', onInterrupt)
    try {
        for await (const { task } of tasks.watch({ id }, { signal: leave.signal })) {
            if (!task) continue
            last = task
            line(io, task)
        }
    } catch (thrown) {
        if (!leave.signal.aborted) throw lostSight(thrown, id)
        clear(io)
        io.stderr.write(`${goesOn(id)}\n`)
        return false
    } finally {
        process.off('SIGINT', onInterrupt)
        clear(io)
    }
    end(io, last, id)
    return true
}

/** The node went away, not the task: it says how to look again. */
function lostSight(thrown: unknown, id: string): Fault {
    const fault = faultOf(thrown)
    if (fault.code !== 'unavailable') return fault
    const { summary, detail } = fault
    return new Fault('unknown', { summary, detail, fix: `How it goes on: debvisor task follow ${id}`, cause: thrown })
}

export const goesOn = (id: string) => `The task goes on. Follow it with: debvisor task follow ${id}`

function end(io: Io, task: Task | undefined, id: string): void {
    if (task?.state === State.DONE) {
        if (io.stderr.isTTY) io.stderr.write(`${harmless(task.title)}: done.\n`)
        return
    }
    const problem = task?.problem
    if (problem?.code) {
        const { summary, detail, fix, at } = problem
        const findings = problem.findings.map(f => ({ ...f, severity: f.severity as Finding['severity'] }))
        throw new Fault(problem.code as FaultCode, { summary, detail, fix, at, findings })
    }
    throw new Fault('unknown', {
        summary: 'The task did not end while it was followed',
        detail: id,
        fix: `See how it went: debvisor task show ${id}`,
    })
}

function line(io: Io, task: Task): void {
    if (!io.stderr.isTTY) return
    const share = task.progress >= 0 && task.state === State.RUNNING ? ` ${Math.floor(task.progress * 100)}%` : ''
    const phase = task.phase && task.state === State.RUNNING ? `, ${task.phase}` : ''
    const text = harmless(`${task.title}${share}${phase} …`).slice(0, (io.stdout.columns ?? 80) - 1)
    io.stderr.write(`\r\u001b[K${text}`)
}

function clear(io: Io): void {
    if (io.stderr.isTTY) io.stderr.write('\r\u001b[K')
}
