// fail2ban for the engine.
import { resource } from '../../engine/resource.ts'
import * as plan from './plan.ts'
import type { Fail2banSpec } from './spec.ts'

type Doc = { fail2ban: Fail2banSpec }

/** `cockpit` tells whether it runs by the document. */
export const fail2banResources = <Document extends Doc>(cockpit: (document: Document) => boolean) => [
    resource<Document, plan.Fail2banWant, undefined>({
        ...{ name: 'fail2ban.jails', phases: ['image', 'boot'], needs: ['ssh', 'cockpit', 'firewall'] },
        want: document => ({ ...document.fail2ban, cockpit: cockpit(document) }),
        basics: plan.fail2banBasics,
    }),
]
