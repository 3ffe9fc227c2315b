// What the tests of reliability, load and bad input share: an administrator over TLS, and what is there to be lost.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DescService } from '@bufbuild/protobuf'
import {
    type Client,
    type Code,
    ConnectError,
    createClient,
    type Interceptor,
    type Transport,
} from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { confirming } from '../../src/capabilities/dangerous.ts'
import { type Problem, ProblemSchema } from '../../src/gen/proto/capabilities/debvisor_pb.js'
import { IdentityService } from '../../src/gen/proto/capabilities/identity/identity_pb.js'
import { ImageService } from '../../src/gen/proto/capabilities/image/image_pb.js'
import { State, type Task, TaskService } from '../../src/gen/proto/capabilities/task/task_pb.js'
import { until } from './world.ts'
import type { DaemonWorld } from './world-daemon.ts'

/** True where the long forms are asked for (`make test-all`, or DEBVISOR_ALL=1). */
export const all = process.env.DEBVISOR_ALL === '1' || process.env.SLOW === '1'

/** Someone who is logged in by a token and calls over TLS. */
export interface Person {
    user: string
    token: string
    /** A connection of its own: HTTP/2 and binary unless told otherwise. */
    transport(how?: { httpVersion?: '1.1' | '2'; json?: boolean }): Transport
    /** A client on one connection that all clients of the person share. */
    client<S extends DescService>(service: S): Client<S>
    /** A plain POST of JSON text, as curl would send it. */
    post(method: string, body: string | Uint8Array, headers?: Record<string, string>): Promise<Answer>
}

export interface Answer {
    status: number
    text: string
    /** The Problem that an error carries, or undefined. */
    problem?: Pick<Problem, 'code' | 'summary' | 'detail' | 'fix' | 'at'>
}

const PERSON_PASSWORD = 'a horse that is correct'

/** Makes a user with a role (none: grants only) and a token, and answers who that is. The pool is there afterwards. */
export async function personOf(daemon: DaemonWorld, user: string, role = 'admin'): Promise<Person> {
    const identity = daemon.client(IdentityService)
    await identity.createUser({ name: user, role, password: PERSON_PASSWORD })
    const { secret } = await identity.createToken({ user, name: 'tests' })
    const images = daemon.client(ImageService)
    await until('the default pool', 20_000, async () => (await images.listPools({})).pools.some(pool => pool.active))
    return personWith(daemon, user, secret)
}

/** The same by a token that exists. */
export async function personWith(daemon: DaemonWorld, user: string, token: string): Promise<Person> {
    const ca = await daemon.certificate()
    const authorize: Interceptor = next => request => {
        request.header.set('authorization', `Bearer ${token}`)
        return next(request)
    }
    const transport: Person['transport'] = ({ httpVersion = '2', json = false } = {}) => {
        // What is dangerous is confirmed anew each time, as by somebody who types the password each time.
        const confirm = confirming(
            async () => {
                const unasked = createConnectTransport({ ...common, httpVersion: '1.1', nodeOptions: { ca } })
                const { confirmationToken } = await createClient(IdentityService, unasked).confirm({
                    password: PERSON_PASSWORD,
                })
                return confirmationToken
            },
            { ahead: true },
        )
        const common = { baseUrl: daemon.url, interceptors: [authorize], useBinaryFormat: !json }
        const asked = { ...common, interceptors: [confirm, authorize] }
        return httpVersion === '2'
            ? createConnectTransport({ ...asked, httpVersion, nodeOptions: { ca } })
            : createConnectTransport({ ...asked, httpVersion, nodeOptions: { ca } })
    }
    let shared: { url: string; transport: Transport } | undefined
    return {
        user,
        token,
        transport,
        client(service) {
            // A restarted daemon listens on another port.
            if (shared?.url !== daemon.url) shared = { url: daemon.url, transport: transport() }
            return createClient(service, shared.transport)
        },
        async post(method, body, headers = {}) {
            const { request } = await import('node:https')
            return new Promise((resolve, reject) => {
                const sent = request(
                    `${daemon.url}/${method}`,
                    {
                        method: 'POST',
                        ca,
                        agent: false,
                        headers: {
                            'content-type': 'application/json',
                            authorization: `Bearer ${token}`,
                            ...headers,
                        },
                    },
                    response => {
                        let text = ''
                        response.on('data', chunk => {
                            text += chunk
                        })
                        response.on('error', reject)
                        response.on('end', () => {
                            resolve({ status: response.statusCode ?? 0, text, problem: problemIn(text) })
                        })
                    },
                )
                sent.on('error', reject)
                sent.end(body)
            })
        },
    }
}

/** The Problem in the body of a plain HTTP error: Connect's JSON has it as a detail, other routes are one. */
function problemIn(text: string): Answer['problem'] {
    try {
        const body = JSON.parse(text)
        return body.details?.find((detail: { type: string }) => detail.type === ProblemSchema.typeName)?.debug ?? body
    } catch {
        return undefined
    }
}

/** What a call was refused with. Throws when it was not refused, or not with a Problem. */
export async function refusalOf(call: Promise<unknown>): Promise<Problem & { connect: Code }> {
    const answer = await call.then(
        value => ({ value }),
        thrown => ({ thrown }),
    )
    if (!('thrown' in answer)) throw new Error(`it was not refused: ${JSON.stringify(answer.value, withBigint)}`)
    const error = ConnectError.from(answer.thrown)
    const [problem] = error.findDetails(ProblemSchema)
    if (!problem) throw new Error(`it was refused without a Problem: ${error.message}`)
    return { ...problem, connect: error.code }
}

const withBigint = (_key: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value)

/** Follows a task to its end, whatever that is. */
export async function endOf(daemon: DaemonWorld, { task: id }: { task: string }): Promise<Task> {
    for await (const { task } of daemon.client(TaskService).watch({ id })) {
        if (task && task.state !== State.RUNNING) return task
    }
    throw new Error(`the task ${id} was not there`)
}

/** All there is in a world that a half-made thing could be left in. */
export interface Things {
    domains: string[]
    /** Files in the folder of the default pool. */
    files: string[]
    nvram: string[]
    pools: string[]
    networks: string[]
    /** Domain → its snapshots. */
    snapshots: Record<string, string[]>
}

/** Looks past the daemon: at libvirt by virsh, and at the folders. */
export async function thingsOf(daemon: DaemonWorld): Promise<Things> {
    const { libvirt } = daemon
    const lines = async (args: string[]) =>
        (await libvirt.virsh(args))
            .split('\n')
            .map(l => l.trim())
            .filter(Boolean)
    const namesOf = (text: string[]) => text.sort()
    const domains = namesOf(await lines(['list', '--all', '--name']))
    const snapshots: Record<string, string[]> = {}
    for (const domain of domains) {
        const found = await lines(['snapshot-list', domain, '--name']).catch(() => [])
        if (found.length > 0) snapshots[domain] = namesOf(found)
    }
    return {
        domains,
        files: (await readdir(libvirt.imagesDir)).sort(),
        nvram: (await readdir(join(libvirt.folder, 'lib/qemu/nvram')).catch(() => [])).sort(),
        pools: namesOf(await lines(['pool-list', '--all', '--name'])),
        networks: namesOf(await lines(['net-list', '--all', '--name'])),
        snapshots,
    }
}

/** Resident memory of a process, in bytes. */
export async function rssBytes(pid: number): Promise<number> {
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024
}

/** A process that is still the same one: its id and when it began, in clock ticks since boot. */
export async function lifeOf(pid: number): Promise<string> {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    return stat ? `${pid}@${stat.slice(stat.lastIndexOf(')')).split(' ')[20]}` : `${pid} is gone`
}

/** Numbers from 0 to 1 that a seed repeats (mulberry32). */
export function randomFrom(seed: number): () => number {
    let state = seed >>> 0
    return () => {
        state = (state + 0x6d2b79f5) >>> 0
        let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
    }
}
