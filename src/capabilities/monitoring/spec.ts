// The part of node.yaml about figures for Prometheus.
import { z } from 'zod'

export const monitoringSpec = z
    .strictObject({
        nodeExporter: z
            .boolean()
            .default(true)
            .describe('Whether figures of this machine are given to Prometheus, on 127.0.0.1:9100 only.'),
    })
    .describe('Figures for Prometheus.')

export type MonitoringSpec = z.infer<typeof monitoringSpec>
