// What the tests of the vm capability share: small domains, a silent log, and the capability with a client before it.
import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Client, createClient, createRouterTransport } from '@connectrpc/connect'
import { connectError } from '../../src/apps/rpcd/errors.ts'
import { type Caller, callerKey } from '../../src/capabilities/caller.ts'
import { createImage, type Image } from '../../src/capabilities/image/image.ts'
import { createVm, type VmCapability } from '../../src/capabilities/vm/vm.ts'
import { type LibvirtLink, stayConnected } from '../../src/drivers/libvirt/link.ts'
import type { TaskRecord, Tasks } from '../../src/engine/task.ts'
import { createTasks } from '../../src/engine/tasks.ts'
import type { Begun } from '../../src/gen/proto/capabilities/debvisor_pb.js'
import { ImageService } from '../../src/gen/proto/capabilities/image/image_pb.js'
import { VmService } from '../../src/gen/proto/capabilities/vm/vm_pb.js'
import type { Log } from '../../src/ports/ports.ts'
import { realClock, realSystem } from '../../src/ports/real.ts'
import { type LibvirtWorld, startLibvirt, until } from './world.ts'

export const quietLog: Log = {
    info: () => {},
    warn: (message, facts) => console.warn(message, facts),
    error: (message, facts) => console.error(message, facts),
    debug: () => {},
    child: () => quietLog,
}

export interface BareDomain {
    name: string
    uuid: string
    xml: string
}

/** A domain that needs nothing to be defined or started: 64 MiB, up to 2 vCPUs, a NIC on no network. */
export function bareDomain(
    name: string,
    parts: { os?: string; devices?: string; more?: string; memoryMib?: number } = {},
): BareDomain {
    const uuid = randomUUID()
    const mac = `52:54:00:${uuid.slice(0, 2)}:${uuid.slice(2, 4)}:${uuid.slice(4, 6)}`
    const ports = Array.from(
        { length: 8 },
        (_, i) => `<controller type='pci' index='${i + 1}' model='pcie-root-port'/>`,
    )
    const xml = `<domain type='qemu'>
  <name>${name}</name>
  <uuid>${uuid}</uuid>
  <memory unit='MiB'>${parts.memoryMib ?? 64}</memory>
  <vcpu current='1'>2</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type>${parts.os ?? ''}</os>
  <features><acpi/><apic/></features>
  <cpu mode='maximum'/>
  <on_reboot>restart</on_reboot>
  ${parts.more ?? ''}
  <devices>
    ${ports.join('\n    ')}
    <interface type='user'><mac address='${mac}'/><model type='virtio'/></interface>
    ${parts.devices ?? "<serial type='pty'/>"}
  </devices>
</domain>
`
    return { name, uuid, xml }
}

/** The domain in a file that virsh can read. */
export async function writeDomain(world: LibvirtWorld, domain: BareDomain): Promise<string> {
    const path = join(world.folder, `${domain.name}.xml`)
    await writeFile(path, domain.xml)
    return path
}

export interface VmWorld {
    world: LibvirtWorld
    link: LibvirtLink
    tasks: Tasks
    image: Image
    vm: VmCapability
    client: Client<typeof VmService>
    images: Client<typeof ImageService>
    /** Defines a domain with virsh and waits until it is known. */
    define(domain: BareDomain): Promise<BareDomain>
    /** The task of an answer, when it has ended. */
    ended(begun: Begun): Promise<TaskRecord>
    /** The same, and it must have ended well. */
    done(begun: Begun): Promise<TaskRecord>
    /** Ends the daemon's parts and makes them anew over the same state, as a restart does. */
    restart(): Promise<void>
    stop(): Promise<void>
}

const may = () => true
export const rootCaller: Caller = { user: 'root', via: 'root', viaId: '', from: 'local', may, need: () => {} }

/** An isolated libvirtd with a pool `default`, and on it the real tasks, volumes and VMs of one daemon. */
export async function startVmWorld(options: {
    name: string
    caller?: () => Caller
    granting?: Set<string>
}): Promise<VmWorld> {
    const world = await startLibvirt({ name: options.name })
    const clock = realClock()
    const system = realSystem()
    const log = quietLog
    const state = join(world.folder, 'state')
    await mkdir(join(state, 'staging'), { recursive: true })
    const daemon = async () => {
        const link = stayConnected({ socketPath: world.socketPath, clock, log })
        const tasks = await createTasks({ system, clock, log, folder: join(state, 'tasks') })
        const image = createImage({
            libvirt: link,
            tasks,
            system,
            clock,
            log,
            stagingFolder: join(state, 'staging'),
            importFolders: [],
            users: {
                ofVolume: volume => vm.usersOf(volume),
            },
        })
        const vm: VmCapability = createVm({
            libvirt: link,
            volumes: image.volumes,
            tasks,
            clock,
            log,
            accelerator: 'tcg',
            vncFolder: world.vncDir,
            tagsWithGrants: () => options.granting ?? new Set(),
        })
        await image.start?.()
        await vm.start?.()
        await vm.inventory.ready()
        await image.ensurePool({ name: 'default', path: world.imagesDir })
        const transport = createRouterTransport(
            router => {
                vm.services?.(router)
                image.services?.(router)
            },
            {
                router: {
                    interceptors: [
                        next => async request => {
                            request.contextValues.set(callerKey, options.caller?.() ?? rootCaller)
                            return next(request).catch(thrown => {
                                throw connectError(thrown)
                            })
                        },
                    ],
                },
            },
        )
        const client = createClient(VmService, transport)
        const images = createClient(ImageService, transport)
        const close = async () => {
            await tasks.close()
            await vm.close?.()
            await image.close?.()
            await link.close()
        }
        return { link, tasks, image, vm, client, images, close }
    }
    let now = await daemon()
    const ended = async (begun: Begun) => {
        await until(`the task ${begun.task} to end`, 120_000, () => now.tasks.get(begun.task)?.endedMs !== undefined)
        return now.tasks.get(begun.task)!
    }
    return {
        world,
        get link() {
            return now.link
        },
        get tasks() {
            return now.tasks
        },
        get image() {
            return now.image
        },
        get vm() {
            return now.vm
        },
        get client() {
            return now.client
        },
        get images() {
            return now.images
        },
        async restart() {
            await now.close()
            now = await daemon()
            await now.tasks.recover()
        },
        async define(domain) {
            await world.virsh(['define', await writeDomain(world, domain)])
            await until(`${domain.name} to be known`, 5000, () => now.vm.inventory.byUuid(domain.uuid) !== undefined)
            return domain
        },
        ended,
        async done(begun) {
            const task = await ended(begun)
            if (task.state === 'done') return task
            throw new Error(`${task.title}: ${task.state}: ${JSON.stringify(task.problem)}`)
        },
        async stop() {
            await now.close()
            await world.stop()
        },
    }
}
