// Debian's docker-compose: what it is asked for, what it tells while it works, and what its complaints mean.
import { Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import type { System } from '../../ports/ports.ts'
import type { Model } from './model.ts'
import { type Value, valuesText, withoutSecrets } from './values.ts'

export interface ComposeDeps {
    system: Pick<System, 'run' | 'query' | 'writeFile' | 'remove' | 'makeDirectory'>
    /** The program, by its path. */
    program: string
    /** Of dockerd. */
    socketPath: string
    /** A folder of our own for what lives only as long as a run. */
    scratch: string
    /** Docker's complaints as Faults. */
    dockerFault(message: string): Fault
}

/** What a run is about: the project, its file as data, and the values of its variables. */
export interface Project {
    name: string
    /** As JSON, by which no parser can read anything else than what was checked. */
    file: object
    values: readonly Value[]
    /** Where relative paths begin. */
    folder: string
}

export interface Compose {
    /** The file with everything put in and written out. @throws Fault `invalid` with findings */
    config(project: Project): Promise<{ model: Model; warnings: Finding[] }>
    /** By service, as its containers are labelled with. */
    hashes(project: Project): Promise<Record<string, string>>
    up(project: Project, follow: Follow): Promise<void>
    /** By the labels of what is there: also where the file cannot be read any more. */
    down(name: string, follow: Follow): Promise<void>
}

export interface Follow {
    signal?: AbortSignal
    say(line: string): void
}

const LOOK_MS = 30_000
/** Services may have to become healthy before others start. */
const UP_MS = 30 * 60_000
const ESCAPE = /\u001b\[[\d;]*[A-Za-z]/g
const PROGRESS =
    /^\s*(Container|Network|Volume) (\S+)\s+(Created|Started|Recreated|Running|Healthy|Exited|Stopped|Removed|Error)\s*$/

export function createCompose(deps: ComposeDeps): Compose {
    const { system, program, socketPath, scratch } = deps
    let runs = 0
    let known: Promise<void> | undefined

    /** Asked once it was found good: Debian 12's, of another language and age, takes other files. */
    function needVersion(): Promise<void> {
        known ??= (async () => {
            const result = await system.query({ argv: [program, 'version', '--short'], deadlineMs: LOOK_MS })
            if (result.exitCode === 0 && /^v?2\./.test(result.stdout)) return
            throw new Fault('unsupported', {
                summary: 'Docker Compose on this node is too old',
                detail: `${program}: ${result.stdout.trim().slice(0, 60) || 'it does not tell its version'}`,
                fix: "Use Debian 13's docker-compose.",
            })
        })().catch(thrown => {
            known = undefined
            throw thrown
        })
        return known
    }

    async function run(project: Project, words: string[], how: { follow?: Follow; deadlineMs: number; own?: boolean }) {
        await needVersion()
        await system.makeDirectory(scratch, 0o700)
        const envFile = `${scratch}/${process.pid}-${++runs}.env`
        await system.writeFile(envFile, valuesText(project.values), 0o600)
        try {
            const argv: [string, ...string[]] = [
                ...([program, '--ansi', 'never', '--progress', 'plain'] as const),
                ...['--project-name', project.name, '--project-directory', project.folder],
                ...['--env-file', envFile, '--file', '-', ...words],
            ]
            const result = await system.run({
                ...{ argv, stdin: JSON.stringify(project.file), deadlineMs: how.deadlineMs },
                ...{ signal: how.follow?.signal, onErrors: how.follow && linesTo(how.follow.say) },
                ...{ cwd: scratch, env: { DOCKER_HOST: `unix://${socketPath}`, HOME: scratch } },
            })
            const stderr = withoutSecrets(result.stderr.replace(ESCAPE, ''), project.values)
            return { ...result, stderr }
        } finally {
            await system.remove(envFile)
        }
    }

    return {
        async config(project) {
            const result = await run(project, ['config', '--format', 'json'], { deadlineMs: LOOK_MS })
            if (result.exitCode !== 0) throw configFault(result.stderr)
            return { model: JSON.parse(result.stdout) as Model, warnings: warningsOf(result.stderr) }
        },
        async hashes(project) {
            const result = await run(project, ['config', '--hash', '*'], { deadlineMs: LOOK_MS })
            if (result.exitCode !== 0) throw configFault(result.stderr)
            return Object.fromEntries(
                result.stdout
                    .trim()
                    .split('\n')
                    .map(line => line.split(' ') as [string, string]),
            )
        },
        async up(project, follow) {
            const words = ['up', '--detach', '--no-build', '--pull', 'never', '--remove-orphans', '--quiet-pull']
            const result = await run(project, words, { follow, deadlineMs: UP_MS })
            if (result.exitCode !== 0) throw runFault(result.stderr, deps)
        },
        async down(name, follow) {
            await needVersion()
            await system.makeDirectory(scratch, 0o700)
            const result = await system.run({
                argv: [
                    ...([program, '--ansi', 'never', '--progress', 'plain'] as const),
                    ...['--project-name', name, '--project-directory', scratch, 'down', '--remove-orphans'],
                ],
                ...{ deadlineMs: UP_MS, signal: follow.signal, onErrors: linesTo(follow.say) },
                ...{ cwd: scratch, env: { DOCKER_HOST: `unix://${socketPath}`, HOME: scratch } },
            })
            if (result.exitCode !== 0) throw runFault(result.stderr.replace(ESCAPE, ''), deps)
        },
    }
}

/** What has been done, a line each; what is only begun is left out. */
function linesTo(say: (line: string) => void): (chunk: string) => void {
    let rest = ''
    return chunk => {
        const lines = `${rest}${chunk.replace(ESCAPE, '')}`.split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) {
            const [, kind, name, what] = PROGRESS.exec(line) ?? []
            if (kind) say(`${kind} ${name}: ${what!.toLowerCase()}`)
        }
    }
}

/** `services.web.ports.0 must be …`, as a path of ours. */
const PLACE = /\b(services|networks|volumes|secrets|configs)((?:\.[\w-]+|\[[^\]]*\])+)/

function placeIn(message: string): string {
    const found = PLACE.exec(message)
    if (found) return `${found[1]}${found[2]!.replace(/\.(\d+)(?=\.|$)/g, '[$1]')}`
    const service = /service "([\w.-]+)"/.exec(message)?.[1]
    return service ? `services.${service}` : ''
}

/** Compose's complaint about a file, without the words that surround it. */
function configFault(stderr: string): Fault {
    const lines = stderr.split('\n').filter(line => line.trim() !== '' && !/level=(warning|info|debug)/.test(line))
    const detail = lines
        .join(' ')
        .replace(/^validating -: /, '')
        .replace(/: invalid compose project$/, '')
        .slice(0, 400)
    const at = placeIn(detail)
    const finding: Finding = {
        ...{ severity: 'error', code: 'compose', at, summary: 'Compose does not take this', detail },
        fix: 'Correct what the detail names.',
    }
    return new Fault('invalid', { ...finding, at: 'compose_file', findings: [finding] })
}

/** `level=warning msg="The \"A\" variable is not set. Defaulting to a blank string."` */
function warningsOf(stderr: string): Finding[] {
    const missing = [...stderr.matchAll(/The \\?"(\w+)\\?" variable is not set/g)].map(([, name]) => name!)
    return [...new Set(missing)].sort().map(name => ({
        ...{ severity: 'warning' as const, code: 'variable-missing', at: 'environment', detail: name },
        ...{ summary: 'A variable has no value', fix: 'Give it one; as it stands it is empty.' },
    }))
}

/** The last thing that it said is why. */
function runFault(stderr: string, deps: ComposeDeps): Fault {
    const lines = stderr.split('\n').filter(line => line.trim() !== '' && !PROGRESS.test(line))
    const last = lines.findLast(line => /error|failed|denied|unhealthy|no such|conflict/i.test(line)) ?? lines.at(-1)
    const message = (last ?? '').replace(/^.*?Error response from daemon: /, '').trim()
    if (/is unhealthy$|dependency failed to start/.test(message))
        return new Fault('precondition', {
            summary: 'A service that others wait for does not become healthy',
            detail: message.slice(0, 300),
            fix: 'Read its log. What was made so far stays, and the next attempt goes on from there.',
        })
    return deps.dockerFault(message || 'docker-compose ended and did not say why')
}
