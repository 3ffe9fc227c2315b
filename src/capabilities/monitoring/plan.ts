// The node exporter as a file and a unit; it answers on the loopback address alone.
import type { Basics } from '../../engine/basics.ts'
import type { MonitoringSpec } from './spec.ts'

const DEFAULTS = '/etc/default/prometheus-node-exporter'
const unit = 'prometheus-node-exporter.service'

export function monitoringBasics({ nodeExporter }: MonitoringSpec): Basics {
    if (!nodeExporter) return { units: [{ unit, enabled: false, active: false }] }
    const content = [
        '# Written by DebVisor from /etc/debvisor/node.yaml: a change made here is overwritten.',
        'ARGS="--web.listen-address=127.0.0.1:9100"',
        '',
    ].join('\n')
    return {
        packages: ['prometheus-node-exporter'],
        files: [{ path: DEFAULTS, content, for: 'where the node exporter answers' }],
        units: [{ unit, enabled: true, active: true, reads: [DEFAULTS] }],
    }
}
