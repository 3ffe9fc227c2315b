// The verbs that bring containers to this terminal and machine: what they write, commands in them, files, images.
import { createReadStream } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Fault } from '../../base/fault.ts'
import { said } from '../../capabilities/change.ts'
import { CONTAINER } from '../../capabilities/container/cli-words.ts'
import type { Verb, VerbContext, View } from '../../capabilities/verb.ts'
import { ContainerService } from '../../gen/proto/capabilities/container/container_pb.js'
import { ContainerImageService } from '../../gen/proto/capabilities/container/stores_pb.js'
import type { Target } from './connect.ts'
import { exchange, openSocket } from './http.ts'
import { interruptible } from './interrupt.ts'
import type { Io } from './io.ts'
import { LOG_OPTIONS, showLogs } from './logs.ts'
import { partOf, refuseTaken, unwritable } from './screen.ts'
import { joinTerminal } from './terminal.ts'

export const containerVerbs = (io: Io, target: (options: VerbContext['options']) => Target): Verb[] => [
    {
        words: ['container', 'logs'],
        summary: 'show what a container wrote',
        description: 'Errors that it wrote go to standard error. With --follow until Ctrl-C, or until it ends.',
        arguments: [CONTAINER],
        options: LOG_OPTIONS,
        examples: [{ line: 'debvisor container logs web --follow --tail 20', note: 'The last lines, and what comes.' }],
        run: context =>
            showLogs(context, io, (asked, how) =>
                context.client(ContainerService).watchLogs({ ...asked, container: context.args.container }, how),
            ),
    },
    {
        words: ['container', 'exec'],
        summary: 'run a command in a container, or its shell',
        description:
            'In a terminal the command has a terminal too. Write -- before a command with options. ' +
            'Ends with 1 where the command did not end with 0, and says with what it did.',
        arguments: [CONTAINER, { name: 'command', summary: 'otherwise its shell', optional: true, repeats: true }],
        options: [
            { name: 'user', value: 'USER', summary: 'who runs it' },
            { name: 'plain', summary: 'without a terminal, also in one' },
        ],
        examples: [
            { line: 'debvisor container exec web', note: 'A shell.' },
            { line: 'debvisor container exec web -- cat /etc/hosts', note: 'One command.' },
        ],
        run: context => exec(context, io, target(context.options)),
    },
    {
        words: ['container', 'download'],
        summary: 'fetch a file of a container, or a folder as tar',
        arguments: [
            CONTAINER,
            { name: 'path', summary: 'absolute path in the container' },
            { name: 'file', summary: 'file to write; otherwise by its name', optional: true, complete: 'file' },
        ],
        options: [{ name: 'overwrite', summary: 'replace a file of that name' }],
        examples: [{ line: 'debvisor container download web /etc/nginx/nginx.conf', note: 'Whole, or not at all.' }],
        run: context => download(context, target(context.options)),
    },
    {
        words: ['container', 'upload'],
        summary: 'put a file of this machine into a folder of a container',
        description: 'A file of that name is replaced.',
        arguments: [
            CONTAINER,
            { name: 'file', summary: 'file on this machine', complete: 'file' },
            { name: 'folder', summary: 'absolute path of a folder in the container' },
        ],
        examples: [
            { line: 'debvisor container upload web index.html /usr/share/nginx/html', note: 'Under its own name.' },
        ],
        async run(context) {
            const { container, file = '', folder } = context.args
            const { size, mode } = await plainFile(file)
            const { path } = await context.client(ContainerService).beginUpload({
                ...{ container, folder, name: basename(file), sizeBytes: BigInt(size), mode: mode & 0o777 },
            })
            await send(target(context.options), path, { file, size })
            return said(`${file} is in ${folder} of ${container}.`)
        },
    },
    {
        words: ['container', 'import'],
        summary: 'make images of a tar on this machine',
        description: 'What docker save wrote says the names itself; a root file system gets the name that is given.',
        arguments: [
            { name: 'file', summary: 'tar on this machine', complete: 'file' },
            { name: 'image', summary: 'name for a root file system', optional: true },
        ],
        examples: [{ line: 'debvisor container import app.tar', note: 'On a node without a way to a registry.' }],
        async run(context) {
            const { file = '', image = '' } = context.args
            const { size } = await plainFile(file)
            const asked = { reference: image, sizeBytes: BigInt(size) }
            const { path } = await context.client(ContainerImageService).beginImport(asked)
            await send(target(context.options), path, { file, size })
            return said('The image is there: debvisor container images')
        },
    },
]

async function exec(context: VerbContext, io: Io, target: Target): Promise<View> {
    const { args, lists, options } = context
    const plain = options.plain !== undefined || !io.stdin.isTTY || !io.stdout.isTTY
    const { path, ticket } = await context.client(ContainerService).openTerminal({
        ...{ container: args.container, command: lists.command ?? [], user: options.user, plain },
    })
    const socket = await openSocket(target, path, ['debvisor.console', `ticket.${ticket}`])
    const reason = await joinTerminal(io, socket, { plain })
    const code = /^exit (-?\d+)$/.exec(reason)?.[1]
    if (code === '0') return { kind: 'nothing' }
    throw new Fault(code ? 'precondition' : 'unavailable', {
        summary: code ? 'The command did not end well' : 'The terminal was closed',
        detail: code ? `it ended with ${code}` : reason,
        fix: code ? '' : 'Run it again; the command may still run in the container.',
    })
}

async function download(context: VerbContext, target: Target): Promise<View> {
    const { container, path } = context.args
    const begun = await context.client(ContainerService).beginDownload({ container, path })
    const file = context.args.file ?? basename(begun.name)
    if (context.options.overwrite === undefined) await refuseTaken(file)
    const part = partOf(file)
    return interruptible(
        { summary: 'The download was cancelled', detail: file, fix: 'Nothing of it is kept.' },
        async signal => {
            const handle = await open(part, 'wx').catch(cause => {
                throw unwritable(file, cause)
            })
            try {
                const response = await exchange(target, { method: 'GET', path: begun.path, signal })
                await pipeline(response, handle.createWriteStream())
                await rename(part, file)
            } catch (cause) {
                await rm(part, { force: true })
                throw cause instanceof Fault ? cause : brokenOff(file, cause)
            }
            return said(`${path} of ${container} is in ${file}.`)
        },
    )
}

async function plainFile(file: string): Promise<{ size: number; mode: number }> {
    const facts = await stat(file).catch(() => undefined)
    if (facts?.isFile()) return facts
    throw new Fault('invalid', {
        summary: 'That is not a file',
        detail: file,
        at: 'file',
        fix: 'Name a plain file of this machine that you may read.',
    })
}

async function send(target: Target, path: string, { file, size }: { file: string; size: number }): Promise<void> {
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(size) }
    try {
        const body = createReadStream(file)
        const response = await exchange(target, { method: 'PUT', path, headers, stream: body })
        response.resume()
    } catch (cause) {
        throw cause instanceof Fault ? cause : brokenOff(file, cause)
    }
}

const brokenOff = (detail: string, cause: unknown) =>
    new Fault('unavailable', { summary: 'The transfer broke off', detail, fix: 'Run it again.', cause })
