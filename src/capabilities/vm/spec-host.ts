// The part of node.yaml about running VMs: where their disks are, and what the machine gives to guests.
import { z } from 'zod'

export const vmHostSpec = z
    .strictObject({
        enabled: z.boolean().default(true).describe('Run virtual machines on this node.'),
        pool: z
            .string()
            .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'Use letters, digits, dots, dashes')
            .default('default')
            .describe("Name of libvirt's storage pool for disks and images."),
        poolPath: z
            .string()
            .regex(/^\/[A-Za-z0-9/_.-]+$/, 'Use an absolute path')
            .optional()
            .describe(
                'Its folder; by the profile otherwise: the dataset vm of the ZFS pool, or /var/lib/libvirt/images.',
            ),
        nested: z.boolean().default(true).describe('Guests may run VMs themselves (KVM in KVM).'),
    })
    .describe('Virtual machines.')

export type VmHostSpec = z.infer<typeof vmHostSpec>
