// Downloads: a ticket is opened by an RPC, bound to who asked, and used once within a minute.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Fault } from '../../base/fault.ts'
import type { Clock, Log } from '../../ports/ports.ts'
import type { Route } from '../capability.ts'
import { purposeOf, type Users, type VolumeEntry } from './entries.ts'
import type { Volumes } from './volumes.ts'

export interface Downloads {
    /** @throws Fault for seeds, and for what is being written or is not whole */
    begin(ref: string, user: string): Promise<{ path: string; sizeBytes: number }>
    route: Route
}

const LIFE_MS = 60_000
const TICKETS_MAX = 1000

export function createDownloads(deps: { volumes: Volumes; users: Users; clock: Clock; log: Log }): Downloads {
    const { volumes, users, clock, log } = deps
    const tickets = new Map<string, { user: string; ref: string; endsMs: number }>()

    function check(entry: VolumeEntry): void {
        const detail = `${entry.pool}/${entry.name}`
        if (purposeOf(entry) === 'seed') {
            throw new Fault('denied', {
                summary: 'A cloud-init seed holds secrets, and cannot be downloaded',
                detail,
                fix: 'Make a new one where it is needed.',
                at: 'volume',
            })
        }
        const running = users.ofPath(entry.path).filter(vm => vm.active !== false)
        if (running.length > 0 && purposeOf(entry) === 'disk') {
            throw new Fault('conflict', {
                summary: 'A running VM writes to the volume',
                detail: `${detail}, by ${running.map(v => v.name).join(', ')}`,
                fix: 'Shut the VM down, or clone it and download the clone.',
                at: 'volume',
            })
        }
        if (entry.backingPath) {
            throw new Fault('precondition', {
                summary: 'The volume stands on another one, and is not whole alone',
                detail,
                fix: 'Make a full clone of it, and download that.',
                at: 'volume',
            })
        }
    }

    const route: Route = {
        prefix: '/download/',
        summary: 'GET the bytes of a volume, with a ticket of BeginDownload: once, by who asked for it',
        async handle(request, response, caller) {
            const id = (request.url ?? '').slice('/download/'.length).split('?')[0]!
            const ticket = tickets.get(id)
            if (request.method !== 'GET')
                throw new Fault('invalid', {
                    summary: 'A download is fetched with GET',
                    detail: String(request.method),
                })
            if (!ticket || ticket.user !== caller.user || caller.via === 'nobody' || clock.now() > ticket.endsMs) {
                throw new Fault('not-found', {
                    summary: 'There is no such download',
                    detail: 'tickets serve once, for a minute',
                    fix: 'Begin the download again.',
                })
            }
            tickets.delete(id)
            caller.need('image.download')
            // Found anew: a VM may have written to it since, and its length is said before the bytes.
            const entry = await volumes.find(ticket.ref)
            check(entry)
            const gone = new AbortController()
            response.once('close', () => gone.abort(new Fault('cancelled', { summary: 'The client went away' })))
            const chunks = volumes.read(entry, { lengthBytes: entry.physicalBytes, signal: gone.signal })
            // The first piece comes before the headers: what fails by then is answered as a problem.
            const first = await chunks.next()
            response.writeHead(200, {
                'content-type': 'application/octet-stream',
                'content-length': String(entry.physicalBytes),
                'content-disposition': disposition(entry.name),
                'cache-control': 'no-store',
                'x-content-type-options': 'nosniff',
                'content-security-policy': "sandbox; default-src 'none'",
            })
            try {
                if (!first.done) response.write(first.value)
                for await (const chunk of chunks) {
                    if (!response.write(chunk)) await once(response, 'drain', { signal: gone.signal })
                }
                response.end()
            } catch (thrown) {
                if (!gone.signal.aborted)
                    log.warn('a download ended in the middle', { volume: ticket.ref, err: thrown })
                response.destroy()
            }
        },
    }

    return {
        async begin(ref, user) {
            const entry = await volumes.find(ref)
            check(entry)
            for (const [id, { endsMs }] of tickets) if (endsMs < clock.now()) tickets.delete(id)
            if (tickets.size >= TICKETS_MAX)
                throw new Fault('exhausted', {
                    summary: 'Too many downloads wait to begin',
                    fix: 'Try again in a minute.',
                })
            const id = randomBytes(24).toString('base64url')
            tickets.set(id, { user, ref: `${entry.pool}/${entry.name}`, endsMs: clock.now() + LIFE_MS })
            return { path: `/download/${id}`, sizeBytes: entry.physicalBytes }
        },
        route,
    }
}

/** A name made by hand may be anything: it becomes a plain one, and the true one is said beside it, encoded. */
export function disposition(name: string): string {
    const plain = name.replace(/[^A-Za-z0-9._+-]/g, '_').replace(/^\.+/, '_')
    const encoded = encodeURIComponent(name).replace(/['()*]/g, c => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    return `attachment; filename="${plain || 'volume'}"; filename*=UTF-8''${encoded}`
}
