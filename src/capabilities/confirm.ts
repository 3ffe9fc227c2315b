// The password of who is logged in, once more, on the command line: a token alone does not do what is dangerous.
import { IdentityService } from '../gen/proto/capabilities/identity/identity_pb.js'
import { ProvisionService } from '../gen/proto/capabilities/node/provision_pb.js'
import { sentFault } from './problem.ts'
import type { VerbContext } from './verb.ts'

/** Where the node says that a one-time password is wanted: the field of the request. */
const OTP_AT = 'one_time_password'

/** Asks as `confirmed` does, once for all calls of a command; for what is dangerous and is no change of the node itself. */
export function asker(context: Pick<VerbContext, 'client' | 'secret'>): (refused: boolean) => Promise<string> {
    let known: Promise<string> | undefined
    return refused => {
        if (refused) known = undefined
        known ??= shown(context, proof => context.client(IdentityService).confirm(proof))
        return known
    }
}

/** Asks for the password, and for a one-time password where the node wants one. Answers what proves it, for five minutes. */
export const confirmed = (context: VerbContext): Promise<string> =>
    shown(context, proof => context.client(ProvisionService).confirm(proof))

interface Proof {
    password: string
    oneTimePassword: string
}

async function shown(
    context: Pick<VerbContext, 'secret'>,
    prove: (proof: Proof) => Promise<{ confirmationToken: string }>,
): Promise<string> {
    const password = await context.secret('Your password, once more')
    const confirm = async (oneTimePassword: string) => (await prove({ password, oneTimePassword })).confirmationToken
    try {
        return await confirm('')
    } catch (thrown) {
        if (sentFault(thrown)?.at !== OTP_AT) throw thrown
        return confirm(await context.secret('One-time password that your app shows'))
    }
}
