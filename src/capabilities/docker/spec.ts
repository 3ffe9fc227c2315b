// The part of node.yaml about Docker: whether it runs, where it keeps its data, and from which networks it takes addresses.
import { z } from 'zod'
import type { Finding } from '../../base/finding.ts'

export const dockerSpec = z
    .strictObject({
        enabled: z.boolean().default(true).describe('Whether Docker runs on this node.'),
        dataRoot: z
            .string()
            .regex(/^\/[A-Za-z0-9._/-]+$/, 'Use an absolute path')
            .default('/var/lib/docker')
            .describe('Where images and volumes are kept.'),
        addressPools: z
            .array(z.cidrv4())
            .default([])
            .describe(
                'Networks that containers get addresses from, /24 each; none: one that collides with nothing in sight.',
            ),
    })
    .describe('Docker.')

export type DockerSpec = z.infer<typeof dockerSpec>

/** What a schema alone cannot say. */
export function checkDocker({ docker }: { docker: DockerSpec }): Finding[] {
    return docker.addressPools.flatMap((pool, index): Finding[] => {
        if (Number(pool.split('/')[1]) <= 23) return []
        return [
            {
                ...{ severity: 'error', code: 'pool-small', at: `docker.addressPools[${index}]`, detail: pool },
                summary: 'That network is too small',
                fix: 'Each network of Docker takes a /24: give a /23 at least, better a /16.',
            },
        ]
    })
}
