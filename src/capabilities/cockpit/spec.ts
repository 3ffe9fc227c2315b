// The part of node.yaml about Cockpit, the web page of a single Linux machine.
import { z } from 'zod'
import { openTo } from '../../base/shapes.ts'

export const cockpitSpec = z
    .strictObject({
        enabled: z.boolean().default(true).describe('Whether Cockpit answers on 9090.'),
        from: openTo.default('any').describe('Who may reach it: any, cluster, or a list of networks.'),
    })
    .describe('Cockpit, for looking after this machine in a browser.')

export type CockpitSpec = z.infer<typeof cockpitSpec>
