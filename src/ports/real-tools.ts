// Programs of the real machine: run to their end, or as a pipe that bytes go through.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { Fault } from '../base/fault.ts'
import type { ToolResult, ToolRun } from './ports.ts'
import type { Doors } from './terminal.ts'

const OUTPUT_MAX_BYTES = 64 * 1024 * 1024
const WORDS_MAX = 10_000
const KILL_AFTER_MS = 2_000
/** Tools get these and nothing of ours: an environment is readable by others, and may steer a tool. */
const TOOL_ENV = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', HOME: '/' }

function begin({ argv: [program, ...rest], cwd, env }: ToolRun): ChildProcessWithoutNullStreams {
    return spawn(program, rest, {
        stdio: ['pipe', 'pipe', 'pipe'],
        cwd: cwd ?? '/',
        env: { ...TOOL_ENV, ...env },
        // A group of its own, so that its end takes its children along.
        detached: true,
    })
}

/**
 * Runs a tool to its end. A deadline or an abort ends it and all that it started: TERM, then KILL.
 * @throws Fault `precondition` when there is no such program, `deadline`, `cancelled`, `exhausted` when it says too much
 */
export function runTool(run: ToolRun): Promise<ToolResult> {
    const [program] = run.argv
    return new Promise((resolve, reject) => {
        if (run.signal?.aborted) return reject(cancelledFault(program))
        const child = begin(run)
        let why: Fault | undefined
        const end = (fault: Fault) => {
            if (why) return
            why = fault
            signalGroup(child.pid, 'SIGTERM')
            killTimer = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), KILL_AFTER_MS)
        }
        let killTimer: NodeJS.Timeout | undefined
        const timer = setTimeout(() => end(deadlineFault(program, run.deadlineMs)), run.deadlineMs)
        const onAbort = () => end(cancelledFault(program))
        run.signal?.addEventListener('abort', onAbort)
        const over = () => {
            clearTimeout(timer)
            clearTimeout(killTimer)
            run.signal?.removeEventListener('abort', onAbort)
        }
        const stdout = gathered(() => end(tooMuchFault(program)), run.onOutput)
        const stderr = gathered(() => end(tooMuchFault(program)), run.onErrors)
        child.stdout.setEncoding('utf8').on('data', stdout.take)
        child.stderr.setEncoding('utf8').on('data', stderr.take)
        child.on('error', cause => {
            over()
            reject(absentFault(program, cause))
        })
        child.on('close', (code, signal) => {
            over()
            if (why) reject(why)
            else resolve({ exitCode: code ?? 128 + signalNumber(signal), stdout: stdout.text(), stderr: stderr.text() })
        })
        // A tool that does not read its input is no trouble of ours.
        child.stdin.on('error', () => {})
        child.stdin.end(run.stdin)
    })
}

/**
 * Bytes through a tool: `input` goes into it as fast as it reads, what it says is given as it comes. It is ended when
 * the loop is left, when `input` fails, and when nothing has moved for `deadlineMs`.
 * @throws Fault as `runTool`; `unavailable` with the tool's own words when it ends with another code than 0
 */
export async function* pipeTool(run: ToolRun, input: AsyncIterable<Uint8Array> = none()): AsyncGenerator<Uint8Array> {
    const [program] = run.argv
    if (run.signal?.aborted) throw cancelledFault(program)
    const child = begin(run)
    let why: unknown
    let words = ''
    const end = (thrown: unknown) => {
        why ??= thrown
        signalGroup(child.pid, 'SIGKILL')
        child.stdin.destroy()
    }
    const onAbort = () => end(cancelledFault(program))
    const timer = setTimeout(() => end(deadlineFault(program, run.deadlineMs)), run.deadlineMs)
    run.signal?.addEventListener('abort', onAbort)
    child.stderr.setEncoding('utf8').on('data', chunk => {
        words = `${words}${chunk}`.slice(-WORDS_MAX)
    })
    child.on('error', cause => end(absentFault(program, cause)))
    child.stdin.on('error', () => {})
    const closed = new Promise<number>(resolve => child.on('close', code => resolve(code ?? -1)))
    const fed = feed(child, input, () => timer.refresh()).catch(end)
    let isOver = false
    try {
        for await (const chunk of child.stdout) {
            timer.refresh()
            yield chunk
        }
        const code = await closed
        await fed
        isOver = true
        if (why) throw why
        if (code !== 0) throw endedFault(program, code, words)
    } finally {
        clearTimeout(timer)
        run.signal?.removeEventListener('abort', onAbort)
        if (!isOver) end(undefined)
        await closed
    }
}

async function* none(): AsyncGenerator<Uint8Array> {}

async function feed(
    { stdin }: ChildProcessWithoutNullStreams,
    input: AsyncIterable<Uint8Array>,
    moved: () => void,
): Promise<void> {
    const gone = new Promise(resolve => stdin.once('close', resolve))
    for await (const chunk of input) {
        // A tool that does not read on has its reasons, and says them by how it ends.
        if (stdin.destroyed) return
        if (!stdin.write(chunk)) await Promise.race([new Promise(resolve => stdin.once('drain', resolve)), gone])
        moved()
    }
    stdin.end()
}

function gathered(full: () => void, hear?: (chunk: string) => void) {
    const chunks: string[] = []
    let length = 0
    return {
        take(chunk: string) {
            length += chunk.length
            if (length > OUTPUT_MAX_BYTES) return full()
            chunks.push(chunk)
            hear?.(chunk)
        },
        text: () => chunks.join(''),
    }
}

/**
 * Begins this program anew with mounts of its own, at the same terminal, and answers its exit code; undefined in the one
 * that was begun so. Whatever ends it, the kernel takes its mounts away, and no other program ever sees them.
 */
export async function withOwnMounts(): Promise<number | undefined> {
    if (process.env[APART]) return undefined
    const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
    return runAttached(['unshare', '--mount', '--propagation', 'private', '--', ...again], { [APART]: '1' })
}

/** Runs a program at this terminal, such as a shell, until it ends; answers its exit code. Signals are for it to hear. */
export function runAttached(argv: readonly [string, ...string[]], env: Record<string, string> = {}): Promise<number> {
    const [program, ...rest] = argv
    const child = spawn(program, rest, { stdio: 'inherit', env: { ...process.env, ...env } })
    const heard = () => {}
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
    for (const signal of signals) process.on(signal, heard)
    const over = () => {
        for (const signal of signals) process.off(signal, heard)
    }
    return new Promise((resolve, reject) => {
        child.on('error', cause => {
            over()
            reject(absentFault(program, cause))
        })
        child.on('close', (code, signal) => {
            over()
            resolve(code ?? 128 + signalNumber(signal))
        })
    })
}

const APART = 'DEBVISOR_APART'

export const startProgram: Doors['start'] = ([program, ...rest], env) =>
    spawn(program, rest, {
        stdio: ['pipe', 'pipe', 'ignore'],
        cwd: '/',
        env: { ...TOOL_ENV, ...env },
        detached: true,
    })

const signalNumber = (name: NodeJS.Signals | null) => (name === 'SIGKILL' ? 9 : name === 'SIGTERM' ? 15 : 1)

function signalGroup(pid: number | undefined, name: NodeJS.Signals): void {
    if (pid === undefined) return
    try {
        process.kill(-pid, name)
    } catch {
        // It has ended by itself.
    }
}

const cancelledFault = (program: string) =>
    new Fault('cancelled', {
        summary: 'The work was cancelled',
        detail: `${program} was ended`,
        fix: 'Begin it again.',
    })

const deadlineFault = (program: string, deadlineMs: number) =>
    new Fault('deadline', {
        summary: 'A tool did not end in time',
        detail: `${program} after ${deadlineMs} ms`,
        fix: 'Look at the load of the node and its disks, then try again.',
    })

const tooMuchFault = (program: string) =>
    new Fault('exhausted', {
        summary: 'A tool said more than can be held',
        detail: `${program}, over ${OUTPUT_MAX_BYTES} bytes`,
        fix: 'Look at what it was run on.',
    })

const absentFault = (program: string, cause: NodeJS.ErrnoException) =>
    new Fault('precondition', {
        summary: 'A program that is needed cannot be run',
        detail: `${program} (${cause.code ?? cause.message})`,
        fix: 'Install the Debian package that has it.',
        cause,
    })

const endedFault = (program: string, code: number, words: string) =>
    new Fault('unavailable', {
        summary: 'A tool failed',
        detail: `${program} ended with ${code}: ${words.trim().slice(-400)}`,
        fix: 'Look at what it says, mend the cause, and try again.',
    })
