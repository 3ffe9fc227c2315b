// A daemon over a real dockerd, and what tests of containers ask it for.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { DescService } from '@bufbuild/protobuf'
import { type Client, createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { type Container, ContainerService } from '../../src/gen/proto/capabilities/container/container_pb.js'
import { IdentityService } from '../../src/gen/proto/capabilities/identity/identity_pb.js'
import { type DaemonWorld, startDaemon } from './world-daemon.ts'
import { type DockerWorld, startDocker } from './world-docker.ts'

const root = new URL('../../', import.meta.url).pathname
export const PASSWORD = 'correct horse battery'

export interface ContainerWorld {
    docker: DockerWorld
    daemon: DaemonWorld
    /** Runs one command line of ours as root; answers what it printed. Rejects with its words when it fails. */
    debvisor(words: string[], stdin?: string): Promise<{ stdout: string; stderr: string }>
    /** A client with a token of that user, made with that role where the user is not there. */
    as<S extends DescService>(user: string, role: string, service: S): Promise<Client<S>>
    /** The container of that name as the list has it. */
    find(name: string): Promise<Container | undefined>
    stop(): Promise<void>
}

export async function startContainers(
    args: string[] = [],
    how: { diskMb?: number } = {},
    more: (docker: DockerWorld) => string[] = () => [],
): Promise<ContainerWorld> {
    const docker = await startDocker(how)
    const daemon = await startDaemon({
        args: ['--docker', docker.socketPath, '--secrets', docker.folder, ...args, ...more(docker)],
    })
    const tokens = new Map<string, string>()
    const program = ['--import', 'tsx', join(root, 'src/apps/cli/main.ts')]
    return {
        docker,
        daemon,
        async debvisor(words, stdin = '') {
            const running = promisify(execFile)(process.execPath, [...program, ...words], {
                cwd: root,
                env: { ...process.env, DEBVISOR_SOCKET: daemon.socketPath },
                timeout: 120_000,
                maxBuffer: 64 << 20,
            })
            running.child.stdin?.end(stdin)
            return running
        },
        async as(user, role, service) {
            const identity = daemon.client(IdentityService)
            if (!tokens.has(user)) {
                await identity.createUser({ name: user, role, password: PASSWORD })
                tokens.set(user, (await identity.createToken({ name: 'test', user })).secret)
            }
            const authorization = `Bearer ${tokens.get(user)}`
            return createClient(
                service,
                createConnectTransport({
                    baseUrl: daemon.url,
                    httpVersion: '1.1',
                    nodeOptions: { ca: await daemon.certificate() },
                    interceptors: [
                        next => request => {
                            request.header.set('authorization', authorization)
                            return next(request)
                        },
                    ],
                }),
            )
        },
        async find(name) {
            const { containers } = await daemon.client(ContainerService).list({})
            return containers.find(one => one.name === name)
        },
        async stop() {
            await daemon.stop()
            await docker.stop()
        },
    }
}
