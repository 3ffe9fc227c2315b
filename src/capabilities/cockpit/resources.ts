// Cockpit for the engine.
import { resource } from '../../engine/resource.ts'
import { cockpitBasics, cockpitOpenings } from './plan.ts'
import type { CockpitSpec } from './spec.ts'

export const cockpitResources = [
    resource<{ cockpit: CockpitSpec }, CockpitSpec, undefined>({
        ...{ name: 'cockpit.socket', phases: ['image', 'boot'], provides: ['cockpit'] },
        want: ({ cockpit }) => cockpit,
        basics: cockpitBasics,
        openings: cockpitOpenings,
    }),
]
