// Where the parts of the daemon meet: who gets what from whom, and in which order they start and end.
import type { IncomingMessage } from 'node:http'
import type { ConnectRouter, Interceptor } from '@connectrpc/connect'
import { Fault } from '../../base/fault.ts'
import { VERSION } from '../../base/version.ts'
import { createAudit, viaWords } from '../../capabilities/audit/audit.ts'
import type { Caller, Guarded } from '../../capabilities/caller.ts'
import type { Capability, Route } from '../../capabilities/capability.ts'
import { createCertificate } from '../../capabilities/certificate/certificate.ts'
import type { Certificates } from '../../capabilities/certificate/store.ts'
import { createConsole } from '../../capabilities/console/console.ts'
import { createContainer } from '../../capabilities/container/container.ts'
import { marksOf } from '../../capabilities/container/marks.ts'
import type { ExposedPort } from '../../capabilities/firewall/exposed.ts'
import { reachBy } from '../../capabilities/firewall/reach.ts'
import { createIdentity } from '../../capabilities/identity/identity.ts'
import { createImage } from '../../capabilities/image/image.ts'
import { createNetwork } from '../../capabilities/network/network.ts'
import { createConfigure, rootFault } from '../../capabilities/node/configure.ts'
import { createInspect } from '../../capabilities/node/inspect.ts'
import { createNode } from '../../capabilities/node/node.ts'
import { createShell } from '../../capabilities/shell/shell.ts'
import { createStack } from '../../capabilities/stack/stack.ts'
import { services } from '../../capabilities/table.node.ts'
import { createTask } from '../../capabilities/task/task.ts'
import { createVm } from '../../capabilities/vm/vm.ts'
import { refusedInStream } from '../../drivers/docker/errors.ts'
import { stayWithDocker } from '../../drivers/docker/link.ts'
import { openEtcd } from '../../drivers/etcd/etcd.ts'
import { type LibvirtLink, stayConnected } from '../../drivers/libvirt/link.ts'
import { createTasks } from '../../engine/tasks.ts'
import type { Clock, Log, System } from '../../ports/ports.ts'
import { accessInterceptor, accessOf } from './access.ts'
import { makeFolders } from './folders.ts'
import { unusable } from './listen.ts'
import { watchOutside } from './outside.ts'
import { reflection } from './reflection.ts'
import { rootClient, rootUpgrade } from './root.ts'
import type { Settings } from './settings.ts'

const LIBVIRT_PATIENCE_MS = 5000

export interface Daemon {
    routes(router: ConnectRouter): void
    interceptors: Interceptor[]
    webRoutes: Route[]
    authenticate(request: IncomingMessage): Promise<Caller>
    /** Calls once when the caller's session or token ends. */
    onEnd(caller: Caller, listener: () => void): () => void
    /** Paths of calls that one may make without being logged in. */
    openPaths: ReadonlySet<string>
    root: Caller
    /** Takes up what an earlier life left and begins to work. Before it nothing of what others left is touched. */
    start(): Promise<void>
    close(): Promise<void>
}

interface Deps {
    settings: Settings
    certificates: Certificates
    system: System
    clock: Clock
    log: Log
}

export async function wire({ settings, certificates, system, clock, log }: Deps): Promise<Daemon> {
    const folders = await makeFolders(settings.stateFolder, { system, log })
    const libvirt = stayConnected({ socketPath: settings.libvirtSocket, clock, log: log.child({ part: 'libvirt' }) })
    const store = openEtcd({
        endpoints: settings.etcd.endpoints,
        tls: await etcdTls(settings, system),
        clock,
        log: log.child({ part: 'etcd' }),
    })
    const docker = stayWithDocker({ socketPath: settings.dockerSocket, clock, log: log.child({ part: 'docker' }) })
    const tasks = await createTasks({ system, clock, log: log.child({ part: 'tasks' }), folder: folders.tasks })
    await system.makeDirectory(settings.auditFolder, 0o700)
    const audit = createAudit({
        system,
        clock,
        log: log.child({ part: 'audit' }),
        folder: settings.auditFolder,
        key: `${settings.pkiFolder}/audit.key`,
    })
    const identity = createIdentity({
        store,
        system,
        clock,
        log: log.child({ part: 'identity' }),
        stateFolder: folders.identity,
    })
    tasks.onEnd(audit.taskEnded)
    const outside = watchOutside({ libvirt, docker, tasks, audit: audit.sink, clock, log })
    identity.events(({ what, result, user, from, agent, detail, on, ...by }) => {
        // The gate records denials, with the method.
        if (what === 'denied') return
        audit.sink
            .event({ who: user, from, via: viaWords(by), what, onId: on, detail: { agent, detail }, result })
            .catch(thrown => log.error('an event could not be recorded', { what, err: thrown }))
    })

    // Images ask which VMs use a volume, VMs ask where their volumes are: each gets the other's answer when it is needed.
    const image = createImage({
        libvirt,
        tasks,
        system,
        clock,
        log: log.child({ part: 'image' }),
        stagingFolder: folders.staging,
        importFolders: settings.importFolders,
        refusedNetworks: settings.refusedNetworks,
        users: {
            ofVolume: volume => vm.usersOf(volume),
        },
    })
    const vm = createVm({
        libvirt,
        volumes: image.volumes,
        tasks,
        clock,
        log: log.child({ part: 'vm' }),
        accelerator: settings.accelerator,
        vncFolder: folders.vnc,
        tagsWithGrants: () => identity.tagsWithGrants(),
        boot: { system, stateFile: `${folders.vms}/boot` },
    })
    const consoles = createConsole({
        libvirt,
        clock,
        log: log.child({ part: 'console' }),
        vms: { resolve: ref => vm.inventory.resolve(ref), activeXml: uuid => vm.inventory.activeXml(uuid) },
        onUse({ user, vm: uuid, name, kind, from, event, ...by }) {
            audit.sink
                .event({
                    who: user,
                    from,
                    via: viaWords(by),
                    what: `console.${event}`,
                    onId: uuid,
                    onName: name,
                    detail: { kind },
                    result: 'done',
                })
                .catch(thrown => log.error('a console could not be recorded', { name, err: thrown }))
        },
    })
    const way = { root: rootClient(settings.rootSocket), rootPath: settings.rootSocket }
    const asked = <T>(call: Promise<T>): Promise<T> =>
        call.catch(thrown => {
            throw rootFault(thrown, way.rootPath)
        })
    const gate = {
        present: async () => (await system.look(settings.firewallFile)) !== undefined,
        async expose(ports: readonly ExposedPort[]) {
            // Nothing was ever open: there is nothing to say, and no reason to wake anybody.
            if (ports.length === 0 && !(await system.look(settings.exposedFile))) return
            await asked(way.root.exposePorts({ ports: [...ports] }))
        },
        async reach() {
            const [rules, exposed] = await Promise.all(
                [settings.firewallFile, settings.exposedFile].map(path => system.readText(path)),
            )
            return reachBy({ rules, exposed })
        },
    }
    const container = createContainer({
        docker,
        tasks,
        system,
        clock,
        log: log.child({ part: 'container' }),
        ...{ gate, isManaged: name => stack.isManaged(name), exposedFile: `${folders.containers}/exposed.json` },
        registriesFile: `${folders.containers}/registries.json`,
        secretsFolder: settings.secretsFolder,
        tagsWithGrants: () => identity.tagsWithGrants(),
        onUse({ user, container: id, name, from, event, ...by }) {
            audit.sink
                .event({
                    ...{ who: user, from, via: viaWords(by), what: `terminal.${event}` },
                    ...{ onId: id, onName: name, result: 'done' },
                })
                .catch(thrown => log.error('a terminal could not be recorded', { name, err: thrown }))
        },
    })
    const stack = await createStack({
        ...{ docker, tasks, system, clock, containers: container.inventory, ...container.parts, marksOf },
        log: log.child({ part: 'stack' }),
        folder: folders.stacks,
        program: settings.composeProgram,
        socketPath: settings.dockerSocket,
        catalogueFolder: settings.catalogueFolder,
        readLogs: ({ id }, asked) => container.parts.readLogs(container.inventory.resolve(id), asked),
        reach: gate.reach,
        dockerFault: refusedInStream,
        tagsWithGrants: () => identity.tagsWithGrants(),
    })
    const network = createNetwork({
        libvirt,
        tasks,
        probe: system,
        clock,
        log: log.child({ part: 'network' }),
        users: {
            ofNetwork: (name, bridge) =>
                vm.inventory
                    .list()
                    .filter(entry => entry.networks.includes(name) || (bridge && entry.networks.includes(bridge)))
                    .map(entry => ({ name: entry.name, running: entry.active })),
        },
    })
    const node = createNode({
        probe: system,
        libvirt,
        clock,
        log: log.child({ part: 'node' }),
        version: VERSION,
        accelerator: settings.accelerator,
        checks: [
            {
                name: 'libvirt',
                up: () => ({ up: libvirt.up, detail: libvirt.up ? '' : 'VMs go on, but cannot be changed' }),
            },
            {
                name: 'etcd',
                up: () => ({
                    up: store.up(),
                    detail: store.up() ? '' : 'logins work; users and rights cannot be changed',
                }),
            },
            {
                name: 'docker',
                up: () => ({
                    up: docker.up,
                    detail: docker.why?.message ?? '',
                    // A node can have VMs alone.
                    missing: { severity: 'warning', fix: docker.why?.fix ?? '' },
                }),
            },
        ],
    })
    const inspect = createInspect(way)
    const configure = createConfigure({
        ...way,
        tasks,
        clock,
        log: log.child({ part: 'configure' }),
        hostname: system.hostname(),
        spend: identity.spend,
        adoptConfirmation: identity.adoptConfirmation,
    })
    const shell = createShell({
        ...{ clock, log: log.child({ part: 'shell' }) },
        root: {
            open: ({ user, from, viaId }, confirmationToken) =>
                asked(way.root.openShell({ person: { user, from, viaId }, confirmationToken })),
            connect: ticket => rootUpgrade(settings.rootSocket, ticket),
            resize: async (id, size) => void (await asked(way.root.resizeShell({ shell: id, ...size }))),
        },
        onUse({ user, from, event, ...by }) {
            audit.sink
                .event({ who: user, from, via: viaWords(by), what: `shell.${event}`, result: 'done' })
                .catch(thrown => log.error('a shell could not be recorded', { user, err: thrown }))
        },
    })
    const certificate = createCertificate({
        ...{ certificates, folder: settings.pkiFolder, challengePort: settings.challengePort },
        ...{ tasks, system, clock, log: log.child({ part: 'certificate' }) },
        unusable,
        needConfirmation: async ({ user, from, viaId }, confirmationToken) =>
            void (await asked(way.root.checkConfirmation({ person: { user, from, viaId }, confirmationToken }))),
        onRenewal({ fingerprint, result }) {
            audit.sink
                .event({
                    ...{ who: 'debvisor', from: 'local', via: 'root', what: 'certificate.renew' },
                    ...{ detail: { fingerprint }, result },
                })
                .catch(thrown => log.error('a renewal could not be recorded', { err: thrown }))
        },
    })
    const task = createTask({
        tasks,
        tagsOf: id =>
            vm.inventory.byUuid(id)?.tags ?? container.inventory.byId(id)?.tags ?? stack.guarded(id)?.tags ?? [],
    })
    const capabilities: Capability[] = [
        ...[audit, identity, task, image, vm, consoles, container, stack, network, node, configure, inspect],
        ...[certificate, shell],
    ]

    /** A node without any pool gets one, as soon as libvirt is there. */
    function ensurePool(path: string): void {
        libvirt.onUp(() => {
            outside
                .ours({ kind: 'pool', name: 'default' }, image.ensurePool({ name: 'default', path }))
                .catch(thrown => log.error('the default pool could not be made', { err: thrown }))
        })
    }

    const resolve = async (kind: string, ref: string): Promise<(Guarded & { name: string }) | undefined> => {
        try {
            if (kind === 'container') return container.inventory.resolve(ref)
            if (kind === 'stack') return stack.guarded(ref)
            if (kind !== 'vm') return undefined
            const { uuid, name, tags, owner } = vm.inventory.resolve(ref)
            return { id: uuid, name, tags, owner }
        } catch {
            return undefined
        }
    }

    return {
        routes(router) {
            for (const capability of capabilities) capability.services?.(router)
            reflection(router, services)
        },
        interceptors: [
            accessInterceptor({
                ...{ audit: audit.sink, resolve, clock, log },
                needConfirmation: identity.needConfirmation,
            }),
        ],
        webRoutes: capabilities.flatMap(capability => capability.routes ?? []),
        async authenticate(request) {
            const from = request.socket.remoteAddress ?? ''
            const { cookie, authorization, 'user-agent': agent = '' } = request.headers
            return identity.authenticate({ cookie, bearer: authorization, from, agent }) ?? identity.nobody(from)
        },
        onEnd: identity.onEnd,
        openPaths: new Set(
            services.flatMap(({ typeName, methods }) =>
                methods.filter(method => accessOf(method)?.open).map(method => `/${typeName}/${method.name}`),
            ),
        ),
        root: identity.root('local'),
        async start() {
            for (const capability of capabilities) await capability.start?.()
            await upWithin(libvirt, LIBVIRT_PATIENCE_MS, clock)
            await tasks.recover()
            if (settings.poolFolder) ensurePool(settings.poolFolder)
        },
        async close() {
            outside.close()
            await tasks.close()
            for (const capability of capabilities.toReversed()) await capability.close?.()
            await libvirt.close()
            await docker.close()
            await store.close()
        },
    }
}

/** Resolves when libvirt answers, or when it has not for that long: what an earlier life left is taken up with it. */
function upWithin(libvirt: LibvirtLink, patienceMs: number, clock: Clock): Promise<void> {
    return new Promise(resolve => {
        const end = () => {
            off()
            stop()
            resolve()
        }
        const stop = clock.after(patienceMs, end)
        let off = () => {}
        off = libvirt.onUp(() => queueMicrotask(end))
    })
}

/** @throws Fault `precondition` for a file that is named and not there: without it, etcd would just not answer */
export async function etcdTls({ etcd }: Pick<Settings, 'etcd'>, system: Pick<System, 'readText'>) {
    if (!etcd.ca) return undefined
    const read = async (path: string, option: string) => {
        const text = await system.readText(path)
        if (text) return text
        throw new Fault('precondition', {
            summary: 'A certificate or key for etcd is not there',
            detail: path,
            at: option,
            fix: `Put it there, or name another file with ${option}.`,
        })
    }
    return {
        ca: await read(etcd.ca, '--etcd-ca'),
        cert: etcd.cert && (await read(etcd.cert, '--etcd-cert')),
        key: etcd.key && (await read(etcd.key, '--etcd-key')),
    }
}
