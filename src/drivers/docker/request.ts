// One request to the Docker Engine over its Unix socket: JSON, a stream of bytes, or a connection taken over.
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import type { Duplex, Readable } from 'node:stream'
import { Fault } from '../../base/fault.ts'
import { refusal, unreachable } from './errors.ts'

export interface EngineRequest {
    method?: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD'
    /** Below the version, such as `/containers/json`; names in it go through `encodeURIComponent`. */
    path: string
    query?: Record<string, string | number | boolean | undefined>
    /** Sent as JSON. */
    body?: unknown
    /** Sent as it is, instead of a body. */
    upload?: { stream: Readable; type: string; lengthBytes?: number }
    headers?: Record<string, string>
    /** Until the answer begins; 30 s unless told otherwise, 0 for as long as it takes. */
    deadlineMs?: number
    /** On a connection of its own, so that short requests never wait behind it. */
    own?: boolean
    signal?: AbortSignal
}

export interface EngineAnswer {
    status: number
    headers: IncomingMessage['headers']
    stream: IncomingMessage
}

const DEADLINE_MS = 30_000
/** The longest answer that is read whole: a list of thousands of containers has some megabytes. */
const ANSWER_MAX_BYTES = 64 * 1024 * 1024
const REFUSAL_MAX_BYTES = 64 * 1024

/** Where the Engine is, and the version of its API that we speak; without one for the first question. */
export interface Engine {
    socketPath: string
    api?: string
    /** Kept connections for short requests. */
    agent?: Agent
}

/** Few connections that are kept: dockerd serves each with a thread of its own. */
export const keptConnections = (): Agent => new Agent({ keepAlive: true, maxSockets: 16, maxFreeSockets: 8 })

/** The answer once its head is there; the caller reads or destroys its stream. @throws Fault for a refusal */
export async function ask(engine: Engine, asked: EngineRequest): Promise<EngineAnswer> {
    const stream = await open(engine, asked)
    const status = stream.statusCode ?? 0
    if (status < 400) return { status, headers: stream.headers, stream }
    throw await refused(stream, asked)
}

/** The answer as JSON; undefined where there is none. @throws Fault */
export async function askJson<T>(engine: Engine, asked: EngineRequest): Promise<T> {
    const { stream } = await ask(engine, asked)
    const text = await whole(stream, ANSWER_MAX_BYTES, engine)
    if (text.trim() === '') return undefined as T
    try {
        return JSON.parse(text) as T
    } catch (cause) {
        throw new Fault('internal', { summary: 'Docker answered what is no JSON', detail: asked.path, cause })
    }
}

/** A connection that is ours from now on, both ways: for a terminal. @throws Fault */
export function hijack(engine: Engine, asked: EngineRequest): Promise<{ socket: Duplex; type: string }> {
    return new Promise((resolve, reject) => {
        const outgoing = httpRequest({
            socketPath: engine.socketPath,
            path: address(engine, asked),
            method: asked.method ?? 'POST',
            agent: false,
            headers: {
                host: 'docker',
                connection: 'Upgrade',
                upgrade: 'tcp',
                'content-type': 'application/json',
                ...asked.headers,
            },
        })
        const stopTimer = deadline(outgoing, asked)
        outgoing.once('upgrade', (response, socket, head) => {
            stopTimer()
            if (head.length > 0) socket.unshift(head)
            resolve({ socket, type: String(response.headers['content-type'] ?? '') })
        })
        outgoing.once('response', response => {
            stopTimer()
            refused(response, asked).then(reject, reject)
        })
        outgoing.once('error', thrown => {
            stopTimer()
            reject(failed(thrown, engine, asked))
        })
        outgoing.end(asked.body === undefined ? undefined : JSON.stringify(asked.body))
    })
}

function open(engine: Engine, asked: EngineRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
        const { upload, signal } = asked
        const text = asked.body === undefined ? undefined : Buffer.from(JSON.stringify(asked.body))
        const own = asked.own || upload !== undefined || asked.deadlineMs === 0
        const outgoing = httpRequest({
            socketPath: engine.socketPath,
            path: address(engine, asked),
            method: asked.method ?? 'GET',
            agent: own ? false : engine.agent,
            headers: {
                host: 'docker',
                ...(text ? { 'content-type': 'application/json', 'content-length': String(text.length) } : {}),
                ...(upload ? { 'content-type': upload.type } : {}),
                ...(upload?.lengthBytes === undefined ? {} : { 'content-length': String(upload.lengthBytes) }),
                ...asked.headers,
            },
        })
        const stopTimer = deadline(outgoing, asked)
        const aborted = () => outgoing.destroy(signal!.reason)
        if (signal?.aborted) aborted()
        signal?.addEventListener('abort', aborted, { once: true })
        outgoing.once('response', response => {
            stopTimer()
            response.once('close', () => signal?.removeEventListener('abort', aborted))
            resolve(response)
        })
        outgoing.once('error', thrown => {
            stopTimer()
            signal?.removeEventListener('abort', aborted)
            upload?.stream.destroy()
            reject(failed(thrown, engine, asked))
        })
        if (upload) {
            upload.stream.once('error', thrown => outgoing.destroy(thrown))
            upload.stream.pipe(outgoing)
        } else outgoing.end(text)
    })
}

function deadline(outgoing: ReturnType<typeof httpRequest>, { deadlineMs = DEADLINE_MS, path }: EngineRequest) {
    if (deadlineMs === 0) return () => {}
    const timer = setTimeout(() => {
        outgoing.destroy(
            new Fault('deadline', {
                summary: 'Docker did not answer in time',
                detail: `${path.split('?')[0]} after ${deadlineMs / 1000} s`,
                fix: 'Look at its log: journalctl -u docker. Then try again.',
            }),
        )
    }, deadlineMs)
    return () => clearTimeout(timer)
}

function failed(thrown: NodeJS.ErrnoException, engine: Engine, asked: EngineRequest): Fault {
    if (thrown instanceof Fault) return thrown
    if (asked.signal?.aborted) return new Fault('cancelled', { summary: 'The operation was cancelled', cause: thrown })
    const reads = (asked.method ?? 'GET') === 'GET' || asked.method === 'HEAD'
    return unreachable(thrown, engine.socketPath, !reads)
}

async function refused(stream: IncomingMessage, asked: EngineRequest): Promise<Fault> {
    const status = stream.statusCode ?? 0
    const text = await whole(stream, REFUSAL_MAX_BYTES, { socketPath: '' }).catch(() => '')
    let message = text
    try {
        message = String((JSON.parse(text) as { message?: unknown }).message ?? text)
    } catch {
        // Some refusals are plain text; a HEAD has none.
    }
    return refusal(status, message || `${asked.path.split('?')[0]} was answered with ${status}`)
}

/** @throws Fault `exhausted` for more than `mostBytes` */
export async function whole(stream: IncomingMessage, mostBytes: number, engine: Engine): Promise<string> {
    const parts: Buffer[] = []
    let length = 0
    try {
        for await (const part of stream as AsyncIterable<Buffer>) {
            length += part.length
            if (length > mostBytes) {
                stream.destroy()
                throw new Fault('exhausted', { summary: 'Docker answered with more than can be read' })
            }
            parts.push(part)
        }
    } catch (thrown) {
        throw thrown instanceof Fault ? thrown : unreachable(thrown as NodeJS.ErrnoException, engine.socketPath)
    }
    return Buffer.concat(parts).toString('utf8')
}

function address({ api }: Engine, { path, query }: EngineRequest): string {
    const words = new URLSearchParams()
    for (const [name, value] of Object.entries(query ?? {})) if (value !== undefined) words.set(name, String(value))
    const text = words.toString()
    return `${api ? `/v${api}` : ''}${path}${text ? `?${text}` : ''}`
}
