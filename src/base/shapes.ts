// Shapes that several sections of the document share: a secret's reference, whom a port is open to, the name of a user.
import { z } from 'zod'

/** Where a secret is read when it is used; its value never stands in a document. */
export const secretRef = z.union([
    z.strictObject({
        file: z
            .string()
            .regex(/^\/[A-Za-z0-9._/@+-]+$/, 'Use an absolute path without spaces and quotes')
            .describe('A file that root alone can read.'),
    }),
    z.strictObject({
        credential: z
            .string()
            .regex(/^[A-Za-z0-9_.-]+$/, 'Use the name of a systemd credential')
            .describe('A systemd credential.'),
    }),
])

/** `any`, the peers of the cluster, or networks. */
export const openTo = z.union([z.enum(['any', 'cluster']), z.array(z.union([z.cidrv4(), z.cidrv6()]))])

/** Of a user: what Debian's adduser takes as well. */
export const userName = z
    .string()
    .regex(/^[a-z][a-z0-9_-]{0,31}$/, 'Use up to 32 small letters, digits, dashes and underscores, a letter first')
