// Images that come as a tar from a person's machine: straight into the Engine, never held whole.
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Fault } from '../../base/fault.ts'
import { jsonLines } from '../../drivers/docker/frames.ts'
import type { Route } from '../capability.ts'
import type { EngineProgress } from './engine-types.ts'
import { followProgress, type ImageDeps } from './images.ts'
import { referenceOf } from './reference.ts'

const LIFE_MS = 60_000
const PREFIX = '/container-images/'
const WAITING_MAX = 100

interface Waiting {
    user: string
    reference: string
    sizeBytes: number
    endsMs: number
}

export interface Imports {
    /** The path to send the bytes to. @throws Fault `invalid`, `exhausted` */
    begin(asked: { reference: string; sizeBytes: number }, user: string): { path: string }
    route: Route
}

export function createImports(deps: ImageDeps): Imports {
    const { docker, tasks, clock } = deps
    const waiting = new Map<string, Waiting>()

    /** Carried out as a task, so that it is seen and can be cancelled. @throws Fault that ended it */
    async function take({ user, reference, sizeBytes }: Waiting, request: IncomingMessage): Promise<void> {
        const spec = {
            kind: 'container-image.import',
            title: `Import image ${reference || 'from a tar'}`,
            owner: user,
            on: { kind: 'container-image', id: reference, name: reference },
            cancellable: true,
        }
        const { settled } = await tasks.begin(spec, async running => {
            const { stream } = await docker.ask({
                method: 'POST',
                ...wayOf(reference),
                upload: { stream: request, type: 'application/x-tar', lengthBytes: sizeBytes },
                ...{ deadlineMs: 0, signal: running.signal },
            })
            await followProgress(jsonLines<EngineProgress>(stream), running, 'importing')
        })
        const { state, problem } = await settled
        if (state !== 'done')
            throw new Fault(problem?.code ?? 'cancelled', problem ?? { summary: 'The import was cancelled' })
    }

    return {
        begin({ reference, sizeBytes }, user) {
            wayOf(reference)
            if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0)
                throw new Fault('invalid', {
                    summary: 'A tar has at least one byte',
                    at: 'size_bytes',
                    fix: 'Say how long it is.',
                })
            for (const [id, { endsMs }] of waiting) if (endsMs < clock.ticks()) waiting.delete(id)
            if (waiting.size >= WAITING_MAX)
                throw new Fault('exhausted', {
                    summary: 'Too many imports wait to begin',
                    fix: 'Try again in a minute.',
                })
            const id = randomBytes(24).toString('base64url')
            waiting.set(id, { user, reference, sizeBytes, endsMs: clock.ticks() + LIFE_MS })
            return { path: `${PREFIX}${id}` }
        },
        route: {
            prefix: PREFIX,
            summary: 'PUT the tar of an image, with a path of BeginImport: once, by who asked for it',
            async handle(request, response, caller) {
                const id = (request.url ?? '').slice(PREFIX.length).split('?')[0]!
                const one = waiting.get(id)
                const mine = one?.user === caller.user && caller.via !== 'nobody' && clock.ticks() <= one.endsMs
                if (request.method !== 'PUT' || !one || !mine)
                    throw new Fault('not-found', {
                        summary: 'There is no such import',
                        detail: 'paths serve once, for a minute',
                        fix: 'Begin it again.',
                    })
                if (request.headers['content-length'] !== String(one.sizeBytes))
                    throw new Fault('invalid', {
                        summary: 'The tar is not as long as was said',
                        fix: 'Begin the import again.',
                    })
                caller.need('container.images')
                waiting.delete(id)
                await take(one, request)
                response.writeHead(204, { 'cache-control': 'no-store' }).end()
            },
        },
    }
}

/** What the Engine is asked for: to load what `docker save` wrote, or to make an image of a root file system. */
function wayOf(reference: string) {
    if (reference === '') return { path: '/images/load', query: { quiet: true } }
    const { name, tag } = referenceOf(reference)
    return { path: '/images/create', query: { fromSrc: '-', repo: name, tag } }
}
