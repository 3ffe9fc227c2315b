// The verbs that move bytes beside the API: images up and down, and the serial console of a VM in this terminal.
import { createHash } from 'node:crypto'
import { createWriteStream, existsSync } from 'node:fs'
import { open, stat, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Fault } from '../../base/fault.ts'
import { splitVolume } from '../../capabilities/image/cli.ts'
import type { Verb, VerbContext, View } from '../../capabilities/verb.ts'
import { ConsoleService, Kind } from '../../gen/proto/capabilities/console/console_pb.js'
import { ImageService } from '../../gen/proto/capabilities/image/image_pb.js'
import type { Target } from './connect.ts'
import { exchange, openSocket } from './http.ts'
import type { Io } from './io.ts'

const PIECE_BYTES = 16 * 1024 * 1024
/** Ctrl-] leaves, as in telnet and virsh console. */
const ESCAPE = 0x1d

const said = (text: string): View => ({ kind: 'text', text, json: { done: text } })

export const byteVerbs = (io: Io, target: (options: VerbContext['options']) => Target): Verb[] => [
    {
        words: ['image', 'upload'],
        summary: 'send an image or ISO file from this machine to a pool',
        arguments: [
            { name: 'file', summary: 'file on this machine', complete: 'file' },
            {
                name: 'volume',
                summary: 'POOL/VOLUME to make; otherwise its file name in the default pool',
                optional: true,
            },
        ],
        options: [
            {
                name: 'format',
                value: 'FORMAT',
                summary: 'what the file is',
                choices: ['qcow2', 'raw', 'iso', 'vmdk', 'vdi', 'vhdx'],
            },
            { name: 'keep-as', value: 'FORMAT', summary: 'convert it to this', choices: ['qcow2', 'raw'] },
            { name: 'overwrite', summary: 'replace a volume of that name that nothing stands on' },
            { name: 'no-checksum', summary: 'do not compare checksums at the end' },
        ],
        changes: true,
        examples: [
            {
                line: 'debvisor image upload debian-13.iso default/debian-13.iso',
                note: 'Then: debvisor vm create … --iso default/debian-13.iso',
            },
        ],
        run: context => upload(context, io, target(context.options)),
    },
    {
        words: ['image', 'download'],
        summary: 'fetch a volume to this machine',
        arguments: [
            { name: 'volume', summary: 'POOL/VOLUME', complete: 'volume' },
            { name: 'file', summary: 'file to write; otherwise the name of the volume', optional: true },
        ],
        async run(context) {
            const { pool, volume } = splitVolume(context.args.volume!)
            const file = context.args.file ?? volume
            if (existsSync(file)) {
                throw new Fault('exists', {
                    summary: 'The file is there already',
                    detail: file,
                    fix: 'Move it away, or give another name.',
                })
            }
            const { path } = await context.client(ImageService).beginDownload({ pool, volume })
            const response = await exchange(target(context.options), { method: 'GET', path, signal: context.signal })
            await pipeline(response, createWriteStream(file, { flags: 'wx' }))
            return said(`${pool}/${volume} is in ${file}.`)
        },
    },
    {
        words: ['vm', 'screenshot'],
        summary: 'save what the display of a VM shows, as PNG',
        arguments: [
            { name: 'vm', summary: 'name or UUID', complete: 'vm' },
            { name: 'file', summary: 'file to write; otherwise the name of the VM with .png', optional: true },
        ],
        async run(context) {
            const file = context.args.file ?? `${context.args.vm}.png`
            const { png, width, height } = await context.client(ConsoleService).screenshot({ vm: context.args.vm })
            await writeFile(file, png)
            return said(`${file} shows ${width} by ${height} points.`)
        },
    },
    {
        words: ['vm', 'console'],
        summary: 'open the serial console of a VM in this terminal; Ctrl-] leaves',
        arguments: [{ name: 'vm', summary: 'name or UUID', complete: 'vm' }],
        options: [{ name: 'force', short: 'f', summary: 'take it from whoever has it open' }],
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
            io.stdin.setRawMode?.(true)
            io.stdin.resume()
            io.stdin.on('data', (data: Buffer) => {
                if (io.stdin.isTTY && data.includes(ESCAPE)) socket.close()
                else socket.send(data)
            })
            socket.on('message', (data: Buffer) => io.stdout.write(data))
            context.signal.addEventListener('abort', () => socket.close())
            await new Promise<void>(resolve => socket.once('close', () => resolve()))
            io.stdin.setRawMode?.(false)
            io.stdin.pause()
            io.stderr.write('\r\n')
            return { kind: 'nothing' }
        },
    },
]

async function upload(context: VerbContext, io: Io, target: Target): Promise<View> {
    const { options, args } = context
    const path = args.file!
    const facts = await stat(path).catch(() => undefined)
    if (!facts?.isFile())
        throw new Fault('invalid', {
            summary: 'That is not a file',
            detail: path,
            fix: 'Give the path of an image or ISO.',
        })
    const to = splitVolume(args.volume ?? `default/${basename(path)}`)
    if (context.dryRun) {
        const sentence = `Send ${path} to ${to.pool}/${to.volume}`
        return {
            kind: 'plan',
            sentences: [{ text: sentence, destroys: '' }],
            findings: [],
            json: { plan: [{ sentence }] },
        }
    }
    const images = context.client(ImageService)
    const checksum = options['no-checksum'] ? '' : `sha256:${await sha256Of(path)}`
    const begun = await images.beginUpload({
        pool: to.pool,
        name: to.volume,
        sizeBytes: BigInt(facts.size),
        format: options.format ?? '',
        keepAs: options['keep-as'] ?? '',
        checksum,
        overwrite: options.overwrite !== undefined,
    })
    const file = await open(path)
    try {
        for (let at = 0; at < facts.size; ) {
            const piece = Buffer.alloc(Math.min(PIECE_BYTES, facts.size - at))
            await file.read(piece, 0, piece.length, at)
            const headers = {
                'content-range': `bytes ${at}-${at + piece.length - 1}/${facts.size}`,
                'content-type': 'application/octet-stream',
            }
            const response = await exchange(target, {
                method: 'PUT',
                path: begun.path,
                headers,
                body: piece,
                signal: context.signal,
            })
            response.resume()
            at += piece.length
            if (io.stderr.isTTY)
                io.stderr.write(`\r\u001b[KSending ${to.volume} ${Math.floor((at / facts.size) * 100)}% …`)
        }
    } catch (thrown) {
        await images.cancelUpload({ upload: begun.upload }).catch(() => undefined)
        throw thrown
    } finally {
        await file.close()
    }
    await context.follow(begun.task)
    return said(`${to.pool}/${to.volume} is there.`)
}

async function sha256Of(path: string): Promise<string> {
    const hash = createHash('sha256')
    const file = await open(path)
    for await (const chunk of file.createReadStream()) hash.update(chunk)
    return hash.digest('hex')
}
