// Uploads: bytes arrive in order, in one or many pieces, survive a restart, and wait for at most a day.
import { type Hash, randomBytes } from 'node:crypto'
import { Fault } from '../../base/fault.ts'
import type { RunningTask, Tasks } from '../../engine/task.ts'
import type { Clock, Log, System } from '../../ports/ports.ts'
import type { Caller } from '../caller.ts'
import type { Route } from '../capability.ts'
import { hashFor, type Intake } from './intake.ts'
import { answer, WrongPlace } from './upload-piece.ts'
import { createReceiving, type Open } from './upload-receiving.ts'
import { createSessions, isUploadId, type Session, type UploadWish } from './upload-sessions.ts'
import type { Volumes } from './volumes.ts'

export interface Uploads {
    /** Refuses what cannot be, before anything is touched. */
    check(wish: UploadWish): Promise<void>
    begin(wish: UploadWish): Promise<{ upload: string; path: string; task: string }>
    find(id: string, caller: Caller): Session
    cancel(id: string, caller: Caller): Promise<void>
    /** Takes up what an earlier life of the daemon left: before the tasks recover. */
    start(): Promise<void>
    route: Route
    close(): void
}

export interface UploadsDeps {
    system: System
    tasks: Tasks
    clock: Clock
    log: Log
    intake: Intake
    volumes: Volumes
    /** Below it each upload has a folder of its own. */
    folder: string
}

const LIFE_MS = 24 * 3600_000
const SWEEP_MS = 10 * 60_000
const OPEN_MAX = 32

export function createUploads(deps: UploadsDeps): Uploads {
    const { system, tasks, clock, log, intake, volumes, folder } = deps
    const open = new Map<string, Open>()
    const sessions = createSessions({ system, folder })

    function add(session: Session, hash?: Hash): Open {
        let resolve = () => {}
        let reject: (why: unknown) => void = () => {}
        const promise = new Promise<void>((done, failed) => {
            resolve = done
            reject = failed
        })
        // It may fail before anybody waits.
        promise.catch(() => {})
        const opened: Open = { session, hash, busy: false, arrived: { promise, resolve, reject } }
        open.set(session.id, opened)
        return opened
    }

    async function work(opened: Open, task: RunningTask): Promise<void> {
        const { session, arrived } = opened
        opened.running = task
        await task.undo({ kind: 'upload.remove', id: session.id })
        const onAbort = () => arrived.reject(task.signal.reason)
        task.signal.addEventListener('abort', onAbort)
        if (task.signal.aborted) onAbort()
        try {
            tellReceived(opened)
            if (session.receivedBytes >= session.sizeBytes) arrived.resolve()
            await arrived.promise
            const { format, checksum, sizeBytes, id } = session
            const digest = opened.hash?.digest('hex')
            opened.hash = undefined
            await takeBackHalf(session)
            await intake.take(
                { folder: sessions.dataOf(id), format, checksum, sizeBytes, digest, by: id },
                session,
                task,
                0.7,
            )
            open.delete(id)
            await sessions.remove(id)
        } finally {
            task.signal.removeEventListener('abort', onAbort)
        }
    }

    /** What an earlier life of the daemon had begun to write into the pool. */
    async function takeBackHalf(session: Session): Promise<void> {
        const ours = volumes.madeBy(session.pool, session.name)
        if (ours === session.id) await volumes.remove(`${session.pool}/${session.name}`)
    }

    const tellReceived = ({ session, running }: Open) =>
        running?.progress((0.7 * session.receivedBytes) / session.sizeBytes, 'receiving')

    tasks.onUndo('upload.remove', async step => {
        const id = String(step.id)
        if (!isUploadId(id)) return
        open.delete(id)
        await sessions.remove(id)
    })
    tasks.onAnchor('upload', async (anchor, task) => {
        const opened = open.get(String(anchor.id))
        if (opened) return work(opened, task)
        throw new Fault('not-found', {
            summary: 'The upload is gone',
            detail: 'its record was not whole',
            fix: 'Begin it again.',
        })
    })

    function refuseMany(owner: string): void {
        const own = [...open.values()].filter(o => o.session.owner === owner)
        if (own.length < OPEN_MAX) return
        throw new Fault('exhausted', {
            summary: 'You have too many uploads under way',
            detail: `${own.length} of ${OPEN_MAX}`,
            fix: 'Finish or cancel some: debvisor task list',
        })
    }
    function refuseTwice(wish: UploadWish): void {
        const other = [...open.values()].find(o => o.session.pool === wish.pool && o.session.name === wish.name)
        if (!other) return
        throw new Fault('conflict', {
            summary: 'An upload to that volume is under way',
            detail: `${wish.pool}/${wish.name}, by ${other.session.owner}`,
            fix: 'Wait for it, cancel it, or choose another name.',
            at: 'name',
        })
    }

    /** What others have announced, and not sent yet. */
    const awaited = (): number =>
        [...open.values()].reduce((sum, { session }) => sum + session.sizeBytes - session.receivedBytes, 0)

    async function checkRoom(wish: UploadWish, awaitedBytes: number): Promise<void> {
        await intake.checkTarget(wish, wish.sizeBytes)
        await intake.checkStaging(wish.sizeBytes + awaitedBytes)
    }

    async function begin(wish: UploadWish) {
        refuseMany(wish.owner)
        refuseTwice(wish)
        const awaitedBytes = awaited()
        const hash = hashFor(wish.checksum)
        const id = randomBytes(18).toString('base64url')
        const session: Session = { ...wish, id, task: '', startedMs: clock.now(), receivedBytes: 0 }
        // In the map before anything is awaited: the second of two at once is refused.
        const opened = add(session, hash)
        try {
            await checkRoom(wish, awaitedBytes)
            await sessions.create(session)
            const { task } = await tasks.begin(
                {
                    kind: 'image.upload',
                    title: `Upload ${wish.name}`,
                    owner: wish.owner,
                    on: { kind: 'volume', id: `${wish.pool}/${wish.name}`, name: wish.name },
                    cancellable: true,
                    anchor: { kind: 'upload', id },
                },
                running => work(opened, running),
            )
            session.task = task.id
            await sessions.save(session)
            return { upload: id, path: `/upload/${id}`, task: task.id }
        } catch (thrown) {
            open.delete(id)
            await sessions.remove(id)
            throw thrown
        }
    }

    function find(id: string, caller: Caller): Session {
        const opened = isUploadId(id) ? open.get(id) : undefined
        if (opened && opened.session.owner === caller.user) return opened.session
        throw new Fault('not-found', {
            summary: 'There is no such upload',
            detail: JSON.stringify(id.slice(0, 40)),
            fix: 'It may have ended: look at its task. Uploads live for a day.',
            at: 'upload',
        })
    }

    const receive = createReceiving({ system, clock, sessions, isOpen: id => open.has(id), tell: tellReceived })

    const route: Route = {
        prefix: '/upload/',
        summary: 'PUT the bytes of an upload that BeginUpload has opened, with Content-Range; only by who opened it',
        async handle(request, response, caller) {
            if (caller.via === 'nobody')
                throw new Fault('unauthenticated', {
                    summary: 'You are not logged in',
                    fix: 'Log in, or send a token.',
                })
            caller.need('image.import')
            const id = (request.url ?? '').slice('/upload/'.length).split('?')[0]!
            const session = find(id, caller)
            if (request.method === 'GET' || request.method === 'HEAD') return answer(response, 200, session)
            if (request.method !== 'PUT')
                throw new Fault('invalid', { summary: 'An upload is sent with PUT', detail: String(request.method) })
            const opened = open.get(id)!
            try {
                await receive(opened, request)
                answer(response, 200, session)
            } catch (thrown) {
                if (!(thrown instanceof WrongPlace)) throw thrown
                answer(response, 409, session, {
                    code: 'conflict',
                    summary: opened.busy
                        ? 'A piece of this upload is being received'
                        : 'The piece does not begin where the last one ended',
                    detail: `${session.receivedBytes} bytes are here`,
                    fix: 'Send the piece that begins there.',
                })
            }
        },
    }

    async function sweep(): Promise<void> {
        for (const { session, arrived, busy } of [...open.values()]) {
            if (busy || clock.now() - session.startedMs < LIFE_MS || session.receivedBytes === session.sizeBytes)
                continue
            arrived.reject(
                new Fault('deadline', {
                    summary: 'The upload was not finished within a day',
                    detail: session.name,
                    fix: 'Begin it again.',
                }),
            )
        }
    }
    const unSweep = clock.every(SWEEP_MS, () => void sweep())

    return {
        async check(wish) {
            refuseMany(wish.owner)
            refuseTwice(wish)
            hashFor(wish.checksum)
            await checkRoom(wish, awaited())
        },
        begin,
        find,
        route,
        async cancel(id, caller) {
            const session = find(id, caller)
            await tasks.cancel(session.task)
        },
        async start() {
            for (const { id, session } of await sessions.left()) {
                // The session may have been written before its task began, and never again.
                const task = tasks
                    .list()
                    .find(one => one.anchor?.kind === 'upload' && one.anchor.id === id && one.endedMs === undefined)
                // Without a task that goes on nobody would ever finish it.
                if (session && task) add({ ...session, task: task.id })
                else await sessions.remove(id)
            }
            if (open.size > 0) log.info('Uploads of before are taken up again', { uploads: open.size })
        },
        close: unSweep,
    }
}
