// The part of node.yaml about addresses that guess passwords: after how many tries they are shut out, and for how long.
import { z } from 'zod'

export const fail2banSpec = z
    .strictObject({
        enabled: z.boolean().default(true).describe('Whether addresses that guess passwords are shut out.'),
        tries: z.int().min(1).max(100).default(5).describe('Wrong guesses within ten minutes.'),
        banMinutes: z.int().min(1).max(525_600).default(60).describe('How long an address is shut out.'),
        trusted: z
            .array(z.union([z.cidrv4(), z.cidrv6()]))
            .default([])
            .describe('Networks that are never shut out.'),
    })
    .describe('Addresses that guess passwords of SSH and Cockpit.')

export type Fail2banSpec = z.infer<typeof fail2banSpec>
