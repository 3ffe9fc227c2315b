// The verbs that move the bytes of images beside the API: to the node, and from it.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { Fault } from '../../base/fault.ts'
import { formatBytes } from '../../base/units.ts'
import { carryOut, said } from '../../capabilities/change.ts'
import { splitVolume } from '../../capabilities/image/cli-words.ts'
import type { Verb, VerbContext, View } from '../../capabilities/verb.ts'
import { type Begun, BegunSchema } from '../../gen/proto/capabilities/debvisor_pb.js'
import { type BeginUploadResponse, ImageService } from '../../gen/proto/capabilities/image/image_pb.js'
import type { Target } from './connect.ts'
import { exchange } from './http.ts'
import { interruptible } from './interrupt.ts'
import type { Io } from './io.ts'
import { faultOf } from './problem.ts'
import { partOf, refuseTaken, unwritable } from './screen.ts'
import { harmless } from './views.ts'

const PIECE_BYTES = 16 * 1024 * 1024

export const byteVerbs = (io: Io, target: (options: VerbContext['options']) => Target): Verb[] => [
    {
        words: ['image', 'upload'],
        summary: 'send an image or ISO file from this machine to a pool',
        arguments: [
            { name: 'file', summary: 'file on this machine', complete: 'file' },
            {
                name: 'volume',
                summary: 'POOL/VOLUME to make; otherwise its file name in the default pool of the node',
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
            {
                name: 'file',
                summary: 'file to write; otherwise the name of the volume',
                optional: true,
                complete: 'file',
            },
        ],
        options: [{ name: 'overwrite', summary: 'replace a file of that name' }],
        examples: [
            {
                line: 'debvisor image download default/web1.qcow2 /srv/copies/web1.qcow2',
                note: 'Whole, or not at all.',
            },
        ],
        run: context => download(context, io, target(context.options)),
    },
]

/** How far it is, in one line of the terminal that is written anew. */
function telling(io: Io, what: string, sizeBytes: number): { at(bytes: number): void; clear(): void } {
    if (!io.stderr.isTTY) return { at: () => undefined, clear: () => undefined }
    let shown = -1
    return {
        at(bytes) {
            const percent = sizeBytes > 0 ? Math.floor((bytes / sizeBytes) * 100) : 100
            if (percent === shown) return
            shown = percent
            io.stderr.write(`\r\u001b[K${harmless(what)} ${percent}% of ${formatBytes(sizeBytes)} …`)
        },
        clear: () => void io.stderr.write('\r\u001b[K'),
    }
}

async function download(context: VerbContext, io: Io, target: Target): Promise<View> {
    const { pool, volume } = splitVolume(context.args.volume!)
    const file = context.args.file ?? volume
    if (context.options.overwrite === undefined) await refuseTaken(file)
    const part = partOf(file)
    const cancelled = { summary: 'The download was cancelled', detail: file, fix: 'Nothing of it is kept.' }
    return interruptible(cancelled, async signal => {
        const handle = await open(part, 'wx').catch(cause => {
            throw unwritable(file, cause)
        })
        try {
            const { path, sizeBytes } = await context.client(ImageService).beginDownload({ pool, volume }, { signal })
            const tell = telling(io, `Fetching ${pool}/${volume}`, Number(sizeBytes))
            let bytes = 0
            try {
                const response = await exchange(target, { method: 'GET', path, signal })
                for await (const chunk of response as AsyncIterable<Buffer>) {
                    await handle.appendFile(chunk).catch(cause => {
                        throw unwritable(file, cause)
                    })
                    bytes += chunk.length
                    tell.at(bytes)
                }
            } catch (cause) {
                throw broken(cause, `${file}, after ${formatBytes(bytes)} of ${formatBytes(Number(sizeBytes))}`)
            } finally {
                tell.clear()
            }
            if (bytes !== Number(sizeBytes)) {
                throw broken(undefined, `${file}: ${bytes} of ${sizeBytes} bytes came`)
            }
            await handle.sync()
            await handle.close()
            await rename(part, file)
        } catch (thrown) {
            await handle.close().catch(() => undefined)
            await rm(part, { force: true })
            throw thrown
        }
        return said(`${pool}/${volume} is in ${file}.`)
    })
}

/** What a connection's own trouble means; what the node said stays as it is. */
const broken = (cause: unknown, detail: string): Fault =>
    cause instanceof Fault
        ? cause
        : new Fault('unavailable', { summary: 'The transfer broke off', detail, fix: 'Run it again.', cause })

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
    const to = args.volume === undefined ? { pool: '', volume: basename(path) } : splitVolume(args.volume)
    const overwrite = options.overwrite !== undefined
    const images = context.client(ImageService)
    const wish = {
        pool: to.pool,
        name: to.volume,
        sizeBytes: BigInt(facts.size),
        format: options.format ?? '',
        keepAs: options['keep-as'] ?? '',
        overwrite,
    }
    return carryOut(context, {
        async call(dryRun) {
            if (dryRun) return begunOf(await images.beginUpload({ ...wish, dryRun }))
            const sum = options['no-checksum'] ? '' : await sha256Of(io, path, facts.size)
            const begun = await images.beginUpload({ ...wish, checksum: sum && `sha256:${sum}` })
            await sendOrCancel(context, begun, () =>
                send(io, target, { path, name: to.volume, to: begun.path, sizeBytes: facts.size }),
            )
            return begunOf(begun)
        },
        consent: overwrite ? (args.volume ?? to.volume) : undefined,
        done: ({ object }) => `${object} is there.`,
    })
}

/** An upload's beginning in the words of every other change. */
const begunOf = ({ task, object, plan }: BeginUploadResponse): Begun => create(BegunSchema, { task, object, plan })

/** What was sent of an upload that ends before its end is of no use: the node is told to forget it. */
async function sendOrCancel(
    context: VerbContext,
    begun: { upload: string; task: string },
    work: () => Promise<void>,
): Promise<void> {
    try {
        await work()
    } catch (thrown) {
        const fault = faultOf(thrown)
        let fix = 'Nothing of it is kept on the node.'
        try {
            await context.client(ImageService).cancelUpload({ upload: begun.upload })
        } catch {
            // It may be the upload's own task that failed, and that has ended by itself.
            fix = `The node could not be told. See what became of it: debvisor task show ${begun.task}`
        }
        const { code, summary, detail, at } = fault
        throw new Fault(code, { summary, detail, at, fix: fault.fix ? `${fault.fix} ${fix}` : fix, cause: thrown })
    }
}

interface Sending {
    /** The file here. */
    path: string
    name: string
    /** Where the node takes its bytes. */
    to: string
    sizeBytes: number
}

function send(io: Io, target: Target, { path, name, to, sizeBytes }: Sending): Promise<void> {
    return interruptible({ summary: 'The upload was cancelled', detail: name, fix: '' }, async signal => {
        const file = await open(path)
        const tell = telling(io, `Sending ${name}`, sizeBytes)
        try {
            for (let at = 0; at < sizeBytes; ) {
                const body = await pieceOf(file, at, Math.min(PIECE_BYTES, sizeBytes - at))
                const headers = {
                    'content-range': `bytes ${at}-${at + body.length - 1}/${sizeBytes}`,
                    'content-type': 'application/octet-stream',
                }
                const response = await exchange(target, { method: 'PUT', path: to, headers, body, signal })
                response.resume()
                at += body.length
                tell.at(at)
            }
        } catch (cause) {
            throw broken(cause, name)
        } finally {
            tell.clear()
            await file.close()
        }
    })
}

/** So many bytes from there on, however few the system gives at a time. @throws Fault `conflict` where the file ends before */
export async function pieceOf(file: Pick<FileHandle, 'read'>, at: number, length: number): Promise<Buffer> {
    const piece = Buffer.alloc(length)
    for (let got = 0; got < length; ) {
        const { bytesRead } = await file.read(piece, got, length - got, at + got)
        if (bytesRead === 0)
            throw new Fault('conflict', {
                summary: 'The file changed while it was sent',
                detail: `it ends at ${at + got} bytes now`,
                fix: 'Run it again when nothing writes to it.',
            })
        got += bytesRead
    }
    return piece
}

function sha256Of(io: Io, path: string, sizeBytes: number): Promise<string> {
    const cancelled = { summary: 'The upload was cancelled', detail: path, fix: 'Nothing was sent.' }
    return interruptible(cancelled, async signal => {
        const hash = createHash('sha256')
        const tell = telling(io, `Checksum of ${path}`, sizeBytes)
        let bytes = 0
        try {
            for await (const chunk of createReadStream(path, { signal, highWaterMark: 1024 * 1024 })) {
                hash.update(chunk)
                bytes += chunk.length
                tell.at(bytes)
            }
        } finally {
            tell.clear()
        }
        return hash.digest('hex')
    })
}
