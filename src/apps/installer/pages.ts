// The questions of the installer: six pages with a default for each, and one more for those who want to say more.
import {
    type Choices,
    extraOf,
    type Found,
    needsKey,
    type Profile,
    targetsOf,
    withProfile,
    withTarget,
} from '../../capabilities/install/choices.ts'
import type { Disk } from '../../capabilities/install/spec.ts'
import { wrongAddress, wrongName, wrongPassword, wrongSettings, wrongUser } from './checks.ts'
import type { Event, Item, View } from './form.ts'

export interface Page {
    id: string
    title: string
    items(choices: Choices, found: Found): Item[]
    /** What was done, as other choices. */
    change(choices: Choices, event: Exclude<Event, { kind: 'press' }>, found: Found): Choices
    /** Why one cannot go on like that. */
    wrong?(choices: Choices, found: Found): string | undefined
}

const text = (words: string, style?: 'dim' | 'strong' | 'danger'): Item => ({
    ...{ is: 'text', text: words },
    ...(style ? { style } : {}),
})
const gap = text('')
const field = (id: string, label: string, value: string, more: { secret?: boolean; hint?: string } = {}): Item => ({
    ...{ is: 'field', id, label, value, ...more },
})
const shortId = (disk: Disk) => disk.id.replace(/^.*\//, '')

/** Changes one text of the choices by the path that a field is called, such as `root.first`. */
function edited(choices: Choices, event: Exclude<Event, { kind: 'press' }>): Choices {
    if (event.kind !== 'edit') return choices
    const [group, key] = event.id.split('.') as [keyof Choices, string | undefined]
    if (key === undefined) return { ...choices, [group]: event.value }
    return { ...choices, [group]: { ...(choices[group] as object), [key]: event.value } }
}

const target: Page = {
    ...{ id: 'target', title: 'Disk of the system' },
    items(choices, found) {
        const disks = targetsOf(found)
        if (disks.length === 0) return [text('No disk of at least 16 GiB was found that is not in use.', 'danger')]
        return [
            text('Tick the disk that the system is put on, or two, which then have the same on them: one may fail.'),
            gap,
            ...disks.map(disk => diskItem(disk, choices.target.includes(disk.id), 'All that is on it will be erased.')),
        ]
    },
    change(choices, event, found) {
        if (event.kind !== 'toggle') return choices
        const on = choices.target.includes(event.id)
        return withTarget(
            choices,
            found,
            on ? choices.target.filter(id => id !== event.id) : [...choices.target, event.id],
        )
    },
    wrong({ target }) {
        if (target.length === 0) return 'Tick a disk for the system.'
        return target.length > 2 ? 'Tick one disk, or two.' : undefined
    },
}

function diskItem(disk: Disk, on: boolean, whatIfHeld: string, id = disk.id): Item {
    return {
        ...{ is: 'choice', mark: 'many', id, on, danger: !disk.blank },
        label: disk.words,
        note: `${shortId(disk)}${on && !disk.blank ? `. ${whatIfHeld}` : ''}`,
    }
}

const PROFILES: Record<Profile, string> = {
    ceph: 'Each extra disk becomes an OSD of Ceph: storage that more nodes can share and widen. New, and takes memory.',
    zfs: 'The extra disks become one pool of ZFS with redundancy, checksums and compression, for this node.',
    mixed: 'Some disks for ZFS, which is fast here, and some for Ceph, which nodes share.',
}

const profile: Page = {
    ...{ id: 'profile', title: 'Storage of VMs and containers' },
    items(choices, found) {
        const { profile: chosen, target } = choices
        const extra = extraOf(found, target)
        return [
            text(`There ${extraWords(extra)}`),
            gap,
            ...(Object.keys(PROFILES) as Profile[]).map(
                (id): Item => ({ is: 'choice', mark: 'one', id, label: id, note: PROFILES[id], on: id === chosen }),
            ),
            ...(needsKey(choices, found) ? [gap, keyItem(choices.enrol)] : []),
        ]
    },
    change(choices, event, found) {
        if (event.kind !== 'toggle') return choices
        if (event.id === 'enrol') return { ...choices, enrol: !choices.enrol }
        return withProfile(choices, found, event.id as Profile)
    },
}

const keyItem = (on: boolean): Item => ({
    ...{ is: 'choice', mark: 'many', id: 'enrol', on },
    label: 'Sign the module of ZFS, and enrol the key',
    note: 'Secure Boot is on and would refuse it. At the restart the firmware asks for the password of root.',
})

export function extraWords(extra: readonly Disk[]): string {
    if (extra.length === 0) return 'is no extra disk. VMs are kept on the disk of the system, with every profile.'
    const tb = extra.reduce((sum, disk) => sum + disk.sizeBytes, 0) / 1e12
    const size = tb >= 1 ? `${tb.toFixed(1)} TB` : `${Math.round(tb * 1000)} GB`
    const held = extra.filter(disk => !disk.blank).length
    const data = held > 0 ? `, ${held} with data on ${held === 1 ? 'it' : 'them'}` : ''
    return `${extra.length === 1 ? 'is 1 extra disk' : `are ${extra.length} extra disks`}, ${size}${data}.`
}

const extra: Page = {
    ...{ id: 'extra', title: 'Extra disks' },
    items(choices, found) {
        const disks = extraOf(found, choices.target)
        if (disks.length === 0) return [text('There is no extra disk. This can be changed later.')]
        const uses = choices.profile === 'mixed' ? (['zfs', 'ceph'] as const) : [choices.profile as 'zfs' | 'ceph']
        return [
            text(
                'Tick the disks to take. A disk that holds data is erased when it is ticked, and left alone when not.',
            ),
            ...uses.flatMap(use => [
                gap,
                text(use === 'zfs' ? 'For the pool of ZFS:' : 'For Ceph, an OSD each:', 'strong'),
                ...disks.map(disk =>
                    diskItem(
                        disk,
                        choices.extra[disk.id] === use,
                        'It will be erased at the first boot.',
                        `${use} ${disk.id}`,
                    ),
                ),
            ]),
        ]
    },
    change(choices, event) {
        if (event.kind !== 'toggle') return choices
        const [use, id] = event.id.split(' ') as ['zfs' | 'ceph', string]
        const { [id]: now, ...others } = choices.extra
        return { ...choices, extra: now === use ? others : { ...others, [id]: use } }
    },
}

const network: Page = {
    ...{ id: 'network', title: 'Network' },
    items({ network: { fixed, address, gateway, dns } }, found) {
        if (!found.network)
            return [text('No network card with a cable was found. The network can be set up later, on the node.')]
        const got = found.address ? `It gave ${found.address} to this machine just now.` : 'It did not answer just now.'
        const mode = (id: string, label: string, note: string, on: boolean): Item => ({
            ...{ is: 'choice', mark: 'one', id, label, note, on },
        })
        return [
            text(`Card ${found.card ?? ''}. VMs join the same network by the bridge br0.`),
            gap,
            mode('dhcp', 'DHCP', got, !fixed),
            mode('fixed', 'A fixed address', 'For a node that others rely on.', fixed),
            ...(fixed
                ? [
                      gap,
                      field('network.address', 'Address', address, { hint: 'Such as 192.0.2.10/24.' }),
                      field('network.gateway', 'Gateway', gateway),
                      field('network.dns', 'Name servers', dns, { hint: 'One or more, with spaces between them.' }),
                  ]
                : []),
        ]
    },
    change(choices, event) {
        if (event.kind === 'edit') return edited(choices, event)
        return { ...choices, network: { ...choices.network, fixed: event.id === 'fixed' } }
    },
    wrong: ({ network }, found) => (network.fixed && found.network ? wrongAddress(network) : undefined),
}

const passwords: Page = {
    ...{ id: 'passwords', title: 'Who can log in' },
    items: ({ root, administrator }) => [
        text('root, for the console of the machine:'),
        ...twice('root', root, 'root'),
        gap,
        text('An administrator, for SSH, sudo and the panel. The passwords of the two can differ later.'),
        field('administrator.name', 'Name', administrator.name),
        ...twice('administrator', administrator, administrator.name),
    ],
    change: edited,
    wrong: ({ root, administrator }) =>
        wrongPassword('root', root, 'root') ??
        wrongUser(administrator.name) ??
        wrongPassword(administrator.name, administrator, administrator.name),
}

function twice(id: string, { first, second }: { first: string; second: string }, user: string): Item[] {
    const wrong = first ? wrongPassword('', { first, second: first }, user) : undefined
    const hint = first ? (wrong ?? 'Good.') : 'At least 12 characters, such as five random words.'
    return [
        field(`${id}.first`, 'Password', first, { secret: true, hint }),
        field(`${id}.second`, 'Once more', second, {
            secret: true,
            ...(second && first !== second ? { hint: 'Not the same yet.' } : {}),
        }),
    ]
}

/** In the order in which they are asked. */
export const questions: readonly Page[] = [target, profile, extra, network, passwords]

export const advanced: Page = {
    ...{ id: 'advanced', title: 'Advanced' },
    items: choices => [
        field('name', 'Name of the node', choices.name, { hint: 'Host name and domain.' }),
        field('locale', 'Language', choices.locale, { hint: 'Such as en_US.UTF-8.' }),
        field('keyboard', 'Keyboard', choices.keyboard, { hint: 'Layout of the console, such as us or de.' }),
        field('timezone', 'Time zone', choices.timezone, { hint: 'Such as Europe/Berlin.' }),
        field('rootFs', 'File system', choices.rootFs, { hint: 'Of the system: ext4, or xfs.' }),
        field('key', 'SSH key', choices.key, { hint: 'A public key of the administrator, in one line; or none.' }),
        gap,
        text('The account node may plan and apply the document, monitor may look. Without a password they are locked.'),
        field('node.first', 'Password of node', choices.node.first, { secret: true }),
        field('node.second', 'Once more', choices.node.second, { secret: true }),
        field('monitor.first', 'Password of monitor', choices.monitor.first, { secret: true }),
        field('monitor.second', 'Once more', choices.monitor.second, { secret: true }),
    ],
    change: edited,
    wrong: choices =>
        wrongName(choices.name) ??
        wrongSettings(choices) ??
        wrongSecond('node', choices.node) ??
        wrongSecond('monitor', choices.monitor),
}

/** Of an account that may go without. */
const wrongSecond = (name: string, password: Choices['node']) =>
    password.first || password.second ? wrongPassword(name, password, name) : undefined

/** The page as it is shown now. */
export function viewOf(page: Page, choices: Choices, found: Found, about: { place: string; trouble?: string }): View {
    const isFirst = page.id === 'target'
    const back = page.id === 'advanced' ? 'Discard' : isFirst ? 'Leave' : 'Back'
    return {
        ...{ title: page.title, items: page.items(choices, found), ...about },
        buttons: [
            { id: isFirst ? 'leave' : 'back', label: back },
            ...(page.id === 'advanced' ? [] : [{ id: 'advanced', label: 'Advanced' }]),
            { id: 'next', label: page.id === 'advanced' ? 'Keep' : 'Next' },
        ],
    }
}
