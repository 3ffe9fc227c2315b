// The node's figures of the last hour, and each new one.
import { type Load, NodeService } from '../../gen/proto/capabilities/node/node_pb.js'
import { clientOf } from '../client.panel.tsx'
import { useHistory } from '../figures.panel.tsx'

const api = clientOf(NodeService)

async function* loads(signal: AbortSignal): AsyncIterable<Load | undefined> {
    for await (const { load } of api.watchLoad({}, { signal })) yield load
}

export const useLoad = () =>
    useHistory('node', {
        past: async signal => (await api.getLoad({}, { signal })).history,
        next: loads,
    })
