// The live list of pools and volumes.
import {
    ImageService,
    type Pool,
    type Volume,
    type WatchResponse,
} from '../../gen/proto/capabilities/image/image_pb.js'
import { clientOf } from '../client.panel.tsx'
import { live } from '../live.panel.tsx'

export type Item = { pool: Pool; volume?: undefined } | { volume: Volume; pool?: undefined }

/** Pools by `name`, volumes by `pool/name`. */
export const storage = live<WatchResponse, Item>({
    open: signal => clientOf(ImageService).watch({}, { signal }),
    apply(draft, message) {
        const { item } = message
        if (item.case === 'pool') draft.put(item.value.name, { pool: item.value })
        if (item.case === 'volume') draft.put(`${item.value.pool}/${item.value.name}`, { volume: item.value })
        if (item.case === 'removedPool' || item.case === 'removedVolume') draft.remove(item.value)
        if (message.synced) draft.synced()
    },
})
