// A node that does not exist, empty: what it can hold, and how each thing is added, changed and told of.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { WebSocket } from 'ws'
import { type Record as AuditRecord, RecordSchema } from '../../../gen/proto/capabilities/audit/audit_pb.js'
import type { Container } from '../../../gen/proto/capabilities/container/container_pb.js'
import { type Problem, ProblemSchema } from '../../../gen/proto/capabilities/debvisor_pb.js'
import { type Grant, type Token, type User, UserSchema } from '../../../gen/proto/capabilities/identity/identity_pb.js'
import { type Pool, type Volume, VolumeSchema } from '../../../gen/proto/capabilities/image/image_pb.js'
import type { Network } from '../../../gen/proto/capabilities/network/network_pb.js'
import { type Task, TaskSchema, State as TaskState } from '../../../gen/proto/capabilities/task/task_pb.js'
import { type Snapshot, State, type VmDetail, VmDetailSchema } from '../../../gen/proto/capabilities/vm/vm_pb.js'
import { random } from './random.ts'
import type { SimStack } from './stacks.ts'

export interface WorldOptions {
    vms: number
    /** Ten unless told otherwise. */
    containers?: number
    seed?: number
    /** Changes of machines a second. */
    churn?: number
    /** An empty node, as after the installation: no images, no first user. */
    bare?: boolean
    /** Markup in every name and text that a person or guest can choose. */
    hostile?: boolean
}

export const GIB = 1024n ** 3n
export const MARKUP = '<img src=x onerror="window.hacked=1"><b>bold</b>'

export interface SimVm {
    detail: VmDetail
    snapshots: Snapshot[]
    revision: number
}

export type Change =
    | { kind: 'vm' | 'task' | 'pool' | 'volume' | 'network' | 'container' | 'stack' | 'docker'; key: string }
    | { kind: 'stale'; key: ''; stale: boolean }

export interface TaskWish {
    kind: string
    title: string
    owner: string
    on?: { kind: string; id: string; name: string }
    durationMs?: number
    log?: string[]
    /** At the end; a thrown Problem fails the task. */
    effect?: () => Partial<Problem> | undefined
}

export type World = ReturnType<typeof createWorld>

export function createWorld(options: WorldOptions) {
    const next = random(options.seed ?? 1)
    const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!
    const hex = (digits: number): string =>
        Array.from({ length: digits }, () => Math.floor(next() * 16).toString(16)).join('')
    const uuid = (): string => `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`
    const mac = (): string => `52:54:00:${hex(2)}:${hex(2)}:${hex(2)}`
    const hostile = (text: string): string => (options.hostile ? `${text} ${MARKUP}` : text)
    const startMs = Date.now()
    const ago = (seconds: number) => timestampFromMs(Date.now() - seconds * 1000)

    const vms = new Map<string, SimVm>()
    const tasks = new Map<string, Task>()
    const pools = new Map<string, Pool>()
    const volumes = new Map<string, Volume>()
    const networks = new Map<string, Network>()
    const users = new Map<string, User & { password: string }>()
    /** Recovery codes of those who have a second factor, by name. */
    const factors = new Map<string, string[]>()
    const factorRoles = new Set<string>()
    /** Tokens of who has confirmed who they are. */
    const confirmations = new Set<string>()
    const tokens: Token[] = []
    const grants: Grant[] = []
    const audit: AuditRecord[] = []
    const sessions = new Map<string, { user: string; createdMs: number; agent: string; id: string }>()
    const listeners = new Set<(change: Change) => void>()
    const timers = new Set<ReturnType<typeof setInterval>>()
    const say = (change: Change): void => {
        for (const listener of [...listeners]) listener(change)
    }

    function addUser(name: string, role: string, password: string): void {
        const user = create(UserSchema, {
            name,
            role,
            fullName: hostile(`${name[0]?.toUpperCase()}${name.slice(1)} Example`),
            created: ago(9e6),
        })
        users.set(name, Object.assign(user, { password }))
    }

    function addVolume(pool: string, name: string, part: Partial<Volume>): Volume {
        const volume = create(VolumeSchema, {
            pool,
            name,
            format: 'qcow2',
            capacityBytes: 20n * GIB,
            allocationBytes: 2n * GIB,
            path: `/var/lib/debvisor/${pool}/${name}`,
            purpose: 'disk',
            modified: ago(Math.floor(next() * 4e6)),
            ...part,
        } as never)
        volumes.set(`${pool}/${name}`, volume)
        return volume
    }

    function addVm(name: string, part: { state?: State; tags?: string[]; memory?: bigint; vcpus?: number }): SimVm {
        const id = uuid()
        const state = part.state ?? pick([State.RUNNING, State.RUNNING, State.RUNNING, State.STOPPED])
        const memoryBytes = part.memory ?? pick([1n, 2n, 2n, 4n, 8n]) * GIB
        const vcpus = part.vcpus ?? pick([1, 2, 2, 4])
        const network = pick(['default', 'default', 'lab'])
        const volume = addVolume('default', `${name}.qcow2`, { usedBy: [`vm:${name}`] })
        const one: SimVm = {
            revision: 1,
            snapshots: [],
            detail: create(VmDetailSchema, {
                revision: '1',
                notes: hostile(next() < 0.1 ? 'Ask the web team before a restart.' : ''),
                machine: 'pc-q35-7.2',
                cpu: { model: 'host-model', sockets: 1, cores: vcpus, threads: 1 },
                disks: [
                    {
                        target: 'vda',
                        device: 'disk',
                        bus: 'virtio',
                        pool: 'default',
                        volume: volume.name,
                        format: 'qcow2',
                        capacityBytes: volume.capacityBytes,
                        allocationBytes: volume.allocationBytes,
                        discard: true,
                        presence: 'live',
                    },
                    { target: 'sda', device: 'cdrom', bus: 'sata', readonly: true, presence: 'live' },
                ],
                nics: [{ mac: mac(), network, model: 'virtio', device: 'vnet1', presence: 'live' }],
                bootOrder: ['disk', 'cdrom'],
                guestAgent: true,
                guestAgentConnected: state === State.RUNNING,
                serial: true,
                vnc: true,
                os: 'linux',
                virtType: 'kvm',
                vm: {
                    uuid: id,
                    name,
                    state,
                    reason: state === State.RUNNING ? 'booted' : 'shutdown',
                    memoryBytes,
                    maxMemoryBytes: memoryBytes,
                    vcpus,
                    maxVcpus: vcpus,
                    description: hostile(pick(['', '', 'Web front end', 'Database of the shop', 'Build machine'])),
                    tags: part.tags ?? pick([[], ['prod'], ['test'], ['prod', 'web'], ['lab']]),
                    autostart: next() < 0.3,
                    persistent: true,
                    firmware: pick(['bios', 'uefi']),
                    started: state === State.RUNNING ? ago(Math.floor(next() * 8e5) + 60) : undefined,
                    networks: [network],
                    cpu: state === State.RUNNING ? next() * 0.4 : 0,
                    owner: 'admin',
                },
            }),
        }
        if (options.hostile) one.detail.vm!.tags = [MARKUP.slice(0, 40)]
        vms.set(id, one)
        return one
    }

    function touch(one: SimVm): void {
        one.revision++
        one.detail.revision = String(one.revision)
        one.detail.vm!.changes = one.revision
        say({ kind: 'vm', key: one.detail.vm!.uuid })
    }

    /** Begins a task that moves on by itself. */
    function begin(wish: TaskWish): Task {
        const task = create(TaskSchema, {
            id: uuid(),
            kind: wish.kind,
            title: wish.title,
            state: TaskState.RUNNING,
            progress: 0,
            phase: wish.log?.[0] ?? '',
            owner: wish.owner,
            onKind: wish.on?.kind ?? '',
            onId: wish.on?.id ?? '',
            onName: wish.on?.name ?? '',
            started: timestampFromMs(Date.now()),
            cancellable: (wish.durationMs ?? 0) > 1500,
            log: [],
        })
        tasks.set(task.id, task)
        const lines = [...(wish.log ?? ['Began'])]
        const total = wish.durationMs ?? 600
        const began = Date.now()
        const step = Math.max(60, total / 12)
        const end = (): void => {
            clearInterval(timer)
            timers.delete(timer)
            task.ended = timestampFromMs(Date.now())
            say({ kind: 'task', key: task.id })
        }
        const timer = setInterval(() => {
            if (task.state !== TaskState.RUNNING) return end()
            task.progress = Math.min(1, (Date.now() - began) / total)
            const line = lines.shift()
            if (line) {
                task.log.push({ $typeName: 'debvisor.task.v1.LogLine', at: timestampFromMs(Date.now()), text: line })
                task.phase = line
            }
            if (task.progress >= 1) {
                finish(task.id, wish.effect?.())
                return end()
            }
            say({ kind: 'task', key: task.id })
        }, step)
        timers.add(timer)
        say({ kind: 'task', key: task.id })
        return task
    }

    /** Ends a task from outside: done, or failed with the problem. */
    function finish(id: string, problem?: Partial<Problem>): void {
        const task = tasks.get(id)
        if (!task) return
        task.state = problem ? TaskState.FAILED : TaskState.DONE
        task.progress = 1
        task.problem = problem && create(ProblemSchema, { code: 'precondition', ...problem } as never)
        task.ended = timestampFromMs(Date.now())
        say({ kind: 'task', key: id })
    }

    function record(part: {
        who: string
        what: string
        onId?: string
        onName?: string
        result?: string
        detail?: string
    }): void {
        audit.unshift(
            create(RecordSchema, {
                number: BigInt(audit.length + 1),
                at: timestampFromMs(Date.now()),
                from: '192.0.2.7',
                result: 'done',
                ...part,
            }),
        )
    }

    return {
        options,
        startMs,
        vms,
        tasks,
        pools,
        volumes,
        networks,
        containers: new Map<string, Container>(),
        stacks: new Map<string, SimStack>(),
        users,
        factors,
        factorRoles,
        confirmations,
        tokens,
        grants,
        audit,
        sessions,
        listeners,
        timers,
        /** Who has the serial port of a machine, by its name. */
        ports: new Map<string, WebSocket>(),
        /** What the server finds wrong with an upload that is whole; tests put another one in. */
        check: async (_name: string): Promise<Partial<Problem> | undefined> => undefined,
        /** Whether pieces of uploads are refused for good. */
        refusesPieces: false,
        next,
        pick,
        ago,
        uuid,
        mac,
        hostile,
        say,
        touch,
        begin,
        finish,
        record,
        addVm,
        addVolume,
        addUser,
        /** `name` or UUID. */
        find: (ref: string): SimVm | undefined =>
            vms.get(ref) ?? [...vms.values()].find(v => v.detail.vm!.name === ref),
        close(): void {
            for (const timer of timers) clearInterval(timer)
        },
    }
}
