// Pools, volumes and networks of the fake node: default/taken.qcow2 is there, and an overwrite destroys it.
import type { ConnectRouter } from '@connectrpc/connect'
import { ImageService } from '../../../gen/proto/capabilities/image/image_pb.js'
import { NetworkService } from '../../../gen/proto/capabilities/network/network_pb.js'
import type { Calls } from './fake-node.ts'

const pool = { name: 'default', active: true, availableBytes: 1073741824n }
const taken = { pool: 'default', name: 'taken.qcow2', format: 'qcow2', capacityBytes: 1024n }
const lan = { uuid: 'n-1', name: 'lan', active: true, mode: 'nat' }

export function fakeImages(router: ConnectRouter, calls: Calls): void {
    const making = (method: string) => (request: { pool: string; toPool?: string; name: string; dryRun: boolean }) => {
        calls.push([method, request])
        const ref = `${request.toPool || request.pool || pool.name}/${request.name}`
        const plan = [
            ...(ref === 'default/taken.qcow2' ? [{ sentence: `Remove ${ref}`, destroys: `volume:${ref}` }] : []),
            { sentence: `Make ${ref}` },
        ]
        return request.dryRun ? { plan } : { plan, task: 't-1' }
    }
    router.service(ImageService, {
        listPools: () => ({ pools: [pool] }),
        listVolumes: () => ({ volumes: [taken] }),
        import: making('import'),
        convert: making('convert'),
        async *watch() {
            yield { item: { case: 'pool' as const, value: pool }, existing: true }
            yield { item: { case: 'volume' as const, value: taken }, existing: true }
            yield { synced: true }
            yield { item: { case: 'removedVolume' as const, value: 'default/taken.qcow2' } }
        },
        beginUpload(request) {
            const answer = { ...making('beginUpload')(request), object: `${request.pool || 'default'}/${request.name}` }
            if (request.dryRun) return answer
            const task = request.name.startsWith('slow') ? 't-long' : 't-1'
            return { ...answer, upload: 'u-1', path: '/upload/u-1', task }
        },
        cancelUpload(request) {
            calls.push(['cancelUpload', request])
            return {}
        },
        beginDownload: () => ({ path: '/download/d-1', sizeBytes: 10n }),
    })
    router.service(NetworkService, {
        list: () => ({ networks: [lan] }),
        get: () => ({ network: lan }),
        async *watch() {
            yield { network: lan, existing: true }
            yield { synced: true }
            yield { network: { ...lan, active: false } }
        },
    })
}
