// Where people are told: by mail through the machine's own sendmail, and by a POST to a webhook.
import { Fault } from '../../base/fault.ts'
import { secretText } from '../../engine/see-basics.ts'
import type { System } from '../../ports/ports.ts'
import { type Message, mailText, webhookBody } from './message.ts'
import type { NotifySpec } from './spec.ts'

export interface Target {
    name: 'mail' | 'webhook'
    /** @throws Fault where it was not taken */
    send(message: Message): Promise<void>
}

const MAIL_MS = 60_000
const WEBHOOK_MS = 20_000

export function targetsOf({ mail, webhook }: NotifySpec, system: System, post: typeof fetch = fetch): Target[] {
    return [...(mail ? [mailTarget(system)] : []), ...(webhook ? [webhookTarget(webhook.url, system, post)] : [])]
}

const mailTarget = (system: System): Target => ({
    name: 'mail',
    async send(message) {
        const argv = ['/usr/sbin/sendmail', 'root'] as const
        const { exitCode } = await system.run({ argv, stdin: mailText(message), deadlineMs: MAIL_MS })
        if (exitCode === 0) return
        throw new Fault('unavailable', {
            summary: 'The mail could not be sent',
            detail: `sendmail ended with ${exitCode}`,
            fix: 'See why: journalctl -t msmtp',
            at: 'notify.mail',
        })
    },
})

const webhookTarget = (url: NonNullable<NotifySpec['webhook']>['url'], system: System, post: typeof fetch): Target => ({
    name: 'webhook',
    async send(message) {
        // Its address is often the only secret that such a service asks for: no message of ours repeats it.
        const address = typeof url === 'string' ? url : await secretText(system, url)
        const refused = (detail: string) =>
            new Fault('unavailable', {
                summary: 'The webhook did not take the message',
                detail,
                fix: 'See that its address is right and can be reached from here, then try: debvisor notify test',
                at: 'notify.webhook.url',
            })
        const answer = await post(address, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: webhookBody(message),
            signal: AbortSignal.timeout(WEBHOOK_MS),
            redirect: 'error',
        }).catch(thrown => {
            throw refused(thrown instanceof Error && thrown.name === 'TimeoutError' ? 'no answer' : 'no connection')
        })
        await answer.body?.cancel()
        if (!answer.ok) throw refused(`it answered ${answer.status}`)
    },
})
