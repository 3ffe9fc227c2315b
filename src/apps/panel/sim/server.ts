// Serves the simulated node: to `vite dev` as middleware, to tests and demonstrations with the built panel.
import { createReadStream, existsSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createGzip } from 'node:zlib'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { WebSocketServer } from 'ws'
import { CONTENT_SECURITY_POLICY } from '../../../base/content-policy.ts'
import { interceptor } from './access.ts'
import { auditService } from './audit-service.ts'
import { certificateService } from './certificate-service.ts'
import { consoleService } from './console-service.ts'
import { containerService } from './container-service.ts'
import { furnishedWorld } from './furnish.ts'
import { identityService } from './identity-service.ts'
import { imageService, type SimUpload } from './image-service.ts'
import { inspectService } from './inspect-service.ts'
import { networkService } from './network-service.ts'
import { nodeService } from './node-service.ts'
import { provisionService } from './provision-service.ts'
import { display, serial } from './screens.ts'
import { shellService } from './shell-service.ts'
import { stackService } from './stack-service.ts'
import { taskService } from './task-service.ts'
import { vmService } from './vm-service.ts'
import type { World, WorldOptions } from './world.ts'

type Next = () => void
interface Middlewares {
    use(handle: (request: IncomingMessage, response: ServerResponse, next: Next) => void): unknown
}

function backend(world: World) {
    const uploads = new Map<string, SimUpload>()
    const tickets = new Map<string, { vm: string; kind: number }>()
    const terminals = new Map<string, string>()
    const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'debvisor.console' })
    const api = (fallback: (request: IncomingMessage, response: ServerResponse) => void) =>
        connectNodeAdapter({
            interceptors: [interceptor(world)],
            routes: router => {
                vmService(world, router)
                imageService(world, router, uploads)
                networkService(world, router)
                nodeService(world, router)
                inspectService(world, router)
                provisionService(world, router)
                certificateService(world, router)
                shellService(world, router, terminals)
                taskService(world, router)
                auditService(world, router)
                identityService(world, router)
                consoleService(world, router, tickets)
                containerService(world, router, terminals)
                stackService(world, router)
            },
            fallback: fallback as never,
        })

    /** PUT of a piece: counts the bytes, and makes the volume when all are there. */
    function receive(request: IncomingMessage, response: ServerResponse): void {
        const upload = uploads.get((request.url ?? '').slice('/upload/'.length))
        const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(request.headers['content-range'] ?? '')
        if (upload && world.refusesPieces) {
            request.resume()
            response.writeHead(400, { 'content-type': 'application/json' })
            response.end(
                JSON.stringify({ code: 'invalid', summary: 'The pool is full', detail: '', fix: 'Make room.' }),
            )
            return
        }
        if (!upload || !range || Number(range[1]) !== upload.received) {
            response.writeHead(upload ? 416 : 404, { 'content-type': 'application/json' })
            response.end(
                JSON.stringify({
                    code: 'invalid',
                    summary: 'The piece does not fit',
                    detail: '',
                    fix: 'Ask where the upload is.',
                }),
            )
            return
        }
        request.on('data', (piece: Buffer) => {
            upload.received += piece.length
        })
        request.on('end', () => {
            response.writeHead(204).end()
            if (upload.received < upload.sizeBytes) return
            void world.check(upload.name).then(problem => {
                world.finish(upload.task, problem)
                if (problem) return
                world.addVolume(upload.pool, upload.name, {
                    capacityBytes: BigInt(upload.sizeBytes),
                    allocationBytes: BigInt(upload.sizeBytes),
                    format: upload.name.endsWith('.iso') ? 'iso' : 'qcow2',
                    purpose: upload.name.endsWith('.iso') ? 'iso' : 'disk',
                })
                world.say({ kind: 'volume', key: `${upload.pool}/${upload.name}` })
            })
        })
    }

    function upgrade(request: IncomingMessage, socket: Socket, head: Buffer): boolean {
        if (!['/console', '/container-terminal', '/node-shell'].includes(request.url ?? '')) return false
        const offered = (request.headers['sec-websocket-protocol'] ?? '').split(/,\s*/)
        const ticket = offered.find(p => p.startsWith('ticket.'))?.slice(7) ?? ''
        const shell = terminals.get(ticket)
        if (shell !== undefined && terminals.delete(ticket)) {
            sockets.handleUpgrade(request, socket, head, ws => serial(ws, shell))
            return true
        }
        const way = tickets.get(ticket)
        tickets.delete(ticket)
        if (!way) {
            socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
            return true
        }
        sockets.handleUpgrade(request, socket, head, ws => {
            if (way.kind === 1) return display(ws, way.vm)
            world.ports.get(way.vm)?.close()
            world.ports.set(way.vm, ws)
            ws.on('close', () => world.ports.get(way.vm) === ws && world.ports.delete(way.vm))
            serial(ws, way.vm)
        })
        return true
    }

    /** True when the request was one of the API's own routes. */
    function route(request: IncomingMessage, response: ServerResponse): boolean {
        if (request.method === 'PUT' && request.url?.startsWith('/upload/')) receive(request, response)
        else if (request.method === 'PUT' && /^\/container-(files|images)\//.test(request.url ?? ''))
            request.resume().once('end', () => response.writeHead(204).end())
        else if (request.url?.startsWith('/download/') || request.url?.startsWith('/container-files/'))
            response.writeHead(200, { 'content-disposition': 'attachment' }).end('twelve bytes')
        else if (request.url === '/alive') response.writeHead(204, { 'cache-control': 'no-store' }).end()
        else return false
        return true
    }
    return { api, route, upgrade }
}

/** For `vite dev`: a thousand machines that change. */
export function attachSim(
    middlewares: Middlewares,
    server: Server,
    options: WorldOptions = { vms: 1000, churn: 50 },
): World {
    const world = furnishedWorld(options)
    const { api, route, upgrade } = backend(world)
    middlewares.use((request, response, next) => {
        if (!route(request, response)) api(() => next())(request, response)
    })
    server.on('upgrade', (request, socket, head) => void upgrade(request, socket as Socket, head))
    return world
}

const types: Record<string, string> = {
    '.html': 'text/html; charset=utf-8',
    '.js': 'text/javascript; charset=utf-8',
    '.css': 'text/css; charset=utf-8',
    '.svg': 'image/svg+xml',
    '.woff2': 'font/woff2',
    '.json': 'application/json',
}

export interface SimServer {
    url: string
    world: World
    close(): Promise<void>
}

/** The built panel over a simulated node, on a free port of the loopback unless told otherwise. */
export async function startSim(options: WorldOptions & { port?: number; panel?: string }): Promise<SimServer> {
    const world = furnishedWorld(options)
    const { api, route, upgrade } = backend(world)
    const folder =
        options.panel ?? process.env.DEBVISOR_PANEL ?? fileURLToPath(new URL('../../../../dist/panel', import.meta.url))
    if (!existsSync(join(folder, 'index.html')))
        throw new Error('build the panel first: npx vite build -c src/apps/panel/vite.config.ts')
    const files = (request: IncomingMessage, response: ServerResponse): void => {
        const path = normalize(new URL(request.url ?? '/', 'http://panel').pathname)
        const wanted = join(folder, path)
        const file =
            wanted.startsWith(folder) && existsSync(wanted) && statSync(wanted).isFile()
                ? wanted
                : join(folder, 'index.html')
        const isPacked =
            /\.(html|js|css|svg)$/.test(file) && /\bgzip\b/.test(String(request.headers['accept-encoding']))
        response.writeHead(200, {
            'content-type': types[extname(file)] ?? 'application/octet-stream',
            'content-security-policy': CONTENT_SECURITY_POLICY,
            'cache-control': path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
            ...(isPacked ? { 'content-encoding': 'gzip' } : {}),
        })
        // As the real one sends them: what a slow network costs is measured here.
        if (isPacked) createReadStream(file).pipe(createGzip()).pipe(response)
        else createReadStream(file).pipe(response)
    }
    const handle = api(files)
    const server = createServer((request, response) => {
        if (!route(request, response)) handle(request, response)
    })
    server.on('upgrade', (request, socket, head) => {
        if (!upgrade(request, socket as Socket, head)) socket.destroy()
    })
    await new Promise<void>(resolve => server.listen(options.port ?? 0, '127.0.0.1', resolve))
    return {
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        world,
        close: () =>
            new Promise(resolve => {
                world.close()
                server.close(() => resolve())
                server.closeAllConnections()
            }),
    }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const number = (name: string, otherwise: number): number =>
        Number(process.argv[process.argv.indexOf(name) + 1] || otherwise) || otherwise
    const sim = await startSim({
        vms: number('--vms', 1000),
        churn: number('--churn', 50),
        port: number('--port', 5180),
        bare: process.argv.includes('--bare'),
    })
    console.log(`${sim.url}  (admin / correct horse battery)`)
}
