// The password of who is logged in, once more, on the command line: a token alone does not do what is dangerous.
import { ProvisionService } from '../gen/proto/capabilities/node/provision_pb.js'
import { sentFault } from './problem.ts'
import type { VerbContext } from './verb.ts'

/** Where the node says that a one-time password is wanted: the field of the request. */
const OTP_AT = 'one_time_password'

/** Asks for the password, and for a one-time password where the node wants one. Answers what proves it, for five minutes. */
export async function confirmed(context: VerbContext): Promise<string> {
    const password = await context.secret('Your password, once more')
    const confirm = async (oneTimePassword: string) =>
        (await context.client(ProvisionService).confirm({ password, oneTimePassword })).confirmationToken
    try {
        return await confirm('')
    } catch (thrown) {
        if (sentFault(thrown)?.at !== OTP_AT) throw thrown
        return confirm(await context.secret('One-time password that your app shows'))
    }
}
