// The container capability: the inventory, the figures, and the services, made from what the daemon hands over.
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { Finding } from '../../base/finding.ts'
import type { DockerLink } from '../../drivers/docker/link.ts'
import type { RunningTask, Tasks } from '../../engine/task.ts'
import { ContainerService, type LogLine } from '../../gen/proto/capabilities/container/container_pb.js'
import {
    ContainerImageService,
    ContainerNetworkService,
    ContainerRegistryService,
    ContainerVolumeService,
} from '../../gen/proto/capabilities/container/stores_pb.js'
import type { Clock, Log, System } from '../../ports/ports.ts'
import type { Caller } from '../caller.ts'
import type { Capability } from '../capability.ts'
import { needTags } from '../granting-tags.ts'
import type { ContainerEntry } from './entry.ts'
import { createExposures, type Gate } from './exposures.ts'
import { createFigures } from './figures.ts'
import { createFiles } from './files.ts'
import { pull } from './images.ts'
import { createImports } from './imports.ts'
import { createInventory, type Inventory } from './inventory.ts'
import { readLogs } from './logs.ts'
import { registerMake, volumeMarks } from './make.ts'
import { createRegistries } from './registries.ts'
import { containerMethods, guardedOf, needHost } from './rpc.ts'
import { imageMethods, networkMethods, registryMethods, volumeMethods } from './rpc-stores.ts'
import { createTerminals, type TerminalUse } from './terminal.ts'

/** Of what a container wrote. */
export interface LogsAsked {
    follow: boolean
    tail: number
    search: string
    sinceMs?: number
    signal: AbortSignal
}

export interface ContainerParts {
    docker: DockerLink
    tasks: Tasks
    system: Pick<System, 'readText' | 'writeFile' | 'look'>
    clock: Clock
    log: Log
    /** File with the registries that want credentials; the folder that their passwords are read from. */
    registriesFile: string
    /** File with the containers whose ports were opened. */
    exposedFile: string
    gate: Gate
    /** A stack whose file is kept here has the say about its containers. */
    isManaged(stack: string): boolean
    secretsFolder: string
    /** Tags on which grants rest: only an administrator may set them. */
    tagsWithGrants(): ReadonlySet<string>
    /** Told when a terminal opens and closes: for the audit record. */
    onUse(use: TerminalUse): void
}

export interface ContainerCapability extends Capability {
    inventory: Inventory
    /** For those who bring up many at once: the same ways as for one. */
    parts: {
        pull(reference: string, task: RunningTask): Promise<void>
        readLogs(entry: ContainerEntry, asked: LogsAsked): AsyncIterable<LogLine[]>
        volumeMarks(names: string[]): Promise<string[]>
    }
    /** What is wrong with Docker; empty where nothing is. */
    findings(): Finding[]
}

/** Follows Docker from now on; `start` begins the figures. Without Docker everything else of the node works. */
export function createContainer(parts: ContainerParts): ContainerCapability {
    const { docker, log } = parts
    const inventory = createInventory(parts)
    const registries = createRegistries({
        system: parts.system,
        path: parts.registriesFile,
        secretsFolder: parts.secretsFolder,
    })
    const deps = { ...parts, inventory, registries }
    const figures = createFigures(deps)
    registerMake(deps)
    const exposures = createExposures({ ...parts, inventory, path: parts.exposedFile })
    const needExec = (caller: Caller, entry: ContainerEntry) => {
        caller.need('container.exec', guardedOf(entry))
        needHost(caller, entry)
    }
    const files = createFiles({ ...deps, needFiles: needExec })
    const terminals = createTerminals({ ...deps, needExec })
    const imports = createImports(deps)

    const findings = (): Finding[] => {
        const { why } = docker
        if (!why) return exposures.findings()
        const { code, summary, detail, fix } = why
        const severity = code === 'unsupported' ? ('error' as const) : ('warning' as const)
        const away = { severity, code: `docker-${code}`, at: 'docker', summary, detail, fix }
        return [away, ...exposures.findings()]
    }

    const checkTags = (caller: Caller, tags: readonly string[]) => needTags(caller, tags, parts.tagsWithGrants())

    return {
        name: 'container',
        inventory,
        parts: {
            pull: (reference, task) => pull(deps, reference, task),
            readLogs: (entry, { sinceMs, ...asked }) =>
                readLogs(docker, entry, {
                    ...{ ...asked, until: undefined },
                    since: sinceMs === undefined ? undefined : timestampFromMs(sinceMs),
                }),
            volumeMarks: names => volumeMarks(deps, names),
        },
        findings,
        routes: [files.route, terminals.route, imports.route],
        services(router) {
            router.service(
                ContainerService,
                containerMethods({ ...deps, exposures, figures, files, terminals, checkTags, findings }),
            )
            router.service(ContainerImageService, imageMethods({ ...deps, imports }))
            router.service(ContainerVolumeService, volumeMethods(deps))
            router.service(ContainerNetworkService, networkMethods(deps))
            router.service(ContainerRegistryService, registryMethods(deps))
        },
        async start() {
            figures.start()
            exposures.start()
            docker.onUp(
                () => void figures.sample().catch(thrown => log.debug('no figures of containers', { err: thrown })),
            )
        },
        async close() {
            figures.close()
            exposures.close()
            terminals.close()
            inventory.close()
        },
    }
}
