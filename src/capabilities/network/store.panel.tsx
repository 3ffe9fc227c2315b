// The live list of networks.
import { type Network, NetworkService, type WatchResponse } from '../../gen/proto/capabilities/network/network_pb.js'
import { clientOf } from '../client.panel.tsx'
import { live } from '../live.panel.tsx'

/** By UUID. */
export const networks = live<WatchResponse, Network>({
    open: signal => clientOf(NetworkService).watch({}, { signal }),
    apply(draft, message) {
        if (message.network && message.removed) draft.remove(message.network.uuid)
        else if (message.network) draft.put(message.network.uuid, message.network)
        if (message.synced) draft.synced()
    },
})
