// The simulated containers, their images, volumes and networks: enough of Docker's ways for every page.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code, type ConnectRouter, type HandlerContext } from '@connectrpc/connect'
import {
    type Container,
    ContainerSchema,
    ContainerService,
    FiguresSchema,
    State,
} from '../../../gen/proto/capabilities/container/container_pb.js'
import {
    ContainerImageService,
    ContainerNetworkService,
    ContainerRegistryService,
    ContainerVolumeService,
} from '../../../gen/proto/capabilities/container/stores_pb.js'
import { BegunSchema } from '../../../gen/proto/capabilities/debvisor_pb.js'
import { allows, changes, notFound, refuse, userOf } from './access.ts'
import { portOf, reachOf } from './ports.ts'
import type { World } from './world.ts'

interface Doing {
    verb: string
    title: string
    plan?: { sentence: string; destroys?: string }[]
    one?: Container
    effect: () => void
}

export function containerService(world: World, router: ConnectRouter, tickets: Map<string, string>): void {
    const { containers } = world
    const find = (ref: string): Container =>
        containers.get(ref) ?? [...containers.values()].find(one => one.name === ref) ?? notFound('container', ref)
    const doing = (context: HandlerContext, dryRun: boolean, { verb, title, plan, one, effect }: Doing) => {
        const steps = (plan ?? [{ sentence: title }]).map(step => ({ destroys: '', ...step }))
        if (dryRun) return create(BegunSchema, { plan: steps })
        world.record({ who: userOf(context), what: `container.${verb}`, onName: one?.name ?? '' })
        const on = one && { kind: 'container', id: one.id, name: one.name }
        const task = world.begin({
            ...{ kind: `container.${verb}`, title, owner: userOf(context), on, durationMs: 300 },
            effect: () => {
                effect()
                if (one) world.say({ kind: 'container', key: one.id })
                return undefined
            },
        })
        return create(BegunSchema, { task: task.id, plan: steps })
    }
    const power = (verb: string, word: string, state: State) => {
        return (request: { container: string; dryRun: boolean }, context: HandlerContext) => {
            const one = find(request.container)
            const effect = () => {
                one.state = state
                one.exitCode = 0
                if (state === State.RUNNING) one.started = timestampFromMs(Date.now())
            }
            return doing(context, request.dryRun, { verb, title: `${word} ${one.name}`, one, effect })
        }
    }
    const may = (context: HandlerContext, permission: string) =>
        allows(world.users.get(userOf(context))?.role ?? '', permission)

    router.service(ContainerService, {
        getEngine: () => ({ up: true, version: '26.1.5+dfsg1', apiVersion: '1.45' }),
        list: () => ({ containers: [...containers.values()] }),
        async *watch(_request, context) {
            yield { containers: [...containers.values()], synced: true }
            for await (const batch of changes(world, ['container', 'docker'], context.signal)) {
                const ids = batch.filter(({ kind }) => kind === 'container').map(({ key }) => key)
                yield {
                    containers: ids.flatMap(id => containers.get(id) ?? []),
                    removed: ids.filter(id => !containers.has(id)),
                    touched: batch.filter(({ kind }) => kind === 'docker').map(({ key }) => key),
                }
            }
        },
        get: ({ container }, context) => {
            const one = find(container)
            const shown = may(context, 'container.exec')
            const secret = world.hostile('a secret of this house')
            const environment = [
                { name: 'PATH', value: shown ? '/usr/bin:/bin' : '', hidden: !shown },
                { name: 'PASSWORD', value: shown ? secret : '', hidden: !shown },
            ]
            const Env = environment.map(({ name, value }) => `${name}=${shown ? value : '[hidden]'}`)
            return {
                detail: {
                    ...{ container: one, command: [one.command], environment, hostname: one.id.slice(0, 12) },
                    mounts: [{ type: 'volume', source: `${one.name}-data`, target: '/var/lib/data' }],
                    addresses: one.networks.map(network => ({ network, ipv4: '172.17.0.2' })),
                    inspect: JSON.stringify({ Id: one.id, Config: { Image: one.image, Env } }, null, 2),
                },
            }
        },
        listProcesses: () => ({ titles: ['PID', 'CMD'], processes: [{ values: ['4711', 'nginx'] }] }),
        getFigures: ({ container }) => ({
            history: Array.from({ length: 60 }, (_, i) => figuresOf(find(container), Date.now() - (60 - i) * 10_000)),
        }),
        async *watchFigures({ container }, context) {
            while (!context.signal.aborted) {
                await new Promise(resolve => setTimeout(resolve, 1000))
                yield { figures: figuresOf(find(container), Date.now()) }
            }
        },
        async *watchLogs({ container, follow, search, tail }, context) {
            const one = find(container)
            const line = (i: number) => ({
                at: timestampFromMs(Date.now()),
                error: i % 7 === 3,
                text: world.hostile(`${one.name} \u001b[32mline\u001b[0m ${i}`),
            })
            const all = Array.from({ length: 40 }, (_, i) => line(i))
            const fits = ({ text }: { text: string }) => text.replace(/\u001b\[\d+m/g, '').includes(search)
            yield { lines: all.filter(fits).slice(-(tail || all.length)) }
            for (let i = 40; follow && !context.signal.aborted; i++) {
                await new Promise(resolve => setTimeout(resolve, 400))
                yield { lines: [line(i)].filter(fits) }
            }
        },
        create: (request, context) => {
            if ([...containers.values()].some(one => one.name === request.name))
                refuse(Code.AlreadyExists, {
                    ...{ code: 'exists', summary: 'There is a container of that name', detail: request.name },
                    fix: 'Choose another name, or remove the other container.',
                })
            const one = create(ContainerSchema, {
                ...{ id: world.uuid().replaceAll('-', '').padEnd(64, '0'), name: request.name, image: request.image },
                state: request.start ? State.RUNNING : State.CREATED,
                ...{ command: request.command.join(' ') || 'nginx', networks: ['bridge'], tags: request.tags },
                ports: request.ports.map(p => portOf({ ...p, address: p.lan ? '0.0.0.0' : '127.0.0.1' }, p.lan)),
                exposed: request.ports.some(({ lan }) => lan),
                ...{ restart: request.restart, owner: userOf(context), memoryLimitBytes: request.memoryLimitBytes },
                started: timestampFromMs(Date.now()),
            })
            const title = `Create container ${one.name}`
            const effect = () => void containers.set(one.id, one)
            return doing(context, request.dryRun, { verb: 'create', title, one, effect })
        },
        start: power('start', 'Start', State.RUNNING),
        stop: power('stop', 'Stop', State.EXITED),
        restart: power('restart', 'Restart', State.RUNNING),
        kill: power('kill', 'Kill', State.EXITED),
        pause: power('pause', 'Pause', State.PAUSED),
        unpause: power('unpause', 'Resume', State.RUNNING),
        rename: ({ container, name, dryRun }, context) => {
            const one = find(container)
            const effect = () => {
                one.name = name
            }
            return doing(context, dryRun, { verb: 'rename', title: `Rename ${one.name} to ${name}`, one, effect })
        },
        update: (request, context) => {
            const one = find(request.container)
            const effect = () => {
                one.memoryLimitBytes = request.memoryLimitBytes ?? one.memoryLimitBytes
                one.cpuLimit = request.cpuLimit ?? one.cpuLimit
                one.restart = request.restart ?? one.restart
            }
            return doing(context, request.dryRun, { verb: 'update', title: `Change ${one.name}`, one, effect })
        },
        expose: ({ container, lan, dryRun }, context) => {
            const one = find(container)
            const effect = () => {
                one.exposed = lan
                for (const port of one.ports) Object.assign(port, reachOf(port.address, lan))
            }
            const title = `${lan ? 'Open' : 'Close'} the ports of ${one.name} to other machines`
            return doing(context, dryRun, { verb: 'expose', title, one, effect })
        },
        remove: ({ container, force, dryRun }, context) => {
            const one = find(container)
            if (one.state === State.RUNNING && !force)
                refuse(Code.FailedPrecondition, {
                    ...{ code: 'precondition', summary: 'The container runs', detail: one.name },
                    fix: 'Stop it first, or remove it by force.',
                })
            const sentence = `Remove ${one.name} with all that it wrote outside its volumes`
            return doing(context, dryRun, {
                ...{ verb: 'remove', title: `Remove ${one.name}`, one },
                plan: [{ sentence, destroys: `container:${one.name}` }],
                effect: () => void containers.delete(one.id),
            })
        },
        prune: ({ dryRun, containers: ended }, context) => {
            const gone = ended ? [...containers.values()].filter(one => one.state === State.EXITED && !one.stack) : []
            const plan = gone.map(({ name }) => ({
                sentence: `Remove the container ${name}, which has ended (1.2 MiB)`,
                destroys: `container:${name}`,
            }))
            const effect = () => {
                for (const { id } of gone) {
                    containers.delete(id)
                    world.say({ kind: 'container', key: id })
                }
            }
            return doing(context, dryRun, { verb: 'prune', title: 'Take away what no container uses', plan, effect })
        },
        openTerminal: ({ container }) => {
            const ticket = world.uuid().replaceAll('-', '')
            tickets.set(ticket, find(container).name)
            return { path: '/container-terminal', ticket }
        },
        beginDownload: ({ path }) => ({
            path: '/container-files/simulated',
            name: path.split('/').at(-1) || 'root.tar',
        }),
        beginUpload: () => ({ path: '/container-files/simulated' }),
    })

    const store = (title: string, verb: string) => (request: { dryRun: boolean }, context: HandlerContext) =>
        doing(context, request.dryRun, { verb, title, effect: () => world.say({ kind: 'docker', key: 'images' }) })
    const usedBy = (fits: (one: Container) => boolean) => [...containers.values()].filter(fits).map(one => one.name)
    router.service(ContainerImageService, {
        list: () => ({
            images: [...new Set([...containers.values()].map(one => one.image))].map((image, i) => ({
                ...{ id: `sha256:${String(i).padStart(64, '0')}`, references: [image], sizeBytes: 190_000_000n },
                ...{ created: world.ago(9e5), usedBy: usedBy(one => one.image === image) },
            })),
        }),
        pull: store('Pull image', 'pull'),
        push: store('Push image', 'push'),
        tag: store('Name image', 'tag'),
        remove: store('Remove image', 'image-remove'),
        beginImport: () => ({ path: '/container-images/simulated' }),
    })
    router.service(ContainerVolumeService, {
        list: () => ({
            volumes: [...containers.values()].slice(0, 6).map(one => ({
                ...{ name: `${one.name}-data`, driver: 'local', created: world.ago(8e5), usedBy: [one.name] },
                stack: one.stack,
            })),
        }),
        create: store('Create volume', 'volume-create'),
        remove: store('Remove volume', 'volume-remove'),
    })
    router.service(ContainerNetworkService, {
        list: () => ({
            networks: ['back', 'bridge', 'host', 'none'].map(name => ({
                ...{ id: name, name, driver: name === 'back' ? 'bridge' : name, builtIn: name !== 'back' },
                subnets: name === 'bridge' ? ['172.17.0.0/16'] : [],
                usedBy: usedBy(one => one.networks.includes(name)),
            })),
        }),
        create: store('Create network', 'network-create'),
        remove: store('Remove network', 'network-remove'),
        connect: ({ container, network, dryRun }, context) => {
            const one = find(container)
            const effect = () => void one.networks.push(network)
            return doing(context, dryRun, { verb: 'connect', title: `Put ${one.name} on ${network}`, one, effect })
        },
        disconnect: ({ container, network, dryRun }, context) => {
            const one = find(container)
            const effect = () => {
                one.networks = one.networks.filter(name => name !== network)
            }
            return doing(context, dryRun, { verb: 'disconnect', title: `Take ${one.name} off ${network}`, one, effect })
        },
    })
    const registries: { server: string; user: string; passwordFile: string }[] = []
    router.service(ContainerRegistryService, {
        list: () => ({ registries }),
        set: ({ registry }) => {
            registries.push({ server: '', user: '', passwordFile: '', ...registry })
            return {}
        },
        remove: ({ server }) => {
            registries.splice(0, registries.length, ...registries.filter(one => one.server !== server))
            return {}
        },
    })
}

const figuresOf = (one: Container, atMs: number) =>
    create(FiguresSchema, {
        ...{ at: timestampFromMs(atMs), cpu: one.cpu * (0.8 + 0.4 * Math.abs(Math.sin(atMs / 40_000))), processes: 4 },
        ...{ memoryBytes: one.memoryBytes, memoryLimitBytes: one.memoryLimitBytes },
        ...{ netRxBytesPerSecond: 12_000n, netTxBytesPerSecond: 48_000n },
        ...{ diskReadBytesPerSecond: 0n, diskWriteBytesPerSecond: 4_000n },
    })

/** What stands there at first: a shop as a stack, some single ones, one that reaches into the node. */
export function furnishContainers(world: World, count: number): void {
    const names = ['shop-web', 'shop-db', 'shop-cache', 'wiki', 'runner', 'mirror', 'backup', 'dns', 'metrics', 'mail']
    for (let i = 0; i < count; i++) {
        const base = names[i % names.length]!
        const name = i < names.length ? base : `${base}-${Math.floor(i / names.length) + 1}`
        const stack = base.startsWith('shop-') && i < names.length ? 'shop' : ''
        const ended = base === 'backup'
        const id = world.uuid().replaceAll('-', '').padEnd(64, '0')
        const image = ['nginx:1.27', 'postgres:17', 'redis:7', 'gitea:1.24', 'runner:18'][i % 5]!
        world.containers.set(
            id,
            create(ContainerSchema, {
                ...{ id, name, image, stack, service: stack ? name.replace('shop-', '') : '' },
                ...{ state: ended ? State.EXITED : State.RUNNING, exitCode: ended ? 1 : 0 },
                command: world.hostile('nginx -g daemon off;'),
                ...{ created: world.ago(9e5), started: world.ago(3e5 - i * 1000), networks: ['bridge'] },
                health: base === 'wiki' ? 'unhealthy' : '',
                ports:
                    i % 3 === 0
                        ? [portOf({ host: 8080 + i, address: i % 9 ? '127.0.0.1' : '0.0.0.0' }, stack !== '')]
                        : [],
                tags: stack ? ['prod', `stack:${stack}`] : [],
                marks: base === 'runner' ? ['host-path:/var/run/docker.sock', 'privileged'] : [],
                ...{ restart: 'unless-stopped', cpu: ended ? 0 : world.next() * 0.4, owner: 'admin' },
                memoryBytes: ended ? 0n : BigInt(Math.floor(world.next() * 300)) * 1024n ** 2n,
                memoryLimitBytes: i % 2 ? 512n * 1024n ** 2n : 0n,
            }),
        )
    }
}
