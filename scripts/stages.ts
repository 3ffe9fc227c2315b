// Runs named stages, some side by side, and prints one line per stage with its seconds and its output when it failed.
import { spawn } from 'node:child_process'
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
    seconds: number
    output: string
}

/** Runs one program from the root of the repository and gathers what it says; never rejects. */
export function runStage(stage: Stage, options: { live?: boolean } = {}): Promise<StageResult> {
    const began = performance.now()
    const [program, ...rest] = stage.argv
    const child = spawn(program!, rest, {
        cwd: root,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, PATH: `${root}node_modules/.bin:${process.env.PATH}` },
    })
    const pass = (signal: NodeJS.Signals) => () => child.kill(signal)
    const [interrupted, terminated] = [pass('SIGINT'), pass('SIGTERM')]
    process.once('SIGINT', interrupted).once('SIGTERM', terminated)
    const late = setTimeout(() => {
        output += `\nnot done after ${stage.deadlineMs} ms\n`
        child.kill('SIGKILL')
    }, stage.deadlineMs ?? 3_600_000)
    let output = ''
    const take = (chunk: Buffer) => {
        output += chunk
        if (options.live) process.stdout.write(chunk)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    return new Promise(resolve => {
        const done = (passed: boolean) => {
            clearTimeout(late)
            process.off('SIGINT', interrupted).off('SIGTERM', terminated)
            resolve({ name: stage.name, passed, seconds: (performance.now() - began) / 1000, output })
        }
        child.once('error', trouble => {
            output += String(trouble)
            done(false)
        })
        child.once('close', code => done(code === 0))
    })
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
        }
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
    for (const result of results.filter(one => !one.passed))
        console.log(`\n--- ${result.name} ---\n${result.output.trimEnd()}`)
    return results
}
