// One daemon a folder: a lock that the kernel takes back when its holder dies, and that says who holds it.
import { createHash } from 'node:crypto'
import { connect, createServer, type Server } from 'node:net'
import { Fault } from '../../base/fault.ts'
import type { System } from '../../ports/ports.ts'

const ANSWER_MS = 2_000

/**
 * Locks the folders, which are there afterwards, until this process ends or the answered function is called. Another
 * path to the same folder is the same lock.
 * @throws Fault `conflict` when another daemon has one of them, with its process id
 */
export async function lockFolders(folders: readonly string[], system: System): Promise<() => Promise<void>> {
    const held: Server[] = []
    const release = async () => {
        await Promise.all(held.map(server => new Promise(resolve => server.close(resolve))))
    }
    const real = await Promise.all(folders.map(async folder => (await system.resolve(folder)) ?? folder))
    for (const folder of new Set(real)) {
        // An abstract socket (unix(7)) has no file that a killed holder could leave behind; two cannot bind it at once.
        const name = `\0debvisor-rpcd-${createHash('sha256').update(folder).digest('hex').slice(0, 32)}`
        const server = await holding(name)
        if (server) {
            held.push(server)
            continue
        }
        await release()
        const who = await heardAt(name)
        throw new Fault('conflict', {
            summary: 'Another debvisor-rpcd works on this folder',
            detail: `${folder}, ${who && /^\d+$/.test(who) ? `process ${who}` : 'which does not say who it is'}`,
            fix: 'End that one first, or use other folders with --state and --audit.',
        })
    }
    return release
}

/** Refuses a path of a socket at which somebody answers: to remove it would cut them off. @throws Fault `conflict` */
export async function checkNobodyAt(path: string): Promise<void> {
    if ((await heardAt(path, 'connect')) === undefined) return
    throw new Fault('conflict', {
        summary: 'Another debvisor-rpcd answers at this socket',
        detail: path,
        fix: 'End that one first, or choose another path with --socket.',
    })
}

/** A server that holds the name and tells who comes the process id; undefined when the name is taken. */
function holding(name: string): Promise<Server | undefined> {
    const server = createServer(socket => {
        socket.on('error', () => socket.destroy())
        socket.end(String(process.pid))
        // Nobody keeps the lock busy.
        socket.setTimeout(ANSWER_MS, () => socket.destroy())
    })
    server.unref()
    return new Promise((resolve, reject) => {
        server.once('error', (cause: NodeJS.ErrnoException) => {
            if (cause.code === 'EADDRINUSE') return resolve(undefined)
            reject(
                new Fault('unavailable', {
                    summary: 'The lock of the state folder cannot be taken',
                    detail: cause.code,
                    fix: 'Look at the limits of the service (open files), then start it again.',
                    cause,
                }),
            )
        })
        server.listen(name, () => {
            server.on('error', () => {})
            resolve(server)
        })
    })
}

/** What is said at a socket, or that somebody is there at all; undefined when nobody is, '' when they stay silent. */
function heardAt(path: string, wanted: 'words' | 'connect' = 'words'): Promise<string | undefined> {
    return new Promise(resolve => {
        let text: string | undefined
        const socket = connect(path)
        socket.setTimeout(ANSWER_MS, () => socket.destroy())
        socket.on('connect', () => {
            text = ''
            if (wanted === 'connect') socket.destroy()
        })
        socket.setEncoding('utf8').on('data', chunk => {
            text = `${text ?? ''}${chunk}`.slice(0, 64)
        })
        socket.on('error', () => {})
        socket.on('close', () => resolve(text))
    })
}
