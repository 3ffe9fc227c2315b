// Five hundred running containers with state and load over the API, and one made and started, against docker.
import { ContainerService, State } from '../src/gen/proto/capabilities/container/container_pb.js'
import { personOf } from '../tests/real/reliability-world.ts'
import { until } from '../tests/real/world.ts'
import { startDaemon } from '../tests/real/world-daemon.ts'
import { startDocker } from '../tests/real/world-docker.ts'
import { judged, median, ms, quantile, type Result, times } from './figures.ts'
import { bundled, runsAs } from './many.ts'

const COUNT = Number(process.env.BENCH_CONTAINERS ?? 500)
const PAIRS = Number(process.env.BENCH_PAIRS ?? 30)
const LISTS = 100
const LEAST_RATIO = 5
const MOST_RATIO = 1.2

const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const began = performance.now()
    await work()
    return performance.now() - began
}

export async function containers(): Promise<Result> {
    const docker = await startDocker()
    const daemon = await startDaemon({ bundle: bundled, args: ['--docker', docker.socketPath] })
    try {
        await docker.image('tiny:1')
        const person = await personOf(daemon, 'bench')
        const client = person.client(ContainerService)
        const starts: { ours: number; theirs: number }[] = []
        const ours = async (i: number) => {
            const asked = { name: `ours${i}`, image: 'tiny:1', start: true }
            await daemon.done(await client.create(asked))
        }
        const theirs = (i: number) => docker.docker(['run', '-d', '--name', `theirs${i}`, 'tiny:1'])
        for (let i = 0; i < PAIRS; i++) {
            const first = Math.random() < 0.5
            const one = { ours: 0, theirs: 0 }
            if (first) one.ours = await timed(() => ours(i))
            one.theirs = await timed(() => theirs(i))
            if (!first) one.ours = await timed(() => ours(i))
            starts.push(one)
            await docker.docker(['rm', '-f', `ours${i}`, `theirs${i}`])
        }

        const loop = `seq ${COUNT} | xargs -P 4 -I N docker run -d --name cN --network none tiny:1 >/dev/null`
        await docker.enter(['sh', '-c', loop])
        await until(`${COUNT} containers to be listed`, 120_000, async () => {
            const { containers: all } = await client.list({})
            return all.length === COUNT && all.every(one => one.state === State.RUNNING)
        })
        await until('each to have a load', 120_000, async () =>
            (await client.list({})).containers.every(one => one.memoryBytes > 0n),
        )
        const lists: number[] = []
        for (let i = 0; i < LISTS; i++) lists.push(await timed(() => client.list({})))
        const looks: number[] = []
        for (let i = 0; i < 3; i++)
            looks.push(
                await timed(async () => {
                    await docker.docker(['ps', '-a'])
                    await docker.docker(['stats', '--no-stream'])
                }),
            )
        const faster = median(looks) / quantile(lists, 0.99)
        return {
            title: 'containers: a list with state and load, and a start',
            notes: [
                `${COUNT} running containers without a network; loads are at most ten seconds old`,
                'docker is docker ps and docker stats --no-stream, one after the other; ours is one call over TLS',
                'a start is make and start until the task has ended, against docker run -d with its process',
                runsAs,
            ],
            rows: [
                {
                    what: `${COUNT} containers, a list`,
                    value: `p50 ${ms(median(lists))}, p99 ${ms(quantile(lists, 0.99))}`,
                    peer: `docker ${ms(median(looks))}`,
                    ratio: `${times(faster)} faster at p99`,
                    target: `≥ ${times(LEAST_RATIO)}`,
                    met: faster >= LEAST_RATIO,
                },
                {
                    what: `made and started, ${PAIRS} pairs`,
                    value: `median ${ms(median(starts.map(one => one.ours)))}`,
                    peer: `docker run ${ms(median(starts.map(one => one.theirs)))}`,
                    ...judged(starts, MOST_RATIO),
                },
            ],
        }
    } finally {
        await daemon.stop()
        await docker.stop()
    }
}
