// ImageService over the parts that do the work: requests become wishes, entries become messages; no decisions.
import type { ConnectRouter, ServiceImpl } from '@connectrpc/connect'
import { Fault } from '../../base/fault.ts'
import { formatBytes } from '../../base/units.ts'
import { withoutQuery } from '../../drivers/http/fetch.ts'
import type { Tasks } from '../../engine/task.ts'
import { ImageService } from '../../gen/proto/capabilities/image/image_pb.js'
import { callerOf } from '../caller.ts'
import type { Downloads } from './downloads.ts'
import type { Users, VolumeEntry } from './entries.ts'
import { formatOf, hasEnding, keptAs } from './formats.ts'
import { type Imports, isUrl } from './imports.ts'
import type { Inventory } from './inventory.ts'
import { volumeMessage, watchMessage } from './messages.ts'
import type { Pools } from './pools.ts'
import { poolCalls } from './rpc-pools.ts'
import { beginner, onVolume, type Step, sizeOf } from './rpc-wish.ts'
import type { Uploads } from './uploads.ts'
import { checkResize, noRoom } from './volume-checks.ts'
import type { Volumes } from './volumes.ts'

export interface RpcDeps {
    tasks: Tasks
    inventory: Inventory
    pools: Pools
    volumes: Volumes
    uploads: Uploads
    imports: Imports
    downloads: Downloads
    users: Users
}

export function imageService(deps: RpcDeps): (router: ConnectRouter) => void {
    const { tasks, inventory, pools, volumes, uploads, imports, downloads } = deps

    const begin = beginner(tasks)
    const overwritten = (pool: string, name: string): Step[] =>
        inventory.volume(pool, name)
            ? [{ sentence: `Replace the volume ${pool}/${name} that is there`, destroys: `volume:${pool}/${name}` }]
            : []

    const impl: ServiceImpl<typeof ImageService> = {
        ...poolCalls({ inventory, pools, begin }),
        async *watch(_request, context) {
            for await (const change of inventory.watch(context.signal)) yield watchMessage(change, volumes)
        },
        async listVolumes(request) {
            await inventory.ready()
            if (request.pool) inventory.pool(request.pool)
            return { volumes: inventory.volumes(request.pool || undefined).map(entry => volumeMessage(entry, volumes)) }
        },
        getVolume: async request => ({
            volume: volumeMessage(await volumes.find(`${request.pool}/${request.volume}`), volumes),
        }),
        async createVolume(request, context) {
            const { pool, name, dryRun } = request
            const wish = {
                pool,
                name,
                capacityBytes: sizeOf(request.capacityBytes, 'capacity_bytes'),
                format: request.format || undefined,
            }
            await volumes.check(wish)
            return begin(context, {
                spec: { kind: 'image.create', title: `Create volume ${name}`, on: onVolume(pool, name) },
                object: `${pool}/${name}`,
                plan: [{ sentence: `Make the volume ${pool}/${name} of ${formatBytes(wish.capacityBytes)}` }],
                dryRun,
                work: async task => {
                    await task.undo({ kind: 'volume.remove', pool, name, by: task.id })
                    await volumes.create({ ...wish, by: task.id })
                },
            })
        },
        async deleteVolume(request, context) {
            const entry = await volumes.find(`${request.pool}/${request.volume}`)
            volumes.checkUnused(entry)
            const { pool, name } = entry
            return begin(context, {
                spec: { kind: 'image.delete', title: `Delete volume ${name}`, on: onVolume(pool, name) },
                object: `${pool}/${name}`,
                plan: [
                    {
                        sentence: `Delete the volume ${pool}/${name} with all that is on it`,
                        destroys: `volume:${pool}/${name}`,
                    },
                ],
                dryRun: request.dryRun,
                work: async () => {
                    volumes.checkUnused(entry)
                    await volumes.remove(`${pool}/${name}`)
                },
            })
        },
        async resizeVolume(request, context) {
            const entry = await volumes.find(`${request.pool}/${request.volume}`)
            const capacityBytes = sizeOf(request.capacityBytes, 'capacity_bytes')
            checkResize(entry, capacityBytes)
            refuseRunning(deps.users, entry)
            const pool = inventory.pool(entry.pool)
            if (capacityBytes > pool.capacityBytes) throw noRoom(pool, capacityBytes)
            const ref = `${entry.pool}/${entry.name}`
            await volumes.checkExisting(ref)
            return begin(context, {
                spec: {
                    kind: 'image.resize',
                    title: `Resize volume ${entry.name}`,
                    on: onVolume(entry.pool, entry.name),
                },
                object: ref,
                plan: [
                    {
                        sentence: `Grow the volume ${ref} from ${formatBytes(entry.capacityBytes)} to ${formatBytes(capacityBytes)}`,
                    },
                ],
                dryRun: request.dryRun,
                work: () => volumes.resize(ref, capacityBytes),
            })
        },
        async cloneVolume(request, context) {
            const source = await volumes.find(`${request.pool}/${request.volume}`)
            const { linked, name } = request
            if (!linked) refuseRunning(deps.users, source)
            const pool = request.toPool || source.pool
            // A copy of an ISO file or a raw disk stays what it is.
            const format = linked ? 'qcow2' : source.format === 'qcow2' ? undefined : 'raw'
            const wish = { pool, name, capacityBytes: 0, from: `${source.pool}/${source.name}`, linked, format }
            await volumes.check(wish)
            const how = linked ? 'as a linked clone, which keeps reading from it' : 'as a full copy'
            return begin(context, {
                spec: {
                    kind: 'image.clone',
                    title: `Clone ${source.name} to ${name}`,
                    on: onVolume(pool, name),
                    cancellable: !linked,
                },
                object: `${pool}/${name}`,
                plan: [{ sentence: `Make ${pool}/${name} from ${source.pool}/${source.name} ${how}` }],
                dryRun: request.dryRun,
                work: async task => {
                    await task.undo({ kind: 'volume.remove', pool, name, by: task.id })
                    await volumes.create({
                        ...wish,
                        by: task.id,
                        signal: task.signal,
                        onProgress: fraction => task.progress(fraction, 'copying'),
                    })
                },
            })
        },
        async convert(request, context) {
            const source = await volumes.find(`${request.pool}/${request.volume}`)
            const keepAs = formatOf(request.format, request.name)
            const sourceFormat = formatOf(request.sourceFormat || source.format, '', 'source_format')
            const target = {
                pool: request.toPool || source.pool,
                name: request.name,
                keepAs,
                overwrite: request.overwrite,
            }
            await imports.checkConvert(source, sourceFormat, target)
            const ref = `${target.pool}/${target.name}`
            return begin(context, {
                spec: {
                    kind: 'image.convert',
                    title: `Convert ${source.name} to ${keepAs}`,
                    on: onVolume(target.pool, target.name),
                    cancellable: true,
                },
                object: ref,
                plan: [
                    ...overwritten(target.pool, target.name),
                    { sentence: `Make ${ref} as ${keepAs} from ${source.pool}/${source.name}, which stays as it is` },
                ],
                dryRun: request.dryRun,
                work: task => imports.convert(source, target, task),
            })
        },
        async import(request, context) {
            const { source, name, checksum, overwrite } = request
            await inventory.ready()
            const pool = request.pool || volumes.defaultPool()
            const shown = isUrl(source) ? withoutQuery(source) : source
            const format = formatOf(request.format, hasEnding(shown) ? shown : name)
            const wish = { source, pool, name, format, keepAs: keptAs(request.keepAs, format), checksum, overwrite }
            await imports.check(wish)
            return begin(context, {
                spec: { kind: 'image.import', title: `Import ${name}`, on: onVolume(pool, name), cancellable: true },
                object: `${pool}/${name}`,
                plan: [...overwritten(pool, name), { sentence: `Take ${shown} in as ${pool}/${name}, ${kept(wish)}` }],
                dryRun: request.dryRun,
                work: task => imports.run(wish, task),
            })
        },
        async beginUpload(request, context) {
            await inventory.ready()
            const { name, checksum, overwrite } = request
            const pool = request.pool || volumes.defaultPool()
            const format = formatOf(request.format, name)
            const sizeBytes = sizeOf(request.sizeBytes, 'size_bytes')
            const keepAs = keptAs(request.keepAs, format)
            const { user: owner } = callerOf(context)
            const wish = { pool, name, sizeBytes, format, keepAs, checksum, overwrite, owner }
            const answer = {
                object: `${pool}/${name}`,
                plan: [
                    ...overwritten(pool, name),
                    {
                        sentence: `Take the ${formatBytes(sizeBytes)} that are sent in as ${pool}/${name}, ${kept(wish)}`,
                    },
                ],
            }
            if (!request.dryRun) return { ...answer, ...(await uploads.begin(wish)) }
            await uploads.check(wish)
            return answer
        },
        getUpload: (request, context) => {
            const { receivedBytes, sizeBytes, task } = uploads.find(request.upload, callerOf(context))
            return { receivedBytes: BigInt(receivedBytes), sizeBytes: BigInt(sizeBytes), task }
        },
        async cancelUpload(request, context) {
            await uploads.cancel(request.upload, callerOf(context))
            return {}
        },
        async beginDownload(request, context) {
            const ref = `${request.pool}/${request.volume}`
            const { path, sizeBytes } = await downloads.begin(ref, callerOf(context).user)
            return { path, sizeBytes: BigInt(sizeBytes) }
        },
    }
    return router => void router.service(ImageService, impl)
}

const kept = (wish: { keepAs: string; checksum: string }): string =>
    `kept as ${wish.keepAs}${wish.checksum ? ', when its checksum is right' : ''}`

function refuseRunning(users: Users, entry: VolumeEntry): void {
    const running = users.ofPath(entry.path).filter(vm => vm.active !== false)
    if (running.length === 0) return
    throw new Fault('conflict', {
        summary: 'A running VM uses the volume',
        detail: `${entry.pool}/${entry.name}, by ${running.map(vm => vm.name).join(', ')}`,
        fix: 'Do it through the VM (debvisor vm …), or shut the VM down first.',
        at: 'volume',
    })
}
