// Who has confirmed who they are, in the simulated node: by password, and by code where they have a second factor.
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code } from '@connectrpc/connect'
import { refuse } from './access.ts'
import { FACTOR_CODE } from './factor-service.ts'
import type { World } from './world.ts'

const denied = (at: string, summary: string): never =>
    refuse(Code.PermissionDenied, { code: 'denied', at, summary, fix: 'Try again.' })

export function confirm(world: World, user: string, shown: { password: string; oneTimePassword: string }) {
    if (world.users.get(user)?.password !== shown.password) denied('password', 'The password is wrong')
    if (world.factors.has(user) && shown.oneTimePassword !== FACTOR_CODE)
        denied('one_time_password', 'The one-time password is wrong')
    return confirmed(world)
}

export function confirmed(world: World) {
    const confirmationToken = world.uuid()
    world.confirmations.add(confirmationToken)
    return { confirmationToken, expires: timestampFromMs(Date.now() + 300_000) }
}
