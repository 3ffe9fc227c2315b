// Which calls their person has to confirm first: what the daemon asks, so that panel and command line can ask before it does.
import { type DescMethod, getOption, hasOption } from '@bufbuild/protobuf'
import { Code, ConnectError, type Interceptor } from '@connectrpc/connect'
import { access, ProblemSchema } from '../gen/proto/capabilities/debvisor_pb.js'

type Plain = Record<string, unknown>

/** By the rule of the method and by what this request asks for; a dry run does nothing that could be dangerous. */
export function isDangerous(method: DescMethod, message: Readonly<Plain>): boolean {
    const { confirm } = hasOption(method, access) ? getOption(method, access) : { confirm: '' }
    if (confirm === '' || message.dryRun === true) return false
    return confirm === 'always' || Boolean(message[confirm])
}

/** The node wants a confirmation, or a newer one. */
export function isUnconfirmed(thrown: unknown): boolean {
    const error = ConnectError.from(thrown)
    return error.code === Code.PermissionDenied && error.findDetails(ProblemSchema)[0]?.at === 'confirmation'
}

/**
 * Has what is dangerous confirmed before it is sent (`ahead`), and where the node wants it, or does not take it any more.
 * `ask` answers the token of IdentityService.Confirm; it is told when the one that it gave was refused.
 */
export const confirming =
    (ask: (refused: boolean) => Promise<string>, { ahead }: { ahead: boolean }): Interceptor =>
    next =>
    async request => {
        const message = request.message as unknown as Plain
        if (request.stream || !isDangerous(request.method, message)) return await next(request)
        if (ahead) message.confirmationToken ||= await ask(false)
        try {
            return await next(request)
        } catch (thrown) {
            if (!isUnconfirmed(thrown)) throw thrown
            message.confirmationToken = await ask(true)
            return await next(request)
        }
    }
