// Runs named stages, some side by side, and prints one line per stage with its seconds and its output when it failed.
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The root of the repository, with a slash at its end. */
export const root = fileURLToPath(new URL('..', import.meta.url))

export interface Stage {
    name: string
    /** The program and its arguments; programs of node_modules/.bin are found. */
    argv: string[]
    deadlineMs?: number
}

export interface StageResult {
    name: string
    passed: boolean
    /** Its exit code; null when a signal ended it or it could not be started. */
    code: number | null
    seconds: number
    output: string
}

/**
 * Runs one program from the root of the repository and gathers what it says; never rejects. At its deadline everything
 * ends that it has started in its process group.
 */
export function runStage(stage: Stage, options: { live?: boolean } = {}): Promise<StageResult> {
    const began = performance.now()
    const [program, ...rest] = stage.argv
    const child = spawn(program!, rest, {
        cwd: root,
        stdio: ['ignore', 'pipe', 'pipe'],
        // A process group of its own, so that what it starts in turn can be ended with it.
        detached: true,
        env: { ...process.env, PATH: `${root}node_modules/.bin:${process.env.PATH}` },
    })
    const passed = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map(signal => {
        const pass = () => tellGroup(child, signal)
        process.once(signal, pass)
        return () => process.off(signal, pass)
    })
    const deadlineMs = stage.deadlineMs ?? 3_600_000
    const late = setTimeout(() => {
        output += `\nnot done after ${deadlineMs} ms\n`
        tellGroup(child, 'SIGKILL')
        // Whoever left the group may still hold these open.
        for (const stream of [child.stdout, child.stderr]) stream.destroy()
    }, deadlineMs)
    let output = ''
    const take = (chunk: Buffer) => {
        output += chunk
        if (options.live) process.stdout.write(chunk)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    return new Promise(resolve => {
        const done = (code: number | null) => {
            clearTimeout(late)
            for (const off of passed) off()
            const seconds = (performance.now() - began) / 1000
            resolve({ name: stage.name, passed: code === 0, code, seconds, output })
        }
        child.once('error', trouble => {
            output += String(trouble)
            done(null)
        })
        child.once('close', done)
    })
}

function tellGroup(child: ChildProcess, signal: NodeJS.Signals): void {
    try {
        if (child.pid) process.kill(-child.pid, signal)
    } catch (trouble) {
        if ((trouble as NodeJS.ErrnoException).code !== 'ESRCH') throw trouble
    }
}

/** `ok    types   3.2 s`. */
export const stageLine = (result: StageResult): string =>
    `${result.passed ? 'ok    ' : 'FAILED'}  ${result.name.padEnd(14)} ${result.seconds.toFixed(1).padStart(6)} s`

/** Runs all stages, at most `atOnce` at a time, in order; prints each line as it ends and each failure's output last. */
export async function runStages(stages: Stage[], atOnce: number): Promise<StageResult[]> {
    const waiting = [...stages]
    const results: StageResult[] = []
    const worker = async () => {
        for (let stage = waiting.shift(); stage; stage = waiting.shift()) {
            const result = await runStage(stage)
            results.push(result)
            console.log(stageLine(result))
            // What a stage could not do is said, though it passed.
            if (result.passed)
                for (const line of result.output.match(/^note: .*$/gm) ?? []) console.log(`        ${line}`)
        }
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
    for (const result of results.filter(one => !one.passed))
        console.log(`\n--- ${result.name} ---\n${result.output.trimEnd()}`)
    return results
}
