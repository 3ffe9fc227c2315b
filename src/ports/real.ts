// The real machine behind the ports: files, time and the log. With real-tools.ts the only file that opens those doors.
import { randomBytes } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import * as fs from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino'
import { Fault, type FaultCode } from '../base/fault.ts'
import { redact } from '../base/redact.ts'
import type { Clock, FileFacts, LineFile, Log, ReadableFile, System, ToolRun, WritableFile } from './ports.ts'
import { pipeTool, runTool, startProgram } from './real-tools.ts'
import { openTerminal } from './terminal.ts'

const READ_CHUNK_BYTES = 256 * 1024

/** Wall time and the monotonic clock of this process; its timers do not keep the process alive. */
export const realClock = (): Clock => ({
    now: () => Date.now(),
    ticks: () => performance.now(),
    after(delayMs, call) {
        const timer = setTimeout(call, delayMs)
        timer.unref()
        return () => clearTimeout(timer)
    },
    every(periodMs, call) {
        const timer = setInterval(call, periodMs)
        timer.unref()
        return () => clearInterval(timer)
    },
})

export interface LogOptions {
    /** debug, info, warn, error, silent; info unless told otherwise. */
    level?: string
    /** File descriptor, 2 unless told otherwise, or a stream. */
    to?: number | DestinationStream
}

/** JSON lines, one a message; values under keys that name secrets are hidden, errors keep their stack and causes. */
export function pinoLog(options: LogOptions = {}): Log {
    const to = typeof options.to === 'object' ? options.to : destination({ dest: options.to ?? 2, sync: true })
    const how = { base: undefined, timestamp: stdTimeFunctions.isoTime, serializers: { err: (told: unknown) => told } }
    return logOf(pino({ ...how, level: options.level ?? 'info' }, to))
}

function logOf(logger: Logger): Log {
    const facts = (given?: Record<string, unknown>) => redact(withErrors(given ?? {})) as Record<string, unknown>
    return {
        info: (message, given) => logger.info(facts(given), message),
        warn: (message, given) => logger.warn(facts(given), message),
        error: (message, given) => logger.error(facts(given), message),
        debug: (message, given) => logger.isLevelEnabled('debug') && logger.debug(facts(given), message),
        child: given => logOf(logger.child(facts(given))),
    }
}

const withErrors = (facts: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(facts).map(([key, value]) => [key, value instanceof Error ? told(value) : value]))

const told = (error: Error, depth = 0): Record<string, unknown> => ({
    message: error.message,
    stack: error.stack,
    ...('code' in error ? { code: error.code } : {}),
    ...(error.cause instanceof Error && depth < 4 ? { cause: told(error.cause, depth + 1) } : {}),
})

/** This machine. Troubles of files and tools are Faults; `exhausted` is a full disk. */
export function realSystem(): System {
    return {
        readText: path => absentIs(undefined, () => fs.readFile(path, 'utf8'), path),
        look: path => absentIs(undefined, async () => factsOf(await fs.lstat(path)), path),
        list: path => absentIs([], async () => (await fs.readdir(path)).sort(), path),
        resolve: path => absentIs(undefined, () => fs.realpath(path), path),
        readLink: path =>
            absentIs(undefined, () => fs.readlink(path), path).catch(thrown => {
                if ((thrown.cause as NodeJS.ErrnoException | undefined)?.code === 'EINVAL') return undefined
                throw thrown
            }),
        space: path =>
            guarded(path, async () => {
                const { bavail, bsize, blocks } = await fs.statfs(path)
                return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
            }),
        readRange: (path, offsetBytes, lengthBytes) =>
            guarded(path, async () => {
                const handle = await fs.open(path, constants.O_RDONLY)
                const buffer = Buffer.alloc(lengthBytes)
                const { bytesRead } = await withHandle(handle, () => handle.read(buffer, 0, lengthBytes, offsetBytes))
                return buffer.subarray(0, bytesRead)
            }),
        query: runTool,
        hostname,
        self: () => ({ uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }),
        run: runTool,
        pipe: pipeTool,
        openTerminal: (argv, env) => openTerminal({ ...realSystem(), start: startProgram }, argv, env),
        writeFile: (path, data, mode = 0o644) => guarded(path, () => writeWhole(path, data, mode)),
        makeDirectory: (path, mode) =>
            guarded(path, async () => {
                await fs.mkdir(path, { recursive: true, mode })
                if (mode !== undefined && ((await fs.stat(path)).mode & 0o7777) !== mode) await fs.chmod(path, mode)
            }),
        remove: path => guarded(path, () => fs.rm(path, { recursive: true, force: true })),
        rename: (from, to) => guarded(from, () => fs.rename(from, to)),
        link: (path, target) => guarded(path, () => putLink(path, target)),
        claim: (path, data, mode = 0o600) => guarded(path, () => claim(path, data, mode)),
        chown: (path, uid, gid) => guarded(path, () => fs.lchown(path, uid, gid)),
        chmod: (path, mode) => guarded(path, () => fs.chmod(path, mode)),
        openLines: (path, mode = 0o600) => guarded(path, () => openLines(path, mode)),
        readStream,
        openReadable: path => guarded(path, () => openReadable(path)),
        openWritable: (path, mode = 0o600) => guarded(path, () => openWritable(path, mode)),
    }
}

/**
 * The tree below a folder as a machine of its own: paths are below it and tools run in it by chroot. For the installer.
 * Its host name is the one that the tree says.
 */
export function rootedSystem(folder: string): System {
    const system = realSystem()
    const at = (path: string) => join(folder, path)
    const inside = (run: ToolRun): ToolRun => ({ ...run, argv: ['chroot', folder, ...run.argv], cwd: '/' })
    return {
        ...system,
        readText: path => system.readText(at(path)),
        look: path => system.look(at(path)),
        list: path => system.list(at(path)),
        resolve: async path => {
            const found = await system.resolve(at(path))
            return found?.startsWith(folder) ? found.slice(folder.length) || '/' : found
        },
        readLink: path => system.readLink(at(path)),
        space: path => system.space(at(path)),
        readRange: (path, ...rest) => system.readRange(at(path), ...rest),
        query: run => runTool(inside(run)),
        run: run => runTool(inside(run)),
        pipe: (run, input) => pipeTool(inside(run), input),
        writeFile: (path, ...rest) => system.writeFile(at(path), ...rest),
        makeDirectory: (path, mode) => system.makeDirectory(at(path), mode),
        remove: path => system.remove(at(path)),
        rename: (from, to) => system.rename(at(from), at(to)),
        link: (path, target) => system.link(at(path), target),
        claim: (path, ...rest) => system.claim(at(path), ...rest),
        chown: (path, uid, gid) => system.chown(at(path), uid, gid),
        chmod: (path, mode) => system.chmod(at(path), mode),
        openLines: (path, mode) => system.openLines(at(path), mode),
        readStream: (path, ...rest) => system.readStream(at(path), ...rest),
        openReadable: path => system.openReadable(at(path)),
        openWritable: (path, mode) => system.openWritable(at(path), mode),
    }
}

function factsOf(stats: Stats): FileFacts {
    const kind = stats.isFile()
        ? 'file'
        : stats.isDirectory()
          ? 'directory'
          : stats.isSymbolicLink()
            ? 'link'
            : stats.isBlockDevice()
              ? 'block'
              : stats.isSocket()
                ? 'socket'
                : 'other'
    const { size, mtimeMs, mode, uid, gid } = stats
    return { kind, sizeBytes: size, modifiedMs: mtimeMs, mode: mode & 0o7777, uid, gid }
}

async function withHandle<T>(handle: fs.FileHandle, work: () => Promise<T>): Promise<T> {
    try {
        return await work()
    } finally {
        await handle.close()
    }
}

async function syncFolder(path: string): Promise<void> {
    const folder = await fs.open(path, constants.O_RDONLY | constants.O_DIRECTORY)
    await withHandle(folder, () => folder.sync())
}

async function writeWhole(path: string, data: string | Uint8Array, mode: number): Promise<void> {
    const half = halfName(path)
    try {
        const handle = await fs.open(half, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode)
        await withHandle(handle, async () => {
            await handle.writeFile(data)
            // The umask has had its say in open().
            await handle.chmod(mode)
            await handle.sync()
        })
        await fs.rename(half, path)
        await syncFolder(dirname(path))
    } catch (thrown) {
        await fs.rm(half, { force: true })
        throw thrown
    }
}

const halfName = (path: string) => join(dirname(path), `.${randomBytes(8).toString('hex')}.half`)

async function putLink(path: string, target: string): Promise<void> {
    const half = halfName(path)
    await fs.symlink(target, half)
    await fs.rename(half, path)
    await syncFolder(dirname(path))
}

/** Written beside and linked in: whoever reads it never sees half of it. */
async function claim(path: string, data: string, mode: number): Promise<boolean> {
    const half = halfName(path)
    try {
        await fs.writeFile(half, data, { mode, flag: 'wx' })
        await fs.link(half, path)
        return true
    } catch (thrown) {
        if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false
        throw thrown
    } finally {
        await fs.rm(half, { force: true })
    }
}

async function openLines(path: string, mode: number): Promise<LineFile> {
    const handle = await fs.open(path, 'a', mode)
    await syncFolder(dirname(path))
    return {
        append: line =>
            guarded(path, async () => {
                await handle.writeFile(`${line}\n`)
                await handle.datasync()
            }),
        close: () => guarded(path, () => handle.close()),
    }
}

async function openWritable(path: string, mode: number): Promise<WritableFile> {
    const handle = await fs.open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, mode)
    return {
        write: (data, positionBytes) =>
            guarded(path, async () => {
                for (let at = 0; at < data.length; ) {
                    const { bytesWritten } = await handle.write(data, at, data.length - at, positionBytes + at)
                    at += bytesWritten
                }
            }),
        sync: () => guarded(path, () => handle.datasync()),
        close: () => guarded(path, () => handle.close()),
    }
}

async function* readStream(path: string, offsetBytes?: number, lengthBytes?: number) {
    const handle = await guarded(path, () => fs.open(path, constants.O_RDONLY))
    try {
        yield* chunksOf(handle, path, { offsetBytes, lengthBytes })
    } finally {
        await handle.close()
    }
}

async function* chunksOf(
    handle: fs.FileHandle,
    path: string,
    range: { offsetBytes?: number; lengthBytes?: number },
): AsyncGenerator<Uint8Array> {
    const { offsetBytes = 0, lengthBytes = Number.POSITIVE_INFINITY } = range
    const endBytes = offsetBytes + lengthBytes
    for (let at = offsetBytes; at < endBytes; ) {
        const buffer = Buffer.allocUnsafe(Math.min(READ_CHUNK_BYTES, endBytes - at))
        const { bytesRead } = await guarded(path, () => handle.read(buffer, 0, buffer.length, at))
        if (bytesRead === 0) return
        yield buffer.subarray(0, bytesRead)
        at += bytesRead
    }
}

async function openReadable(path: string): Promise<ReadableFile> {
    // Opening a pipe would wait for its writer otherwise.
    const handle = await fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
        const stats = await handle.stat()
        if (!stats.isFile()) {
            throw new Fault('invalid', { summary: 'That is not a plain file', detail: path, fix: 'Name a file.' })
        }
        return {
            // What the kernel says of the open file: a name that is put elsewhere afterwards changes nothing (proc(5)).
            path: await fs.readlink(`/proc/self/fd/${handle.fd}`),
            sizeBytes: stats.size,
            read: (offsetBytes, lengthBytes) => chunksOf(handle, path, { offsetBytes, lengthBytes }),
            close: () => guarded(path, () => handle.close()),
        }
    } catch (thrown) {
        await handle.close()
        throw thrown
    }
}

const CODES: Record<string, FaultCode> = {
    ENOENT: 'not-found',
    ENOTDIR: 'not-found',
    EEXIST: 'exists',
    ENOSPC: 'exhausted',
    EDQUOT: 'exhausted',
    EMFILE: 'exhausted',
    EACCES: 'denied',
    EPERM: 'denied',
    EROFS: 'denied',
    ELOOP: 'denied',
    EISDIR: 'invalid',
}

const FIXES: Partial<Record<FaultCode, string>> = {
    'not-found': 'Check the path.',
    exhausted: 'Make room on that file system, then try again.',
    denied: 'Check who owns it and its mode, and whether the service may reach it.',
}

async function guarded<T>(path: string, work: () => Promise<T>): Promise<T> {
    try {
        return await work()
    } catch (thrown) {
        if (thrown instanceof Fault) throw thrown
        const errno = (thrown as NodeJS.ErrnoException).code ?? 'unknown trouble'
        const code = CODES[errno] ?? 'unavailable'
        throw new Fault(code, {
            summary: code === 'exhausted' ? 'The file system is full' : 'A file or folder could not be used',
            detail: `${path} (${errno})`,
            fix: FIXES[code] ?? 'Look at the file system and the kernel log.',
            cause: thrown,
        })
    }
}

async function absentIs<T, A>(absent: A, work: () => Promise<T>, path: string): Promise<T | A> {
    try {
        return await work()
    } catch (thrown) {
        const { code } = thrown as NodeJS.ErrnoException
        if (code === 'ENOENT' || code === 'ENOTDIR') return absent
        return guarded<T>(path, () => Promise.reject(thrown))
    }
}
