// The simulated audit record.
import type { ConnectRouter } from '@connectrpc/connect'
import { AuditService } from '../../../gen/proto/capabilities/audit/audit_pb.js'
import type { World } from './world.ts'

export function auditService(world: World, router: ConnectRouter): void {
    router.service(AuditService, {
        list: request => {
            const limit = request.limit || 200
            const all = world.audit.filter(
                r =>
                    (request.before === 0n || r.number < request.before) &&
                    r.who.includes(request.who) &&
                    r.what.includes(request.what) &&
                    `${r.onName} ${r.onId}`.includes(request.on),
            )
            return { records: all.slice(0, limit), more: all.length > limit }
        },
        verify: () => ({
            intact: true,
            records: BigInt(world.audit.length),
            head: 'b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c',
        }),
    })
}
