// The command `debvisor`: parses, carries out one verb, shows its view, and ends with a code that programs can trust.
import { openSync, writeSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { toJson } from '@bufbuild/protobuf'
import { createClient, type Transport } from '@connectrpc/connect'
import { CommanderError } from 'commander'
import { Fault } from '../../base/fault.ts'
import { asker } from '../../capabilities/confirm.ts'
import { confirming } from '../../capabilities/dangerous.ts'
import { topics, verbs } from '../../capabilities/table.verbs.ts'
import type { Verb, VerbContext, View } from '../../capabilities/verb.ts'
import { TaskService } from '../../gen/proto/capabilities/task/task_pb.js'
import { byteVerbs } from './bytes.ts'
import { completionVerbs } from './completion.ts'
import { type Target, targetFor, transportTo } from './connect.ts'
import { containerVerbs } from './containers.ts'
import { factorVerbs } from './factor.ts'
import { follow, goesOn } from './follow.ts'
import { healthVerbs } from './health.ts'
import { installVerbs } from './install.ts'
import { CONSENT, confirm, type Io, readFile, secret } from './io.ts'
import { loginVerbs } from './login.ts'
import { type Parsed, program } from './parse.ts'
import { faultOf } from './problem.ts'
import { provisionVerbs } from './provision.ts'
import { screenVerbs } from './screen.ts'
import { shellVerbs } from './shell.ts'
import { stackVerbs } from './stacks.ts'
import { storageVerbs } from './storage.ts'
import { finding, harmless, type Look, render, rowsOf } from './views.ts'

/** All verbs: those of the capabilities, and those that are about this machine and its terminal. */
export function allVerbs(io: Io): readonly Verb[] {
    const target = (options: Parsed['options']): Target => targetFor(whereOf({ options }), io.env)
    const all: readonly Verb[] = [
        ...verbs,
        ...byteVerbs(io, target),
        ...screenVerbs(io, target),
        ...shellVerbs(io, target),
        ...containerVerbs(io, target),
        ...stackVerbs(io),
        ...loginVerbs(io, target),
        ...factorVerbs(io, target),
        ...provisionVerbs(io),
        ...healthVerbs(io),
        ...storageVerbs(io),
        ...installVerbs(io),
        ...completionVerbs(() => all),
    ]
    return all
}

/** Carries out one command line. Answers its exit code, as `EXIT_CODES` has them. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
    let parsed: Parsed | undefined
    const command = program(
        allVerbs(io),
        topics,
        found => {
            parsed = found
        },
        { out: text => void io.stdout.write(text), err: text => void io.stderr.write(text) },
    )
    try {
        await command.parseAsync([...argv], { from: 'user' })
    } catch (thrown) {
        if (thrown instanceof CommanderError) return thrown.exitCode === 0 || thrown.code === 'commander.help' ? 0 : 64
        throw thrown
    }
    if (!parsed) return 0
    const look = lookOf(parsed, io)
    let note = (_end: string): void => undefined
    try {
        note = noteTo(parsed)
        const { pending, view, left } = await carry(parsed, io, look)
        io.stdout.write(render(view, look))
        note(left ? 'left; its task goes on' : 'done')
        if (left) return 1
        return (parsed.options.check || parsed.verb.verifies) && pending(view) ? 2 : 0
    } catch (thrown) {
        const fault = faultOf(thrown)
        note(`failed: ${fault.code}: ${fault.message}`)
        report(fault, io, look, thrown, parsed.options.verbose !== undefined)
        return fault.at === CONSENT ? 3 : 1
    }
}

function lookOf(parsed: Parsed, io: Io): Look {
    return {
        json: parsed.options.json !== undefined,
        wide: parsed.options.wide !== undefined,
        colour: Boolean(io.stdout.isTTY) && !io.env.NO_COLOR && io.env.TERM !== 'dumb',
        width: io.stdout.isTTY ? (io.stdout.columns ?? 80) : 0,
        dryRun: Boolean(parsed.options['dry-run'] ?? parsed.options.check),
    }
}

interface Carried {
    view: View
    /** Its task was left before its end. */
    left: boolean
    pending(view: View): boolean
}

async function carry(parsed: Parsed, io: Io, look: Look): Promise<Carried> {
    const { options, args, lists } = parsed
    const where = whereOf(parsed)
    let transport: Transport | undefined
    const ending = new AbortController()
    let shown = 0
    let left = false
    const context: VerbContext = {
        args,
        lists,
        options,
        client(service) {
            // Only called while the verb runs, when the context is there.
            // Root and some tokens are not asked: the node says so.
            const asking = confirming(refused => ask(refused), { ahead: false })
            transport ??= transportTo(targetFor(where, io.env), [asking])
            return createClient(service, transport)
        },
        json: (schema, message) => toJson(schema, message),
        async follow(task) {
            if (options['no-wait']) {
                io.stderr.write(`${goesOn(task)}\n`)
                return false
            }
            const ended = await follow(io, context.client(TaskService), task)
            left = !ended
            return ended
        },
        show(view) {
            // A table that changes in place: back to the top of what was shown before.
            if (look.width && !look.json && context.watch && shown > 0) io.stdout.write(`\u001b[${shown}A\u001b[J`)
            // As JSON a line for each.
            const text = render(view, context.watch && look.json ? { ...look, width: 0 } : look)
            shown = rowsOf(text, look.width)
            io.stdout.write(text)
        },
        async confirm(question, typed) {
            if (options.yes === undefined) await confirm(io, question, typed)
        },
        file: path => readFile(io, path),
        secret: prompt => secret(io, prompt),
        signal: ending.signal,
        dryRun: look.dryRun,
        watch: options.watch !== undefined,
    }
    const ask = asker(context)
    const stop = () => ending.abort()
    if (context.watch) process.once('SIGINT', stop)
    try {
        const view = await parsed.verb.run(context)
        return {
            ...{ view, left },
            pending: v => (v.kind === 'plan' ? v.sentences.length > 0 : v.kind === 'text' && v.pending === true),
        }
    } catch (thrown) {
        if (ending.signal.aborted) return { view: { kind: 'nothing' }, left, pending: () => false }
        throw thrown
    } finally {
        process.off('SIGINT', stop)
    }
}

const whereOf = ({ options }: Pick<Parsed, 'options'>) => ({
    socket: options.socket,
    server: options.server,
    tokenFile: options['token-file'],
})

function report(fault: Fault, io: Io, look: Look, thrown: unknown, verbose: boolean): void {
    if (look.json) {
        const { code, summary, detail, fix, at, findings } = fault
        io.stderr.write(`${JSON.stringify({ error: { code, summary, detail, fix, at, findings } })}\n`)
        return
    }
    const where = fault.at && fault.at !== CONSENT ? `${fault.at}: ` : ''
    // Several findings say all that the detail strings together.
    if (fault.findings.length > 1) {
        io.stderr.write(`${harmless(fault.summary)}:\n`)
        for (const f of fault.findings) io.stderr.write(`${finding(f, look)}\n`)
    } else io.stderr.write(`${harmless(`${where}${fault.summary}${fault.detail ? `: ${fault.detail}` : ''}`)}\n`)
    if (fault.fix) io.stderr.write(`${harmless(fault.fix)}\n`)
    if (verbose && thrown instanceof Error) io.stderr.write(`${thrown.stack}\n`)
}

/** Opens the log before anything is done: what cannot be noted is not begun. @throws Fault `invalid` */
function noteTo(parsed: Parsed): (end: string) => void {
    const path = parsed.options['log-file']
    if (path === undefined) return () => undefined
    const line = (text: string) => `${new Date().toISOString()} debvisor ${parsed.verb.words.join(' ')}: ${text}\n`
    try {
        const file = openSync(path, 'a', 0o600)
        return end => void writeSync(file, line(end))
    } catch (cause) {
        throw new Fault('invalid', {
            summary: 'The log file cannot be written',
            detail: path,
            fix: 'Name a file in a folder that is there and that you may write to.',
            at: '--log-file',
            cause,
        })
    }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
    // A reader that went away (| head) is no error.
    process.stdout.on('error', error => {
        if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit(0)
    })
    process.exitCode = await main(process.argv.slice(2), {
        stdin: process.stdin,
        stdout: process.stdout,
        stderr: process.stderr,
        env: process.env,
    })
    // What a slow reader has not taken yet would be lost with the process.
    for (const stream of [process.stdout, process.stderr])
        await new Promise<void>(resolve => stream.write('', () => resolve()))
    // A keep-alive connection must not keep a finished command alive.
    process.exit()
}
