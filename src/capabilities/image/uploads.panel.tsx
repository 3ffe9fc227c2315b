// Uploads in pieces: they go on while one looks at other pages, can be paused, and resume after a lost connection.
import { useSyncExternalStore } from 'react'
import { ImageService } from '../../gen/proto/capabilities/image/image_pb.js'
import { begunHere } from '../act.panel.tsx'
import { clientOf, session, type Trouble, trouble, troubleOf } from '../client.panel.tsx'

export interface Upload {
    id: number
    name: string
    pool: string
    sizeBytes: number
    sentBytes: number
    bytesPerSecond: number
    state: 'sending' | 'paused' | 'checking' | 'failed'
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

function change(id: number, part: Partial<Upload>): void {
    uploads = uploads.map(u => (u.id === id ? { ...u, ...part } : u))
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
    uploads = [
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
    ]
    window.addEventListener('beforeunload', warn)
    change(id, {})
    void send(id)
}

export function pause(id: number): void {
    change(id, { state: 'paused', bytesPerSecond: 0 })
    jobs.get(id)?.abort?.abort()
}

export function resume(id: number): void {
    if (at(id)?.state !== 'paused') return
    change(id, { state: 'sending' })
    void send(id)
}

/** Ends an upload for good, or takes a finished one off the list. */
export function drop(id: number): void {
    const job = jobs.get(id)
    const unfinished = at(id)?.state !== 'checking'
    uploads = uploads.filter(u => u.id !== id)
    job?.abort?.abort()
    if (job && unfinished) {
        clientOf(ImageService)
            .cancelUpload({ upload: job.upload })
            .catch(() => undefined)
    }
    ended(id)
    change(id, {})
}

function ended(id: number): void {
    jobs.delete(id)
    if (jobs.size === 0) window.removeEventListener('beforeunload', warn)
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
                change(id, { state: 'checking', sentBytes: job.file.size, bytesPerSecond: 0 })
                ended(id)
                return
            }
            from = await piece(id, from, signal)
            failures = 0
        } catch (thrown) {
            if (signal.aborted) return
            from = -1
            failures++
            const problem = thrown instanceof Refused ? thrown.trouble : troubleOf(thrown)
            if (failures > TRIES || (thrown instanceof Refused && thrown.final)) {
                change(id, { state: 'failed', problem, bytesPerSecond: 0 })
                ended(id)
                return
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
        request.onloadend = () => {
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
