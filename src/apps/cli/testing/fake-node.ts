// A node for the tests of the command line: it answers on a socket, remembers what was asked, and runs no VM.
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import type { ConnectError } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { WebSocketServer } from 'ws'
import { main } from '../main.ts'
import { fakeIdentity } from './fake-identity.ts'
import { fakeImages } from './fake-images.ts'
import { fakeProvision } from './fake-provision.ts'
import { fakeVms } from './fake-vms.ts'

export type Calls = [string, object][]

export interface Answer {
    code: number
    out: string
    err: string
}

export interface Typed {
    /** What is typed in a terminal; the terminal stays open. */
    terminal?: string
    /** What comes from a pipe, which then ends. */
    pipe?: string
    env?: Record<string, string>
    /** Called with all that was written to standard error, each time that more comes. */
    onErr?(text: string): void
}

export interface FakeNode {
    folder: string
    socket: string
    /** What was asked, by method. */
    calls: Calls
    run(line: string | string[], typed?: Typed): Promise<Answer>
    close(): Promise<void>
    /** Answers plain HTTP: the bytes of uploads and downloads. */
    bytes: (request: IncomingMessage, response: ServerResponse) => void
}

/** `errorOf` is the daemon's own way to say a Fault: handed in, as no app imports another. */
export async function fakeNode(errorOf: (thrown: unknown) => ConnectError): Promise<FakeNode> {
    const folder = await mkdtemp(join(tmpdir(), 'cli-'))
    const socket = join(folder, 's')
    const calls: Calls = []
    const handler = connectNodeAdapter({
        interceptors: [
            next => async request => {
                try {
                    return await next(request)
                } catch (thrown) {
                    throw errorOf(thrown)
                }
            },
        ],
        routes(router) {
            fakeVms(router, calls)
            fakeImages(router, calls)
            fakeIdentity(router, calls)
            fakeProvision(router, calls)
        },
    })
    const server = createServer((request, response) =>
        /^\/(upload|download)\//.test(request.url ?? '') ? node.bytes(request, response) : handler(request, response),
    )
    // The serial console of every VM: it says back what is typed.
    const consoles = new WebSocketServer({ noServer: true, handleProtocols: () => 'debvisor.console' })
    server.on('upgrade', (request, stream, head) =>
        consoles.handleUpgrade(request, stream, head, client => client.on('message', data => client.send(data))),
    )
    await new Promise<void>(resolve => server.listen(socket, resolve))

    async function run(line: string | string[], typed: Typed = {}): Promise<Answer> {
        const stream = (onText?: (text: string) => void) => {
            const s = new PassThrough()
            let text = ''
            s.on('data', chunk => {
                text += chunk
                onText?.(text)
            })
            return { s, text: () => text }
        }
        const [out, err] = [stream(), stream(typed.onErr)]
        const atTerminal = typed.terminal !== undefined
        const stdin = Object.assign(new PassThrough(), atTerminal ? { isTTY: true } : {})
        if (atTerminal) stdin.write(typed.terminal)
        else stdin.end(typed.pipe)
        const code = await main(typeof line === 'string' ? line.split(' ') : line, {
            stdin,
            stdout: out.s,
            stderr: Object.assign(err.s, atTerminal ? { isTTY: true } : {}),
            env: { DEBVISOR_SOCKET: socket, XDG_CONFIG_HOME: folder, ...typed.env },
        })
        return { code, out: out.text(), err: err.text() }
    }

    const node: FakeNode = {
        folder,
        socket,
        calls,
        run,
        bytes: (_request, response) => response.writeHead(404).end('{}'),
        async close() {
            server.closeAllConnections()
            server.close()
            await rm(folder, { recursive: true })
        },
    }
    return node
}
