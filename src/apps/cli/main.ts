// The command `debvisor`: parses, carries out one verb, shows its view, and ends with a code that programs can trust.
import { appendFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { toJson } from '@bufbuild/protobuf'
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect'
import { CommanderError } from 'commander'
import { asFault, Fault, type FaultCode } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import { topics, verbs } from '../../capabilities/table.verbs.ts'
import type { Verb, VerbContext, View } from '../../capabilities/verb.ts'
import { ProblemSchema } from '../../gen/proto/capabilities/debvisor_pb.js'
import { TaskService } from '../../gen/proto/capabilities/task/task_pb.js'
import { byteVerbs } from './bytes.ts'
import { completionVerbs } from './completion.ts'
import { type Target, targetFor, transportTo } from './connect.ts'
import { follow } from './follow.ts'
import { CONSENT, confirm, type Io, readFile, secret } from './io.ts'
import { loginVerbs } from './login.ts'
import { type Parsed, program } from './parse.ts'
import { provisionVerbs } from './provision.ts'
import { finding, harmless, type Look, render } from './views.ts'

/** 0 done or nothing to do, 1 failed, 2 changes pending, 3 refused for want of consent; 64 for a bad command line. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
    let parsed: Parsed | undefined
    const target = (options: Parsed['options']): Target => targetFor(whereOf({ options }), io.env)
    const all: Verb[] = [
        ...verbs,
        ...loginVerbs(io),
        ...byteVerbs(io, target),
        ...provisionVerbs(io),
        ...completionVerbs(() => all),
    ]
    const command = program(
        all,
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
    const note = noteTo(parsed)
    try {
        const { pending, view } = await carry(parsed, io, look)
        io.stdout.write(render(view, look))
        note('done')
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

async function carry(parsed: Parsed, io: Io, look: Look): Promise<{ view: View; pending(view: View): boolean }> {
    const { options, args, lists } = parsed
    const where = whereOf(parsed)
    let transport: Transport | undefined
    const ending = new AbortController()
    let shown = 0
    const context: VerbContext = {
        args,
        lists,
        options,
        client(service) {
            transport ??= transportTo(targetFor(where, io.env))
            return createClient(service, transport)
        },
        json: (schema, message) => toJson(schema, message),
        async follow(task) {
            if (options['no-wait']) {
                io.stderr.write(`Task ${task} has begun. Follow it with: debvisor task follow ${task}\n`)
                return
            }
            await follow(io, context.client(TaskService), task)
        },
        show(view) {
            // A table that changes in place: back to the top of what was shown before.
            if (look.width && !look.json && context.watch && shown > 0) io.stdout.write(`\u001b[${shown}A\u001b[J`)
            const text = render(view, look)
            shown = text.split('\n').length - 1
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
    const stop = () => ending.abort()
    if (context.watch) process.once('SIGINT', stop)
    try {
        const view = await parsed.verb.run(context)
        return {
            view,
            pending: v => (v.kind === 'plan' ? v.sentences.length > 0 : v.kind === 'text' && v.pending === true),
        }
    } catch (thrown) {
        if (ending.signal.aborted) return { view: { kind: 'nothing' }, pending: () => false }
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

/** The Fault that a server sent, or what the connection's own trouble means. */
export function faultOf(thrown: unknown): Fault {
    if (!(thrown instanceof ConnectError)) return asFault(thrown)
    const problem = thrown.findDetails(ProblemSchema)[0]
    if (problem) {
        const { summary, detail, fix, at } = problem
        const findings = problem.findings.map(f => ({ ...f, severity: f.severity as Finding['severity'] }))
        return new Fault(problem.code as FaultCode, { summary, detail, fix, at, findings, cause: thrown })
    }
    if (thrown.code === Code.Unavailable || thrown.code === Code.Unknown || thrown.code === Code.Internal) {
        return new Fault('unavailable', {
            summary: 'The node cannot be reached',
            detail: thrown.rawMessage,
            fix: 'See whether debvisor-rpcd runs there, and whether the address and certificate are right.',
            cause: thrown,
        })
    }
    return new Fault('invalid', { summary: 'The call was refused', detail: thrown.rawMessage, cause: thrown })
}

function report(fault: Fault, io: Io, look: Look, thrown: unknown, verbose: boolean): void {
    if (look.json) {
        const { code, summary, detail, fix, at, findings } = fault
        io.stderr.write(`${JSON.stringify({ error: { code, summary, detail, fix, at, findings } })}\n`)
        return
    }
    const where = fault.at && fault.at !== CONSENT ? `${fault.at}: ` : ''
    io.stderr.write(`${harmless(`${where}${fault.summary}${fault.detail ? `: ${fault.detail}` : ''}`)}\n`)
    if (fault.findings.length > 1) for (const f of fault.findings) io.stderr.write(`${finding(f, look)}\n`)
    if (fault.fix) io.stderr.write(`${harmless(fault.fix)}\n`)
    if (verbose && thrown instanceof Error) io.stderr.write(`${thrown.stack}\n`)
}

function noteTo(parsed: Parsed): (end: string) => void {
    const file = parsed.options['log-file']
    return end => {
        if (!file) return
        appendFileSync(file, `${new Date().toISOString()} debvisor ${parsed.verb.words.join(' ')}: ${end}\n`)
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
    // A keep-alive connection must not keep a finished command alive.
    process.exit()
}
