// Uploads in pieces: they go on while one looks at other pages, can be paused, and resume after a lost connection.
import { useSyncExternalStore } from 'react'
import { ImageService } from '../../gen/proto/capabilities/image/image_pb.js'
import { State, TaskService } from '../../gen/proto/capabilities/task/task_pb.js'
import { begunHere } from '../act.panel.tsx'
import { clientOf, session, type Trouble, trouble, troubleOf } from '../client.panel.tsx'
import { keepOn } from '../live.panel.tsx'
import { untilSilence, uploading } from '../pulse.panel.tsx'

export interface Upload {
    id: number
    name: string
    pool: string
    sizeBytes: number
    sentBytes: number
    bytesPerSecond: number
    /** checking: all bytes are there, and the server looks at them. done: the image is in its pool. */
    state: 'sending' | 'paused' | 'checking' | 'done' | 'failed'
    problem?: Trouble
    task: string
}

interface Job {
    file: File
    upload: string
    path: string
    abort?: AbortController
}

const PIECE_BYTES = 8 * 1024 ** 2
const TRIES = 8

let uploads: readonly Upload[] = []
let nextId = 1
const jobs = new Map<number, Job>()
const listeners = new Set<() => void>()

/** Whose bytes are in this page: leaving it would end them. */
const moving = new Set<Upload['state']>(['sending', 'paused'])

function change(id: number, part: Partial<Upload>): void {
    put(uploads.map(u => (u.id === id ? { ...u, ...part } : u)))
}

function put(next: readonly Upload[]): void {
    uploads = next
    if (uploads.some(u => moving.has(u.state))) window.addEventListener('beforeunload', warn)
    else window.removeEventListener('beforeunload', warn)
    for (const listener of [...listeners]) listener()
}

function subscribe(listener: () => void): () => void {
    listeners.add(listener)
    return () => listeners.delete(listener)
}

export const useUploads = (): readonly Upload[] => useSyncExternalStore(subscribe, () => uploads)

/** Leaving the page would end uploads: the browser asks. */
const warn = (event: BeforeUnloadEvent): void => event.preventDefault()

const at = (id: number): Upload | undefined => uploads.find(u => u.id === id)

export interface UploadWish {
    file: File
    pool: string
    name: string
    overwrite: boolean
    checksum: string
}

/** Begins an upload; rejects when the server refuses it. */
export async function upload(wish: UploadWish): Promise<void> {
    const answer = await clientOf(ImageService).beginUpload({
        pool: wish.pool,
        name: wish.name,
        sizeBytes: BigInt(wish.file.size),
        overwrite: wish.overwrite,
        checksum: wish.checksum,
    })
    const id = nextId++
    if (answer.task) begunHere.add(answer.task)
    jobs.set(id, { file: wish.file, upload: answer.upload, path: answer.path })
    put([
        ...uploads,
        {
            id,
            name: wish.name,
            pool: wish.pool,
            sizeBytes: wish.file.size,
            sentBytes: 0,
            bytesPerSecond: 0,
            state: 'sending',
            task: answer.task,
        },
    ])
    void send(id)
}

export function pause(id: number): void {
    change(id, { state: 'paused', bytesPerSecond: 0 })
    jobs.get(id)?.abort?.abort()
}

/** Goes on with one that was paused, or that failed on its way. */
export function resume(id: number): void {
    const state = at(id)?.state
    if (state !== 'paused' && !(state === 'failed' && jobs.has(id))) return
    change(id, { state: 'sending', problem: undefined })
    void send(id)
}

/** Whether the server still waits for the rest of its bytes. */
export const isOpen = (upload: Upload): boolean => jobs.has(upload.id) && upload.state !== 'checking'

/** Takes an upload off the list; the server forgets what it has of one that is not whole. */
export function drop(id: number): void {
    const job = jobs.get(id)
    const unfinished = at(id)?.state !== 'checking'
    jobs.delete(id)
    put(uploads.filter(u => u.id !== id))
    job?.abort?.abort()
    if (job && unfinished) {
        clientOf(ImageService)
            .cancelUpload({ upload: job.upload })
            .catch(() => undefined)
    }
}

/** All bytes are there: whether they are the image that was meant, the task says. */
async function check(id: number): Promise<void> {
    const { task } = at(id)!
    const stop = new AbortController()
    const { signal } = stop
    jobs.get(id)!.abort = stop
    change(id, { state: 'checking', sentBytes: at(id)!.sizeBytes, bytesPerSecond: 0 })
    const end = (part: Partial<Upload>): void => {
        jobs.delete(id)
        change(id, part)
        stop.abort()
    }
    await keepOn(signal, {
        async run(alive) {
            for await (const message of clientOf(TaskService).watch({ id: task }, { signal })) {
                alive()
                if (!message.task || message.task.state === State.RUNNING) continue
                const done = message.task.state === State.DONE
                return end(done ? { state: 'done' } : { state: 'failed', problem: message.task.problem })
            }
        },
        broken: (why, denied) => denied && end({ state: 'failed', problem: why }),
    })
}

/** Sends piece after piece from where the server is; a failed piece is tried again after asking where it is. */
async function send(id: number): Promise<void> {
    const job = jobs.get(id)
    if (!job) return
    job.abort = new AbortController()
    const { signal } = job.abort
    let failures = 0
    let from = -1
    while (at(id)?.state === 'sending') {
        try {
            if (from < 0) {
                const there = await clientOf(ImageService).getUpload({ upload: job.upload }, { signal })
                from = Number(there.receivedBytes)
                change(id, { sentBytes: from })
            }
            if (from >= job.file.size) {
                return await check(id)
            }
            from = await piece(id, from, signal)
            failures = 0
        } catch (thrown) {
            if (signal.aborted) return
            from = -1
            failures++
            const problem = thrown instanceof Refused ? thrown.trouble : troubleOf(thrown)
            if (failures > TRIES || (thrown instanceof Refused && thrown.final)) {
                return change(id, { state: 'failed', problem, bytesPerSecond: 0 })
            }
            await new Promise(resolve => setTimeout(resolve, Math.min(500 * 2 ** failures, 15_000)))
        }
    }
}

class Refused extends Error {
    constructor(
        readonly trouble: Trouble,
        readonly final: boolean,
    ) {
        super(trouble.summary)
    }
}

/** PUTs one piece and says where the next begins. XMLHttpRequest, since fetch tells nothing of an upload's progress. */
function piece(id: number, from: number, signal: AbortSignal): Promise<number> {
    const job = jobs.get(id)!
    const end = Math.min(from + PIECE_BYTES, job.file.size)
    const began = performance.now()
    return new Promise((resolve, reject) => {
        const request = new XMLHttpRequest()
        const abort = (): void => request.abort()
        signal.addEventListener('abort', abort)
        request.open('PUT', job.path)
        request.setRequestHeader('Content-Type', 'application/octet-stream')
        request.setRequestHeader('Content-Range', `bytes ${from}-${end - 1}/${job.file.size}`)
        request.upload.onprogress = event => {
            const seconds = Math.max(0.05, (performance.now() - began) / 1000)
            change(id, { sentBytes: from + event.loaded, bytesPerSecond: event.loaded / seconds })
        }
        const sent = uploading()
        const stopListening = untilSilence(abort)
        request.onloadend = () => {
            sent()
            stopListening()
            signal.removeEventListener('abort', abort)
            if (request.status >= 200 && request.status < 300) return resolve(end)
            if (request.status === 401) {
                session.set('expired')
                return session.renewed(signal).then(() => reject(new Refused(refusal(request), false)), reject)
            }
            const final =
                request.status >= 400 && request.status < 500 && request.status !== 409 && request.status !== 416
            reject(new Refused(refusal(request), final))
        }
        request.send(job.file.slice(from, end))
    })
}

/** The server's problem as JSON, or that it did not answer. */
function refusal(request: XMLHttpRequest): Trouble {
    try {
        const said = JSON.parse(request.responseText) as Partial<Trouble>
        if (said.summary)
            return { ...trouble(said.summary, said.detail ?? '', said.fix ?? ''), code: said.code ?? 'unknown' }
    } catch {
        // Not JSON: it came from something in between.
    }
    return trouble('The upload was interrupted', request.status > 0 ? `HTTP ${request.status}` : '', 'Try again.')
}
