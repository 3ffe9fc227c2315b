// A daemon over a real dockerd with Debian 13's docker-compose, and what tests of stacks ask it for.
import { join } from 'node:path'
import { Code, ConnectError } from '@connectrpc/connect'
import { expect } from 'vitest'
import { StackService } from '../../src/gen/proto/capabilities/stack/stack_pb.js'
import { type ContainerWorld, startContainers } from './container-world.ts'
import { until } from './world.ts'
import type { DockerWorld } from './world-docker.ts'

const root = new URL('../../', import.meta.url).pathname

export interface StackWorld extends ContainerWorld {
    /** Docker-compose by hand, beside us. */
    compose(args: string[], file?: string): Promise<string>
    /** What a page says that the node itself asks for. */
    page(port: number): Promise<string>
}

/** Its own program is run on this host, from the tree that the dockerd of the world runs in: it is the one of Debian 13. */
export async function startStacks(
    args: string[] = [],
    more: (docker: DockerWorld) => string[] = () => [],
): Promise<StackWorld> {
    const world = await startContainers(['--catalogue', join(root, 'deploy/compose'), ...args], {}, docker => [
        ...['--compose', docker.composeProgram],
        ...more(docker),
    ])
    return {
        ...world,
        compose: (words, file) => world.docker.enter(['docker-compose', ...(file ? ['-f', '-'] : []), ...words], file),
        async page(port) {
            let said = ''
            // The program in it listens a moment after it was started.
            await until(`port ${port}`, 10_000, async () => {
                const words = ['busybox', 'wget', '-qO-', `http://127.0.0.1:${port}/`]
                said = await world.docker.enter(words).catch(() => '')
                return said !== ''
            })
            return said
        },
    }
}

export const stacksOf = (world: StackWorld) => world.daemon.client(StackService)

/** The refusal of a call, which has to refuse. */
export async function refusal(call: Promise<unknown>, code: Code): Promise<ConnectError> {
    const thrown = await call.then(
        () => undefined,
        trouble => trouble,
    )
    expect(thrown).toBeInstanceOf(ConnectError)
    expect(Code[(thrown as ConnectError).code]).toBe(Code[code])
    return thrown as ConnectError
}
