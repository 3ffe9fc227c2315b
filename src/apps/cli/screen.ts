// The verbs that bring the display and the serial console of a VM to this machine.
import { rename, rm, stat, writeFile } from 'node:fs/promises'
import { Fault } from '../../base/fault.ts'
import { said } from '../../capabilities/change.ts'
import type { Verb, VerbContext } from '../../capabilities/verb.ts'
import { ConsoleService, Kind } from '../../gen/proto/capabilities/console/console_pb.js'
import type { Target } from './connect.ts'
import { openSocket } from './http.ts'
import type { Io } from './io.ts'

/** Ctrl-] leaves, as in telnet and virsh console. */
const ESCAPE = 0x1d

export const screenVerbs = (io: Io, target: (options: VerbContext['options']) => Target): Verb[] => [
    {
        words: ['vm', 'screenshot'],
        summary: 'save what the display of a VM shows, as PNG',
        arguments: [
            { name: 'vm', summary: 'name or UUID', complete: 'vm' },
            {
                name: 'file',
                summary: 'file to write; otherwise the name of the VM with .png',
                optional: true,
                complete: 'file',
            },
        ],
        options: [{ name: 'overwrite', summary: 'replace a file of that name' }],
        examples: [{ line: 'debvisor vm screenshot web1 web1.png', note: 'What somebody at its display would see.' }],
        async run(context) {
            const file = context.args.file ?? `${context.args.vm}.png`
            if (context.options.overwrite === undefined) await refuseTaken(file)
            const { png, width, height } = await context.client(ConsoleService).screenshot({ vm: context.args.vm })
            await writeBeside(file, png)
            return said(`${file} shows ${width} by ${height} points.`)
        },
    },
    {
        words: ['vm', 'console'],
        summary: 'open the serial console of a VM in this terminal; Ctrl-] leaves',
        description: 'Where standard input is a pipe, the console is left at its end.',
        arguments: [{ name: 'vm', summary: 'name or UUID', complete: 'vm' }],
        options: [{ name: 'force', short: 'f', summary: 'take it from whoever has it open' }],
        examples: [{ line: 'debvisor vm console web1 --force', note: 'Take it over from whoever left it open.' }],
        async run(context) {
            const { vm } = context.args
            const ticket = await context
                .client(ConsoleService)
                .open({ vm, kind: Kind.SERIAL, force: context.options.force !== undefined })
            const socket = await openSocket(target(context.options), ticket.path, [
                'debvisor.console',
                `ticket.${ticket.ticket}`,
            ])
            if (io.stdin.isTTY) io.stderr.write(`Connected to ${vm}. Ctrl-] leaves.\r\n`)
            const onData = (data: Buffer) => {
                if (io.stdin.isTTY && data.includes(ESCAPE)) socket.close()
                else socket.send(data)
            }
            const onEnd = () => socket.close()
            const closed = new Promise<string>((resolve, reject) => {
                socket.once('close', (_code, reason) => resolve(reason.toString()))
                socket.once('error', reject)
            })
            socket.on('message', (data: Buffer) => io.stdout.write(data))
            io.stdin.setRawMode?.(true)
            io.stdin.on('data', onData)
            io.stdin.once('end', onEnd)
            io.stdin.resume()
            try {
                const reason = await closed
                io.stderr.write(reason ? `\r\nThe console was closed: ${reason}.\r\n` : '\r\n')
            } finally {
                io.stdin.off('data', onData)
                io.stdin.off('end', onEnd)
                io.stdin.setRawMode?.(false)
                io.stdin.pause()
            }
            return { kind: 'nothing' }
        },
    },
]

/** @throws Fault `exists` when the file is there */
export async function refuseTaken(file: string): Promise<void> {
    const there = await stat(file).catch(() => undefined)
    if (!there) return
    throw new Fault('exists', {
        summary: 'The file is there already',
        detail: file,
        fix: 'Give another name, or --overwrite.',
    })
}

/** The whole file or none of it. */
async function writeBeside(file: string, bytes: Uint8Array): Promise<void> {
    const part = partOf(file)
    try {
        await writeFile(part, bytes, { flag: 'wx' })
        await rename(part, file)
    } catch (cause) {
        await rm(part, { force: true })
        throw unwritable(file, cause)
    }
}

/** The name under which a file grows until it is whole. */
export const partOf = (file: string): string => `${file}.part-${process.pid}`

export const unwritable = (file: string, cause: unknown) =>
    new Fault('invalid', {
        summary: 'The file cannot be written',
        detail: `${file}${cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''}`,
        fix: 'Name a file in a folder that is there and that you may write to.',
        cause,
    })
