// The one way of an image from outside into a pool: proven by its checksum, inspected, converted, carried over, verified.
import { createHash, type Hash } from 'node:crypto'
import { Fault } from '../../base/fault.ts'
import type { RunningTask } from '../../engine/task.ts'
import type { ReadableFile, System } from '../../ports/ports.ts'
import { createCarrying, PIECE_BYTES, type Target } from './carrying.ts'
import type { VolumeEntry } from './entries.ts'
import { checkHeader, type Format, HEAD_BYTES, toolFormat, truncated } from './formats.ts'
import type { Inventory } from './inventory.ts'
import {
    checkArgv,
    classify,
    convertArgv,
    infoArgv,
    isCheckable,
    measureArgv,
    parseCheck,
    parseInfo,
    parseMeasure,
    parseProgress,
} from './qemuimg.ts'
import type { Sandbox } from './sandbox.ts'
import { checkActive, checkHolds, checkVolumeName, noRoom } from './volume-checks.ts'
import type { Volumes } from './volumes.ts'

export interface Staged {
    /** Folder of this piece of work alone; `part` in it is the image. */
    folder: string
    sizeBytes: number
    format: Format
    /** `sha256:…` or `sha512:…`; empty for none. */
    checksum: string
    /** The digest, where it was made while the bytes came. */
    digest?: string
    /** It comes from a pool of ours, and its format is known: raw bytes may look like anything. */
    trusted?: boolean
    /** Id of the upload that it belongs to. */
    by?: string
}

export interface Intake {
    /** Refuses a target that cannot be: before anything is transferred. */
    checkTarget(target: Target, needBytes: number): Promise<void>
    /** Refuses when the staging folder has no room. */
    checkStaging(needBytes: number): Promise<void>
    /** Brings `part` into the pool; progress goes from `fromFraction` to 1. */
    take(staged: Staged, target: Target, task: RunningTask, fromFraction: number): Promise<VolumeEntry>
}

export interface IntakeDeps {
    system: System
    sandbox: Sandbox
    inventory: Inventory
    volumes: Volumes
    stagingFolder: string
}

const INSPECT_MS = 60_000
const CHECK_MS = 10 * 60_000
const CONVERT_MS = 12 * 3600_000
/** So much stays free on the file system of the staging folder: the node needs it. */
const RESERVE_BYTES = 256 * 1024 * 1024
const TAIL_BYTES = 512

/** The hash that a checksum asks for, or undefined without one. @throws Fault `invalid` */
export function hashFor(checksum: string): Hash | undefined {
    if (checksum === '') return undefined
    const [, name, digest = ''] = /^(sha256|sha512):([0-9a-fA-F]+)$/.exec(checksum) ?? []
    if (name && digest.length === (name === 'sha256' ? 64 : 128)) return createHash(name)
    throw new Fault('invalid', {
        summary: 'That is not a checksum that can be compared',
        detail: JSON.stringify(checksum.slice(0, 150)),
        fix: 'Write sha256: and 64 hexadecimal digits, or sha512: and 128.',
        at: 'checksum',
    })
}

export function createIntake(deps: IntakeDeps): Intake {
    const { system, sandbox, inventory, volumes, stagingFolder } = deps
    const carrying = createCarrying({ inventory, volumes })

    async function checkTarget(target: Target, needBytes: number): Promise<void> {
        await inventory.ready()
        checkVolumeName(target.name)
        const pool = checkActive(inventory.pool(target.pool))
        checkHolds(target.keepAs, pool, 'keep_as')
        await carrying.existing(target)
        if (needBytes > pool.availableBytes) throw noRoom(pool, needBytes)
    }

    async function checkStaging(needBytes: number): Promise<void> {
        const { freeBytes } = await system.space(stagingFolder)
        if (needBytes + RESERVE_BYTES <= freeBytes) return
        throw new Fault('exhausted', {
            summary: 'There is no room to take the image in on its way to the pool',
            detail: `${needBytes} bytes wanted, ${Math.max(0, freeBytes - RESERVE_BYTES)} free below ${stagingFolder}`,
            fix: 'Make room on the file system of the state folder.',
        })
    }

    /** A tool that an image has taken over could have put a link or a pipe there: those are not opened. */
    async function opened<T>(path: string, work: (file: ReadableFile) => Promise<T>): Promise<T> {
        const file = await system.openReadable(path)
        return work(file).finally(file.close)
    }

    async function prove(staged: Staged, signal: AbortSignal): Promise<void> {
        const hash = hashFor(staged.checksum)
        if (!hash) return
        let digest = staged.digest
        if (digest === undefined) {
            await opened(`${staged.folder}/part`, async part => {
                for await (const chunk of part.read()) {
                    signal.throwIfAborted()
                    hash.update(chunk)
                }
            })
            digest = hash.digest('hex')
        }
        const wanted = staged.checksum.slice(7).toLowerCase()
        if (digest === wanted) return
        throw new Fault('invalid', {
            summary: 'The checksum of the image is another one',
            detail: `wanted ${wanted}, got ${digest}`,
            fix: 'Transfer it again from a source that you trust; nothing was kept.',
            at: 'checksum',
        })
    }

    async function header(staged: Staged): Promise<void> {
        const { folder, sizeBytes, format } = staged
        if (sizeBytes === 0) throw truncated('it is empty')
        if (staged.trusted && toolFormat(format) === 'raw') return
        await opened(`${folder}/part`, async part => {
            const head = await gathered(part.read(0, Math.min(HEAD_BYTES, sizeBytes)))
            const tail = await gathered(part.read(Math.max(0, sizeBytes - TAIL_BYTES), TAIL_BYTES))
            checkHeader(format, { head, tail, sizeBytes })
        })
    }

    const shutIn = (folder: string, signal: AbortSignal) => ({ folder, signal, files: ['part'], maxFileBytes: 0 })

    /** What qemu-img says of it, once its header has been found harmless. */
    async function inspect(staged: Staged, signal: AbortSignal): Promise<{ virtualSizeBytes: number }> {
        const { folder, sizeBytes } = staged
        const format = toolFormat(staged.format)
        if (format === 'raw') return { virtualSizeBytes: sizeBytes }
        const what = `${staged.format} image of ${sizeBytes} bytes`
        const said = await sandbox.run({
            ...shutIn(folder, signal),
            argv: infoArgv('part', format),
            deadlineMs: INSPECT_MS,
        })
        if (said.exitCode !== 0) throw classify(said, what)
        const info = parseInfo(said.stdout)
        // qemu names an extent of the file itself as the path that it was given.
        const refersTo = info.refersTo.filter(name => name !== './part' && name !== 'part')
        if (refersTo.length > 0 || info.format !== format) {
            throw new Fault('denied', {
                summary: 'The image refers to other files, which is refused',
                detail: refersTo.slice(0, 3).join(', ').slice(0, 200),
                fix: 'Make it self-contained where it was made (qemu-img convert), then try again.',
                at: 'source',
            })
        }
        if (isCheckable(format)) {
            const checked = await sandbox.run({
                ...shutIn(folder, signal),
                argv: checkArgv('part', format),
                deadlineMs: CHECK_MS,
            })
            // 3: leaked clusters, which waste room and harm nothing; 63: this kind of image has no check.
            if (![0, 2, 3, 63].includes(checked.exitCode)) throw classify(checked, what)
            const found = checked.exitCode === 63 ? { corruptions: 0, checkErrors: 0 } : parseCheck(checked.stdout)
            if (found.corruptions > 0 || found.checkErrors > 0)
                throw truncated(`${found.corruptions} places in it are damaged or missing`)
        }
        return info
    }

    async function measured(staged: Staged, signal: AbortSignal): Promise<number> {
        const format = toolFormat(staged.format)
        const run = { ...shutIn(staged.folder, signal), argv: measureArgv('part', format), deadlineMs: CHECK_MS }
        const said = await sandbox.run(run)
        if (said.exitCode !== 0) throw classify(said, `${staged.format} image`)
        return parseMeasure(said.stdout)
    }

    /** The file in the folder that goes into the pool. */
    async function convert(
        staged: Staged,
        target: Target,
        how: { signal: AbortSignal; tell: (fraction: number) => void; virtualSizeBytes: number },
    ): Promise<string> {
        const [from, to] = [toolFormat(staged.format), toolFormat(target.keepAs)]
        if (from === to) return 'part'
        const needBytes = await measured(staged, how.signal)
        await checkStaging(needBytes)
        await checkTarget(target, needBytes)
        const { freeBytes } = await system.space(stagingFolder)
        const ran = await sandbox.run({
            ...shutIn(staged.folder, how.signal),
            argv: convertArgv({ file: 'part', format: from }, { file: 'out', format: to }),
            // A raw file is as long as its disk, and takes what was written.
            maxFileBytes: Math.max(
                to === 'raw' ? how.virtualSizeBytes : 0,
                Math.min(freeBytes, needBytes * 2 + 64 * PIECE_BYTES),
            ),
            deadlineMs: CONVERT_MS,
            onOutput: chunk => {
                const fraction = parseProgress(chunk)
                if (fraction !== undefined) how.tell(fraction)
            },
        })
        if (ran.exitCode !== 0) throw classify(ran, `${staged.format} to ${target.keepAs}`)
        await system.remove(`${staged.folder}/part`)
        return 'out'
    }

    return {
        checkTarget,
        checkStaging,
        async take(staged, target, task, fromFraction) {
            const { signal } = task
            const span = (from: number, to: number, phase: string) => (fraction: number) =>
                task.progress(fromFraction + (1 - fromFraction) * (from + (to - from) * fraction), phase)
            span(0, 0, 'inspecting')(0)
            await prove(staged, signal)
            await header(staged)
            const { virtualSizeBytes } = await inspect(staged, signal)
            const pool = inventory.pool(target.pool)
            if (!(virtualSizeBytes <= pool.capacityBytes)) throw noRoom(pool, virtualSizeBytes)
            const file = await convert(staged, target, { signal, tell: span(0.1, 0.6, 'converting'), virtualSizeBytes })
            await checkTarget(target, 0)
            return opened(`${staged.folder}/${file}`, source =>
                carrying.carry({ ...target, virtualSizeBytes, by: staged.by ?? task.id }, source, {
                    task,
                    tell: span(0.6, 1, 'writing into the pool'),
                }),
            )
        },
    }
}

async function gathered(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
    const all: Uint8Array[] = []
    for await (const chunk of chunks) all.push(chunk)
    return Buffer.concat(all)
}
