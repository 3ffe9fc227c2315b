// How an installation goes: what is done, what is being done and for how long, and all that the tools say, one key away.
import type { Phase } from '../../capabilities/install/install.ts'
import type { ApplyEvent } from '../../engine/apply.ts'
import { blank, type Canvas, fillRow, put, type Size, wrap } from './canvas.ts'

interface Step {
    say: string
    beganMs: number
    tookMs?: number
    failed?: boolean
}

export interface Progress {
    phase?: Phase
    step?: { at: number; of: number }
    steps: Step[]
    log: string[]
    beganMs: number
}

export const noProgress = (nowMs: number): Progress => ({ steps: [], log: [], beganMs: nowMs })

/** What was told, as another state; the log is what an administrator would want to read afterwards. */
export function heard(
    progress: Progress,
    event: ApplyEvent | { kind: 'phase'; phase: Phase },
    nowMs: number,
): Progress {
    const { steps, log } = progress
    const stamp = `${seconds(nowMs - progress.beganMs)} s`.padStart(7)
    const add = (...lines: string[]) => [...log, ...lines.map(line => `${stamp}  ${line}`)]
    const ended = (failed: boolean): Step[] =>
        steps.map((step, i) => (i === steps.length - 1 ? { ...step, tookMs: nowMs - step.beganMs, failed } : step))
    switch (event.kind) {
        case 'phase':
            return { ...progress, phase: event.phase, log: add(`=== ${event.phase.title}`) }
        case 'step': {
            const { at, of, step } = event
            return {
                ...{ ...progress, step: { at, of }, log: add(step.say) },
                steps: [...steps, { say: step.say, beganMs: nowMs }],
            }
        }
        case 'done':
            return { ...progress, steps: ended(false) }
        case 'said': {
            const words = `${event.stdout}${event.stderr}`.trimEnd()
            const said = words ? words.split('\n').map(line => `    ${line}`) : []
            return { ...progress, log: add(`  ${event.tool} ended with ${event.exitCode}`, ...said) }
        }
        case 'failed': {
            const { summary, detail } = event.problem
            return { ...progress, steps: ended(true), log: add(`FAILED: ${summary}: ${detail}`) }
        }
        default:
            return progress
    }
}

const seconds = (ms: number) => Math.round(ms / 1000)

function clock(ms: number): string {
    const s = seconds(ms)
    return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`
}

/** `asLog`: what the tools say instead of the steps; `up` lines above its end. */
export function drawProgress(progress: Progress, nowMs: number, size: Size, as: { log: boolean; up: number }): Canvas {
    const canvas = blank(size)
    const { columns, rows } = canvas
    const { phase, step } = progress
    const width = columns - 4
    fillRow(canvas, 0, 'bar')
    put(canvas, { x: 2, y: 0 }, `DebVisor: ${as.log ? 'Log' : 'Installing'}`, 'bar')
    const spent = clock(nowMs - progress.beganMs)
    put(canvas, { x: columns - spent.length - 2, y: 0 }, spent, 'bar')
    const keys = as.log ? 'L: steps   Up, Down, PageUp, PageDown: scroll' : 'L: log   Ctrl-C: stop'
    put(canvas, { x: 2, y: rows - 1 }, keys, 'dim')
    if (as.log) {
        const lines = progress.log.flatMap(line => wrap(line, width))
        const room = rows - 4
        const end = Math.max(Math.min(room, lines.length), lines.length - as.up)
        lines.slice(Math.max(0, end - room), end).forEach((line, i) => {
            put(canvas, { x: 2, y: 2 + i }, line)
        })
        return canvas
    }
    put(canvas, { x: 2, y: 2 }, phase ? `Part ${phase.at} of ${phase.of}: ${phase.title}` : 'Beginning', 'strong')
    if (step) put(canvas, { x: 2, y: 3 }, bar(step, width))
    const lines = progress.steps.flatMap(one => {
        const took = clock(one.tookMs ?? nowMs - one.beganMs)
        const mark = one.failed ? 'FAILED' : one.tookMs === undefined ? '' : 'done'
        const room = width - 16
        const say = wrap(one.say.replaceAll('/dev/disk/by-id/', ''), room)
        return say.map((text, i) => ({
            text: i === 0 ? `${text.padEnd(room)} ${took.padStart(6)}  ${mark}` : text,
            style: one.failed ? ('danger' as const) : one.tookMs === undefined ? ('strong' as const) : ('dim' as const),
        }))
    })
    const room = rows - 7
    lines.slice(-room).forEach(({ text, style }, i) => {
        put(canvas, { x: 2, y: 5 + i }, text, style)
    })
    return canvas
}

function bar({ at, of }: { at: number; of: number }, width: number): string {
    const words = ` ${at} of ${of}`
    const room = Math.max(10, Math.min(60, width - words.length - 2))
    const filled = Math.round(((at - 1) / Math.max(1, of)) * room)
    return `[${'#'.repeat(filled)}${'.'.repeat(room - filled)}]${words}`
}
