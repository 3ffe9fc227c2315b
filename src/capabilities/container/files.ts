// Files into and out of containers: a path that is good once and for a minute, then the bytes, never held whole.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { PassThrough, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { asFault, Fault } from '../../base/fault.ts'
import type { Caller } from '../caller.ts'
import type { Route } from '../capability.ts'
import { type ContainerDeps, pathOf } from './begin.ts'
import type { ContainerEntry } from './entry.ts'
import { FILE_MAX_BYTES, firstFile, tarHead, tarTail } from './tar.ts'

const LIFE_MS = 60_000
const TICKETS_MAX = 1000
const PREFIX = '/container-files/'
/** Go's bits of a folder and of a link. */
const MODE_FOLDER = 2 ** 31
const MODE_LINK = 2 ** 27

interface Ticket {
    user: string
    container: string
    endsMs: number
    download?: { path: string; folder: boolean; name: string; sizeBytes: number }
    upload?: { folder: string; name: string; sizeBytes: number; mode: number }
}

export interface Files {
    /** @throws Fault `not-found` where nothing is there */
    beginDownload(entry: ContainerEntry, path: string, user: string): Promise<{ path: string; name: string }>
    /** @throws Fault `invalid`, `not-found` */
    beginUpload(entry: ContainerEntry, file: NonNullable<Ticket['upload']>, user: string): Promise<{ path: string }>
    route: Route
}

interface PathStat {
    name: string
    size: number
    mode: number
    linkTarget: string
}

export function createFiles(deps: ContainerDeps & { needFiles(caller: Caller, entry: ContainerEntry): void }): Files {
    const { docker, inventory, clock, log } = deps
    const tickets = new Map<string, Ticket>()

    function issue(ticket: Omit<Ticket, 'endsMs'>): string {
        for (const [id, { endsMs }] of tickets) if (endsMs < clock.ticks()) tickets.delete(id)
        if (tickets.size >= TICKETS_MAX)
            throw new Fault('exhausted', { summary: 'Too many files wait to be sent', fix: 'Try again in a minute.' })
        const id = randomBytes(24).toString('base64url')
        tickets.set(id, { ...ticket, endsMs: clock.ticks() + LIFE_MS })
        return `${PREFIX}${id}`
    }

    async function stat(entry: ContainerEntry, path: string): Promise<PathStat> {
        try {
            const { headers, stream } = await docker.ask({
                method: 'HEAD',
                path: pathOf(entry, 'archive'),
                query: { path },
            })
            stream.resume()
            const text = String(headers['x-docker-container-path-stat'] ?? '')
            return JSON.parse(Buffer.from(text, 'base64').toString('utf8')) as PathStat
        } catch (thrown) {
            if (asFault(thrown).code !== 'not-found') throw thrown
            throw new Fault('not-found', {
                summary: 'There is no such file in the container',
                detail: `${entry.name}: ${path.slice(0, 200)}`,
                at: 'path',
                fix: 'Look with: debvisor container exec NAME -- ls -l /FOLDER',
            })
        }
    }

    async function download(ticket: Ticket, response: ServerResponse): Promise<void> {
        const entry = inventory.resolve(ticket.container)
        const { path, folder, name, sizeBytes } = ticket.download!
        const gone = new AbortController()
        response.once('close', () => gone.abort(new Fault('cancelled', { summary: 'The client went away' })))
        const query = { path }
        const { stream } = await docker.ask({ path: pathOf(entry, 'archive'), query, own: true, signal: gone.signal })
        response.writeHead(200, {
            'content-type': folder ? 'application/x-tar' : 'application/octet-stream',
            ...(folder ? {} : { 'content-length': String(sizeBytes) }),
            'content-disposition': disposition(name),
            'cache-control': 'no-store',
            'x-content-type-options': 'nosniff',
            'content-security-policy': "sandbox; default-src 'none'",
        })
        try {
            await pipeline(folder ? stream : Readable.from(firstFile(stream)), response)
        } catch (thrown) {
            if (!gone.signal.aborted) log.warn('a download ended in the middle', { container: entry.name, err: thrown })
            response.destroy()
        } finally {
            stream.destroy()
        }
    }

    async function upload(ticket: Ticket, request: IncomingMessage, response: ServerResponse): Promise<void> {
        const entry = inventory.resolve(ticket.container)
        const { folder, name, sizeBytes, mode } = ticket.upload!
        const length = request.headers['content-length']
        if (length !== String(sizeBytes))
            throw new Fault('invalid', {
                summary: 'The file is not as long as was said',
                detail: `${length ?? 'unknown'} instead of ${sizeBytes} bytes`,
                fix: 'Begin the upload again.',
            })
        const head = tarHead({ name, sizeBytes, mode, modifiedMs: clock.now() })
        const tail = tarTail(sizeBytes)
        const tar = new PassThrough()
        const feed = (async () => {
            tar.write(head)
            for await (const piece of request as AsyncIterable<Buffer>) if (!tar.write(piece)) await once(tar, 'drain')
            tar.end(tail)
        })().catch(thrown => tar.destroy(thrown as Error))
        const { stream } = await docker.ask({
            method: 'PUT',
            path: pathOf(entry, 'archive'),
            query: { path: folder, noOverwriteDirNonDir: true },
            upload: { stream: tar, type: 'application/x-tar', lengthBytes: head.length + sizeBytes + tail.length },
            deadlineMs: 0,
        })
        stream.resume()
        await feed
        response.writeHead(204, { 'cache-control': 'no-store' }).end()
    }

    const route: Route = {
        prefix: PREFIX,
        summary:
            'GET or PUT a file of a container, with a path of BeginDownload or BeginUpload: once, by who asked for it',
        async handle(request, response, caller) {
            const id = (request.url ?? '').slice(PREFIX.length).split('?')[0]!
            const ticket = tickets.get(id)
            const fits =
                request.method === 'GET' ? ticket?.download : request.method === 'PUT' ? ticket?.upload : undefined
            const mine =
                ticket?.user === caller.user && caller.via !== 'nobody' && clock.ticks() <= (ticket?.endsMs ?? 0)
            if (!ticket || !fits || !mine)
                throw new Fault('not-found', {
                    summary: 'There is no such file to send',
                    detail: 'paths serve once, for a minute',
                    fix: 'Begin again.',
                })
            tickets.delete(id)
            deps.needFiles(caller, inventory.resolve(ticket.container))
            if (ticket.download) await download(ticket, response)
            else await upload(ticket, request, response)
        },
    }

    return {
        async beginDownload(entry, path, user) {
            needPath(path, 'path')
            let seen = await stat(entry, path)
            let real = path
            if ((seen.mode & MODE_LINK) !== 0) {
                real = seen.linkTarget
                seen = await stat(entry, real)
            }
            // Bits beyond 31 do not fit into a signed number.
            const folder = Math.floor(seen.mode / MODE_FOLDER) % 2 === 1
            const base = path.replace(/\/+$/, '').split('/').at(-1) || entry.name
            const name = folder ? `${base}.tar` : base
            const one = { path: real, folder, name, sizeBytes: seen.size }
            return { path: issue({ user, container: entry.id, download: one }), name }
        },
        async beginUpload(entry, file, user) {
            needPath(file.folder, 'folder')
            if (file.name === '' || /[/\0]/.test(file.name) || /^\.\.?$/.test(file.name) || file.name.length > 255)
                throw new Fault('invalid', {
                    summary: 'That cannot be the name of a file',
                    detail: JSON.stringify(file.name.slice(0, 80)),
                    at: 'name',
                    fix: 'Use 1 to 255 characters without slashes.',
                })
            if (!Number.isSafeInteger(file.sizeBytes) || file.sizeBytes > FILE_MAX_BYTES)
                throw new Fault('invalid', {
                    summary: 'The file is too large',
                    at: 'size_bytes',
                    fix: 'Send at most 8 GiB this way; put more into a volume.',
                })
            await stat(entry, file.folder)
            return { path: issue({ user, container: entry.id, upload: file }) }
        },
        route,
    }
}

function needPath(path: string, at: string): void {
    if (path.startsWith('/') && !path.includes('\0') && path.length < 4096) return
    throw new Fault('invalid', {
        summary: 'A path in a container begins with a slash',
        detail: JSON.stringify(path.slice(0, 80)),
        at,
        fix: 'Write it such as /etc/hosts.',
    })
}

/** A name made by hand may be anything: it becomes a plain one, and the true one is said beside it, encoded. */
function disposition(name: string): string {
    const plain = name.replace(/[^A-Za-z0-9._+-]/g, '_').replace(/^\.+/, '_')
    const encoded = encodeURIComponent(name).replace(/['()*]/g, c => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    return `attachment; filename="${plain || 'file'}"; filename*=UTF-8''${encoded}`
}
