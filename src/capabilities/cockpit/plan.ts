// Cockpit as packages and a socket; who may log in is left to PAM, as Debian has it.
import type { Basics } from '../../engine/basics.ts'
import type { Opening } from '../../engine/resource.ts'
import type { CockpitSpec } from './spec.ts'

const unit = 'cockpit.socket'

export function cockpitBasics({ enabled }: CockpitSpec): Basics {
    if (!enabled) return { units: [{ unit, enabled: false, active: false }] }
    return {
        packages: ['cockpit-ws', 'cockpit-bridge', 'cockpit-system'],
        units: [{ unit, enabled: true, active: true }],
    }
}

export const cockpitOpenings = ({ enabled, from }: CockpitSpec): Opening[] =>
    enabled ? [{ port: 9090, protocol: 'tcp', from, why: 'Cockpit' }] : []
