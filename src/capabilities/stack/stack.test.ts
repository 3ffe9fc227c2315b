// Stacks without Docker: what a file may say, what its plan says, what is drift, and what a power cut leaves on the disk.
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fakeClock } from '../../ports/fake.ts'
import { realSystem } from '../../ports/real.ts'
import { createCatalogue, filledIn } from './catalogue.ts'
import { changesOf } from './changes.ts'
import { bridgeOf, effectiveModel } from './effective.ts'
import { exposedFile } from './expose.ts'
import { untilHealthy } from './health.ts'
import { refusedIn, serviceMarks, thingMarks } from './marks.ts'
import { type Model, othersOf, toldBy } from './model.ts'
import { checkName } from './ops.ts'
import { driftOf, planUp, type Seen, type SeenContainer } from './plan.ts'
import { FILE_MAX_BYTES, readFile } from './read.ts'
import type { Containers, KnownContainer } from './seen.ts'
import { type NewVersion, openStore } from './store.ts'
import { checkValues, valuesText, withoutSecrets } from './values.ts'

const log = { info() {}, warn() {}, error() {}, debug() {}, child: () => log }
const wrong = (text: string) =>
    readFile(text).findings.map(({ line, summary, detail }) => `${line} ${summary}: ${detail}`)

describe('a file', () => {
    it('is taken with anchors, extensions of others, and numbers as Compose reads them', () => {
        const { file, findings, variables } = readFile(
            `x-base: &base\n  restart: always\nservices:\n  a:\n    <<: *base\n    image: x:\${TAG:-1}\n    x-mine: 1\n` +
                '    command: echo $$HOME $WORD\n    secrets: [{source: s, mode: 0440}]\nsecrets:\n  s:\n    environment: PW\n',
        )
        expect(findings).toEqual([])
        expect(file!.services.a).toMatchObject({ restart: 'always', secrets: [{ source: 's', mode: 0o440 }] })
        expect(file!.services.a).not.toHaveProperty('x-mine')
        expect(variables).toEqual(['PW', 'TAG', 'WORD'])
    })

    it('that would read files of the node is refused, also behind an anchor', () => {
        expect(wrong('x-a: &a\n  env_file: /etc/shadow\nservices:\n  web:\n    image: x\n    <<: *a\n')[0]).toMatch(
            'This key is not taken here: env_file',
        )
        for (const [key, value] of [
            ...[
                ['build', '.'],
                ['extends', '{file: /x}'],
                ['label_file', '/x'],
                ['credential_spec', '{file: x}'],
            ],
            ...[
                ['env_file', '[/x]'],
                ['develop', '{}'],
                ['volumes_from', '[x]'],
                ['profiles', '[a]'],
            ],
        ] as const)
            expect(wrong(`services:\n  web:\n    image: x\n    ${key}: ${value}\n`)[0]).toMatch(
                /^4 This key is not taken/,
            )
        expect(wrong('services: {a: {image: x}}\nconfigs:\n  c:\n    file: /etc/shadow\n').join()).toMatch('4 This key')
        expect(wrong('include: [x]\nservices: {a: {image: x}}\n')[0]).toMatch('1 This key')
    })

    it('means to Compose what it means here: no tags, no second document, no key twice, no bomb', () => {
        expect(wrong('services:\n  a:\n    image: !reset x\n')).toEqual(['3 Tags of YAML are not taken: !reset'])
        expect(wrong('services: {a: {image: x}}\n---\nservices: {b: {image: y}}\n')[0]).toMatch('no YAML')
        expect(wrong('services: {a: {image: x, image: y}}')[0]).toMatch('no YAML')
        const bomb = `a: &a [${'x,'.repeat(30)}]\nb: &b [${'*a,'.repeat(30)}]\nc: [${'*b,'.repeat(30)}]\n`
        expect(wrong(bomb)[0]).toMatch('The aliases of this YAML cannot be followed')
        expect(wrong('#'.repeat(FILE_MAX_BYTES + 1))[0]).toMatch('too long')
        expect(wrong('')[0]).toMatch('a block of keys is expected here')
        expect(wrong('- a')[0]).toMatch('a block of keys is expected here')
    })

    it('is opened and closed in its own words, comments kept', () => {
        const file = '# Mine.\nservices:\n  web: # here\n    image: x\n  db:\n    image: y\n'
        const open = exposedFile(file, 'web', true)
        expect(open).toContain('# Mine.')
        expect(open).toContain('# here')
        expect([...toldBy(readFile(open).file!).exposed]).toEqual(['web'])
        const all = exposedFile(open, '', true)
        expect([...toldBy(readFile(all).file!).exposed]).toEqual(['web', 'db'])
        expect([...toldBy(readFile(exposedFile(all, '', false)).file!).exposed]).toEqual([])
        expect([...toldBy(readFile(exposedFile(all, 'db', false)).file!).exposed]).toEqual(['web'])
    })
})

describe('variables', () => {
    it('are named as Compose takes them, and no value stands in a refusal', () => {
        const thrown = (name: string, value = 'a secret') => {
            try {
                checkValues([{ name, value, secret: true }])
                return ''
            } catch (fault) {
                return JSON.stringify(fault) + String(fault)
            }
        }
        expect(thrown('GOOD_1')).toBe('')
        for (const name of ['1BAD', 'A-B', '', 'COMPOSE_FILE', 'DOCKER_HOST', 'A\nB']) {
            expect(thrown(name)).toMatch('invalid')
            expect(thrown(name)).not.toMatch('a secret')
        }
        expect(thrown('A', 'x'.repeat(40_000))).toMatch('32 KiB')
    })

    it('are written so that nothing in them is obeyed', () => {
        expect(valuesText([{ name: 'A', value: 'a"b\\$C\n', secret: false }])).toBe('A="a\\"b\\\\\\$C\\n"\n')
        const values = [
            { name: 'A', value: 'hunter2', secret: true },
            { name: 'B', value: 'plain', secret: false },
        ]
        expect(withoutSecrets('hunter2 and plain', values)).toBe('[hidden] and plain')
    })
})

const model = (services: Model['services'], rest: Partial<Model> = {}): Model => ({ name: 'shop', services, ...rest })
const container = (service: string, number: number, more: Partial<SeenContainer> = {}): SeenContainer => ({
    ...{ id: `${service}${number}`, name: `shop-${service}-${number}`, service, number, hash: 'h', running: true },
    ...{ imageId: 'i', image: 'x', ...more },
})
const seen = (containers: SeenContainer[], more: Partial<Seen> = {}): Seen => ({
    ...{ containers, networks: new Map(), volumes: new Set(), images: new Map([['x', 'i']]), taken: new Map() },
    ...more,
})

describe('a plan', () => {
    it('says what is made, made anew, started, removed, pulled, and what stays', () => {
        const want = {
            model: model(
                { web: { image: 'x', scale: 3 }, db: { image: 'x' }, new: { image: 'y', container_name: 'mine' } },
                { networks: { default: null }, volumes: { data: null, kept: null } },
            ),
            hashes: { web: 'h', db: 'other', new: 'n' },
        }
        const containers = [
            ...[container('web', 1), container('web', 3, { running: false }), container('db', 1)],
            container('old', 1),
        ]
        const { steps, changes } = planUp(want, seen(containers, { volumes: new Set(['shop_kept']) }))
        expect(changes).toBe(true)
        expect(steps.map(({ sentence }) => sentence)).toEqual([
            'Pull y',
            'Make the network shop_default',
            'Make the volume shop_data',
            'Start shop-web-3',
            'Make and start the container shop-web-2 of x',
            'Make the container shop-db-1 anew: what the file says of it has changed',
            'Make and start the container mine of y',
            'Remove the container shop-old-1: the file has no service old',
            'Leave as it is: shop-web-1',
            'Keep what is in the volume shop_kept',
        ])
        expect(
            planUp({ model: model({ web: { image: 'x' } }), hashes: { web: 'h' } }, seen([container('web', 1)])),
        ).toMatchObject({
            changes: false,
        })
    })

    it('says what of a service is another one, and no value that may be a secret', () => {
        const secret = { name: 'PW', value: 'hush hush', secret: true }
        const web = { image: 'x:1', ports: [{ target: 80, published: '80', host_ip: '127.0.0.1' }], restart: 'always' }
        const before = {
            model: model({
                web: { ...web, scale: 1, environment: { PORT: '1', SAME: 's', OLD: '' }, user: 'hush hush' },
                same: { image: 'y', command: ['a'] },
            } as never),
            values: [secret],
        }
        const now = {
            model: model({
                web: {
                    ...{ ...web, image: 'x:2', scale: 3, environment: { PORT: '2', SAME: 's', TOKEN: 'new secret' } },
                    ...{ ports: [{ ...web.ports[0]!, host_ip: '0.0.0.0' }], user: 'root', command: ['b', 'secret'] },
                },
                same: { image: 'y', command: ['a'] },
            } as never),
            values: [secret],
        }
        expect(changesOf('web', before, now)).toEqual([
            'image: x:1 → x:2',
            'command',
            'environment: OLD, PORT, TOKEN',
            'ports: 127.0.0.1:80:80 → 0.0.0.0:80:80',
            'user: [hidden] → root',
        ])
        expect(changesOf('same', before, now)).toEqual([])
        const using = (content: string) => ({
            model: {
                ...model({ web: { image: 'x', configs: [{ source: 'page' }], secrets: [{ source: 'pw' }] } }),
                ...{ configs: { page: { content } }, secrets: { pw: { environment: 'PW' } } },
            },
            values: [{ ...secret, value: `${content} secret` }],
        })
        expect(changesOf('web', using('a'), using('b'))).toEqual(['content of configs: page', 'content of secrets: pw'])
    })

    it('finds what Docker would refuse', () => {
        const want = {
            model: model(
                { web: { image: 'x', ports: [{ target: 80, published: '80' }] } },
                { networks: { back: { external: true, name: 'back' } } },
            ),
            hashes: {},
        }
        const { findings } = planUp(want, seen([], { taken: new Map([['80/tcp', 'other']]) }))
        expect(findings.map(({ code, detail }) => `${code} ${detail}`)).toEqual([
            'not-found back',
            'port-taken 80/tcp, by the container other',
        ])
    })

    it('tells what differs from what was brought up', () => {
        const applied = { web: { hash: 'h', wanted: 2 }, db: { hash: 'h', wanted: 1 } }
        expect(driftOf(applied, [container('web', 1), container('web', 2), container('db', 1)])).toEqual([])
        expect(driftOf(applied, [container('web', 1, { hash: 'z' }), container('x', 1)])).toEqual([
            'db has no container instead of 1',
            'shop-web-1 is made of other settings',
            'shop-x-1 belongs to no service of the stack',
            'web has 1 instead of 2',
        ])
    })
})

describe('a health check', () => {
    const known = (name: string, health: string, running = true) =>
        ({ name, running, composed: { single: false }, line: { stack: 'shop', health } }) as KnownContainer
    /** Each list is what there is after a change. */
    async function wait(...lists: KnownContainer[][]) {
        const clock = fakeClock()
        let now = lists[0]!
        const said: string[] = []
        const containers = {
            list: () => now,
            async *watch(signal: AbortSignal) {
                for (const list of lists) {
                    now = list
                    yield {}
                }
                const ended = new Promise(resolve => signal.addEventListener('abort', resolve))
                await clock.advance(5 * 60_000)
                await ended
            },
        } as unknown as Containers
        const stop = new AbortController()
        const result = await untilHealthy({ containers, clock }, 'shop', {
            ...{ signal: stop.signal, say: (names: string) => said.push(names) },
        }).catch(thrown => thrown)
        return { said, detail: result?.detail }
    }

    it('is waited for while it begins, told of where it fails, and not for ever', async () => {
        expect(await wait([known('web', ''), known('db', 'healthy')])).toEqual({ said: [], detail: undefined })
        expect(
            await wait(
                [known('db', 'starting'), known('b', 'starting')],
                [known('b', 'starting')],
                [known('b', 'healthy')],
            ),
        ).toEqual({ said: ['b, db', 'b'], detail: undefined })
        expect((await wait([known('db', 'starting')], [known('db', 'unhealthy')])).detail).toBe('db is unhealthy')
        expect((await wait([known('db', 'starting')])).detail).toBe('db is not healthy after 5 minutes')
        // One that has ended is told of elsewhere.
        expect((await wait([known('db', 'starting')], [known('db', 'starting', false)])).detail).toBeUndefined()
    })
})

describe('what is brought up', () => {
    it('publishes to this node alone unless it is exposed, behind a bridge that the firewall knows', () => {
        const said = model(
            {
                web: {
                    ports: [
                        { target: 80, published: '80' },
                        { target: 81, published: '81', host_ip: '10.0.0.5' },
                    ],
                },
                db: { ports: [{ target: 5432, published: '5432' }], deploy: { replicas: 1 } },
            },
            { networks: { default: { name: 'shop_default' }, lan: { driver: 'macvlan' }, out: { external: true } } },
        )
        const made = effectiveModel(said, {
            ...{ exposed: new Set(['web']), tags: ['prod'], scale: { db: 2, web: 3 } },
            contents: { values: [], key: 'k' },
        })
        expect(made.services.web!.ports!.map(port => port.host_ip)).toEqual(['0.0.0.0', '0.0.0.0'])
        expect(made.services.db).toMatchObject({ ports: [{ host_ip: '127.0.0.1' }], deploy: { replicas: 2 } })
        expect(made.services.web).toMatchObject({ scale: 3, labels: { 'debvisor.tags': 'prod' } })
        const name = bridgeOf('shop_default')
        expect(name).toMatch(/^br-dv[0-9a-f]{10}$/)
        expect(made.networks!.default!.driver_opts).toEqual({ 'com.docker.network.bridge.name': name })
        expect([made.networks!.lan, made.networks!.out]).toEqual([{ driver: 'macvlan' }, { external: true }])
    })

    it('is another one when a config or a secret is, which tells nothing of the secret', () => {
        const said = model(
            { web: { configs: [{ source: 'c' }], secrets: [{ source: 's' }] }, db: {} },
            { configs: { c: { content: 'page' } }, secrets: { s: { environment: 'PW' } } },
        )
        const word = (value: string, key = 'k', of = said) =>
            effectiveModel(of, {
                ...{ exposed: new Set<string>(), tags: [], scale: {} },
                contents: { key, values: [{ name: 'PW', value, secret: true }] },
            }).services
        const labels = word('one').web!.labels!
        expect(labels).toEqual({ 'debvisor.files': expect.stringMatching(/^[0-9a-f]{16}$/) })
        expect(word('one').web!.labels).toEqual(labels)
        expect(word('one').db).toEqual({})
        expect(word('two').web!.labels).not.toEqual(labels)
        expect(word('one', 'other').web!.labels).not.toEqual(labels)
        const other = { ...said, configs: { c: { content: 'another' } } }
        expect(word('one', 'k', other).web!.labels).not.toEqual(labels)
    })

    it('is marked where it reaches into the node, and refused where no right allows it', () => {
        const marks = (service: object) =>
            serviceMarks(service, host => (host.Binds ?? []).map(bind => `host-path:${bind}`))
        expect(marks({ volumes: [{ type: 'bind', source: '/etc', target: '/x' }] })).toEqual(['host-path:/etc:/x'])
        expect(
            marks({ network_mode: 'container:web', cgroup: 'host', runtime: 'kata', logging: { driver: 'syslog' } }),
        ).toEqual([...['host-cgroup', 'log-driver:syslog', 'other-container:web', 'runtime:kata']])
        const things = { networks: { a: { driver: 'macvlan' } }, volumes: { b: { driver_opts: { device: '/' } } } }
        expect(thingMarks(model({}, things))).toEqual(['network-driver:macvlan', 'volume-options:b'])
        const bad = model({
            web: {
                volumes: [
                    { type: 'bind', source: '/state/shop/x', target: '/x' },
                    { type: 'npipe', target: '/y' },
                ],
                security_opt: ['seccomp:/etc/x', 'no-new-privileges:true', 'seccomp=unconfined'],
                labels: { 'com.docker.compose.project': 'other', 'debvisor.owner': 'me', 'debvisor.tags': 'fine' },
            },
        })
        expect(refusedIn(bad, '/state/shop').map(({ at }) => at)).toEqual([
            ...['services.web.volumes[0]', 'services.web.volumes[1]', 'services.web.security_opt'],
            ...['services.web.labels', 'services.web.labels'],
        ])
        expect(
            othersOf(model({}, { volumes: { a: null, b: { name: 'theirs' } }, networks: { n: { external: true } } })),
        ).toEqual({
            networks: ['shop_n'],
            volumes: ['theirs'],
        })
    })

    it('has a name that is no id of anything else', () => {
        for (const name of ['shop', 'a', '9-x_y']) expect(() => checkName(name)).not.toThrow()
        for (const name of [
            '',
            'Shop',
            '-a',
            'a b',
            '../x',
            '<b>',
            '6d0a3c1e-5a0b-4d0f-9e3e-000000000000',
            'x'.repeat(64),
        ])
            expect(() => checkName(name)).toThrow('That cannot be the name of a stack')
    })
})

describe('the history', () => {
    let folder = ''
    const system = realSystem()
    const open = () => openStore({ system, log, folder })
    const version = (file: string): NewVersion => ({
        ...{ atMs: 1, by: 'ann', note: '', scale: {}, tags: [], services: ['web'], file },
        values: [{ name: 'A', value: 'b', secret: true }],
    })
    beforeEach(async () => {
        folder = await mkdtemp(join(tmpdir(), 'dv-stack-store-'))
    })
    afterEach(() => rm(folder, { recursive: true, force: true }))

    it('keeps every version, refuses a change of an older one, and is the same after a restart', async () => {
        const store = await open()
        await store.create({ name: 'shop', owner: 'ann', catalogue: '', folder: '', key: 'k' }, version('one'))
        await expect(
            store.create({ name: 'shop', owner: 'ann', catalogue: '', folder: '', key: 'k' }, version('x')),
        ).rejects.toThrow('There is a stack of that name')
        await store.add('shop', 1, version('two'))
        await expect(store.add('shop', 1, version('three'))).rejects.toThrow('changed since')
        await store.change('shop', {
            applied: { version: 1, atMs: 1, services: {} },
            unfinished: { version: 2, atMs: 2 },
        })
        const again = await open()
        expect(again.get('shop')).toMatchObject({ owner: 'ann', applied: { version: 1 }, unfinished: { version: 2 } })
        expect(again.get('shop')!.versions.map(({ number }) => number)).toEqual([2, 1])
        expect((await again.version('shop', 1)).file).toBe('one')
        expect((await stat(join(folder, 'shop/versions/2/values.json'))).mode & 0o777).toBe(0o600)
        await again.remove('shop')
        expect(await readdir(folder)).toEqual([])
    })

    it('passes over what a power cut left half made, and what is damaged does not hide the others', async () => {
        const store = await open()
        for (const name of ['good', 'bad'])
            await store.create({ name, owner: '', catalogue: '', folder: '', key: 'k' }, version(name))
        await mkdir(join(folder, '.new'), { recursive: true })
        await mkdir(join(folder, 'good/versions/.2'))
        await writeFile(join(folder, 'good/versions/.2/compose.yaml'), 'half')
        await writeFile(join(folder, 'bad/stack.json'), '{"ow')
        const again = await open()
        expect(again.list().map(({ name }) => name)).toEqual(['good'])
        expect(again.damaged).toMatchObject([{ name: 'bad' }])
        expect(await readdir(folder)).toEqual(['bad', 'good'])
        expect(await readdir(join(folder, 'good/versions'))).toEqual(['1'])
        // Its folder is not taken by another one.
        await expect(
            again.create({ name: 'bad', owner: '', catalogue: '', folder: '', key: 'k' }, version('x')),
        ).rejects.toThrow()
    })
})

describe('the catalogue', () => {
    const catalogue = createCatalogue({
        ...{ probe: realSystem(), log },
        folder: new URL('../../../deploy/compose', import.meta.url).pathname,
    })

    it('has the four examples, each readable, and each says whether it was started in a test', async () => {
        const entries = await catalogue.list()
        expect(entries.map(({ name }) => name).sort()).toEqual(['gitlab-runner', 'nextcloud', 'static-site', 'traefik'])
        for (const { file, variables, tested } of entries) {
            const { findings, variables: asked } = readFile(file)
            expect(findings).toEqual([])
            expect(asked).toEqual(variables.map(({ name }) => name).sort())
            expect(tested.length).toBeGreaterThan(2)
        }
        await expect(catalogue.get('../../src')).rejects.toThrow('The catalogue has no such stack')
    })

    it('fills in what is usual, makes up passwords, and asks for what it cannot know', async () => {
        const entry = await catalogue.get('nextcloud')
        expect(() => filledIn(entry, [])).toThrow('HOST, ADMIN_PASSWORD')
        const given = [
            { name: 'HOST', value: 'cloud.example.org', secret: false },
            { name: 'ADMIN_PASSWORD', value: 'x', secret: false },
        ]
        const values = filledIn(entry, given)
        const password = values.find(({ name }) => name === 'DB_PASSWORD')!
        expect(password).toMatchObject({ secret: true, value: expect.stringMatching(/^[A-Za-z0-9]{24}$/) })
        expect(filledIn(entry, given).find(({ name }) => name === 'DB_PASSWORD')!.value).not.toBe(password.value)
        // What the catalogue calls a secret is one, whatever was said of it.
        expect(values.find(({ name }) => name === 'ADMIN_PASSWORD')).toMatchObject({ secret: true })
    })
})
