// The simulated service of stacks: requests and answers, and tasks that take a moment.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code, type ConnectRouter, type HandlerContext } from '@connectrpc/connect'
import { toldBy } from '../../../capabilities/stack/model.ts'
import { readFile } from '../../../capabilities/stack/read.ts'
import { composeSchema } from '../../../capabilities/stack/spec.ts'
import { BegunSchema } from '../../../gen/proto/capabilities/debvisor_pb.js'
import { StackService, type Variable } from '../../../gen/proto/capabilities/stack/stack_pb.js'
import { allows, changes, notFound, refuse, userOf } from './access.ts'
import { catalogueEntries, createStacks, type SimStack, type Version } from './stacks.ts'
import type { World } from './world.ts'

/** How long a change takes. */
const BATCH_MS = 300

export function stackService(world: World, router: ConnectRouter): void {
    const { containers, stacks } = world
    const { fileOf, own, wantedOf, lineOf, names, lines, bringUp, upPlan } = createStacks(world)
    const need = (name: string) => stacks.get(name) ?? notFound('stack', name)
    const may = (context: HandlerContext, permission: string) =>
        allows(world.users.get(userOf(context))?.role ?? '', permission)

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
                            .map(({ host, container, protocol, address, open, reach }) => ({
                                ...{ service: one.service, host, container, protocol, address, open, reach },
                            })),
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
