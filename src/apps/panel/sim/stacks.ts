// The stacks of the simulated world: files in memory, and what of them stands in the simulated Docker.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code } from '@connectrpc/connect'
import { parse } from 'yaml'
import { toldBy } from '../../../capabilities/stack/model.ts'
import { readFile } from '../../../capabilities/stack/read.ts'
import type { ComposeFile } from '../../../capabilities/stack/spec.ts'
import { ContainerSchema, State as ContainerState } from '../../../gen/proto/capabilities/container/container_pb.js'
import {
    type CatalogueEntry,
    type Stack,
    StackSchema,
    State,
    type Variable,
} from '../../../gen/proto/capabilities/stack/stack_pb.js'
import { refuse } from './access.ts'
import { portOf } from './ports.ts'
import type { World } from './world.ts'

export interface Version {
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

export function createStacks(world: World) {
    const { containers, stacks } = world

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
                    const lan = exposed.has(service)
                    const address = lan ? '0.0.0.0' : '127.0.0.1'
                    return container ? [portOf({ host: Number(host), container: Number(container), address }, lan)] : []
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

    return { fileOf, own, wantedOf, lineOf, names, lines, bringUp, upPlan }
}

export function catalogueEntries(): Partial<CatalogueEntry>[] & CatalogueEntry[] {
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
        `# The shop: a web server, its database and its cache.\nx-debvisor: { expose: lan }\nservices:\n  web:\n    image: ${image}\n    ports: ["8080:80"]\n    environment:\n      PASSWORD: \${PASSWORD}\n  db:\n    image: postgres:17\n    volumes: ["data:/var/lib/postgresql/data"]\n  cache:\n    image: redis:7\nvolumes:\n  data:\n`
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
