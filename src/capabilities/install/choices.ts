// What a person chooses on the screens of the installer, what is chosen where nobody says otherwise, and the answers of it.
import { stringify } from 'yaml'
import type { z } from 'zod'
import { sampleOf } from '../../engine/sample.ts'
import { type Disk, LEAST_BYTES } from './spec.ts'

export type Profile = 'ceph' | 'zfs' | 'mixed'

/** What there is on the machine that one can choose from. */
export interface Found {
    disks: readonly Disk[]
    /** The section `network` as it would be by DHCP; undefined where there is no card with a link. */
    network?: Record<string, unknown>
    card?: string
    /** What the live system was given. */
    address?: string
    /** The firmware lets only signed programs boot, and the kernel only signed modules. */
    secureBoot?: boolean
}

export interface Choices {
    /** Ids of one disk or two. */
    target: string[]
    profile: Profile
    /** Sign ZFS's module and enrol the key, where Secure Boot is on. */
    enrol: boolean
    /** ext4 or xfs; as it is typed. */
    rootFs: string
    /** What an extra disk is for; one that is not in it is left alone. */
    extra: Record<string, 'zfs' | 'ceph'>
    network: { fixed: boolean; address: string; gateway: string; dns: string }
    root: Password
    administrator: Password & { name: string }
    node: Password
    monitor: Password
    /** Host name and domain in one. */
    name: string
    locale: string
    keyboard: string
    timezone: string
    /** SSH keys of the administrator, one a line of an authorized_keys file. */
    key: string
}

/** Typed twice. */
export interface Password {
    first: string
    second: string
}

const noPassword = (): Password => ({ first: '', second: '' })

export const isFree = (disk: Disk): boolean => !disk.system && !disk.readOnly && disk.mountpoints.length === 0
const mayHold = (disk: Disk) => isFree(disk) && disk.sizeBytes >= LEAST_BYTES

/** Those that the system can be put on. */
export const targetsOf = ({ disks }: Found): Disk[] => disks.filter(mayHold)
/** Those that VMs can be stored on, beside the target. */
export const extraOf = ({ disks }: Found, target: readonly string[]): Disk[] =>
    disks.filter(disk => isFree(disk) && !disk.removable && !target.includes(disk.id))

/** The smallest blank disk, and every other blank one for VMs. Nothing that holds data is ever chosen. */
export function defaultChoices(found: Found): Choices {
    const blank = targetsOf(found).filter(disk => disk.blank && !disk.removable)
    const [smallest] = blank.toSorted((a, b) => a.sizeBytes - b.sizeBytes || (a.id < b.id ? -1 : 1))
    const target = smallest ? [smallest.id] : []
    return withProfile(
        {
            ...{ target, profile: 'ceph', enrol: true, rootFs: 'ext4', extra: {} },
            network: { fixed: false, address: found.address ?? '', gateway: '', dns: '' },
            ...{ root: noPassword(), node: noPassword(), monitor: noPassword() },
            administrator: { name: 'operator', ...noPassword() },
            ...{ name: 'debvisor.local', locale: 'en_US.UTF-8', keyboard: 'us', timezone: 'UTC', key: '' },
        },
        found,
        'ceph',
    )
}

/** With that profile, and each blank disk in it. With mixed it is a person's to say which goes where. */
export function withProfile(choices: Choices, found: Found, profile: Profile): Choices {
    const blank = extraOf(found, choices.target).filter(disk => disk.blank)
    const use = profile === 'zfs' ? 'zfs' : 'ceph'
    // Half of them each, so that there is something to change.
    const of = (i: number) => (profile === 'mixed' && i < blank.length / 2 ? 'zfs' : use)
    return { ...choices, profile, extra: Object.fromEntries(blank.map((disk, i) => [disk.id, of(i)])) }
}

/** Another target; the disks for VMs are chosen anew, as there are others now. */
export function withTarget(choices: Choices, found: Found, target: string[]): Choices {
    return withProfile({ ...choices, target }, found, choices.profile)
}

/** Hashes, made of the passwords of the choices. */
export interface Hashes {
    /** By account. */
    system: Record<string, string>
    /** The administrator's, for the panel. */
    panel: string
}

/** The file of answers that says the same; a person has agreed to all that it destroys. */
export function answersText(choices: Choices, found: Found, hashes: Hashes, schema: z.ZodType): string {
    const { profile, extra, administrator } = choices
    const [hostname = '', ...domain] = choices.name.split('.')
    const keys = choices.key.trim() ? [choices.key.trim()] : []
    const disksFor = (use: 'zfs' | 'ceph') => Object.keys(extra).filter(id => extra[id] === use)
    const storage = {
        ...(profile === 'ceph' ? {} : { zfs: { disks: disksFor('zfs') } }),
        ...(profile === 'zfs' ? {} : { ceph: { disks: disksFor('ceph') } }),
    }
    const network = networkOf(choices, found)
    const document = sampleOf(schema, {
        profile,
        node: {
            ...{ hostname, domain: domain.join('.') || 'local', locale: choices.locale },
            ...{ timezone: choices.timezone, keyboard: choices.keyboard },
        },
        users: { administrators: [{ name: administrator.name, ...(keys.length > 0 ? { keys } : {}) }] },
        ...(network ? { network } : {}),
        storage,
    })
    const holding = found.disks.filter(disk => !disk.blank && disk.id in extra).map(({ id }) => id)
    const install = {
        machine: 'any',
        disks: choices.target.map(id => ({ id })),
        ...(choices.rootFs === 'ext4' ? {} : { rootFs: choices.rootFs }),
        ...(needsKey(choices, found) && choices.enrol ? { enrolKey: true } : {}),
        consent: ['target', ...holding],
        passwords: hashes.system,
        panel: { [administrator.name]: hashes.panel },
    }
    return `${document}\n${stringify({ install }, { lineWidth: 0 })}`
}

/** Secure Boot would refuse what ZFS needs. */
export const needsKey = ({ profile }: Choices, { secureBoot }: Found): boolean =>
    secureBoot === true && profile !== 'ceph'

function networkOf({ network }: Choices, { network: found }: Found): Record<string, unknown> | undefined {
    if (!found || !network.fixed) return found
    const [bridge, ...others] = found.bridges as Record<string, unknown>[]
    const { address, gateway } = network
    const ipv4 = { addresses: [address.trim()], ...(gateway.trim() ? { gateway: gateway.trim() } : {}) }
    const servers = network.dns.split(/[\s,]+/).filter(Boolean)
    return {
        ...found,
        bridges: [{ ...bridge, ipv4 }, ...others],
        ...(servers.length > 0 ? { dns: { servers } } : {}),
    }
}
