// What is kept on disk of each upload: its record, and beside it a folder of its own for the bytes.
import type { System } from '../../ports/ports.ts'
import type { Target } from './carrying.ts'
import { type Format, isFormat } from './formats.ts'

export interface UploadWish extends Target {
    format: Format
    sizeBytes: number
    checksum: string
    owner: string
}

export interface Session extends UploadWish {
    id: string
    task: string
    startedMs: number
    receivedBytes: number
}

const ID = /^[A-Za-z0-9_-]{24}$/
export const isUploadId = (id: string): boolean => ID.test(id)

export interface Sessions {
    /**
     * The folder of the bytes. A tool that opens them is given this folder and no other: the record stands outside of
     * it, so that an image which has taken the tool over cannot write it.
     */
    dataOf(id: string): string
    create(session: Session): Promise<void>
    save(session: Session): Promise<void>
    remove(id: string): Promise<void>
    /** What an earlier life of the daemon left; `session` is undefined where its record is not whole. */
    left(): Promise<{ id: string; session?: Session }[]>
}

export function createSessions(deps: { system: System; folder: string }): Sessions {
    const { system, folder } = deps
    const recordOf = (id: string) => `${folder}/${id}/session.json`
    const dataOf = (id: string) => `${folder}/${id}/data`
    const save = (session: Session) => system.writeFile(recordOf(session.id), JSON.stringify(session), 0o600)

    return {
        dataOf,
        save,
        async create(session) {
            await system.makeDirectory(`${folder}/${session.id}`, 0o700)
            await system.makeDirectory(dataOf(session.id), 0o700)
            await save(session)
        },
        remove: id => system.remove(`${folder}/${id}`),
        async left() {
            await system.makeDirectory(folder, 0o700)
            const ids = await system.list(folder)
            return Promise.all(
                ids.map(async id => ({ id, session: parsed((await system.readText(recordOf(id))) ?? '', id) })),
            )
        },
    }
}

function parsed(text: string, id: string): Session | undefined {
    try {
        const session = JSON.parse(text) as Session
        const whole = session.id === id && isUploadId(id) && isFormat(session.format) && isFormat(session.keepAs)
        return whole && Number.isSafeInteger(session.receivedBytes) ? session : undefined
    } catch {
        return undefined
    }
}
