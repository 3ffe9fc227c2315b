// The other simulated services: networks, node, tasks, audit, identity, console.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code, type ConnectRouter, type HandlerContext } from '@connectrpc/connect'
import { AuditService } from '../../../gen/proto/capabilities/audit/audit_pb.js'
import { ConsoleService } from '../../../gen/proto/capabilities/console/console_pb.js'
import { BegunSchema } from '../../../gen/proto/capabilities/debvisor_pb.js'
import { GrantSchema, IdentityService, TokenSchema } from '../../../gen/proto/capabilities/identity/identity_pb.js'
import { NetworkSchema, NetworkService } from '../../../gen/proto/capabilities/network/network_pb.js'
import { LoadSchema, NodeService } from '../../../gen/proto/capabilities/node/node_pb.js'
import { TaskService, State as TaskState } from '../../../gen/proto/capabilities/task/task_pb.js'
import { allows, changes, notFound, permissions, refuse, sessionIn, userOf } from './access.ts'
import { GIB, type World } from './world.ts'

export const FIRST_SECRET = 'first-secret-of-the-simulated-node'

export function networkService(world: World, router: ConnectRouter): void {
    const doing = (
        context: HandlerContext,
        dryRun: boolean,
        what: { title: string; key: string; effect: () => void },
    ) => {
        const plan = [{ sentence: what.title, destroys: '' }]
        if (dryRun) return create(BegunSchema, { plan })
        world.record({ who: userOf(context), what: 'network.manage', onName: what.key })
        const task = world.begin({
            kind: 'network.manage',
            title: what.title,
            owner: userOf(context),
            durationMs: 300,
            effect: () => {
                what.effect()
                world.say({ kind: 'network', key: what.key })
                return undefined
            },
        })
        return create(BegunSchema, { task: task.id, plan })
    }
    const need = (ref: string) =>
        [...world.networks.values()].find(n => n.uuid === ref || n.name === ref) ?? notFound('network', ref)
    router.service(NetworkService, {
        list: () => ({ networks: [...world.networks.values()] }),
        async *watch(_request, context) {
            for (const network of world.networks.values()) yield { network, existing: true }
            yield { synced: true }
            for await (const batch of changes(world, ['network'], context.signal)) {
                for (const { key } of batch) {
                    const network = world.networks.get(key)
                    yield network ? { network } : { removed: true, network: { uuid: key, name: key } }
                }
            }
        },
        get: request => ({ network: need(request.network) }),
        create: (request, context) => {
            if (world.networks.has(request.name))
                refuse(Code.AlreadyExists, {
                    code: 'exists',
                    summary: 'There is already a network of this name',
                    detail: request.name,
                    fix: 'Choose another name.',
                })
            if (request.mode !== 'bridge' && !/^\d+(\.\d+){3}\/\d+$/.test(request.address))
                refuse(Code.InvalidArgument, {
                    code: 'invalid',
                    summary: 'That is no address with a prefix',
                    detail: request.address,
                    fix: 'Write it such as 10.20.0.1/24.',
                    at: 'address',
                })
            return doing(context, request.dryRun, {
                title: `Create network ${request.name}`,
                key: request.name,
                effect: () =>
                    world.networks.set(
                        request.name,
                        create(NetworkSchema, {
                            uuid: request.name,
                            name: request.name,
                            active: true,
                            autostart: !request.noAutostart,
                            mode: request.mode,
                            addresses: request.address ? [request.address] : [],
                            bridge: request.bridge || 'virbr9',
                        }),
                    ),
            })
        },
        start: (request, context) =>
            doing(context, request.dryRun, {
                title: `Start ${need(request.network).name}`,
                key: need(request.network).name,
                effect: () => void (need(request.network).active = true),
            }),
        stop: (request, context) =>
            doing(context, request.dryRun, {
                title: `Stop ${need(request.network).name}`,
                key: need(request.network).name,
                effect: () => void (need(request.network).active = false),
            }),
        update: (request, context) =>
            doing(context, request.dryRun, {
                title: `Change ${need(request.network).name}`,
                key: need(request.network).name,
                effect: () => void (need(request.network).autostart = request.autostart ?? false),
            }),
        delete: (request, context) => {
            const network = need(request.network)
            if (network.usedBy.length > 0)
                refuse(Code.FailedPrecondition, {
                    code: 'precondition',
                    summary: 'The network is in use',
                    detail: network.usedBy.slice(0, 5).join(', '),
                    fix: 'Put those machines on another network first.',
                })
            return doing(context, request.dryRun, {
                title: `Delete network ${network.name}`,
                key: network.name,
                effect: () => void world.networks.delete(network.name),
            })
        },
        listBridges: () => ({
            bridges: [
                {
                    name: 'br0',
                    up: true,
                    mtu: 1500,
                    mac: '52:54:00:aa:00:01',
                    ports: ['eno1'],
                    addresses: ['192.0.2.10/24'],
                    network: '',
                },
                {
                    name: 'virbr0',
                    up: true,
                    mtu: 1500,
                    mac: '52:54:00:aa:00:02',
                    ports: ['vnet1', 'vnet2'],
                    addresses: ['192.168.122.1/24'],
                    network: 'default',
                },
            ],
        }),
    })
}

export function nodeService(world: World, router: ConnectRouter): void {
    const loadAt = (ms: number) => {
        const s = ms / 1000
        const wave = (period: number): number => (Math.sin(s / period) + 1) / 2
        return create(LoadSchema, {
            at: timestampFromMs(ms),
            cpu: 0.15 + 0.3 * wave(200),
            load1: 2 + wave(100),
            memoryUsedBytes: BigInt(Math.round(40e9 + 6e9 * wave(800))),
            memoryTotalBytes: 128n * GIB,
            netRxBytesPerSecond: BigInt(Math.round(9e6 * wave(60))),
            netTxBytesPerSecond: BigInt(Math.round(4e6 * wave(80))),
            diskReadBytesPerSecond: BigInt(Math.round(2e7 * wave(45) ** 4)),
            diskWriteBytesPerSecond: BigInt(Math.round(1e7 * wave(30) ** 2)),
        })
    }
    router.service(NodeService, {
        getFacts: () => ({
            hostname: 'node1',
            debvisorVersion: '0.1.0',
            os: 'Debian GNU/Linux 13 (trixie)',
            kernel: '6.12.48+deb13-amd64',
            architecture: 'x86_64',
            cpuModel: 'AMD EPYC 7443P 24-Core Processor',
            cpus: 48,
            sockets: 1,
            coresPerSocket: 24,
            threadsPerCore: 2,
            memoryBytes: 128n * GIB,
            booted: timestampFromMs(world.startMs - 9e8),
            libvirtVersion: '11.3.0',
            qemuVersion: '10.0.3',
            accelerator: 'kvm',
            uefi: true,
            secureBoot: true,
            tpm: false,
            services: [
                { name: 'libvirt', up: true, detail: 'connected' },
                { name: 'etcd', up: true, detail: 'one member' },
            ],
            findings: [
                {
                    severity: 'warning',
                    code: 'no-swtpm',
                    at: '',
                    summary: 'TPM 2.0 is not there',
                    detail: 'swtpm is not installed',
                    fix: 'apt install swtpm',
                },
            ],
        }),
        getLoad: () => ({ history: Array.from({ length: 360 }, (_, i) => loadAt(Date.now() - (360 - i) * 10_000)) }),
        async *watchLoad(_request, context) {
            while (!context.signal.aborted) {
                yield { load: loadAt(Date.now()) }
                await new Promise(resolve => setTimeout(resolve, 2_000))
            }
        },
    })
}

export function taskService(world: World, router: ConnectRouter): void {
    const brief = (id: string) => {
        const task = world.tasks.get(id)
        return task && { ...task, log: [] }
    }
    router.service(TaskService, {
        list: () => ({ tasks: [...world.tasks.values()].reverse() }),
        get: request => ({ task: world.tasks.get(request.id) ?? notFound('task', request.id) }),
        async *watch(_request, context) {
            for (const id of world.tasks.keys()) yield { task: brief(id), existing: true }
            for await (const batch of changes(world, ['task'], context.signal))
                for (const { key } of batch) yield { task: brief(key) }
        },
        cancel: request => {
            const task = world.tasks.get(request.id) ?? notFound('task', request.id)
            task.state = TaskState.CANCELLED
            world.say({ kind: 'task', key: task.id })
            return { task }
        },
    })
}

export function auditService(world: World, router: ConnectRouter): void {
    router.service(AuditService, {
        list: request => {
            const limit = request.limit || 200
            const all = world.audit.filter(
                r =>
                    (request.before === 0n || r.number < request.before) &&
                    r.who.includes(request.who) &&
                    r.what.includes(request.what) &&
                    `${r.onName} ${r.onId}`.includes(request.on),
            )
            return { records: all.slice(0, limit), more: all.length > limit }
        },
        verify: () => ({
            intact: true,
            records: BigInt(world.audit.length),
            head: 'b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c',
        }),
    })
}

export function identityService(world: World, router: ConnectRouter): void {
    const login = (context: HandlerContext, user: string) => {
        const id = world.uuid()
        world.sessions.set(id, {
            id,
            user,
            createdMs: Date.now(),
            agent: context.requestHeader.get('user-agent') ?? '',
        })
        context.responseHeader.set('set-cookie', `debvisor=${id}; Path=/; HttpOnly; SameSite=Strict`)
        world.record({ who: user, what: 'login' })
        return { user: world.users.get(user), expires: timestampFromMs(Date.now() + 8 * 3600_000) }
    }
    const weak = (password: string): void => {
        if (password.length < 12)
            refuse(Code.InvalidArgument, {
                code: 'invalid',
                summary: 'The password is too short',
                detail: `${password.length} characters`,
                fix: 'Use at least 12 characters.',
                at: 'password',
            })
    }
    const need = (name: string) => world.users.get(name) ?? notFound('user', name)
    router.service(IdentityService, {
        firstLogin: (request, context) => {
            if (request.secret !== FIRST_SECRET || [...world.users.values()].some(u => u.role === 'admin'))
                refuse(Code.PermissionDenied, {
                    code: 'denied',
                    summary: 'This link has been used or is too old',
                    fix: 'Make a new one on the node: debvisor user first-login',
                })
            weak(request.password)
            world.addUser(request.user, 'admin', request.password)
            return login(context, request.user)
        },
        newFirstLogin: () => ({ path: `/#/first/${FIRST_SECRET}` }),
        login: (request, context) => {
            const user = world.users.get(request.user)
            if (!user || user.password !== request.password || user.locked)
                refuse(Code.Unauthenticated, {
                    code: 'unauthenticated',
                    summary: 'Name or password is wrong',
                    fix: 'Try again. After several failures you have to wait.',
                })
            return login(context, request.user)
        },
        logout: (_request, context) => {
            const id = /debvisor=([\w-]+)/.exec(context.requestHeader.get('cookie') ?? '')?.[1]
            if (id) world.sessions.delete(id)
            return {}
        },
        whoAmI: (_request, context) => {
            const name = sessionIn(world, context.requestHeader.get('cookie'))
            const user = world.users.get(name)
            return {
                user,
                permissions: permissions[user?.role ?? ''] ?? [],
                grants: world.grants.filter(g => g.user === name),
                via: 'session',
            }
        },
        changePassword: (request, context) => {
            const user = need(userOf(context))
            if (user.password !== request.oldPassword)
                refuse(Code.PermissionDenied, {
                    code: 'denied',
                    summary: 'The password is wrong',
                    fix: 'Type the one you log in with.',
                })
            weak(request.newPassword)
            user.password = request.newPassword
            return {}
        },
        listSessions: (_request, context) => {
            const own = /debvisor=([\w-]+)/.exec(context.requestHeader.get('cookie') ?? '')?.[1]
            return {
                sessions: [...world.sessions.values()]
                    .filter(s => s.user === userOf(context))
                    .map(s => ({
                        id: s.id,
                        user: s.user,
                        from: '192.0.2.7',
                        agent: s.agent,
                        created: timestampFromMs(s.createdMs),
                        lastUsed: timestampFromMs(Date.now()),
                        expires: timestampFromMs(s.createdMs + 8 * 3600_000),
                        current: s.id === own,
                    })),
            }
        },
        revokeSessions: request => {
            const ended = world.sessions.delete(request.id) ? 1 : 0
            return { ended }
        },
        createToken: (request, context) => {
            const token = create(TokenSchema, {
                id: world.uuid(),
                user: userOf(context),
                name: request.name,
                scope: request.scope,
                created: timestampFromMs(Date.now()),
                expires: timestampFromMs(Date.now() + (request.days || 90) * 864e5),
            })
            world.tokens.push(token)
            return { token, secret: `dv_${world.uuid().replaceAll('-', '')}` }
        },
        listTokens: (_request, context) => ({ tokens: world.tokens.filter(t => t.user === userOf(context)) }),
        revokeToken: request => {
            world.tokens.splice(0, world.tokens.length, ...world.tokens.filter(t => t.id !== request.id))
            return {}
        },
        listUsers: () => ({ users: [...world.users.values()] }),
        createUser: request => {
            if (world.users.has(request.name))
                refuse(Code.AlreadyExists, {
                    code: 'exists',
                    summary: 'There is already a user of this name',
                    detail: request.name,
                    fix: 'Choose another name.',
                })
            weak(request.password)
            world.addUser(request.name, request.role, request.password)
            return { user: need(request.name) }
        },
        updateUser: request => {
            const user = need(request.name)
            if (request.role !== undefined) user.role = request.role
            if (request.fullName !== undefined) user.fullName = request.fullName
            if (request.locked !== undefined) user.locked = request.locked
            return { user }
        },
        deleteUser: request => {
            world.users.delete(request.name)
            return {}
        },
        listRoles: () => ({
            roles: Object.entries(permissions)
                .filter(([name]) => name !== '')
                .map(([name, list]) => ({ name, summary: '', permissions: list })),
        }),
        listGrants: () => ({ grants: world.grants }),
        addGrant: request => {
            const grant = create(GrantSchema, {
                id: world.uuid(),
                user: request.user,
                role: request.role,
                vm: request.vm,
                tag: request.tag,
            })
            world.grants.push(grant)
            return { grant }
        },
        removeGrant: request => {
            world.grants.splice(0, world.grants.length, ...world.grants.filter(g => g.id !== request.id))
            return {}
        },
    })
}

export function consoleService(
    world: World,
    router: ConnectRouter,
    tickets: Map<string, { vm: string; kind: number }>,
): void {
    router.service(ConsoleService, {
        open: (request, context) => {
            const one = world.find(request.vm) ?? notFound('virtual machine', request.vm)
            const role = world.users.get(userOf(context))?.role ?? ''
            const granted = world.grants.some(g => g.user === userOf(context) && g.vm === one.detail.vm?.uuid)
            if (!granted && !allows(role, 'console.open'))
                refuse(Code.PermissionDenied, { code: 'denied', summary: 'You may not do this' })
            const ticket = world.uuid().replaceAll('-', '')
            tickets.set(ticket, { vm: one.detail.vm!.name, kind: request.kind })
            return { path: '/console', ticket }
        },
        screenshot: () => ({ png: new Uint8Array(), width: 0, height: 0 }),
    })
}
