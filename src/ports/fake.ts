// Stand-ins for the machine in tests: files in memory, tools that were announced, time that a test moves.
import { dirname } from 'node:path'
import type { Clock, FileFacts, Log, System, ToolResult, ToolRun } from './ports.ts'

export interface FakeTool {
    /** The whole argv, or what decides. */
    argv: readonly string[] | ((argv: readonly string[]) => boolean)
    answer: Partial<ToolResult> | ((run: ToolRun) => Partial<ToolResult> | Promise<Partial<ToolResult>>)
}

export interface FakeWorld {
    /** Path → content. Their folders exist. */
    files?: Record<string, string | Uint8Array>
    /** Tools that may be run; each any number of times. Others are refused. */
    tools?: FakeTool[]
    /** Folders below which may be written; elsewhere it is refused. */
    writable?: string[]
    freeBytes?: number
    totalBytes?: number
    hostname?: string
    self?: { uid: number; gid: number }
}

export interface FakeSystem extends System {
    /** What there is now; a folder is null. */
    files: Map<string, Uint8Array | null>
    modes: Map<string, number>
    /** Path → uid and gid, where they were given away. */
    owners: Map<string, { uid: number; gid: number }>
    /** Path → target. */
    links: Map<string, string>
    /** Every tool that was run, in order. */
    ran: string[][]
    /** May be set while a test runs. */
    freeBytes: number
}

const unexpected = (what: string): never => {
    throw new Error(`the fake machine did not expect: ${what}`)
}

/** A machine in memory. Whatever was not announced is refused with an Error that names it. */
export function fakeSystem(world: FakeWorld = {}): FakeSystem {
    const files = new Map<string, Uint8Array | null>()
    const modes = new Map<string, number>()
    const owners = new Map<string, { uid: number; gid: number }>()
    const links = new Map<string, string>()
    const self = world.self ?? { uid: 0, gid: 0 }
    const ran: string[][] = []
    const addFolders = (path: string) => {
        for (let at = dirname(path); !files.has(at); at = dirname(at)) files.set(at, null)
    }
    for (const [path, data] of Object.entries(world.files ?? {})) {
        addFolders(path)
        files.set(path, Buffer.from(data))
    }
    for (const path of world.writable ?? []) {
        addFolders(path)
        files.set(path, null)
    }
    const mayWrite = (path: string) => {
        const allowed = (world.writable ?? []).some(root => path === root || path.startsWith(`${root}/`))
        if (!allowed) unexpected(`a write to ${path}`)
    }
    const below = (path: string) => [...files.keys()].filter(key => key === path || key.startsWith(`${path}/`))
    const bytesOf = (path: string) => files.get(path) ?? unexpected(`reading ${path}`)
    const run = async (given: ToolRun): Promise<ToolResult> => {
        ran.push([...given.argv])
        const tool = (world.tools ?? []).find(({ argv }) =>
            typeof argv === 'function' ? argv(given.argv) : argv.join('\0') === given.argv.join('\0'),
        )
        if (!tool) return unexpected(`the tool ${given.argv.join(' ')}`)
        const answer = typeof tool.answer === 'function' ? await tool.answer(given) : tool.answer
        if (answer.stdout) given.onOutput?.(answer.stdout)
        return { exitCode: 0, stdout: '', stderr: '', ...answer }
    }
    const system: FakeSystem = {
        files,
        modes,
        owners,
        links,
        ran,
        freeBytes: world.freeBytes ?? 1024 ** 4,
        readText: async path => {
            const data = files.get(path)
            return data ? Buffer.from(data).toString('utf8') : undefined
        },
        look: async path => {
            const data = files.get(path)
            if (data === undefined && !links.has(path)) return undefined
            const facts: FileFacts = {
                kind: 'file',
                sizeBytes: data?.length ?? 0,
                modifiedMs: 0,
                mode: modes.get(path) ?? (data === null ? 0o755 : 0o644),
                ...(owners.get(path) ?? { uid: 0, gid: 0 }),
            }
            if (data === undefined) return { ...facts, kind: 'link' }
            return data === null ? { ...facts, kind: 'directory' } : facts
        },
        list: async path =>
            [...files.keys()]
                .filter(key => key !== path && dirname(key) === path)
                .map(key => key.slice(path === '/' ? 1 : path.length + 1))
                .sort(),
        resolve: async path => (files.has(path) ? path : undefined),
        readLink: async path => links.get(path),
        space: async () => ({ freeBytes: system.freeBytes, totalBytes: world.totalBytes ?? 2 * 1024 ** 4 }),
        readRange: async (path, offsetBytes, lengthBytes) =>
            bytesOf(path).subarray(offsetBytes, offsetBytes + lengthBytes),
        query: run,
        hostname: () => world.hostname ?? 'node1',
        self: () => self,
        run,
        pipe: async function* (given, input) {
            const parts: Uint8Array[] = []
            for await (const chunk of input ?? []) parts.push(chunk)
            const { stdout } = await run({ ...given, stdin: Buffer.concat(parts) })
            if (stdout) yield Buffer.from(stdout, 'latin1')
        },
        openTerminal: argv => unexpected(`a terminal for ${argv.join(' ')}`),
        writeFile: async (path, data, mode = 0o644) => {
            mayWrite(path)
            files.set(path, Buffer.from(data))
            modes.set(path, mode)
        },
        makeDirectory: async (path, mode = 0o755) => {
            mayWrite(path)
            addFolders(path)
            if (!files.has(path)) owners.set(path, self)
            files.set(path, null)
            modes.set(path, mode)
        },
        remove: async path => {
            mayWrite(path)
            for (const key of below(path)) files.delete(key)
            links.delete(path)
        },
        rename: async (from, to) => {
            mayWrite(from)
            mayWrite(to)
            for (const key of below(from)) {
                files.set(to + key.slice(from.length), files.get(key) ?? null)
                files.delete(key)
            }
        },
        link: async (path, target) => {
            mayWrite(path)
            files.delete(path)
            links.set(path, target)
        },
        claim: async (path, data, mode = 0o600) => {
            mayWrite(path)
            if (files.has(path)) return false
            files.set(path, Buffer.from(data))
            modes.set(path, mode)
            return true
        },
        chown: async (path, uid, gid) => {
            mayWrite(path)
            owners.set(path, { uid, gid })
        },
        chmod: async (path, mode) => {
            mayWrite(path)
            modes.set(path, mode)
        },
        openLines: async (path, mode = 0o600) => {
            mayWrite(path)
            if (!files.has(path)) files.set(path, new Uint8Array())
            modes.set(path, mode)
            return {
                append: async line => {
                    files.set(path, Buffer.concat([files.get(path) ?? Buffer.alloc(0), Buffer.from(`${line}\n`)]))
                },
                close: async () => {},
            }
        },
        readStream: async function* (path, offsetBytes = 0, lengthBytes = Number.POSITIVE_INFINITY) {
            yield bytesOf(path).subarray(offsetBytes, offsetBytes + lengthBytes)
        },
        openReadable: async path => {
            const data = bytesOf(path)
            return {
                path,
                sizeBytes: data.length,
                read: (offsetBytes, lengthBytes) => system.readStream(path, offsetBytes, lengthBytes),
                close: async () => {},
            }
        },
        openWritable: async (path, mode = 0o600) => {
            mayWrite(path)
            if (!files.has(path)) files.set(path, new Uint8Array())
            modes.set(path, mode)
            return {
                write: async (data, positionBytes) => {
                    const old = files.get(path) ?? new Uint8Array()
                    const wide = Buffer.alloc(Math.max(old.length, positionBytes + data.length))
                    wide.set(old)
                    wide.set(data, positionBytes)
                    files.set(path, wide)
                },
                sync: async () => {},
                close: async () => {},
            }
        },
    }
    return system
}

export interface FakeClock extends Clock {
    /** Moves both clocks on, and calls in order what comes due; lets promises settle between the calls. */
    advance(durationMs: number): Promise<void>
}

/** A clock that stands until it is moved. */
export function fakeClock(startMs = Date.UTC(2026, 10, 1)): FakeClock {
    const timers = new Set<{ atMs: number; periodMs?: number; call: () => void }>()
    let nowMs = startMs
    const add = (delayMs: number, call: () => void, periodMs?: number) => {
        const timer = { atMs: nowMs + delayMs, periodMs, call }
        timers.add(timer)
        return () => void timers.delete(timer)
    }
    return {
        now: () => nowMs,
        ticks: () => nowMs - startMs,
        after: (delayMs, call) => add(delayMs, call),
        every: (periodMs, call) => add(periodMs, call, periodMs),
        async advance(durationMs) {
            const endMs = nowMs + durationMs
            for (;;) {
                const due = [...timers].filter(t => t.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0]
                if (!due) break
                nowMs = Math.max(nowMs, due.atMs)
                if (due.periodMs) due.atMs += due.periodMs
                else timers.delete(due)
                due.call()
                await new Promise(resolve => setImmediate(resolve))
            }
            nowMs = endMs
            await new Promise(resolve => setImmediate(resolve))
        },
    }
}

export interface FakeLog extends Log {
    lines: { level: 'info' | 'warn' | 'error' | 'debug'; message: string; facts: Record<string, unknown> }[]
}

/** A log that keeps what it is told. */
export function fakeLog(): FakeLog {
    const lines: FakeLog['lines'] = []
    const logOf = (always: Record<string, unknown>): FakeLog => {
        const at =
            (level: FakeLog['lines'][number]['level']) =>
            (message: string, facts: Record<string, unknown> = {}) =>
                void lines.push({ level, message, facts: { ...always, ...facts } })
        return {
            lines,
            info: at('info'),
            warn: at('warn'),
            error: at('error'),
            debug: at('debug'),
            child: facts => logOf({ ...always, ...facts }),
        }
    }
    return logOf({})
}
