// The simulated stacks: files in memory, containers of the simulated Docker, and the real reader of files.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code, type ConnectRouter, type HandlerContext } from '@connectrpc/connect'
import { parse } from 'yaml'
import { toldBy } from '../../../capabilities/stack/model.ts'
import { readFile } from '../../../capabilities/stack/read.ts'
import { type ComposeFile, composeSchema } from '../../../capabilities/stack/spec.ts'
import { ContainerSchema, State as ContainerState } from '../../../gen/proto/capabilities/container/container_pb.js'
import { BegunSchema } from '../../../gen/proto/capabilities/debvisor_pb.js'
import {
    type CatalogueEntry,
    type Stack,
    StackSchema,
    StackService,
    State,
    type Variable,
} from '../../../gen/proto/capabilities/stack/stack_pb.js'
import { allows, changes, notFound, refuse, userOf } from './access.ts'
import type { World } from './world.ts'

interface Version {
    number: number
    atMs: number
    by: string
    note: string
    file: string
    values: Pick<Variable, 'name' | 'value' | 'secret'>[]
    scale: Record<string, number>
}

export interface SimStack {
    name: string
    owner: string
    catalogue: string
    applied: number
    /** What Docker has of its services, as it was brought up. */
    expected: Record<string, number>
    /** Newest first. */
    versions: Version[]
    volumes: string[]
}

const CATALOGUE = new URL('../../../../deploy/compose/', import.meta.url).pathname
/** So many containers a stack's plan tells by name; a test of thousands is not about that. */
const BATCH_MS = 300

export function stackService(world: World, router: ConnectRouter): void {
    const { containers } = world
    const stacks = world.stacks

    const fileOf = (text: string): ComposeFile => {
        const { file, findings } = readFile(text)
        if (file) return file
        const first = findings[0]!
        return refuse(Code.InvalidArgument, {
            ...{
                code: 'invalid',
                summary: 'The file cannot be used like this',
                fix: first.fix ?? '',
                at: 'compose_file',
            },
            detail: findings.map(({ line, summary, detail }) => `line ${line}: ${summary}: ${detail}`).join('; '),
        })
    }
    const own = (name: string) => [...containers.values()].filter(one => one.stack === name)
    const wantedOf = (version: Version) =>
        Object.fromEntries(Object.keys(fileOf(version.file).services).map(name => [name, version.scale[name] ?? 1]))

    function lineOf(name: string): Stack | undefined {
        const doc = stacks.get(name)
        const there = own(name)
        if (!doc && there.length === 0) return undefined
        const running = there.filter(({ state }) => state === ContainerState.RUNNING).length
        const newest = doc?.versions[0]
        const file = newest && fileOf(newest.file)
        const drift = Object.entries(doc?.applied ? doc.expected : {}).flatMap(([service, wanted]) => {
            const has = there.filter(one => one.service === service).length
            return has === wanted ? [] : [`${service} has ${has || 'no container'} instead of ${wanted}`]
        })
        return create(StackSchema, {
            ...{ name, managed: doc !== undefined, version: newest?.number, applied: doc?.applied, drift, running },
            ...{ containers: there.length, owner: doc?.owner, catalogue: doc?.catalogue },
            state:
                there.length === 0
                    ? State.DOWN
                    : running === 0
                      ? State.STOPPED
                      : drift.length
                        ? State.PARTLY
                        : State.RUNNING,
            tags: file ? [...toldBy(file).tags] : [],
            services: [
                ...new Set([...Object.keys(file?.services ?? {}), ...there.map(({ service }) => service)]),
            ].sort(),
            marks: [...new Set(there.flatMap(({ marks }) => marks))],
            changed: newest && timestampFromMs(newest.atMs),
            files: doc ? [] : [`/srv/${name}/compose.yaml`],
        })
    }
    const names = () => [...new Set([...stacks.keys(), ...[...containers.values()].flatMap(one => one.stack || [])])]
    const lines = () =>
        names()
            .sort()
            .flatMap(name => lineOf(name) ?? [])
    const need = (name: string) => stacks.get(name) ?? notFound('stack', name)
    const may = (context: HandlerContext, permission: string) =>
        allows(world.users.get(userOf(context))?.role ?? '', permission)

    /** Makes what is there be what the version says. */
    function bringUp(doc: SimStack, version: Version): void {
        const file = fileOf(version.file)
        const { exposed } = toldBy(file)
        doc.expected = wantedOf(version)
        for (const one of own(doc.name)) containers.delete(one.id)
        for (const [service, count] of Object.entries(doc.expected)) {
            for (let number = 1; number <= count; number++) {
                const id = world.uuid().replaceAll('-', '').padEnd(64, '0')
                const put = (text: string) =>
                    text.replace(
                        /\$\{(\w+)[^}]*\}/g,
                        (_, name) => version.values.find(one => one.name === name)?.value ?? '',
                    )
                const ports = (file.services[service]!.ports ?? []).flatMap(port => {
                    const [host, container] = put(
                        String(typeof port === 'object' ? `${port.published}:${port.target}` : port),
                    ).split(':')
                    return container
                        ? [
                              {
                                  host: Number(host),
                                  container: Number(container),
                                  protocol: 'tcp',
                                  address: exposed.has(service) ? '0.0.0.0' : '127.0.0.1',
                              } as never,
                          ]
                        : []
                })
                containers.set(
                    id,
                    create(ContainerSchema, {
                        ...{
                            id,
                            name: `${doc.name}-${service}-${number}`,
                            image: put(file.services[service]!.image ?? ''),
                        },
                        ...{
                            state: ContainerState.RUNNING,
                            stack: doc.name,
                            service,
                            ports,
                            tags: [`stack:${doc.name}`],
                        },
                        ...{ started: timestampFromMs(Date.now()), networks: [`${doc.name}_default`], restart: 'no' },
                        ...{ cpu: 0.02, memoryBytes: 20n << 20n, owner: doc.owner, command: 'nginx' },
                    }),
                )
                world.say({ kind: 'container', key: id })
            }
        }
        for (const name of Object.keys(file.volumes ?? {}))
            if (!doc.volumes.includes(`${doc.name}_${name}`)) doc.volumes.push(`${doc.name}_${name}`)
        doc.applied = version.number
    }

    const upPlan = (name: string, version: Version) => {
        const wanted = wantedOf(version)
        return Object.entries(wanted).flatMap(([service, count]) =>
            Array.from({ length: count }, (_, i) => ({
                sentence: own(name).some(one => one.name === `${name}-${service}-${i + 1}`)
                    ? `Make the container ${name}-${service}-${i + 1} anew: what the file says of it has changed`
                    : `Make and start the container ${name}-${service}-${i + 1}`,
                destroys: '',
            })),
        )
    }

    function doing(
        context: HandlerContext,
        dryRun: boolean,
        {
            name,
            verb,
            title,
            plan,
            effect,
        }: {
            name: string
            verb: string
            title: string
            plan: { sentence: string; destroys: string }[]
            effect: () => void
        },
    ) {
        if (dryRun) return create(BegunSchema, { plan })
        world.record({ who: userOf(context), what: `stack.${verb}`, onName: name })
        const task = world.begin({
            ...{ kind: `stack.${verb}`, title, owner: userOf(context), durationMs: BATCH_MS },
            on: { kind: 'stack', id: name, name },
            effect: () => {
                const before = own(name)
                effect()
                for (const { id } of before) world.say({ kind: 'container', key: id })
                world.say({ kind: 'stack', key: name })
                return undefined
            },
        })
        return create(BegunSchema, { task: task.id, plan })
    }

    /** A new version, and the way to it. */
    function renew(
        context: HandlerContext,
        doc: SimStack,
        { dryRun, up, ...to }: Partial<Version> & { dryRun: boolean; up: boolean },
    ) {
        const newest = doc.versions[0]!
        const version: Version = {
            ...{ ...newest, ...to },
            ...{ number: newest.number + 1, atMs: Date.now(), by: userOf(context), note: to.note || 'Changed' },
        }
        fileOf(version.file)
        return doing(context, dryRun, {
            ...{ name: doc.name, verb: 'update', title: `Change stack ${doc.name}` },
            plan: [
                { sentence: `Keep this as version ${version.number} of the stack ${doc.name}`, destroys: '' },
                ...(up ? upPlan(doc.name, version) : []),
            ],
            effect: () => {
                doc.versions.unshift(version)
                if (up) bringUp(doc, version)
            },
        })
    }
    const valuesOf = (environment: Variable[], before: Version['values']) =>
        environment.map(({ name, value, secret, kept }) => ({
            ...{ name, secret, value: kept ? (before.find(one => one.name === name)?.value ?? '') : value },
        }))
    const shown = (values: Version['values']) =>
        values.map(({ name, value, secret }) => ({ name, secret, value: secret ? '' : value }))

    router.service(StackService, {
        list: () => ({ stacks: lines() }),
        async *watch(_request, context) {
            yield { stacks: lines(), synced: true }
            let known = new Set(names())
            for await (const _batch of changes(world, ['stack', 'container'], context.signal)) {
                const now = lines()
                const removed = [...known].filter(name => !now.some(one => one.name === name))
                known = new Set(now.map(({ name }) => name))
                yield { stacks: now, removed }
            }
        },
        get({ stack }, context) {
            const line = lineOf(stack) ?? notFound('stack', stack)
            const doc = stacks.get(stack)
            const newest = doc?.versions[0]
            const mayChange = may(context, 'stack.update')
            const exposed = newest ? toldBy(fileOf(newest.file)).exposed : new Set<string>()
            return {
                detail: {
                    stack: line,
                    services: line.services.map(name => {
                        const there = own(stack).filter(one => one.service === name)
                        return {
                            ...{ name, image: there[0]?.image ?? '', wanted: doc?.expected[name] ?? there.length },
                            ...{ running: there.length, containers: there.map(({ id }) => id) },
                            ...{ marks: there[0]?.marks ?? [], exposed: exposed.has(name) },
                        }
                    }),
                    ports: own(stack).flatMap(one =>
                        one.ports
                            .filter(({ address }) => address)
                            .map(({ host, container, protocol, address }) => {
                                const open = address === '0.0.0.0'
                                const reach = open ? 'everybody' : 'this node only'
                                return { service: one.service, host, container, protocol, address, open, reach }
                            }),
                    ),
                    versions: (doc?.versions ?? []).map(({ number, atMs, by, note }) => ({
                        ...{ number, at: timestampFromMs(atMs), by, note },
                    })),
                    composeFile: mayChange ? (newest?.file ?? '') : '',
                    environment: mayChange ? shown(newest?.values ?? []) : [],
                    volumes: doc?.volumes ?? [],
                },
            }
        },
        getVersion({ stack, version }) {
            const { versions } = need(stack)
            const one = versions.find(({ number }) => number === (version || versions[0]!.number))
            if (!one) return notFound('version', String(version))
            const { number, atMs, by, note, file, values } = one
            return {
                version: { number, at: timestampFromMs(atMs), by, note },
                composeFile: file,
                environment: shown(values),
            }
        },
        check({ composeFile }) {
            const { findings, variables } = readFile(composeFile)
            return { findings: findings.map(({ line, ...finding }) => ({ line, finding })), variables }
        },
        getSchema: () => ({ json: JSON.stringify(composeSchema()) }),
        listCatalogue: () => ({ entries: catalogueEntries() }),
        async *watchLogs({ stack, services, follow, search, tail }, context) {
            const writing = () => own(stack).filter(one => services.length === 0 || services.includes(one.service))
            const line = (i: number) => {
                const all = writing()
                const one = all[i % Math.max(1, all.length)]
                const text = world.hostile(`line ${i}`)
                return { at: timestampFromMs(Date.now()), error: i % 7 === 3, text, container: one?.name ?? '' }
            }
            const fits = ({ text }: { text: string }) => text.includes(search)
            const all = Array.from({ length: 40 }, (_, i) => line(i))
            yield { lines: all.filter(fits).slice(-(tail || all.length)) }
            for (let i = 40; follow && !context.signal.aborted; i++) {
                await new Promise(resolve => setTimeout(resolve, 400))
                yield { lines: [line(i)].filter(fits) }
            }
        },
        create({ name, composeFile, environment, catalogue, up, dryRun }, context) {
            if (!/^[a-z0-9][a-z0-9_-]{0,62}$/.test(name))
                refuse(Code.InvalidArgument, {
                    ...{ code: 'invalid', summary: 'That cannot be the name of a stack', detail: JSON.stringify(name) },
                    fix: 'Use small letters, digits, dashes and underscores.',
                })
            if (lineOf(name))
                refuse(Code.AlreadyExists, {
                    ...{ code: 'exists', summary: 'There is a stack of that name', detail: name },
                    fix: 'Choose another name, or remove the other stack.',
                })
            const entry = catalogueEntries().find(one => one.name === catalogue)
            const file = composeFile || entry?.composeFile || ''
            fileOf(file)
            const version: Version = {
                ...{
                    number: 1,
                    atMs: Date.now(),
                    by: userOf(context),
                    file,
                    values: valuesOf(environment, []),
                    scale: {},
                },
                note: entry ? `From the catalogue: ${entry.title}` : 'Created',
            }
            const doc: SimStack = {
                ...{
                    name,
                    owner: userOf(context),
                    catalogue,
                    applied: 0,
                    expected: {},
                    versions: [version],
                    volumes: [],
                },
            }
            return doing(context, dryRun, {
                ...{ name, verb: 'create', title: `Create stack ${name}` },
                plan: [
                    { sentence: `Keep the file as version 1 of the stack ${name}`, destroys: '' },
                    ...(up ? upPlan(name, version) : []),
                ],
                effect: () => {
                    stacks.set(name, doc)
                    if (up) bringUp(doc, version)
                },
            })
        },
        import({ name, composeFile, environment, dryRun }, context) {
            fileOf(composeFile)
            const values = valuesOf(environment, [])
            const version = {
                number: 1,
                atMs: Date.now(),
                by: userOf(context),
                note: 'Taken in',
                file: composeFile,
                values,
                scale: {},
            }
            return doing(context, dryRun, {
                ...{ name, verb: 'import', title: `Take in stack ${name}` },
                plan: [{ sentence: `Keep the file as version 1 of the stack ${name}`, destroys: '' }],
                effect: () => {
                    const expected = wantedOf(version)
                    const rest = { catalogue: '', applied: 1, expected, versions: [version], volumes: [] }
                    stacks.set(name, { name, owner: userOf(context), ...rest })
                },
            })
        },
        update({ stack, base, composeFile, environment, up, note, dryRun }, context) {
            const doc = need(stack)
            const newest = doc.versions[0]!
            if (base !== newest.number)
                refuse(Code.Aborted, {
                    ...{ code: 'conflict', summary: 'The stack has been changed since', detail: stack },
                    fix: 'Look at the newest version, and make the change there.',
                })
            return renew(context, doc, {
                ...{ file: composeFile || newest.file, values: valuesOf(environment, newest.values), note, up, dryRun },
            })
        },
        up({ stack, dryRun }, context) {
            const doc = need(stack)
            const newest = doc.versions[0]!
            return doing(context, dryRun, {
                ...{ name: stack, verb: 'up', title: `Bring up stack ${stack}`, plan: upPlan(stack, newest) },
                effect: () => bringUp(doc, newest),
            })
        },
        down({ stack, dryRun }, context) {
            const doc = stacks.get(stack)
            const plan = own(stack).map(({ name }) => ({
                sentence: `Stop and remove the container ${name}`,
                destroys: '',
            }))
            return doing(context, dryRun, {
                ...{ name: stack, verb: 'down', title: `Take down stack ${stack}`, plan },
                effect: () => {
                    for (const { id } of own(stack)) containers.delete(id)
                    if (doc) Object.assign(doc, { applied: 0, expected: {} })
                },
            })
        },
        pull({ stack, dryRun }, context) {
            const images = [...new Set(own(stack).map(({ image }) => image))]
            const plan = images.map(image => ({ sentence: `Pull ${image}`, destroys: '' }))
            return doing(context, dryRun, {
                ...{ name: stack, verb: 'pull', title: `Pull the images of stack ${stack}`, plan, effect: () => {} },
            })
        },
        scale({ stack, service, count, dryRun }, context) {
            const doc = need(stack)
            const scale = { ...doc.versions[0]!.scale, [service]: count }
            return renew(context, doc, { scale, note: `${service}: ${count} containers`, up: true, dryRun })
        },
        expose({ stack, service, lan, dryRun }, context) {
            const doc = need(stack)
            const { file } = doc.versions[0]!
            const said = `x-debvisor: { expose: ${lan ? 'lan' : 'node'} }\n`
            const changed = `${said}${file.replace(/^x-debvisor:.*\n(?: +.*\n)*/m, '')}`
            const note = `${lan ? 'Open' : 'Close'} the ports of ${service} to other machines`
            return renew(context, doc, { file: changed, note, up: true, dryRun })
        },
        rollback({ stack, version, dryRun }, context) {
            const doc = need(stack)
            const older = doc.versions.find(({ number }) => number === version) ?? notFound('version', String(version))
            const { file, values, scale } = older
            return renew(context, doc, {
                file,
                values,
                scale,
                note: `Rollback to version ${version}`,
                up: true,
                dryRun,
            })
        },
        remove({ stack, volumes, dryRun }, context) {
            const doc = need(stack)
            return doing(context, dryRun, {
                ...{ name: stack, verb: 'remove', title: `Remove stack ${stack}` },
                plan: [
                    ...volumes.map(name => ({
                        sentence: `Remove the volume ${name} with all that is in it`,
                        destroys: `container-volume:${name}`,
                    })),
                    {
                        sentence: `Remove the stack ${stack}: its file, variables and history`,
                        destroys: `stack:${stack}`,
                    },
                    ...(doc.volumes.length > volumes.length
                        ? [
                              {
                                  sentence: `Keep what is in ${doc.volumes.filter(one => !volumes.includes(one)).join(', ')}`,
                                  destroys: '',
                              },
                          ]
                        : []),
                ],
                effect: () => {
                    for (const { id } of own(stack)) containers.delete(id)
                    stacks.delete(stack)
                },
            })
        },
    })
}

function catalogueEntries(): Partial<CatalogueEntry>[] & CatalogueEntry[] {
    return readdirSync(CATALOGUE).map(name => {
        const { variables = [], ...facts } = parse(readFileSync(join(CATALOGUE, name, 'stack.yaml'), 'utf8'))
        return {
            ...{ name, ...facts, composeFile: readFileSync(join(CATALOGUE, name, 'compose.yaml'), 'utf8') },
            variables: variables.map(({ default: defaultValue = '', ...one }) => ({ ...one, defaultValue })),
        }
    }) as never
}

/** The shop, whose containers stand there already: with a file, and one change in its history. */
export function furnishStacks(world: World): void {
    const file = (image: string) =>
        `# The shop: a web server, its database and its cache.\nservices:\n  web:\n    image: ${image}\n    ports: ["8080:80"]\n    environment:\n      PASSWORD: \${PASSWORD}\n  db:\n    image: postgres:17\n    volumes: ["data:/var/lib/postgresql/data"]\n  cache:\n    image: redis:7\nvolumes:\n  data:\n`
    const values = [
        { name: 'PASSWORD', value: 'a secret of this house', secret: true },
        { name: 'TITLE', value: world.hostile('The shop'), secret: false },
    ]
    const version = (number: number, image: string, note: string): Version => ({
        ...{ number, atMs: world.startMs - (3 - number) * 86_400_000, by: 'admin', note: world.hostile(note) },
        ...{ file: file(image), values, scale: {} },
    })
    world.stacks.set('shop', {
        ...{ name: 'shop', owner: 'admin', catalogue: '', applied: 2, volumes: ['shop_data'] },
        expected: { web: 1, db: 1, cache: 1 },
        versions: [version(2, 'nginx:1.27', 'A newer nginx'), version(1, 'nginx:1.26', 'Created')],
    })
}
