// Mail of this machine for the engine. Whether a password is there is looked at; what it is, is not.
import { resource } from '../../engine/resource.ts'
import * as plan from './plan.ts'
import type { NotifySpec } from './spec.ts'

type Mail = NonNullable<NotifySpec['mail']>

export const notifyResources = [
    resource<{ notify: NotifySpec }, Mail, { hasPassword: boolean }>({
        ...{ name: 'notify.mail', phases: ['image', 'boot'], provides: ['mail'] },
        want: ({ notify }) => notify.mail,
        basics: plan.mailBasics,
        observe: async ({ root }, mail) => {
            const path = plan.passwordFile(mail)
            return { hasPassword: path !== undefined && (await root.look(path)) !== undefined }
        },
        plan: plan.planMail,
    }),
]
