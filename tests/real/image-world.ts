// What the tests of images share: the capability over an isolated libvirtd, with its RPC, its web routes, and restarts.
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
    type Client,
    type ConnectRouter,
    createClient,
    createRouterTransport,
    type Interceptor,
} from '@connectrpc/connect'
import { connectError } from '../../src/apps/rpcd/errors.ts'
import { asFault, Fault } from '../../src/base/fault.ts'
import { type Caller, callerKey } from '../../src/capabilities/caller.ts'
import { createImage, type Image, type ImageDeps } from '../../src/capabilities/image/image.ts'
import { type LibvirtLink, stayConnected } from '../../src/drivers/libvirt/link.ts'
import type { TaskRecord, Tasks } from '../../src/engine/task.ts'
import { createTasks } from '../../src/engine/tasks.ts'
import { ImageService } from '../../src/gen/proto/capabilities/image/image_pb.js'
import { pinoLog, realClock, realSystem } from '../../src/ports/real.ts'
import { type LibvirtWorld, startLibvirt, until } from './world.ts'

const run = promisify(execFile)

export const caller = (user = 'ann', may: (permission: string) => boolean = () => true): Caller => ({
    user,
    via: 'session',
    viaId: 's1',
    from: 'local',
    may,
    need: permission => {
        if (!may(permission)) throw new Fault('denied', { summary: 'no', detail: permission })
    },
})

export interface Life {
    image: Image
    tasks: Tasks
    libvirt: LibvirtLink
    rpc: Client<typeof ImageService>
    as(user: string): Client<typeof ImageService>
    /** Address of the web routes; the header x-user says who calls. */
    url: string
    /** Waits for the end of a task. */
    ended(id: string): Promise<TaskRecord>
    /** The same, and it must be done. */
    done(begun: { task: string } | Promise<{ task: string }>): Promise<TaskRecord>
    close(): Promise<void>
}

export interface ImageWorld {
    libvirt: LibvirtWorld
    folder: string
    staging: string
    imports: string
    images: string
    /** VMs that the tests pretend to have: path → names. */
    vms: Map<string, { name: string; active: boolean }[]>
    live(options?: Partial<ImageDeps>): Promise<Life>
    qemuImg(...args: string[]): Promise<string>
    stop(): Promise<void>
}

export async function startImageWorld(): Promise<ImageWorld> {
    const libvirt = await startLibvirt({ name: 'image' })
    const folder = await mkdtemp(join(tmpdir(), 'dv-image-'))
    const [staging, imports] = [join(folder, 'staging'), join(folder, 'imports')]
    await mkdir(imports)
    const vms: ImageWorld['vms'] = new Map()
    return {
        libvirt,
        folder,
        staging,
        imports,
        images: libvirt.imagesDir,
        vms,
        qemuImg: async (...args) => (await run('qemu-img', args, { maxBuffer: 1 << 24 })).stdout,
        live: options => live({ libvirt, folder, staging, imports, vms }, options ?? {}),
        stop: async () => {
            await libvirt.stop()
            await rm(folder, { recursive: true, force: true })
        },
    }
}

export interface Parts {
    libvirt: { socketPath: string }
    folder: string
    staging: string
    imports: string
    vms: ImageWorld['vms']
}

/** A daemon's life over the folders of a world. */
export async function live(world: Parts, options: Partial<ImageDeps>): Promise<Life> {
    const clock = realClock()
    const log = pinoLog({ level: process.env.IMAGE_LOG ?? 'error' })
    const system = realSystem()
    const libvirt = stayConnected({ socketPath: world.libvirt.socketPath, clock, log })
    await until('libvirt to be up', 10_000, () => libvirt.up)
    const tasks = await createTasks({ system, clock, log, folder: join(world.folder, 'tasks') })
    const users = {
        ofVolume: ({ path }: { path: string }) =>
            (world.vms.get(path) ?? []).map(vm => ({ kind: 'vm' as const, uuid: vm.name, ...vm })),
    }
    const image = createImage({
        ...{ libvirt, tasks, system, clock, log, users },
        ...{ stagingFolder: world.staging, importFolders: [world.imports] },
        ...options,
    })
    await image.start?.()
    await tasks.recover()
    const as = (user: string) => {
        const interceptor: Interceptor = next => async request => {
            request.contextValues.set(callerKey, caller(user))
            try {
                return await next(request)
            } catch (thrown) {
                throw connectError(thrown)
            }
        }
        const routes = (router: ConnectRouter) => image.services?.(router)
        return createClient(ImageService, createRouterTransport(routes, { router: { interceptors: [interceptor] } }))
    }
    const { url, server } = await serve(image)
    const ended = async (id: string) => {
        await until(`task ${id} to end`, 120_000, () => tasks.get(id)?.endedMs !== undefined)
        return tasks.get(id)!
    }
    return {
        image,
        tasks,
        libvirt,
        as,
        rpc: as('ann'),
        url,
        ended,
        done: async begun => {
            const task = await ended((await begun).task)
            if (task.state !== 'done') throw new Error(`${task.title}: ${task.state} ${JSON.stringify(task.problem)}`)
            return task
        },
        close: async () => {
            server.closeAllConnections()
            await new Promise(resolve => server.close(resolve))
            await tasks.close()
            await image.close?.()
            await libvirt.close()
        },
    }
}

async function serve(image: Image): Promise<{ url: string; server: Server }> {
    const server = createServer((request, response) => {
        const route = image.routes?.find(r => request.url?.startsWith(r.prefix))
        const user = request.headers['x-user'] as string | undefined
        const who: Caller = user ? caller(user) : { ...caller(''), via: 'nobody' }
        const handled = route?.handle?.(request, response, who) ?? Promise.reject(new Error('no route'))
        handled.catch(thrown => {
            if (response.headersSent) return response.destroy()
            response.writeHead(500, { 'content-type': 'application/json' })
            response.end(JSON.stringify({ code: asFault(thrown).code, message: asFault(thrown).message }))
        })
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    return { server, url: `http://127.0.0.1:${(server.address() as { port: number }).port}` }
}
