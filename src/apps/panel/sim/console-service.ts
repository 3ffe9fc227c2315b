// The simulated consoles: tickets, and a serial port that one person has at a time.
import { Code, type ConnectRouter } from '@connectrpc/connect'
import { ConsoleService, Kind } from '../../../gen/proto/capabilities/console/console_pb.js'
import { allows, notFound, refuse, userOf } from './access.ts'
import type { World } from './world.ts'

export function consoleService(
    world: World,
    router: ConnectRouter,
    tickets: Map<string, { vm: string; kind: number }>,
): void {
    router.service(ConsoleService, {
        open: (request, context) => {
            const one = world.find(request.vm) ?? notFound('virtual machine', request.vm)
            const role = world.users.get(userOf(context))?.role ?? ''
            const granted = world.grants.some(g => g.user === userOf(context) && g.vm === one.detail.vm?.uuid)
            if (!granted && !allows(role, 'console.open'))
                refuse(Code.PermissionDenied, { code: 'denied', summary: 'You may not do this' })
            const busy = request.kind === Kind.SERIAL && world.ports.has(one.detail.vm!.name)
            if (busy && !request.force)
                refuse(Code.Aborted, {
                    code: 'conflict',
                    summary: 'Someone else has this serial port open',
                    detail: one.detail.vm!.name,
                    fix: 'Wait until it is free, or take it over.',
                })
            const ticket = world.uuid().replaceAll('-', '')
            tickets.set(ticket, { vm: one.detail.vm!.name, kind: request.kind })
            return { path: '/console', ticket }
        },
        screenshot: () => ({ png: new Uint8Array(), width: 0, height: 0 }),
    })
}
