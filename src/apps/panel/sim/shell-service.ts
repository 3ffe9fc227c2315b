// The simulated shell of the node: opened by who has confirmed, and a prompt behind it.
import type { ConnectRouter } from '@connectrpc/connect'
import { ShellService } from '../../../gen/proto/capabilities/shell/shell_pb.js'
import { needConfirmation } from './access.ts'
import type { World } from './world.ts'

export function shellService(world: World, router: ConnectRouter, terminals: Map<string, string>): void {
    router.service(ShellService, {
        open(request) {
            needConfirmation(world, request.confirmationToken)
            const ticket = world.uuid()
            terminals.set(ticket, 'node1')
            return { path: '/node-shell', ticket }
        },
    })
}
