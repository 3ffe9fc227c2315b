// Containers against a real dockerd: their whole life over the API and the command line, and what others do beside us.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Code, ConnectError } from '@connectrpc/connect'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { AuditService } from '../../src/gen/proto/capabilities/audit/audit_pb.js'
import { type Container, ContainerService, State } from '../../src/gen/proto/capabilities/container/container_pb.js'
import {
    ContainerImageService,
    ContainerNetworkService,
    ContainerVolumeService,
} from '../../src/gen/proto/capabilities/container/stores_pb.js'
import { IdentityService } from '../../src/gen/proto/capabilities/identity/identity_pb.js'
import { type ContainerWorld, startContainers } from './container-world.ts'
import { until } from './world.ts'

let world: ContainerWorld
let scratch = ''
const containers = () => world.daemon.client(ContainerService)
const SHOP = { name: 'web', image: 'tiny:1', tags: ['shop'], start: true }

beforeAll(async () => {
    world = await startContainers()
    await world.docker.image('tiny:1')
    scratch = await mkdtemp(join(tmpdir(), 'dv-containers-'))
}, 600_000)
afterAll(async () => {
    await world?.stop()
    await rm(scratch, { recursive: true, force: true })
})

const refusal = async (call: Promise<unknown>): Promise<ConnectError> => {
    const thrown = await call.then(
        () => undefined,
        trouble => trouble,
    )
    expect(thrown).toBeInstanceOf(ConnectError)
    return thrown as ConnectError
}

it('Docker answers, and the version of its API is agreed upon', async () => {
    expect(await containers().getEngine({})).toMatchObject({ up: true, apiVersion: '1.45', findings: [] })
})

it('a container is made, looked at, switched and removed', async () => {
    const begun = await containers().create({
        ...SHOP,
        ports: [{ host: 18080, container: 80 }],
        mounts: [{ type: 'volume', source: 'site', target: '/site' }],
        environment: [{ name: 'WORD', value: 'a secret of this house' }],
        ...{ memoryLimitBytes: 64n << 20n, cpuLimit: 0.5, processLimit: 50, restart: 'unless-stopped' },
    })
    expect(begun.plan.map(step => step.sentence)).toEqual(['Make the container web of tiny:1', 'Start web'])
    await world.daemon.done(begun)
    const web = (await world.find('web'))!
    expect(web).toMatchObject({
        ...{
            state: State.RUNNING,
            image: 'tiny:1',
            tags: ['shop'],
            owner: 'root',
            marks: [],
            restart: 'unless-stopped',
        },
        ...{ memoryLimitBytes: 64n << 20n, cpuLimit: 0.5, processLimit: 50, networks: ['bridge'] },
        ports: [{ host: 18080, address: '127.0.0.1', container: 80, protocol: 'tcp' }],
    })
    const inspected = JSON.parse(await world.docker.docker(['inspect', 'web']))[0]
    expect(inspected.HostConfig).toMatchObject({ Memory: 64 << 20, NanoCpus: 5e8, PidsLimit: 50, Privileged: false })

    const step = async (call: Promise<{ task: string }>, state: State) => {
        await world.daemon.done(await call)
        expect((await world.find('web'))?.state).toBe(state)
    }
    const { id } = web
    await step(containers().pause({ container: id }), State.PAUSED)
    expect((await refusal(containers().start({ container: 'web' }))).rawMessage).toMatch('paused, not stopped')
    await step(containers().unpause({ container: id.slice(0, 12) }), State.RUNNING)
    await step(containers().kill({ container: 'web' }), State.EXITED)
    expect((await world.find('web'))?.exitCode).toBe(137)
    await step(containers().start({ container: 'web' }), State.RUNNING)
    await step(containers().restart({ container: 'web', deadlineSeconds: 1 }), State.RUNNING)
    await step(containers().stop({ container: 'web', deadlineSeconds: 1 }), State.EXITED)

    const change = await containers().update({ container: 'web', memoryLimitBytes: 0n, restart: 'no', dryRun: true })
    expect(change.plan.map(one => one.sentence)).toEqual([
        'Change the memory limit of web from 64 MiB to none',
        'Change the restart policy of web from unless-stopped to no',
    ])
    await world.daemon.done(await containers().update({ container: 'web', memoryLimitBytes: 32n << 20n }))
    expect((await world.find('web'))?.memoryLimitBytes).toBe(32n << 20n)
    await world.daemon.done(await containers().rename({ container: 'web', name: 'shop' }))
    expect(await world.find('web')).toBeUndefined()

    const removal = await containers().remove({ container: 'shop', volumes: true, dryRun: true })
    expect(removal.plan).toMatchObject([
        { sentence: 'Remove shop with all that it wrote outside its volumes', destroys: 'container:shop' },
        { sentence: 'Keep its volumes: site', destroys: '' },
    ])
    await world.daemon.done(await containers().remove({ container: 'shop', volumes: true }))
    expect((await world.docker.docker(['ps', '-aq'])).trim()).toBe('')
    expect((await world.daemon.client(ContainerVolumeService).list({})).volumes).toMatchObject([{ name: 'site' }])
})

it('what docker does by hand is told to those who watch, within a moment', async () => {
    const stop = new AbortController()
    const seen = new Map<string, Container>()
    const states: State[] = []
    let synced = false
    const watching = (async () => {
        for await (const change of containers().watch({}, { signal: stop.signal })) {
            synced ||= change.synced
            for (const id of change.removed) seen.delete(id)
            for (const one of change.containers) {
                seen.set(one.id, one)
                if (one.name === 'byhand') states.push(one.state)
            }
        }
    })().catch(() => undefined)
    await until('the list to be whole', 5_000, () => synced)
    await world.docker.docker(['run', '-d', '--name', 'byhand', '--label', 'debvisor.tags=shop, other', 'tiny:1'])
    const one = () => [...seen.values()].find(({ name }) => name === 'byhand')
    await until('it to run', 5_000, () => one()?.state === State.RUNNING)
    expect(one()).toMatchObject({ tags: ['shop', 'other'], owner: '' })
    await world.docker.docker(['pause', 'byhand'])
    await until('it to be paused', 5_000, () => one()?.state === State.PAUSED)
    await world.docker.docker(['rm', '-f', 'byhand'])
    await until('it to be gone', 5_000, () => one() === undefined)
    expect(states).toContain(State.RUNNING)
    const { records } = await world.daemon.client(AuditService).list({ limit: 100 })
    const outside = records
        .filter(({ who, onName }) => who === 'outside' && onName === 'byhand')
        .map(({ what }) => what)
    expect(new Set(outside)).toEqual(
        new Set(['created', 'started', 'paused', 'killed', 'removed'].map(what => `container.${what}`)),
    )
    expect(records.filter(({ who, onName }) => who === 'outside' && onName === 'web')).toEqual([])
    stop.abort()
    await watching
})

it('what reaches past a container into the node is marked', async () => {
    await world.docker.docker(['volume', 'create', '-o', 'type=none', '-o', 'o=bind', '-o', 'device=/etc', 'sly'])
    const options = [
        '-v',
        '/tmp:/host:ro',
        '-v',
        'sly:/sly',
        '--cap-add',
        'NET_ADMIN',
        '--pid',
        'host',
        '--network',
        'host',
    ]
    await world.docker.docker(['create', '--name', 'marked', ...options, '--privileged', 'tiny:1'])
    await until('it to be listed', 5_000, async () => (await world.find('marked')) !== undefined)
    expect((await world.find('marked'))?.marks).toEqual([
        ...['capability:NET_ADMIN', 'host-network', 'host-path:/tmp', 'host-pid', 'host-volume:sly', 'privileged'],
    ])
    await world.docker.docker(['rm', 'marked'])
    await world.docker.docker(['volume', 'rm', 'sly'])
})

it('labels that an image brings along put a container nowhere', async () => {
    await world.docker.image('stranger:1', { changes: ['LABEL debvisor.tags=shop debvisor.owner=ann'] })
    await world.docker.docker(['create', '--name', 'stranger', 'stranger:1'])
    await until('it to be listed', 5_000, async () => (await world.find('stranger')) !== undefined)
    expect(await world.find('stranger')).toMatchObject({ tags: [], owner: '' })
    await world.docker.docker(['rm', 'stranger'])
})

it('an operator makes containers, but none that reaches into the node, nor enters one that does', async () => {
    const operator = await world.as('olga', 'operator', ContainerService)
    await world.daemon.done(await operator.create({ name: 'mine', image: 'tiny:1', start: true }))
    expect(await world.find('mine')).toMatchObject({ owner: 'olga' })
    const reaches = [
        { privileged: true },
        { hostNetwork: true },
        { capabilities: ['SYS_ADMIN'] },
        { mounts: [{ type: 'bind', source: '/etc', target: '/host' }] },
        { mounts: [{ type: 'volume', source: 'sly', target: '/host' }] },
        { networks: ['host'] },
    ]
    await world.docker.docker(['volume', 'create', '-o', 'type=none', '-o', 'o=bind', '-o', 'device=/etc', 'sly'])
    for (const more of reaches) {
        const trouble = await refusal(operator.create({ name: 'sly', image: 'tiny:1', ...more }))
        expect([JSON.stringify(more), trouble.code]).toEqual([JSON.stringify(more), Code.PermissionDenied])
    }
    await world.docker.docker(['run', '-d', '--name', 'root', '--privileged', 'tiny:1'])
    await until('it to be listed', 5_000, async () => (await world.find('root')) !== undefined)
    expect((await refusal(operator.openTerminal({ container: 'root' }))).code).toBe(Code.PermissionDenied)
    expect((await refusal(operator.beginUpload({ container: 'root', folder: '/tmp', name: 'a' }))).code).toBe(
        Code.PermissionDenied,
    )
    expect((await operator.openTerminal({ container: 'mine' })).ticket).toHaveLength(43)
    await world.docker.docker(['volume', 'rm', 'sly'])
    // What an administrator gives with a role of its own; at once, and gone with it.
    const identity = world.daemon.client(IdentityService)
    await identity.updateUser({ name: 'olga', role: 'host-operator' })
    await world.daemon.done(await operator.create({ name: 'deep', image: 'tiny:1', privileged: true, start: true }))
    expect((await operator.openTerminal({ container: 'root' })).ticket).toHaveLength(43)
    await identity.updateUser({ name: 'olga', role: 'operator' })
    expect((await refusal(operator.openTerminal({ container: 'deep' }))).code).toBe(Code.PermissionDenied)
    for (const name of ['mine', 'root', 'deep'])
        await world.daemon.done(await containers().remove({ container: name, force: true }))
})

it('a viewer sees no values of the environment, and a grant on a tag covers what has the tag alone', async () => {
    for (const [name, tags] of [
        ['granted', ['shop']],
        ['hidden', []],
    ] as const)
        await world.daemon.done(
            await containers().create({
                ...{ name, image: 'tiny:1', tags: [...tags], start: true },
                environment: [{ name: 'PASSWORD', value: 'a secret of this house' }],
            }),
        )
    const viewer = await world.as('vera', 'viewer', ContainerService)
    const { detail } = await viewer.get({ container: 'granted' })
    expect(detail?.environment.find(({ name }) => name === 'PASSWORD')).toMatchObject({ value: '', hidden: true })
    expect(detail?.inspect).not.toContain('a secret of this house')
    const { records } = await world.daemon.client(AuditService).list({ limit: 1000 })
    const told = records.filter(({ what }) => what === 'container.Create').map(one => one.detail)
    expect(told.join('\n')).toContain('"PASSWORD"')
    expect(told.join('\n')).not.toContain('a secret of this house')
    expect((await refusal(viewer.stop({ container: 'granted' }))).code).toBe(Code.PermissionDenied)

    const identity = world.daemon.client(IdentityService)
    const guest = await world.as('gus', '', ContainerService).catch(() => undefined)
    expect(guest).toBeDefined()
    await identity.addGrant({ user: 'gus', role: 'operator', tag: 'shop' })
    await until('the grant to count', 5_000, async () => (await guest!.list({})).containers.length > 0)
    expect((await guest!.list({})).containers.map(({ name }) => name)).toEqual(['granted'])
    await world.daemon.done(await containers().stop({ container: 'granted', deadlineSeconds: 1 }))
    expect((await guest!.start({ container: 'granted' })).task).not.toBe('')
    expect((await refusal(guest!.start({ container: 'hidden' }))).code).toBe(Code.PermissionDenied)
    const operator = await world.as('olga', 'operator', ContainerService)
    expect((await refusal(operator.create({ ...SHOP, name: 'sly' }))).rawMessage).toMatch('Grants rest on that tag')
    for (const name of ['granted', 'hidden'])
        await world.daemon.done(await containers().remove({ container: name, force: true }))
})

it('a container that cannot be started is taken back, with the reason', async () => {
    const taken = { name: 'first', image: 'tiny:1', start: true, ports: [{ host: 18081, container: 80 }] }
    await world.daemon.done(await containers().create(taken))
    await expect(world.daemon.done(await containers().create({ ...taken, name: 'second' }))).rejects.toThrow(
        'The port is taken',
    )
    await expect(
        world.daemon.done(
            await containers().create({ name: 'third', image: 'tiny:1', start: true, command: ['/nowhere'] }),
        ),
    ).rejects.toThrow('The command cannot be run in the container')
    expect((await world.docker.docker(['ps', '-a', '--format', '{{.Names}}'])).trim()).toBe('first')
    expect((await refusal(containers().create({ ...taken, dryRun: true }))).code).toBe(Code.AlreadyExists)
    await world.daemon.done(await containers().remove({ container: 'first', force: true }))
})

it('all that is wrong with a wish is told at once, and the tags with it', async () => {
    const trouble = await refusal(
        containers().create({
            ...{ name: '-x', image: 'No Image', ports: [{ host: 70000, container: 0 }], restart: 'sometimes' },
            ...{ mounts: [{ type: 'bind', source: '../etc', target: 'here' }], labels: { 'debvisor.owner': 'ann' } },
        }),
    )
    for (const word of ['name', 'image', 'ports', 'restart', 'mounts', 'labels'])
        expect(trouble.rawMessage).toContain(`${word}: `)
})

it('logs come with their times, apart by stream, and follow until the reader leaves', async () => {
    const command = [
        'sh',
        '-c',
        'echo "<b>one</b>"; echo two >&2; i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.1; done',
    ]
    await world.daemon.done(await containers().create({ name: 'talks', image: 'tiny:1', command, start: true }))
    const lines: { text: string; error: boolean; at?: unknown }[] = []
    for await (const part of containers().watchLogs({ container: 'talks', follow: true })) {
        lines.push(...part.lines)
        if (lines.some(({ text }) => text === 'tick 5')) break
    }
    expect(lines.find(({ text }) => text === '<b>one</b>')).toMatchObject({ error: false })
    expect(lines.find(({ text }) => text === 'two')).toMatchObject({ error: true })
    expect(lines.every(({ at }) => at !== undefined)).toBe(true)
    const found: string[] = []
    for await (const part of containers().watchLogs({ container: 'talks', search: 'TWO' }))
        found.push(...part.lines.map(({ text }) => text))
    expect(found).toEqual(['two'])
    const { stdout, stderr } = await world.debvisor(['container', 'logs', 'talks', '--tail', '3'])
    expect(stdout.trim().split('\n').length + (stderr.trim() ? stderr.trim().split('\n').length : 0)).toBe(3)
    await world.daemon.done(await containers().remove({ container: 'talks', force: true }))
})

it('commands run in a container, with their input, output and end; each is in the audit record', async () => {
    await world.daemon.done(await containers().create({ ...SHOP, name: 'inside' }))
    const { stdout } = await world.debvisor(['container', 'exec', 'inside', '--', 'cat'], 'through and back\n')
    expect(stdout).toBe('through and back\n')
    const failed = world.debvisor(['container', 'exec', 'inside', '--', 'sh', '-c', 'echo no >&2; exit 3'])
    await expect(failed).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(/^no\n[\s\S]*ended with 3/) })
    const { records } = await world.daemon.client(AuditService).list({ limit: 50 })
    expect(records.filter(({ what }) => what.startsWith('terminal.')).map(({ onName }) => onName)).toContain('inside')
    await world.daemon.done(await containers().remove({ container: 'inside', force: true }))
})

it('files go in and come out unchanged, whatever they are called', async () => {
    await world.daemon.done(await containers().create({ ...SHOP, name: 'files' }))
    const bytes = Buffer.from(Array.from({ length: 3_000_001 }, (_, i) => i % 251))
    const name = `ä "file" ${'long'.repeat(30)}.bin`
    await writeFile(join(scratch, name), bytes)
    await world.debvisor(['container', 'upload', 'files', join(scratch, name), '/tmp'])
    await world.debvisor(['container', 'download', 'files', `/tmp/${name}`, join(scratch, 'back')])
    expect((await readFile(join(scratch, 'back'))).equals(bytes)).toBe(true)
    await world.debvisor(['container', 'download', 'files', '/tmp', join(scratch, 'folder.tar')])
    expect((await readFile(join(scratch, 'folder.tar'))).length).toBeGreaterThan(bytes.length)
    await expect(world.debvisor(['container', 'download', 'files', '/nowhere'])).rejects.toMatchObject({
        stderr: expect.stringContaining('There is no such file in the container'),
    })
    await world.daemon.done(await containers().remove({ container: 'files', force: true }))
})

it('the same on the command line alone', async () => {
    const run = async (line: string) => (await world.debvisor(['container', ...line.split(' ')])).stdout
    expect(await run('create cli tiny:1 --publish 18082:80 --env A=b --tag shop --start --dry-run')).toContain(
        'Start cli',
    )
    await run('create cli tiny:1 --publish 18082:80 --env A=b --tag shop --start')
    expect(await run('list --tag shop')).toMatch(/cli +running +tiny:1 .*127\.0\.0\.1:18082→80 +shop/)
    await run('set cli --memory 64M --restart always')
    const shown = await run('show cli')
    for (const words of [/Limits +64 MiB/, /policy always/, /A=b/]) expect(shown).toMatch(words)
    expect(await run('processes cli')).toContain('sleep 1000000')
    await run('stop cli --deadline 1')
    expect(await run('list')).toMatch(/cli +ended \(137\)/)
    await expect(world.debvisor(['container', 'remove', 'cli'])).rejects.toMatchObject({ code: 3 })
    await run('remove cli --yes')
    expect(await world.find('cli')).toBeUndefined()
    expect(await run('engine')).toMatch(/Docker +26\.1.*API 1\.45/)
})

it('networks are made, joined and left, and removed only when nobody is on them', async () => {
    const networks = world.daemon.client(ContainerNetworkService)
    await world.daemon.done(await networks.create({ name: 'back', internal: true, subnet: '172.31.7.0/24' }))
    await world.daemon.done(await containers().create({ ...SHOP, name: 'joined', networks: ['bridge', 'back'] }))
    expect((await world.find('joined'))?.networks).toEqual(['back', 'bridge'])
    expect((await refusal(networks.remove({ network: 'back' }))).rawMessage).toMatch('Containers are on the network')
    for (const network of ['nowhere', 'host'])
        expect((await refusal(networks.connect({ container: 'joined', network, dryRun: true }))).rawMessage).toMatch(
            network === 'host' ? 'from its beginning, or never' : 'no such network',
        )
    const theirs = { name: 'sly', labels: { 'com.docker.compose.project': 'shop' } }
    expect((await refusal(world.daemon.client(ContainerVolumeService).create(theirs))).rawMessage).toMatch('That label')
    await world.daemon.done(await networks.disconnect({ container: 'joined', network: 'back' }))
    await world.daemon.done(await networks.remove({ network: 'back' }))
    expect((await refusal(networks.remove({ network: 'bridge' }))).rawMessage).toMatch("Docker's own")
    await world.daemon.done(await containers().remove({ container: 'joined', force: true }))
})

it('pruning names each thing, and leaves what it did not name', async () => {
    await world.docker.docker(['run', '--name', 'over', 'tiny:1', 'echo', 'done'])
    await world.docker.docker(['volume', 'create', 'unused'])
    await world.docker.docker(['volume', 'create', '--label', 'com.docker.compose.project=shop', 'of-a-stack'])
    await world.docker.image('nobody:1')
    await until('it to be listed', 5_000, async () => (await world.find('over'))?.state === State.EXITED)
    const asked = { containers: true, images: true, namedImages: true, volumes: true, networks: true }
    const { plan } = await containers().prune({ ...asked, dryRun: true })
    expect(
        plan
            .map(({ destroys }) => destroys)
            .filter(Boolean)
            .sort(),
    ).toEqual([
        'container-image:nobody:1',
        'container-image:stranger:1',
        'container-volume:site',
        'container-volume:unused',
        'container:over',
    ])
    expect(plan.at(-1)?.sentence).toMatch(/^That frees .* at most$/)
    await world.daemon.done(await containers().prune(asked))
    const { volumes } = await world.daemon.client(ContainerVolumeService).list({})
    expect(volumes.map(({ name }) => name)).toEqual(['of-a-stack'])
    const { images } = await world.daemon.client(ContainerImageService).list({})
    expect(images.flatMap(({ references }) => references)).toEqual(['tiny:1'])
})

it('images go to a registry with credentials and come back; the password is nowhere but in its file', async () => {
    const password = 'a registry of this house'
    const server = await world.docker.startRegistry({ user: 'ann', password })
    const file = join(world.docker.folder, 'password')
    await writeFile(file, `${password}\n`)
    const images = world.daemon.client(ContainerImageService)
    const reference = `${server}/team/tiny:2`
    await world.daemon.done(await images.tag({ reference: 'tiny:1', newReference: reference }))
    await expect(world.daemon.done(await images.push({ reference }))).rejects.toThrow('does not let us in')
    const elsewhere = world.debvisor(['container', 'registry-set', server, 'ann', '/etc/passwd'])
    await expect(elsewhere).rejects.toMatchObject({ stderr: expect.stringContaining('file of its own') })
    await world.debvisor(['container', 'registry-set', server, 'ann', file])
    await world.daemon.done(await images.push({ reference }))
    await world.daemon.done(await images.remove({ reference }))
    const { task } = await images.pull({ reference })
    await world.daemon.done({ task })
    expect((await images.list({})).images.flatMap(({ references }) => references)).toContain(reference)
    await expect(world.daemon.done(await images.pull({ reference: `${server}/team/none:1` }))).rejects.toThrow(
        'The registry has no such image',
    )
    const kept = await readFile(join(world.daemon.folder, 'containers/registries.json'), 'utf8')
    expect(JSON.parse(kept)).toEqual([{ server, user: 'ann', passwordFile: file }])
    expect(world.daemon.log()).not.toContain(password)
})

it('an image comes as a tar from the machine of a person', async () => {
    await world.docker.docker(['tag', 'tiny:1', 'carried:1'])
    await world.docker.docker(['save', '-o', '/tmp/carried.tar', 'carried:1'])
    await world.docker.docker(['rmi', 'carried:1'])
    const tar = join(world.docker.folder, 'tmp/carried.tar')
    await world.debvisor(['container', 'import', tar])
    expect((await world.debvisor(['container', 'images'])).stdout).toContain('carried:1')
    await writeFile(join(scratch, 'broken.tar'), 'no tar')
    await expect(world.debvisor(['container', 'import', join(scratch, 'broken.tar')])).rejects.toMatchObject({
        code: 1,
    })
})
