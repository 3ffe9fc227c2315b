// Published ports of the simulated containers, and who reaches them.
import { create } from '@bufbuild/protobuf'
import { type Port, PortSchema } from '../../../gen/proto/capabilities/container/container_pb.js'

export const portOf = (
    port: { host: number; address: string; container?: number; protocol?: string },
    lan: boolean,
): Port =>
    create(PortSchema, {
        ...{ host: port.host, address: port.address, container: port.container ?? 80 },
        ...{ protocol: port.protocol || 'tcp', ...reachOf(port.address, lan) },
    })

/** In the words of the firewall of a node that lets stacks and containers be reached from one network. */
export function reachOf(address: string, lan: boolean): { reach: string; open: boolean } {
    if (address === '127.0.0.1') return { reach: 'this node only', open: false }
    if (!lan) return { reach: 'nobody outside: closed by the firewall', open: false }
    return { reach: '10.0.0.0/8: exposed, as firewall.stacks says', open: true }
}
