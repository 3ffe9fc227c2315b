// The simulated storage: pools, volumes, imports, uploads.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code, type ConnectRouter, type HandlerContext } from '@connectrpc/connect'
import { BegunSchema } from '../../../gen/proto/capabilities/debvisor_pb.js'
import { ImageService, PoolSchema, type Volume } from '../../../gen/proto/capabilities/image/image_pb.js'
import { State as TaskState } from '../../../gen/proto/capabilities/task/task_pb.js'
import { changes, notFound, refuse, userOf } from './access.ts'
import { GIB, type World } from './world.ts'

export interface SimUpload {
    pool: string
    name: string
    sizeBytes: number
    received: number
    task: string
}

interface Doing {
    title: string
    kind?: string
    on?: string
    dryRun: boolean
    durationMs?: number
    destroys?: string
    effect?: () => { summary: string; detail?: string; fix?: string } | undefined
}

export function imageService(world: World, router: ConnectRouter, uploads: Map<string, SimUpload>): void {
    const doing = (context: HandlerContext, what: Doing) => {
        const plan = [{ sentence: what.title, destroys: what.destroys ?? '' }]
        if (what.dryRun) return create(BegunSchema, { plan })
        const owner = userOf(context)
        world.record({ who: owner, what: what.kind ?? 'image.manage', onName: what.on ?? '' })
        const task = world.begin({
            kind: what.kind ?? 'image.manage',
            title: what.title,
            owner,
            on: { kind: 'volume', id: what.on ?? '', name: what.on ?? '' },
            durationMs: what.durationMs ?? 500,
            log: [what.title],
            effect: what.effect,
        })
        return create(BegunSchema, { task: task.id, plan, object: what.on ?? '' })
    }
    const need = (pool: string, name: string): Volume =>
        world.volumes.get(`${pool}/${name}`) ?? notFound('volume', `${pool}/${name}`)
    const add = (pool: string, name: string, part: Partial<Volume>): undefined => {
        world.addVolume(pool, name, { ...part, modified: timestampFromMs(Date.now()) })
        world.say({ kind: 'volume', key: `${pool}/${name}` })
        return undefined
    }
    const free = (pool: string, name: string, overwrite = false): void => {
        if (world.volumes.has(`${pool}/${name}`) && !overwrite)
            refuse(Code.AlreadyExists, {
                code: 'exists',
                summary: 'There is already a volume of this name',
                detail: `${pool}/${name}`,
                fix: 'Choose another name, or replace it.',
            })
    }
    const purposeOf = (name: string): string => (name.endsWith('.iso') ? 'iso' : 'disk')
    const setPool = (name: string, active: boolean): undefined => {
        const pool = world.pools.get(name)
        if (pool) Object.assign(pool, { active, health: active ? 'ok' : 'away' })
        world.say({ kind: 'pool', key: name })
        return undefined
    }

    router.service(ImageService, {
        listPools: () => ({ pools: [...world.pools.values()] }),
        async *watch(_request, context) {
            for (const pool of world.pools.values())
                yield { item: { case: 'pool' as const, value: pool }, existing: true }
            for (const volume of world.volumes.values())
                yield { item: { case: 'volume' as const, value: volume }, existing: true }
            yield { synced: true }
            for await (const batch of changes(world, ['pool', 'volume'], context.signal)) {
                for (const { kind, key } of batch) {
                    const pool = world.pools.get(key)
                    const volume = world.volumes.get(key)
                    if (kind === 'pool')
                        yield {
                            item: pool
                                ? { case: 'pool' as const, value: pool }
                                : { case: 'removedPool' as const, value: key },
                        }
                    else
                        yield {
                            item: volume
                                ? { case: 'volume' as const, value: volume }
                                : { case: 'removedVolume' as const, value: key },
                        }
                }
            }
        },
        createPool: (request, context) =>
            doing(context, {
                title: `Add pool ${request.name} on ${request.path}`,
                dryRun: request.dryRun,
                effect: () => {
                    world.pools.set(
                        request.name,
                        create(PoolSchema, {
                            uuid: world.uuid(),
                            name: request.name,
                            type: 'dir',
                            active: true,
                            path: request.path,
                            capacityBytes: 100n * GIB,
                            availableBytes: 90n * GIB,
                            health: 'ok',
                        }),
                    )
                    return setPool(request.name, true)
                },
            }),
        startPool: (request, context) =>
            doing(context, {
                title: `Start pool ${request.pool}`,
                dryRun: request.dryRun,
                effect: () => setPool(request.pool, true),
            }),
        stopPool: (request, context) =>
            doing(context, {
                title: `Stop pool ${request.pool}`,
                dryRun: request.dryRun,
                effect: () => setPool(request.pool, false),
            }),
        refreshPool: (request, context) =>
            doing(context, { title: `Look again at ${request.pool}`, dryRun: request.dryRun }),
        deletePool: (request, context) =>
            doing(context, {
                title: `Forget pool ${request.pool}; its volumes stay where they are`,
                dryRun: request.dryRun,
                effect: () => {
                    world.pools.delete(request.pool)
                    world.say({ kind: 'pool', key: request.pool })
                    return undefined
                },
            }),
        listVolumes: request => ({
            volumes: [...world.volumes.values()].filter(v => request.pool === '' || v.pool === request.pool),
        }),
        getVolume: request => ({ volume: need(request.pool, request.volume) }),
        createVolume: (request, context) => {
            free(request.pool, request.name)
            return doing(context, {
                title: `Make ${request.name}`,
                dryRun: request.dryRun,
                effect: () =>
                    add(request.pool, request.name, {
                        capacityBytes: request.capacityBytes,
                        allocationBytes: 0n,
                        format: request.format,
                    }),
            })
        },
        deleteVolume: (request, context) => {
            const volume = need(request.pool, request.volume)
            if (volume.usedBy.length > 0)
                refuse(Code.FailedPrecondition, {
                    code: 'precondition',
                    summary: 'The volume is in use',
                    detail: volume.usedBy.join(', '),
                    fix: 'Delete or change what stands on it first.',
                })
            return doing(context, {
                title: `Delete ${request.volume}`,
                kind: 'image.delete',
                destroys: `volume:${request.pool}/${request.volume}`,
                dryRun: request.dryRun,
                effect: () => {
                    world.volumes.delete(`${request.pool}/${request.volume}`)
                    world.say({ kind: 'volume', key: `${request.pool}/${request.volume}` })
                    return undefined
                },
            })
        },
        resizeVolume: (request, context) => {
            const volume = need(request.pool, request.volume)
            return doing(context, {
                title: `Enlarge ${request.volume}`,
                dryRun: request.dryRun,
                effect: () => {
                    volume.capacityBytes = request.capacityBytes
                    world.say({ kind: 'volume', key: `${volume.pool}/${volume.name}` })
                    return undefined
                },
            })
        },
        cloneVolume: (request, context) => {
            const volume = need(request.pool, request.volume)
            const pool = request.toPool || request.pool
            free(pool, request.name)
            return doing(context, {
                title: `Copy ${request.volume} to ${request.name}`,
                dryRun: request.dryRun,
                durationMs: 1500,
                effect: () =>
                    add(pool, request.name, {
                        capacityBytes: volume.capacityBytes,
                        format: volume.format,
                        purpose: volume.purpose,
                        backing: request.linked ? `${volume.pool}/${volume.name}` : '',
                    }),
            })
        },
        convert: (request, context) => {
            const volume = need(request.pool, request.volume)
            const pool = request.toPool || request.pool
            free(pool, request.name, request.overwrite)
            return doing(context, {
                title: `Convert ${request.volume} to ${request.format}`,
                dryRun: request.dryRun,
                durationMs: 2500,
                effect: () => add(pool, request.name, { capacityBytes: volume.capacityBytes, format: request.format }),
            })
        },
        import: (request, context) => {
            free(request.pool, request.name, request.overwrite)
            return doing(context, {
                title: `Import ${request.name}`,
                kind: 'image.import',
                dryRun: request.dryRun,
                durationMs: 3000,
                effect: () =>
                    /\/missing/.test(request.source)
                        ? {
                              summary: 'The server there has no such file',
                              detail: request.source,
                              fix: 'Check the address.',
                          }
                        : add(request.pool, request.name, {
                              capacityBytes: 3n * GIB,
                              format: purposeOf(request.name) === 'iso' ? 'iso' : 'qcow2',
                              purpose: purposeOf(request.name),
                          }),
            })
        },
        beginUpload: (request, context) => {
            free(request.pool, request.name, request.overwrite)
            const upload = world.uuid()
            const task = world.begin({
                kind: 'image.import',
                title: `Upload ${request.name}`,
                owner: userOf(context),
                durationMs: 3_600_000,
                log: ['Receiving the bytes'],
            })
            uploads.set(upload, {
                pool: request.pool,
                name: request.name,
                sizeBytes: Number(request.sizeBytes),
                received: 0,
                task: task.id,
            })
            return { upload, path: `/upload/${upload}`, task: task.id }
        },
        getUpload: request => {
            const upload = uploads.get(request.upload) ?? notFound('upload', request.upload)
            return { receivedBytes: BigInt(upload.received), sizeBytes: BigInt(upload.sizeBytes), task: upload.task }
        },
        cancelUpload: request => {
            const task = world.tasks.get(uploads.get(request.upload)?.task ?? '')
            if (task) Object.assign(task, { state: TaskState.CANCELLED })
            uploads.delete(request.upload)
            return {}
        },
        beginDownload: request => ({
            path: `/download/${encodeURIComponent(need(request.pool, request.volume).name)}`,
            sizeBytes: 12n,
        }),
    })
}
