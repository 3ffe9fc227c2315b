// Images that the node itself takes: from a URL, from a path inside a declared folder, from another volume.
import { randomBytes } from 'node:crypto'
import { dirname } from 'node:path'
import { Fault } from '../../base/fault.ts'
import { checkUrl, type Fetched, fetchUrl } from '../../drivers/http/fetch.ts'
import { isHole } from '../../drivers/libvirt/libvirt.ts'
import type { RunningTask, Tasks } from '../../engine/task.ts'
import type { ReadableFile, System } from '../../ports/ports.ts'
import { type AddressRules, whyRefused } from './addresses.ts'
import type { Target } from './carrying.ts'
import type { Users, VolumeEntry } from './entries.ts'
import { type Format, toolFormat, truncated } from './formats.ts'
import { hashFor, type Intake } from './intake.ts'
import { refuseSeed } from './volume-checks.ts'
import type { Volumes } from './volumes.ts'

export interface ImportWish extends Target {
    source: string
    format: Format
    checksum: string
}

export interface Imports {
    /** Refuses what cannot be, before anything is touched. */
    check(wish: ImportWish): Promise<void>
    run(wish: ImportWish, task: RunningTask): Promise<void>
    /** Of a volume into another format. */
    checkConvert(source: VolumeEntry, format: Format, target: Target): Promise<void>
    convert(source: VolumeEntry, target: Target, task: RunningTask): Promise<void>
    /** Removes what an earlier life of the daemon left half done. */
    start(): Promise<void>
}

export interface ImportsDeps {
    system: System
    tasks: Tasks
    intake: Intake
    volumes: Volumes
    users: Users
    importFolders: readonly string[]
    rules: () => AddressRules
    folder: string
}

const JOB = /^[0-9a-f]{24}$/
const RECHECK_BYTES = 64 * 1024 * 1024
export const isUrl = (source: string) => /^[a-z][a-z0-9+.-]*:/i.test(source)

export function createImports(deps: ImportsDeps): Imports {
    const { system, tasks, intake, volumes, users, folder } = deps

    tasks.onUndo('staging.remove', async step => {
        if (JOB.test(String(step.id))) await system.remove(`${folder}/${step.id}`)
    })

    /** A folder of one piece of work, gone when the work ends in whatever way. */
    async function inFolder<T>(task: RunningTask, work: (path: string) => Promise<T>): Promise<T> {
        const id = randomBytes(12).toString('hex')
        const path = `${folder}/${id}`
        await task.undo({ kind: 'staging.remove', id })
        await system.makeDirectory(path, 0o700)
        try {
            return await work(path)
        } finally {
            await system.remove(path)
        }
    }

    /** The file, open, when it lies inside a declared folder. */
    async function openSource(source: string): Promise<ReadableFile> {
        const refuse = (code: 'denied' | 'invalid' | 'not-found', summary: string, fix: string) =>
            new Fault(code, { summary, detail: JSON.stringify(source.slice(0, 200)), fix, at: 'source' })
        if (!source.startsWith('/') || /[\u0000-\u001f]/.test(source) || source.length > 4096) {
            throw refuse(
                'invalid',
                'The source is neither a URL nor an absolute path',
                'Give https://…, or an absolute path on the node.',
            )
        }
        const inside = refuse(
            'denied',
            'The path is outside the folders that images may be imported from',
            deps.importFolders.length > 0
                ? `Put the file into ${deps.importFolders.join(' or ')}.`
                : 'Declare a folder for imports (option --import-folder of debvisor-rpcd; IMPORT_FOLDER=… with make run), or upload the file.',
        )
        const roots = await Promise.all(deps.importFolders.map(root => system.resolve(root)))
        const within = (path: string) => roots.some(root => root && path.startsWith(root === '/' ? '/' : `${root}/`))
        // Whoever asks for a path outside learns nothing of what is there.
        const parent = await system.resolve(dirname(source)).catch(() => undefined)
        const isLexicallyIn =
            deps.importFolders.some(root => source.startsWith(`${root}/`)) && !source.split('/').includes('..')
        if (!parent && !isLexicallyIn) throw inside
        const path = await system.resolve(source).catch(() => undefined)
        if (path && !within(path)) throw inside
        if (!path) {
            if (!isLexicallyIn) throw inside
            throw refuse('not-found', 'There is no such file', 'Check the path.')
        }
        const facts = await system.look(path)
        if (facts?.kind === 'directory')
            throw refuse('invalid', 'The source is a directory', 'Name the image file in it.')
        if (facts?.kind !== 'file')
            throw refuse('invalid', 'The source is not a plain file', 'Copy it into a file first.')
        // All of that was looked at by name, and names can be moved meanwhile: what counts is the file that is open.
        const file = await system.openReadable(path)
        try {
            if (!within(file.path)) throw inside
            const volume = volumes.byPath(file.path)
            if (volume) refuseSeed(volume, 'source')
            if (file.sizeBytes === 0) throw truncated('the file is empty')
            return file
        } catch (thrown) {
            await file.close()
            throw thrown
        }
    }

    async function sizeOf(source: string): Promise<number> {
        const file = await openSource(source)
        await file.close()
        return file.sizeBytes
    }

    /** Writes what comes into `part`, hashing; refuses more than fits while it comes. */
    async function stage(
        path: string,
        chunks: AsyncIterable<Uint8Array>,
        how: { wish: ImportWish; task: RunningTask; sizeBytes?: number; phase: string },
    ) {
        const { wish, task, phase } = how
        const hash = hashFor(wish.checksum)
        const file = await system.openWritable(`${path}/part`, 0o600)
        let doneBytes = 0
        let checkedBytes = 0
        try {
            for await (const chunk of chunks) {
                task.signal.throwIfAborted()
                await file.write(chunk, doneBytes)
                hash?.update(chunk)
                doneBytes += chunk.length
                if (doneBytes - checkedBytes >= RECHECK_BYTES) {
                    checkedBytes = doneBytes
                    await intake.checkStaging(0)
                    await intake.checkTarget(wish, doneBytes)
                }
                task.progress(how.sizeBytes ? (0.7 * doneBytes) / how.sizeBytes : -1, phase)
            }
        } finally {
            await file.close()
        }
        if (how.sizeBytes !== undefined && doneBytes !== how.sizeBytes)
            throw truncated(`${doneBytes} of ${how.sizeBytes} bytes came`)
        return { sizeBytes: doneBytes, digest: hash?.digest('hex') }
    }

    async function run(wish: ImportWish, task: RunningTask): Promise<void> {
        await inFolder(task, async path => {
            const { format, checksum } = wish
            if (isUrl(wish.source)) {
                const fetched = await fetchUrl(wish.source, {
                    whyRefused: address => whyRefused(address, deps.rules()),
                    signal: task.signal,
                })
                const staged = await stageFetched(path, fetched, { wish, task }).finally(fetched.close)
                await intake.take({ folder: path, format, checksum, ...staged }, wish, task, 0.7)
                return
            }
            const file = await openSource(wish.source)
            const { sizeBytes } = file
            const how = { wish, task, sizeBytes, phase: 'copying' }
            const staged = await stage(path, file.read(), how).finally(file.close)
            await intake.take({ folder: path, format, checksum, ...staged }, wish, task, 0.7)
        })
    }

    async function stageFetched(path: string, fetched: Fetched, how: { wish: ImportWish; task: RunningTask }) {
        const { chunks, sizeBytes } = fetched
        if (sizeBytes !== undefined) {
            await intake.checkStaging(sizeBytes)
            await intake.checkTarget(how.wish, sizeBytes)
        }
        return stage(path, chunks, { ...how, sizeBytes, phase: 'fetching' })
    }

    const refuseSource = (
        code: 'precondition' | 'conflict' | 'invalid',
        summary: string,
        words: { detail: string; fix: string },
    ) => new Fault(code, { summary, ...words, at: 'volume' })

    async function checkConvert(source: VolumeEntry, format: Format, target: Target): Promise<void> {
        const detail = `${source.pool}/${source.name}`
        const running = users.ofPath(source.path).filter(vm => vm.active !== false)
        if (running.length > 0) {
            throw refuseSource('conflict', 'A running VM uses the volume', {
                detail: `${detail}, by ${running.map(v => v.name).join(', ')}`,
                fix: 'Shut the VM down, or clone the VM first.',
            })
        }
        refuseSeed(source)
        if (source.backingPath) {
            throw refuseSource('precondition', 'The volume stands on another one', {
                detail: `${detail} on ${source.backingPath}`,
                fix: 'Make a full clone of it first, then convert that.',
            })
        }
        if (toolFormat(format) !== toolFormat(source.format)) {
            throw refuseSource('invalid', 'The volume is not of that format', {
                detail: `${detail} is ${source.format}`,
                fix: 'Leave the source format out.',
            })
        }
        if (source.pool === target.pool && source.name === target.name) {
            throw refuseSource('invalid', 'A volume is not converted onto itself', {
                detail,
                fix: 'Choose another name.',
            })
        }
        await intake.checkTarget(target, source.allocationBytes)
        await intake.checkStaging(source.allocationBytes * 2)
    }

    async function convert(source: VolumeEntry, target: Target, task: RunningTask): Promise<void> {
        await inFolder(task, async path => {
            const file = await system.openWritable(`${path}/part`, 0o600)
            let atBytes = 0
            try {
                for await (const piece of volumes.readSparse(source, task.signal)) {
                    if (isHole(piece)) {
                        atBytes += piece.holeBytes
                        continue
                    }
                    await file.write(piece, atBytes)
                    atBytes += piece.length
                    task.progress((0.3 * atBytes) / source.physicalBytes, 'reading')
                }
                // What ends in a hole is as long as it was.
                const writtenBytes = (await system.look(`${path}/part`))?.sizeBytes ?? 0
                if (writtenBytes < atBytes) await file.write(new Uint8Array(1), atBytes - 1)
            } finally {
                await file.close()
            }
            const format = source.format as Format
            await intake.take(
                { folder: path, sizeBytes: atBytes, format, checksum: '', trusted: true },
                target,
                task,
                0.3,
            )
        })
    }

    return {
        async check(wish) {
            hashFor(wish.checksum)
            if (isUrl(wish.source)) checkUrl(wish.source)
            const sizeBytes = isUrl(wish.source) ? 0 : await sizeOf(wish.source)
            await intake.checkTarget(wish, sizeBytes)
            await intake.checkStaging(sizeBytes)
        },
        run,
        checkConvert,
        convert,
        async start() {
            await system.makeDirectory(folder, 0o700)
            for (const id of await system.list(folder)) if (JOB.test(id)) await system.remove(`${folder}/${id}`)
        },
    }
}
