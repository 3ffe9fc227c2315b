// Mail and the look at what is wrong for the engine. Whether a password is there is looked at; what it is, is not.
import { LOOK_MS } from '../../base/look.ts'
import type { Tool } from '../../engine/kit.ts'
import { resource } from '../../engine/resource.ts'
import * as plan from './plan.ts'
import type { NotifySpec } from './spec.ts'

export const notifyTools: Tool[] = [{ name: 'systemctl', program: '/usr/bin/systemctl', half: 'machine' }]

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
    resource<{ notify: NotifySpec }, object, { stale: boolean }>({
        ...{ name: 'notify.health', phases: ['image', 'boot'] },
        // Where nobody is told, the journal is.
        want: () => ({}),
        basics: plan.healthBasics,
        observe: async ({ phase, machine }) => {
            if (phase === 'image') return { stale: false }
            // Any service tells it: the drop-in is for all of them.
            const unit = 'systemd-journald.service'
            const argv: [string, ...string[]] = ['systemctl', 'show', '--property=NeedDaemonReload', '--', unit]
            const { stdout } = await machine.query({ argv, deadlineMs: LOOK_MS })
            return { stale: /^NeedDaemonReload=yes$/m.test(stdout) }
        },
        plan: plan.planHealth,
    }),
]
