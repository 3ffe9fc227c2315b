// The node exporter for the engine.
import { resource } from '../../engine/resource.ts'
import { monitoringBasics } from './plan.ts'
import type { MonitoringSpec } from './spec.ts'

export const monitoringResources = [
    resource<{ monitoring: MonitoringSpec }, MonitoringSpec, undefined>({
        ...{ name: 'monitoring.exporter', phases: ['image', 'boot'], basics: monitoringBasics },
        want: ({ monitoring }) => monitoring,
    }),
]
