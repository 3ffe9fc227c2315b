// Containers when Docker is killed, hangs, is away from the beginning; long logs; many containers; the daemon killed.
import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Code, ConnectError } from '@connectrpc/connect'
import { afterAll, beforeAll, expect, it } from 'vitest'
import WebSocket from 'ws'
import { ContainerService, State } from '../../src/gen/proto/capabilities/container/container_pb.js'
import { ContainerImageService } from '../../src/gen/proto/capabilities/container/stores_pb.js'
import { NodeService } from '../../src/gen/proto/capabilities/node/node_pb.js'
import { VmService } from '../../src/gen/proto/capabilities/vm/vm_pb.js'
import { type ContainerWorld, startContainers } from './container-world.ts'
import { until } from './world.ts'
import { startDaemon } from './world-daemon.ts'

let world: ContainerWorld
const containers = () => world.daemon.client(ContainerService)

beforeAll(async () => {
    world = await startContainers()
    await world.docker.image('tiny:1')
}, 600_000)
afterAll(() => world?.stop())

it('dockerd is killed: containers go on, what was known is shown as old, a terminal ends; it comes back, all heals', async () => {
    await world.daemon.done(await containers().create({ name: 'stays', image: 'tiny:1', start: true }))
    const { path, ticket } = await containers().openTerminal({ container: 'stays', command: ['cat'] })
    const socket = new WebSocket(`ws+unix:${world.daemon.socketPath}:${path}`, ['debvisor.console', `ticket.${ticket}`])
    const closed = new Promise<number>(resolve => socket.once('close', code => resolve(code)))
    await new Promise(resolve => socket.once('open', resolve))

    const stop = new AbortController()
    const told: boolean[] = []
    const watching = (async () => {
        for await (const { stale } of containers().watch({}, { signal: stop.signal })) told.push(stale)
    })().catch(() => undefined)
    await world.docker.kill()
    expect(await closed).toBe(1000)
    await until('the list to be old', 5_000, async () => (await containers().list({})).stale)
    expect((await world.find('stays'))?.state).toBe(State.RUNNING)
    const trouble = await containers()
        .stop({ container: 'stays' })
        .then(begun => world.daemon.done(begun))
        .catch(thrown => thrown)
    expect(trouble.message).toMatch(/Docker does not run here|Docker has closed|went away/)
    const { findings } = await containers().getEngine({})
    expect(findings).toMatchObject([{ code: 'docker-unavailable', at: 'docker' }])
    // The rest of the node works.
    expect((await world.daemon.client(VmService).list({})).vms).toEqual([])
    const facts = await world.daemon.client(NodeService).getFacts({})
    expect(facts.services.find(({ name }) => name === 'docker')?.up).toBe(false)
    expect(facts.findings.find(({ at }) => at === 'docker')).toMatchObject({ severity: 'warning' })

    await world.docker.start()
    await world.docker.docker(['run', '-d', '--name', 'meanwhile', 'tiny:1'])
    await until('the list to be fresh', 10_000, async () => !(await containers().list({})).stale)
    await until('what was made meanwhile', 5_000, async () => (await world.find('meanwhile')) !== undefined)
    expect((await world.find('stays'))?.state).toBe(State.RUNNING)
    await until('those who watch to know', 5_000, () => told.includes(true) && told.at(-1) === false)
    stop.abort()
    await watching
})

it('dockerd is restarted in order: with live restore the same process of a container goes on', async () => {
    const pid = () => world.docker.docker(['inspect', '--format', '{{.State.Pid}} {{.State.StartedAt}}', 'stays'])
    const before = await pid()
    await world.docker.end()
    await until('the list to be old', 5_000, async () => (await containers().list({})).stale)
    await world.docker.start()
    await until('the list to be fresh', 10_000, async () => !(await containers().list({})).stale)
    expect(await pid()).toBe(before)
    await world.daemon.done(await containers().restart({ container: 'stays', deadlineSeconds: 1 }))
    expect(await pid()).not.toBe(before)
})

it('dockerd hangs: a call ends at its deadline, and the list says that it is old', async () => {
    await world.docker.freeze(true)
    try {
        await until('the list to be old', 40_000, async () => (await containers().list({})).stale)
        expect((await containers().getEngine({})).up).toBe(false)
    } finally {
        await world.docker.freeze(false)
    }
    await until('the list to be fresh', 20_000, async () => !(await containers().list({})).stale)
})

it('the daemon is killed while it makes a container: the next life takes it back', async () => {
    // The image is not there, and the pull of it hangs until its registry does not answer.
    const begun = await containers().create({ name: 'half', image: '10.255.255.1:5000/none:1', start: true })
    expect(begun.task).not.toBe('')
    await world.daemon.kill()
    await world.daemon.start()
    await until('the containers to be read', 10_000, async () => !(await containers().list({})).stale)
    expect(await world.find('half')).toBeUndefined()
    expect((await world.find('stays'))?.state).toBe(State.RUNNING)
})

it('a log of a gigabyte that nobody reads on takes no memory, and goes on where it was', async () => {
    const command = [
        'sh',
        '-c',
        "yes '123456789 123456789 123456789 123456789 123456789 123456789' | head -c 1000000000; sleep 1000",
    ]
    await world.daemon.done(await containers().create({ name: 'chatter', image: 'tiny:1', command, start: true }))
    const memory = async () => {
        const status = await readFile(`/proc/${world.daemon.pid}/status`, 'utf8')
        return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1]) * 1024
    }
    const before = await memory()
    const stop = new AbortController()
    const asked = { container: 'chatter', follow: true }
    const reading = containers().watchLogs(asked, { signal: stop.signal })[Symbol.asyncIterator]()
    let bytes = 0
    while (bytes < 5_000_000) {
        const { value } = await reading.next()
        for (const { text } of value!.lines) bytes += text.length + 1
    }
    // From here on nobody reads, while Docker has a gigabyte to tell.
    let most = 0
    const end = Date.now() + 10_000
    while (Date.now() < end) {
        most = Math.max(most, await memory())
        await new Promise(resolve => setTimeout(resolve, 100))
    }
    expect(most - before).toBeLessThan(150 * 1024 * 1024)
    for (let i = 0; i < 10; i++) expect((await reading.next()).value!.lines.length).toBeGreaterThan(0)
    stop.abort()
    await world.daemon.done(await containers().remove({ container: 'chatter', force: true }))
})

it('a disk that is full is told as such, and nothing of the image stays', async () => {
    const small = await startContainers([], { diskMb: 24 })
    try {
        const tar = join(small.docker.folder, 'tmp/big.tar')
        await small.docker.enter(['sh', '-c', 'mkdir /tmp/big && head -c 60000000 /dev/urandom >/tmp/big/data'])
        await small.docker.enter(['sh', '-c', 'tar -C /tmp/big -cf /tmp/big.tar data'])
        await expect(small.debvisor(['container', 'import', tar, 'big:1'])).rejects.toMatchObject({
            stderr: expect.stringContaining('The disk of Docker is full'),
        })
        expect(await small.docker.docker(['images', '-q'])).toBe('')

        // The same from a registry: what it holds was pushed by the other dockerd, which has room.
        const server = await world.docker.startRegistry()
        const reference = `${server}/big:1`
        const large = 'mkdir /tmp/large && head -c 60000000 /dev/urandom >/tmp/large/data && tar -C /tmp/large -c . |'
        await world.docker.enter(['sh', '-c', `${large} docker import - ${reference} && docker push -q ${reference}`])
        await cp(join(world.docker.folder, 'registry'), join(small.docker.folder, 'registry'), { recursive: true })
        await small.docker.startRegistry()
        const images = small.daemon.client(ContainerImageService)
        await expect(small.daemon.done(await images.pull({ reference }))).rejects.toThrow(
            /The disk of Docker is full.*prune --dry-run/,
        )
        await expect(small.debvisor(['container', 'create', 'half', reference, '--start'])).rejects.toMatchObject({
            stderr: expect.stringContaining('The disk of Docker is full'),
        })
        expect(await small.docker.docker(['ps', '-aq'])).toBe('')
        expect(await small.docker.docker(['images', '-q'])).toBe('')
        await small.docker.image('tiny:1')
    } finally {
        await small.stop()
    }
})

it('Docker that is not there, or too old, is a finding with a fix; the rest of the node works, and it is taken when it comes', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dv-old-'))
    const path = join(folder, 'docker.sock')
    const daemon = await startDaemon({ args: ['--docker', path] })
    // No real Engine so old can be had here: this is the one answer by which its age is known.
    const old = createServer((request, response) =>
        request.url === '/version'
            ? response.end(JSON.stringify({ Version: '18.09.1', ApiVersion: '1.39', MinAPIVersion: '1.12' }))
            : response.writeHead(400).end('{"message":"client is too new"}'),
    )
    try {
        const client = daemon.client(ContainerService)
        const code = async () => (await client.getEngine({})).findings[0]?.code
        await until('it to be missed', 10_000, async () => (await code()) === 'docker-unavailable')
        await new Promise<void>(resolve => old.listen(path, resolve))
        await until('it to be found old', 30_000, async () => (await code()) === 'docker-unsupported')
        expect((await client.getEngine({})).findings).toMatchObject([
            {
                ...{ severity: 'error', summary: 'Docker on this node is too old' },
                ...{ detail: expect.stringContaining('18.09.1'), fix: expect.stringContaining('docker.io') },
            },
        ])
        expect(await client.list({})).toMatchObject({ containers: [], stale: true })
        const trouble = await client.create({ name: 'web', image: 'tiny:1' }).catch(thrown => thrown)
        expect(trouble.message).toContain('Docker on this node is too old')
        expect((await daemon.client(VmService).list({})).vms).toEqual([])
        old.closeAllConnections()
        await new Promise(resolve => old.close(resolve))
        await symlink(world.docker.socketPath, path)
        await until('the real one to be taken', 60_000, async () => (await client.getEngine({})).up)
        expect((await client.list({})).containers.map(({ name }) => name)).toContain('stays')
    } finally {
        old.closeAllConnections()
        old.close()
        await daemon.stop()
        await rm(folder, { recursive: true, force: true })
    }
})

it('five hundred containers are listed, with markup in their commands; after a restart of dockerd all anew', async () => {
    const markup = '<img src=x onerror=alert(1)>'
    const make = `seq 500 | xargs -P 4 -I N docker create --name many-N --hostname hN tiny:1 echo '${markup}' >/dev/null`
    await world.docker.enter(['sh', '-c', make])
    const many = async () => (await containers().list({ search: 'many-' })).containers
    await until('all to be listed', 30_000, async () => (await many()).length === 500)
    expect(new Set((await many()).map(({ command }) => command))).toEqual(new Set([`echo ${markup}`]))
    const began = performance.now()
    await many()
    // They are in memory: not one question to Docker.
    expect(performance.now() - began).toBeLessThan(1_000)
    await world.docker.kill()
    await world.docker.start()
    await world.docker.docker(['rm', 'many-1'])
    await until('the list to be fresh', 60_000, async () => {
        const { containers: all, stale } = await containers().list({ search: 'many-' })
        return !stale && all.length === 499
    })
    const wanted = containers().watch({})[Symbol.asyncIterator]()
    expect((await wanted.next()).value!.containers.length).toBeGreaterThanOrEqual(499)
    await wanted.return?.()
    const loop = 'docker ps -aq --filter name=many- | xargs -n 100 docker rm >/dev/null'
    await world.docker.enter(['sh', '-c', loop])
    await until('all to be gone', 30_000, async () => (await many()).length === 0)
})

it('a name that is none and a container that is gone are told alike to who may see none', async () => {
    const trouble = await containers()
        .get({ container: '<img src=x onerror=alert(1)>' })
        .catch(thrown => thrown)
    expect(trouble).toBeInstanceOf(ConnectError)
    expect((trouble as ConnectError).code).toBe(Code.NotFound)
})
