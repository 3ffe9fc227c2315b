// Children that are kept running: started, logged, started again when they end, stopped in order.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { guestsUnit } from './systemd.ts'

export interface ServiceOptions {
    name: string
    argv: string[]
    logPath: string
    /** Is given each line of its standard output first; true keeps it out of the log (a line with a secret). */
    onLine?: (line: string) => boolean
    /** Called each time it ended without being told to. */
    onEnd?: (how: string) => void
    /** A transient systemd unit of this name instead of a child of our own. */
    unit?: string
}

export interface Service {
    name: string
    /** True between a start and its end. */
    alive(): boolean
    /** SIGTERM, SIGKILL after ten seconds; resolves when it is gone. */
    stop(): Promise<void>
}

const firstPauseMs = 500
const longestPauseMs = 10_000
const settledMs = 30_000

/** Starts a service and keeps it running until it is stopped. */
export function keepRunning(options: ServiceOptions): Service {
    const log = openLog(options.logPath)
    let child: ChildProcess | undefined
    let timer: NodeJS.Timeout | undefined
    let pauseMs = firstPauseMs
    let stopping = false

    const start = () => {
        const began = Date.now()
        const [program, ...rest] = wrapped(options)
        // In a session of its own, so that Ctrl-C reaches us alone and things end in order.
        const started = spawn(program!, rest, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
        child = started
        let partial = ''
        started.stdout.on('data', chunk => {
            const lines = (partial + chunk).split('\n')
            partial = lines.pop()!
            for (const line of lines) if (!options.onLine?.(line)) log.write(`${line}\n`)
        })
        started.stderr.on('data', chunk => log.write(chunk))
        let ended = false
        const end = (how: string) => {
            if (ended) return
            ended = true
            child = undefined
            if (stopping) return
            if (Date.now() - began > settledMs) pauseMs = firstPauseMs
            options.onEnd?.(how)
            timer = setTimeout(start, pauseMs)
            pauseMs = Math.min(pauseMs * 2, longestPauseMs)
        }
        started.once('error', trouble => end(trouble.message))
        started.once('close', (code, signal) => end(signal ?? `exit code ${code}`))
    }
    start()

    return {
        name: options.name,
        alive: () => child !== undefined,
        stop: async () => {
            stopping = true
            clearTimeout(timer)
            const going = child
            if (going) {
                const gone = new Promise(resolve => going.once('close', resolve))
                const hard = setTimeout(() => tell(options, going, 'SIGKILL'), 10_000)
                tell(options, going, 'SIGTERM')
                await gone
                clearTimeout(hard)
            }
            log.close()
        },
    }
}

/** A log that is only a log: when it cannot be written (a full disk), words are lost, this is said once, and all goes on. */
export function openLog(path: string): { write(text: string | Buffer): void; close(): void } {
    mkdirSync(dirname(path), { recursive: true })
    const file = openSync(path, 'a', 0o600)
    let isLosing = false
    let isOpen = true
    return {
        write(text) {
            if (!isOpen) return
            try {
                writeSync(file, String(text))
                isLosing = false
            } catch (trouble) {
                if (!isLosing) console.error(`${path} cannot be written: ${(trouble as Error).message}`)
                isLosing = true
            }
        },
        close() {
            if (isOpen) closeSync(file)
            isOpen = false
        },
    }
}

/** The kernel ends a child when we die, SIGKILL included; systemd's unit lives on until it is stopped by name. */
export function wrapped({ unit, argv }: Pick<ServiceOptions, 'unit' | 'argv'>): string[] {
    if (!unit) return ['setpriv', '--pdeathsig', 'SIGTERM', '--', ...argv]
    // Said here and not by the other unit: what another unit names is not collected, and could not be made again.
    const before = `--property=Before=${guestsUnit}`
    return ['systemd-run', '--quiet', '--collect', '--pipe', '--wait', before, `--unit=${unit}`, '--', ...argv]
}

function tell({ unit }: ServiceOptions, child: ChildProcess, signal: NodeJS.Signals) {
    if (unit) spawn('systemctl', signal === 'SIGKILL' ? ['kill', '--signal=KILL', unit] : ['stop', unit])
    else child.kill(signal)
}
