// Stacks against a real dockerd and Debian 13's docker-compose: their whole life over the API and the command line.
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Code } from '@connectrpc/connect'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { AuditService } from '../../src/gen/proto/capabilities/audit/audit_pb.js'
import { ContainerVolumeService } from '../../src/gen/proto/capabilities/container/stores_pb.js'
import { IdentityService } from '../../src/gen/proto/capabilities/identity/identity_pb.js'
import { type LogLine, StackService, State } from '../../src/gen/proto/capabilities/stack/stack_pb.js'
import { TaskService } from '../../src/gen/proto/capabilities/task/task_pb.js'
import { refusal, type StackWorld, stacksOf, startStacks } from './stack-world.ts'
import { until } from './world.ts'

let world: StackWorld
let scratch = ''
const stacks = () => stacksOf(world)
const done = (call: Promise<{ task: string }>) => call.then(begun => world.daemon.done(begun))
const sentences = (begun: { plan: { sentence: string }[] }) => begun.plan.map(step => step.sentence)
const line = async (name: string) => (await stacks().list({})).stacks.find(one => one.name === name)!

const SHOP = `# A shop of two.
services:
  web:
    image: site:1
    ports: ["18080:80"]
    environment:
      WORD: \${WORD}
      TOKEN: \${TOKEN}
    depends_on: [db]
    stop_grace_period: 1s
  db:
    image: tiny:1
    volumes: ["data:/data"]
    secrets: [pass]
    stop_grace_period: 1s
volumes:
  data:
secrets:
  pass:
    environment: TOKEN
`
const SECRET = 'a "secret" of $HOME\\n'
const VARIABLES = [
    { name: 'WORD', value: 'plain $word' },
    { name: 'TOKEN', value: SECRET, secret: true },
]

beforeAll(async () => {
    world = await startStacks()
    await world.docker.image('tiny:1')
    const changes = ['CMD ["httpd","-f","-v","-p","80","-h","/www"]']
    await world.docker.image('site:1', { files: { 'www/index.html': 'the first page\n' }, changes })
    await world.docker.image('site:2', { files: { 'www/index.html': 'the second page\n' }, changes })
    scratch = await mkdtemp(join(tmpdir(), 'dv-stacks-'))
}, 600_000)
afterAll(async () => {
    await world?.stop()
    await rm(scratch, { recursive: true, force: true })
})

it('a stack is made of a file, and every step of it is told before', async () => {
    const request = { name: 'shop', composeFile: SHOP, environment: VARIABLES, up: true }
    const begun = await stacks().create({ ...request, dryRun: true })
    expect(sentences(begun)).toEqual([
        'Keep the file as version 1 of the stack shop',
        'Make the network shop_default',
        'Make the volume shop_data',
        'Make and start the container shop-db-1 of tiny:1',
        'Make and start the container shop-web-1 of site:1',
    ])
    expect(begun.findings).toMatchObject([{ code: 'ports-closed', detail: 'web: 18080' }])
    expect(await line('shop')).toBeUndefined()
    await done(stacks().create(request))
    expect(await line('shop')).toMatchObject({
        ...{ managed: true, state: State.RUNNING, version: 1, applied: 1, unfinished: 0, running: 2, containers: 2 },
        ...{ drift: [], services: ['db', 'web'], marks: [], owner: 'root' },
    })
    expect(await world.page(18080)).toBe('the first page\n')
})

it('values reach the containers as they were given, and secrets nothing else', async () => {
    const env = await world.docker.docker(['exec', 'shop-web-1', 'env'])
    expect(env).toContain(`WORD=plain $word\n`)
    expect(env).toContain(`TOKEN=${SECRET}\n`)
    expect(await world.docker.docker(['exec', 'shop-db-1', 'cat', '/run/secrets/pass'])).toBe(SECRET)
    const { detail } = await stacks().get({ stack: 'shop' })
    expect(detail!.environment).toMatchObject([
        { name: 'WORD', value: 'plain $word', secret: false },
        { name: 'TOKEN', value: '', secret: true },
    ])
    expect(detail!.composeFile).toBe(SHOP)
    const { records } = await world.daemon.client(AuditService).list({})
    const tasks = await world.daemon.client(TaskService).list({})
    const told = JSON.stringify([records, tasks.tasks, detail, world.daemon.log()], (_key, value) =>
        typeof value === 'bigint' ? String(value) : value,
    )
    expect(told).toContain('shop')
    // As it stands, and as JSON writes it.
    for (const text of [
        SECRET,
        JSON.stringify(SECRET).slice(1, -1),
        JSON.stringify(JSON.stringify(SECRET)).slice(3, -3),
    ])
        expect(told).not.toContain(text)
    const folder = join(world.daemon.folder, 'stacks/shop/versions/1')
    expect((await stat(join(folder, 'values.json'))).mode & 0o777).toBe(0o600)
    // Nothing of a run is left.
    expect(await readdir(join(world.daemon.folder, 'stacks/.scratch')).catch(() => [])).toEqual([])
})

it('the ports are those of this node, until the stack says that they are for others', async () => {
    const ports = async () => (await stacks().get({ stack: 'shop' })).detail!.ports
    expect(await ports()).toMatchObject([
        { service: 'web', host: 18080, address: '127.0.0.1', reach: 'this node only' },
    ])
    const plan = await stacks().expose({ stack: 'shop', service: 'web', lan: true, dryRun: true })
    expect(sentences(plan)).toContain(
        'Make the container shop-web-1 anew: ports: 127.0.0.1:18080:80 → 0.0.0.0:18080:80',
    )
    await done(stacks().expose({ stack: 'shop', service: 'web', lan: true }))
    // Whether this host has rules of DebVisor or not: it is no longer this node alone.
    expect(await ports()).toMatchObject([{ host: 18080, address: '0.0.0.0' }])
    const { detail } = await stacks().get({ stack: 'shop' })
    expect(detail!.composeFile).toContain('# A shop of two.')
    expect(detail!.composeFile).toMatch(/x-debvisor:\n {6}expose: lan/)
    const networks = JSON.parse(await world.docker.docker(['network', 'inspect', 'shop_default']))
    expect(networks[0].Options['com.docker.network.bridge.name']).toMatch(/^br-dv[0-9a-f]{10}$/)
    await done(stacks().expose({ stack: 'shop', service: 'web', lan: false }))
    expect(await ports()).toMatchObject([{ address: '127.0.0.1' }])
})

it('a change is a version with a plan; who has read an older one is told; the way back is a version too', async () => {
    const { version } = await line('shop')
    const newer = SHOP.replace('site:1', 'site:2')
    const environment = [
        { name: 'WORD', kept: true },
        { name: 'TOKEN', kept: true },
    ]
    const request = { stack: 'shop', base: version, composeFile: newer, environment, note: 'the second page' }
    const plan = await stacks().update({ ...request, up: true, dryRun: true })
    expect(sentences(plan)).toEqual([
        `Keep this as version ${version + 1} of the stack shop`,
        'Make the container shop-web-1 anew: image: site:1 → site:2',
        'Leave as it is: shop-db-1',
        'Keep what is in the volume shop_data',
    ])
    await done(stacks().update(request))
    // Written, and not brought up.
    expect(await line('shop')).toMatchObject({ version: version + 1, applied: version, drift: [] })
    expect(await world.page(18080)).toBe('the first page\n')
    expect((await refusal(stacks().update(request), Code.Aborted)).rawMessage).toMatch('changed since')
    await done(stacks().up({ stack: 'shop' }))
    expect(await line('shop')).toMatchObject({ version: version + 1, applied: version + 1 })
    expect(await world.page(18080)).toBe('the second page\n')
    expect((await stacks().up({ stack: 'shop', dryRun: true })).plan).toEqual([])

    await world.docker.docker(['exec', 'shop-db-1', 'sh', '-c', 'echo kept > /data/file'])
    const back = await stacks().rollback({ stack: 'shop', version: 1, dryRun: true })
    expect(sentences(back)).toContain('Keep what is in the volume shop_data')
    await done(stacks().rollback({ stack: 'shop', version: 1 }))
    expect(await world.page(18080)).toBe('the first page\n')
    expect(await world.docker.docker(['exec', 'shop-db-1', 'cat', '/data/file'])).toBe('kept\n')
    const { detail } = await stacks().get({ stack: 'shop' })
    expect(detail!.versions[0]).toMatchObject({ number: version + 2, note: 'Rollback to version 1', by: 'root' })
    await refusal(stacks().rollback({ stack: 'shop', version: 99 }), Code.NotFound)
})

it('a plan says which key has changed, and nothing of a secret', async () => {
    const file = (port: number, more = '') =>
        `services:\n  web:\n    image: tiny:1\n    environment: { PORT: "${port}", SAME: "1", WORD: "\${WORD}" }\n${more}`
    const secret = (value: string) => [{ name: 'WORD', value, secret: true }]
    await done(stacks().create({ name: 'keys', composeFile: file(1), environment: secret('the first word'), up: true }))
    const change = { stack: 'keys', composeFile: file(2, '    restart: always\n'), environment: secret('another word') }
    const plan = sentences(await stacks().update({ ...change, up: true, dryRun: true }))
    expect(plan).toContain('Make the container keys-web-1 anew: environment: PORT, WORD; restart: none → always')
    expect(plan.join()).not.toMatch(/first word|another word/)
    await done(stacks().remove({ stack: 'keys' }))
})

it('bringing up waits until all is healthy, and says so where it is not', async () => {
    const file = (test: string) =>
        `services:\n  web:\n    image: tiny:1\n    command: [sh, -c, "sleep 2; echo > /tmp/up; sleep 1000"]\n` +
        `    healthcheck: { test: [CMD, ${test}], interval: 1s, timeout: 2s, retries: 3, start_period: 20s }\n`
    await done(stacks().create({ name: 'well', composeFile: file('cat, /tmp/up'), up: true }))
    const { health } = (await world.find('well-web-1'))!
    expect(health).toBe('healthy')
    const ill = file('cat, /none').replace(', start_period: 20s', '')
    await expect(done(stacks().update({ stack: 'well', composeFile: ill, up: true }))).rejects.toThrow(
        /runs, but not all of it is healthy: well-web-1 is unhealthy.*debvisor stack logs well/,
    )
    // It runs, and is what was brought up.
    expect(await line('well')).toMatchObject({ version: 2, applied: 2, unfinished: 0, running: 1 })
    await done(stacks().rollback({ stack: 'well', version: 1 }))
    await done(stacks().remove({ stack: 'well' }))
})

it('a service has as many containers as one says', async () => {
    await done(stacks().scale({ stack: 'shop', service: 'db', count: 3 }))
    expect(await line('shop')).toMatchObject({ containers: 4, running: 4, drift: [] })
    const plan = await stacks().scale({ stack: 'shop', service: 'db', count: 1, dryRun: true })
    expect(sentences(plan)).toContain('Remove the container shop-db-3: db is to have 1')
    await done(stacks().scale({ stack: 'shop', service: 'db', count: 1 }))
    expect(await line('shop')).toMatchObject({ containers: 2, drift: [] })
    expect(
        (await refusal(stacks().scale({ stack: 'shop', service: 'none', count: 1 }), Code.NotFound)).rawMessage,
    ).toMatch('no such service')
})

it('what is changed by hand is told, and mended by bringing it up', async () => {
    await world.docker.docker(['rm', '-f', 'shop-db-1'])
    await until('the drift', 10_000, async () => (await line('shop')).drift.length > 0)
    expect(await line('shop')).toMatchObject({ state: State.PARTLY, drift: ['db has no container instead of 1'] })
    const byHand = SHOP.replace('site:1', 'site:2')
        .replace(/\$\{\w+\}/g, 'x')
        .replace('environment: TOKEN', 'environment: HOME')
    await world.compose(['-p', 'shop', 'up', '-d', '--no-deps', 'web'], byHand)
    await until('the other drift', 10_000, async () => (await line('shop')).drift.length === 2)
    expect((await line('shop')).drift).toContain('shop-web-1 is made of other settings')
    await done(stacks().up({ stack: 'shop' }))
    expect(await line('shop')).toMatchObject({ state: State.RUNNING, drift: [] })
    expect(await world.page(18080)).toBe('the first page\n')
})

it('the logs of all come together', async () => {
    await world.page(18080)
    const lines: LogLine[] = []
    const stop = new AbortController()
    const reading = (async () => {
        for await (const part of stacks().watchLogs({ stack: 'shop', follow: true }, { signal: stop.signal }))
            lines.push(...part.lines)
    })().catch(() => undefined)
    const said = (text: string) => lines.filter(one => one.text.includes(text)).length
    await until('the first lines', 10_000, () => said('response:200') > 0)
    await done(stacks().scale({ stack: 'shop', service: 'web', count: 0 }))
    await done(stacks().scale({ stack: 'shop', service: 'web', count: 1 }))
    const before = said('response:200')
    await world.page(18080)
    // Of a container that came later.
    await until('its lines', 10_000, () => said('response:200') > before)
    stop.abort()
    await reading
    expect(lines[0]!.container).toBe('shop-web-1')
})

it('a bad file is refused with the line, and nothing is written', async () => {
    const check = async (composeFile: string) => {
        const { findings } = await stacks().check({ composeFile })
        return findings.map(({ line: at, finding }) => `${at} ${finding!.at} ${finding!.summary}: ${finding!.detail}`)
    }
    const service = (text: string) => `services:\n  web:\n    image: tiny:1\n    ${text}\n`
    expect(await check('services:\n  web:\n  image: x\n\tports: []')).toEqual([
        '4  This is no YAML that can be read: Tabs are not allowed as indentation',
    ])
    expect((await check('services:\n web: [')).join()).toMatch(/^\d+ {2}This is no YAML/)
    expect(await check(service('imagee: y'))).toEqual(['4 services.web.imagee There is no such key here: imagee'])
    expect((await check(service('env_file: /etc/shadow')))[0]).toMatch(
        '4 services.web.env_file This key is not taken here',
    )
    expect((await check(service('build: .')))[0]).toMatch('4 services.web.build This key')
    expect((await check(`include: [/etc/x]\n${service('')}`))[0]).toMatch('1 include This key')
    expect((await check(`${service('secrets: [s]')}secrets:\n  s:\n    file: /etc/shadow\n`)).join()).toMatch(
        '7 secrets.s.file',
    )
    expect((await check(service('ports: ["nonsense:80"]'))).join()).toMatch('Compose does not take this')
    expect((await check(service('depends_on: [nobody]'))).join()).toMatch(/^2 services.web .*nobody/)
    expect((await check(service('volumes: ["./x:/y"]'))).join()).toMatch(
        '4 services.web.volumes[0] A stack has no folder',
    )
    expect((await check(service('security_opt: ["seccomp=/etc/x"]'))).join()).toMatch('A profile in a file')
    expect((await check(service('labels: ["com.docker.compose.project=other"]'))).join()).toMatch('one of Compose')
    expect((await check(service('privileged: true'))).join()).toMatch(
        'reaches past its containers into the node: privileged',
    )
    expect((await check(service('volumes: ["/etc:/host"]'))).join()).toMatch('host-path:/etc')
    expect((await check(service(`image: "\${A:?has to be said}"`).replace('    image: tiny:1\n', ''))).join()).toBe('')
    const thrown = await refusal(
        stacks().create({ name: 'bad', composeFile: service('build: .') }),
        Code.InvalidArgument,
    )
    expect(thrown.rawMessage).toMatch('The file cannot be used like this: line 4: This key is not taken here')
    await refusal(stacks().create({ name: 'Bad Name', composeFile: service('') }), Code.InvalidArgument)
    await refusal(stacks().create({ name: '../bad', composeFile: service('') }), Code.InvalidArgument)
    const markup = '<img src=x onerror=alert(1)>'
    expect(
        (await refusal(stacks().create({ name: markup, composeFile: service('') }), Code.InvalidArgument)).rawMessage,
    ).toMatch('That cannot be the name of a stack')
    expect((await stacks().list({})).stacks.map(({ name }) => name)).toEqual(['shop'])
})

it('an image that is not there leaves the version written, and says so', async () => {
    const composeFile = 'services:\n  web:\n    image: 127.0.0.1:9/nothing:1\n'
    const failed = await stacks().create({ name: 'broken', composeFile, up: true })
    await expect(world.daemon.done(failed)).rejects.toThrow('The registry cannot be reached')
    expect(await line('broken')).toMatchObject({ state: State.DOWN, version: 1, applied: 0 })
    const fixed = composeFile.replace('127.0.0.1:9/nothing:1', 'tiny:1')
    await done(stacks().update({ stack: 'broken', composeFile: fixed, up: true }))
    expect(await line('broken')).toMatchObject({ state: State.RUNNING, version: 2, applied: 2 })
    await done(stacks().remove({ stack: 'broken' }))
    expect(await line('broken')).toBeUndefined()
})

it('images come from a registry, and an update of one is seen', async () => {
    const at = await world.docker.startRegistry()
    for (const tag of ['site:1', 'site:2']) await world.docker.docker(['tag', tag, `${at}/${tag}`])
    const push = async (from: string) => {
        await world.docker.docker(['tag', from, `${at}/site:now`])
        await world.docker.docker(['push', `${at}/site:now`])
        await world.docker.docker(['rmi', `${at}/site:now`])
    }
    await push('site:1')
    const composeFile = `services:\n  web:\n    image: ${at}/site:now\n    ports: ["18081:80"]\n`
    const begun = await stacks().create({ name: 'pulled', composeFile, up: true })
    expect(sentences(begun)).toContain(`Pull ${at}/site:now`)
    await world.daemon.done(begun)
    expect(await world.page(18081)).toBe('the first page\n')
    await world.docker.docker(['tag', 'site:2', `${at}/site:now`])
    await world.docker.docker(['push', `${at}/site:now`])
    await world.docker.docker(['tag', 'site:1', `${at}/site:now`])
    await done(stacks().pull({ stack: 'pulled' }))
    const plan = await stacks().up({ stack: 'pulled', dryRun: true })
    expect(sentences(plan)).toEqual([
        `Make the container pulled-web-1 anew: another ${at}/site:now is here than it was made of`,
    ])
    await done(stacks().up({ stack: 'pulled' }))
    expect(await world.page(18081)).toBe('the second page\n')
    await done(stacks().remove({ stack: 'pulled' }))
})

it('a project that Compose runs is taken in, and not touched', async () => {
    const file = 'services:\n  web:\n    image: tiny:1\n    environment:\n      A: b\n'
    await world.compose(['-p', 'blog', 'up', '-d'], file)
    await until('the project', 10_000, async () => (await line('blog')) !== undefined)
    expect(await line('blog')).toMatchObject({ managed: false, state: State.RUNNING, version: 0 })
    await refusal(stacks().up({ stack: 'blog' }), Code.FailedPrecondition)
    const before = await world.docker.docker(['inspect', '--format', '{{.Id}}', 'blog-web-1'])
    const other = await stacks().import({ name: 'blog', composeFile: file.replace('A: b', 'A: c'), dryRun: true })
    expect(other.findings).toMatchObject([{ code: 'differs', detail: expect.stringContaining('blog-web-1 anew') }])
    await done(stacks().import({ name: 'blog', composeFile: file }))
    expect(await line('blog')).toMatchObject({ managed: true, version: 1, applied: 1, drift: [] })
    expect(await world.docker.docker(['inspect', '--format', '{{.Id}}', 'blog-web-1'])).toBe(before)
    await done(stacks().down({ stack: 'blog' }))
    expect(await line('blog')).toMatchObject({ state: State.DOWN, version: 1, applied: 0, drift: [] })
    await done(stacks().up({ stack: 'blog' }))
    expect(await line('blog')).toMatchObject({ state: State.RUNNING })
    await done(stacks().remove({ stack: 'blog' }))
})

it('who may do what is decided by role and by grants on the stack, and what reaches further by a right of its own', async () => {
    const composeFile = 'services:\n  web:\n    image: tiny:1\n'
    const host = `${composeFile}    volumes: ["/etc:/host:ro"]\n`
    const bob = await world.as('bob', 'operator', StackService)
    const eve = await world.as('eve', 'viewer', StackService)
    await world.daemon.done(await bob.create({ name: 'bobs', composeFile }))
    await refusal(eve.create({ name: 'eves', composeFile }), Code.PermissionDenied)
    expect((await refusal(bob.create({ name: 'host', composeFile: host }), Code.PermissionDenied)).rawMessage).toMatch(
        /./,
    )
    await refusal(bob.update({ stack: 'bobs', composeFile: host }), Code.PermissionDenied)
    await refusal(bob.update({ stack: 'shop', composeFile: host }), Code.PermissionDenied)
    const seen = (await eve.get({ stack: 'shop' })).detail!
    expect(seen).toMatchObject({ composeFile: '', environment: [] })
    await refusal(eve.getVersion({ stack: 'shop', version: 1 }), Code.PermissionDenied)
    await refusal(eve.up({ stack: 'shop' }), Code.PermissionDenied)
    await refusal(eve.check({ composeFile }), Code.PermissionDenied)
    // A grant on the stack's own tag.
    const identity = world.daemon.client(IdentityService)
    await identity.addGrant({ user: 'eve', role: 'operator', tag: 'stack:bobs' })
    await world.daemon.done(await eve.up({ stack: 'bobs' }))
    await refusal(eve.up({ stack: 'shop' }), Code.PermissionDenied)
    // It reaches nothing that is others'.
    const others = `${composeFile}    volumes: ["theirs:/x"]\nvolumes:\n  theirs:\n    external: true\n    name: shop_data\n`
    await refusal(eve.update({ stack: 'bobs', composeFile: others }), Code.PermissionDenied)
    // Nor does a tag that carries rights.
    await identity.addGrant({ user: 'eve', role: 'viewer', tag: 'prod' })
    const tagged = `x-debvisor: { tags: [prod] }\n${composeFile}`
    expect(
        (await refusal(bob.update({ stack: 'bobs', composeFile: tagged }), Code.PermissionDenied)).rawMessage,
    ).toMatch('Grants rest on that tag')
    // What reaches into the node is given for one stack, and for no other.
    await refusal(eve.update({ stack: 'bobs', composeFile: host }), Code.PermissionDenied)
    await identity.addGrant({ user: 'eve', role: 'host-operator', tag: 'stack:bobs' })
    await world.daemon.done(await eve.update({ stack: 'bobs', composeFile: host, up: true }))
    await refusal(eve.update({ stack: 'shop', composeFile: host }), Code.PermissionDenied)
    await refusal(eve.create({ name: 'eves', composeFile: host }), Code.PermissionDenied)
    await identity.updateUser({ name: 'bob', role: 'host-operator' })
    await world.daemon.done(await bob.create({ name: 'host', composeFile: host }))
    await identity.updateUser({ name: 'bob', role: 'operator' })
    await refusal(bob.update({ stack: 'host', composeFile: `${host}# the same\n` }), Code.PermissionDenied)
    await done(stacks().remove({ stack: 'host' }))
    await done(stacks().remove({ stack: 'bobs' }))
})

it('a stack goes with its volumes only where they are named', async () => {
    const begun = await stacks().remove({ stack: 'shop', dryRun: true })
    expect(begun.plan.at(-1)).toMatchObject({ sentence: 'Keep what is in the volume shop_data', destroys: '' })
    await refusal(stacks().remove({ stack: 'shop', volumes: ['other'] }), Code.InvalidArgument)
    const all = await stacks().remove({ stack: 'shop', volumes: ['shop_data'], dryRun: true })
    expect(all.plan.map(({ destroys }) => destroys).filter(Boolean)).toEqual([
        'container-volume:shop_data',
        'stack:shop',
    ])
    await done(stacks().remove({ stack: 'shop' }))
    const volumes = async () =>
        (await world.daemon.client(ContainerVolumeService).list({})).volumes.map(({ name }) => name)
    expect(await volumes()).toContain('shop_data')
    expect((await world.docker.docker(['ps', '-aq'])).trim()).toBe('')
    await done(stacks().create({ name: 'shop', composeFile: SHOP, environment: VARIABLES, up: true }))
    expect(await world.docker.docker(['exec', 'shop-db-1', 'cat', '/data/file'])).toBe('kept\n')
    await done(stacks().remove({ stack: 'shop', volumes: ['shop_data'] }))
    expect(await volumes()).not.toContain('shop_data')
})

it('every entry of the catalogue is taken by Compose, and the static site runs', async () => {
    const { entries } = await stacks().listCatalogue({})
    expect(entries.map(({ name }) => name)).toEqual(['gitlab-runner', 'nextcloud', 'static-site', 'traefik'])
    for (const { name, variables } of entries) {
        const environment = variables.map(one => ({ name: one.name, value: one.defaultValue || 'something' }))
        // Images of strangers cannot be had here: the plan is what Compose and we make of the file.
        const plan = await stacks().create({ name: `a-${name}`, catalogue: name, environment, up: true, dryRun: true })
        expect(sentences(plan).filter(sentence => sentence.startsWith('Make and start')).length).toBeGreaterThan(0)
        expect(sentences(plan).filter(sentence => sentence.startsWith('Let it reach'))).toEqual([])
    }
    const changes = ['CMD ["httpd","-f","-p","80","-h","/usr/share/nginx/html"]']
    await world.docker.image('server:1', { files: { 'usr/share/nginx/html/50x.html': '' }, changes })
    const environment = [
        { name: 'IMAGE', value: 'server:1' },
        { name: 'PORT', value: '18082' },
        { name: 'TITLE', value: 'A page of this house' },
    ]
    await done(stacks().create({ name: 'site', catalogue: 'static-site', environment, up: true }))
    expect(await world.page(18082)).toContain('<h1>A page of this house</h1>')
    expect((await stacks().get({ stack: 'site' })).detail!.ports).toMatchObject([{ host: 18082, address: '0.0.0.0' }])
    await done(stacks().remove({ stack: 'site', volumes: ['site_pages'] }))
})

it('the same with the command line alone: catalogue, logs, a shell, an update with its plan, a rollback', async () => {
    const run = async (...words: string[]) => (await world.debvisor(['stack', ...words])).stdout
    expect(await run('catalogue')).toMatch(/static-site .*yes/)
    const made = ['create', 'cli', '--from', 'static-site', '--set', 'IMAGE=server:1', '--set', 'PORT=18083']
    expect(await run(...made, '--set', 'TITLE=One', '--up', '--dry-run')).toMatch(
        'Make and start the container cli-web-1',
    )
    expect(await run('list')).not.toMatch('cli')
    await run(...made, '--set', 'TITLE=One', '--up')
    expect(await run('list')).toMatch(/cli +running \(1 of 1\) +1 /)
    expect(await world.page(18083)).toContain('<h1>One</h1>')
    expect(await run('show', 'cli')).toMatch(/18083 → web 80\/tcp: everybody: this node has no firewall/)
    expect(
        (await world.debvisor(['container', 'exec', 'cli-web-1', '--', 'cat', '/usr/share/nginx/html/index.html']))
            .stdout,
    ).toMatch('<h1>One</h1>')
    const plan = await run('update', 'cli', '--set', 'TITLE=Two', '--up', '--dry-run')
    expect(plan).toMatch('Make the container cli-web-1 anew')
    expect(plan).toMatch('Keep what is in the volume cli_pages')
    await run('update', 'cli', '--set', 'TITLE=Two', '--note', 'a new title', '--up')
    expect(await world.page(18083)).toContain('<h1>Two</h1>')
    expect(await run('history', 'cli')).toMatch(/2 +yes .*a new title/)
    await run('rollback', 'cli', '1')
    expect(await world.page(18083)).toContain('<h1>One</h1>')
    await run('remove', 'cli', '--volume', 'cli_pages', '--yes')
    // What Compose did on our behalf is no change from outside.
    const { records } = await world.daemon.client(AuditService).list({})
    expect(records.filter(one => one.who === 'outside' && one.onName.startsWith('cli-'))).toEqual([])
}, 400_000)

it('a file, a secret from a pipe, logs and findings on the command line', async () => {
    const run = async (...words: string[]) => (await world.debvisor(['stack', ...words])).stdout
    // A secret from a pipe: it stands in no list of processes, and is shown to nobody.
    const file = join(scratch, 'compose.yaml')
    await writeFile(
        file,
        'services:\n  web:\n    image: tiny:1\n    stop_grace_period: 1s\n    command: sh -c "echo it is $$WORD; sleep 1000"\n    environment: [WORD]\n',
    )
    await world.debvisor(['stack', 'create', 'word', file, '--secret', 'WORD', '--up'], 'a word of this house\n')
    await until('its log', 10_000, async () =>
        /word-web-1 \| it is a word of this house/.test(await run('logs', 'word')),
    )
    expect(await run('show', 'word')).toMatch('WORD=[hidden]')
    expect(await run('file', 'word')).toMatch('environment: [WORD]')
    await writeFile(file, 'services:\n  web:\n    image: tiny:1\n    build: .\n')
    const checked = await world.debvisor(['stack', 'check', file]).then(
        () => ({ code: 0, stdout: '' }),
        (thrown: { code: number; stdout: string }) => thrown,
    )
    expect(checked).toMatchObject({
        code: 2,
        stdout: expect.stringMatching(/^line 4: services.web.build: This key is not taken here/),
    })
    await run('scale', 'word', 'web', '2')
    expect(await line('word')).toMatchObject({ running: 2, version: 2 })
    await run('down', 'word')
    expect(await run('list')).toMatch(/word +down/)
    await run('remove', 'word', '--yes')
    expect(await run('list')).not.toMatch('word')
}, 400_000)

it('the daemon is killed while a stack is brought up: what is told is true, and bringing it up goes on from there', async () => {
    const slow = `services:\n  first:\n    image: tiny:1\n    stop_grace_period: 1s\n    healthcheck:\n      test: ["CMD", "test", "-e", "/tmp/ready"]\n      interval: 1s\n      retries: 60\n  second:\n    image: tiny:1\n    stop_grace_period: 1s\n    depends_on:\n      first:\n        condition: service_healthy\n`
    await stacks().create({ name: 'cut', composeFile: slow, up: true })
    await until('the first container', 20_000, async () => ((await line('cut'))?.running ?? 0) === 1)
    expect((await refusal(stacks().up({ stack: 'cut' }), Code.Aborted)).rawMessage).toMatch(
        'The stack is being changed',
    )
    await world.daemon.kill()
    await world.daemon.start()
    await until('the list', 20_000, async () => (await line('cut'))?.running === 1)
    expect(await line('cut')).toMatchObject({ version: 1, applied: 0, unfinished: 1, managed: true })
    await world.docker.docker(['exec', 'cut-first-1', 'sh', '-c', 'echo > /tmp/ready'])
    await done(stacks().up({ stack: 'cut' }))
    expect(await line('cut')).toMatchObject({ applied: 1, unfinished: 0, running: 2, drift: [], state: State.RUNNING })
    await done(stacks().remove({ stack: 'cut' }))
})
