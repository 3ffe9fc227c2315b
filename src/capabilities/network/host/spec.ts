// The part of node.yaml about the network of the host: its bridges, bonds, VLANs and NICs, with their addresses.
import { z } from 'zod'

/** As the kernel takes it, and as no other tool could misread it. */
const linkName = z
    .string()
    .regex(/^[a-z][a-z0-9_.-]{0,14}$/, 'Use up to 15 small letters, digits, dots and dashes, a letter first')
const nicName = linkName.describe('A NIC or bond, by its name: ip link lists them.')
const mac = z.string().regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i, 'Use six pairs of digits such as 52:54:00:12:34:56')
const mtu = z
    .int()
    .min(576, 'Use 576 to 9216')
    .max(9216, 'Use 576 to 9216')
    .optional()
    .describe('Largest packet; the switch must take it, too.')
const vlanId = z.int().min(1, 'VLANs have ids from 1 to 4094').max(4094, 'VLANs have ids from 1 to 4094')

const ipv4 = z
    .union([
        z.enum(['dhcp', 'off']),
        z.strictObject({
            addresses: z.array(z.cidrv4('Use an address with its length, such as 192.0.2.10/24')).min(1),
            gateway: z.ipv4('Use an address such as 192.0.2.1').optional(),
        }),
    ])
    .describe('dhcp, off, or addresses (such as 192.0.2.10/24) and a gateway.')
const ipv6 = z
    .union([
        z.enum(['auto', 'dhcp', 'off']),
        z.strictObject({
            addresses: z.array(z.cidrv6('Use an address with its length, such as 2001:db8::10/64')).min(1),
            gateway: z.ipv6('Use an address such as 2001:db8::1').optional(),
        }),
    ])
    .describe('auto (what routers announce), dhcp, off, or addresses (such as 2001:db8::10/64) and a gateway.')
const noAddresses = { ipv4: ipv4.default('off'), ipv6: ipv6.default('off') }

const bridge = z.strictObject({
    name: linkName.describe('Its name; VMs join it by that.'),
    ports: z
        .union([z.literal('primary'), z.array(nicName)])
        .default('primary')
        .describe('NICs and bonds that it reaches the network by; primary: the NIC of the default route.'),
    ipv4: ipv4.default('dhcp'),
    ipv6: ipv6.default('auto'),
    mtu,
    vlanAware: z
        .boolean()
        .default(false)
        .describe('true: VMs may be in VLANs of their own; its ports carry all VLANs then.'),
    stp: z
        .boolean()
        .default(false)
        .describe('Spanning tree, where loops could be; a port then waits before it carries.'),
})

const bond = z.strictObject({
    name: linkName.describe('Its name.'),
    members: z
        .array(nicName)
        .min(1, 'A bond needs a NIC')
        .describe('Its NICs; of an active-backup the first is preferred.'),
    mode: z
        .enum(['active-backup', '802.3ad'])
        .default('active-backup')
        .describe('active-backup: one carries, the next stands by; 802.3ad: all do, and the switch knows (LACP).'),
    ...noAddresses,
    mtu,
})

const vlan = z.strictObject({
    id: vlanId.describe('Its number, 1 to 4094.'),
    on: linkName.describe('The NIC, bond or bridge that carries it.'),
    name: linkName.optional().describe('Its name; bond0.20 for 20 on bond0 unless told.'),
    ...noAddresses,
    mtu,
})

const nic = z.strictObject({
    name: linkName.describe('The name that it has from the next boot on, whatever other cards there are.'),
    mac: mac.optional().describe('The card, by the address that it came with.'),
    path: z
        .string()
        .regex(/^[A-Za-z0-9:._-]+$/, 'Use a path such as pci-0000:03:00.0')
        .optional()
        .describe('The card, by its slot: ID_PATH of udevadm info /sys/class/net/NAME. For cards that are exchanged.'),
    ...noAddresses,
    mtu,
})

export const networkSpec = z
    .strictObject({
        bridges: z
            .array(bridge)
            .prefault([{ name: 'br0' }])
            .describe('Bridges, on which VMs are neighbours of the network.'),
        bonds: z.array(bond).default([]).describe('Several NICs as one.'),
        vlans: z.array(vlan).default([]).describe('Interfaces of this machine in a VLAN.'),
        nics: z
            .array(nic)
            .default([])
            .describe('Cards by names that stay, and those that have addresses without a bridge.'),
        dns: z
            .strictObject({
                servers: z
                    .array(z.union([z.ipv4(), z.ipv6()]))
                    .default([])
                    .describe('Name servers; none: those of DHCP.'),
                search: z
                    .array(z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,252})$/, 'Use domains such as example.org'))
                    .default([])
                    .describe('Domains in which short names are looked up.'),
            })
            .prefault({})
            .describe('Names.'),
        check: z
            .array(z.union([z.ipv4(), z.ipv6()]))
            .default([])
            .describe('Addresses beside the gateway that must answer after a change, if they did before.'),
    })
    .describe('The network of this machine. Without this section it is left as it is.')

export type NetworkSpec = z.infer<typeof networkSpec>
export type BridgeSpec = NetworkSpec['bridges'][number]
export type Ipv4Spec = BridgeSpec['ipv4']
export type Ipv6Spec = BridgeSpec['ipv6']

/** Name of a VLAN's interface. */
export const vlanName = ({ id, on, name }: NetworkSpec['vlans'][number]): string => name ?? `${on}.${id}`
