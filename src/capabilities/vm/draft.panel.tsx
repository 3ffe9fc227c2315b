// What the create wizard collects, and the request that comes of it.
import type { MessageInitShape } from '@bufbuild/protobuf'
import { cryptSha512 } from '../../base/sha512crypt.ts'
import { type CreateRequestSchema, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { type Call, callOf, quoted } from '../call.panel.tsx'
import { needSize, sizeOf } from '../fields.panel.tsx'
import { networkOf } from './sources.panel.tsx'

export interface Draft {
    kind: 'image' | 'iso' | 'empty'
    /** `pool/volume` */
    source: string
    name: string
    description: string
    vcpus: number
    memory: string
    disk: string
    network: string
    user: string
    sshKeys: string
    password: string
    packages: string
    pool: string
    linked: boolean
    os: string
    firmware: string
    secureBoot: boolean
    tpm: boolean
    bus: string
    nic: string
    drivers: string
    autostart: boolean
    start: boolean
}

export const blank: Draft = {
    kind: 'image',
    source: '',
    name: '',
    description: '',
    vcpus: 2,
    memory: '2G',
    disk: '20G',
    network: '',
    user: '',
    sshKeys: '',
    password: '',
    packages: '',
    pool: '',
    linked: false,
    os: 'linux',
    firmware: '',
    secureBoot: false,
    tpm: false,
    bus: 'virtio',
    nic: 'virtio',
    drivers: '',
    autostart: false,
    start: true,
}

export const presets = [
    { key: 'small', vcpus: 1, memory: '1G' },
    { key: 'medium', vcpus: 2, memory: '2G' },
    { key: 'large', vcpus: 4, memory: '8G' },
] as const

const lines = (text: string, at: RegExp): string[] =>
    text
        .split(at)
        .map(line => line.trim())
        .filter(Boolean)

export const hasLogin = (draft: Draft): boolean =>
    draft.kind === 'image' &&
    (draft.user !== '' || draft.sshKeys !== '' || draft.password !== '' || draft.packages !== '')

/** The request; `passwordHash` made beforehand by `hashed`. */
export function requestOf(draft: Draft, passwordHash: string): MessageInitShape<typeof CreateRequestSchema> {
    const { network, bridge } = networkOf(draft.network)
    const sizeBytes = draft.disk.trim() === '' ? 0n : needSize(draft.disk)
    return {
        name: draft.name,
        description: draft.description,
        vcpus: draft.vcpus,
        memoryBytes: needSize(draft.memory),
        disks: [
            {
                sizeBytes,
                from: draft.kind === 'image' ? draft.source : '',
                linked: draft.kind === 'image' && draft.linked,
                pool: draft.pool,
                bus: draft.bus,
            },
        ],
        nics: [{ network, bridge, model: draft.nic }],
        isos: [draft.kind === 'iso' ? draft.source : '', draft.drivers].filter(Boolean),
        os: draft.os,
        firmware: draft.firmware,
        secureBoot: draft.secureBoot,
        tpm: draft.tpm,
        autostart: draft.autostart,
        start: draft.start,
        cloudInit: hasLogin(draft)
            ? {
                  user: draft.user,
                  sshKeys: lines(draft.sshKeys, /\r?\n/),
                  packages: lines(draft.packages, /[\s,]+/),
                  passwordHash,
              }
            : undefined,
    }
}

/** A crypt(3) hash of the password, made in this browser; empty for no password. */
export async function hashed(password: string): Promise<string> {
    if (password === '') return ''
    const random = crypto.getRandomValues(new Uint8Array(12))
    return cryptSha512(password, random, async bytes => {
        return new Uint8Array(await crypto.subtle.digest('SHA-512', bytes as Uint8Array<ArrayBuffer>))
    })
}

/** The same with the command line; secrets are left out: it asks for the password. */
function cliOf(draft: Draft): string {
    const words = ['debvisor', 'vm', 'create', quoted(draft.name)]
    const option = (name: string, value: string): void => {
        if (value !== '') words.push(`--${name}`, quoted(value))
    }
    option('description', draft.description)
    const from = draft.kind === 'image' ? draft.source : ''
    const linked = from !== '' && draft.linked
    if (draft.kind === 'iso') option('iso', draft.source)
    option('iso', draft.drivers)
    option('vcpus', String(draft.vcpus))
    option('memory', draft.memory)
    if (draft.bus === 'virtio') {
        option('image', from)
        if (linked) words.push('--linked')
        option('size', draft.disk)
    } else {
        // The short options always make a virtio disk.
        const parts = { size: draft.disk.trim(), from, linked: linked ? 'yes' : '', bus: draft.bus }
        const spec = Object.entries(parts).flatMap(([key, value]) => (value === '' ? [] : [`${key}=${value}`]))
        option('disk', spec.join(','))
    }
    option('pool', draft.pool)
    const { network, bridge } = networkOf(draft.network)
    const model = draft.nic === 'virtio' ? '' : `,model=${draft.nic}`
    if (bridge) option('network', model ? `bridge=${bridge}${model}` : `bridge:${bridge}`)
    else if (network) option('network', model ? `network=${network}${model}` : network)
    if (draft.os !== 'linux') option('os', draft.os)
    option('firmware', draft.firmware)
    if (draft.secureBoot) words.push('--secure-boot')
    if (draft.tpm) words.push('--tpm')
    if (hasLogin(draft)) {
        option('user', draft.user)
        for (const key of lines(draft.sshKeys, /\r?\n/)) option('ssh-key', key)
        if (draft.password !== '') words.push('--password')
        for (const name of lines(draft.packages, /[\s,]+/)) option('package', name)
    }
    if (draft.autostart) words.push('--autostart')
    if (draft.start) words.push('--start')
    return words.join(' ')
}

/** The call that makes it; the password stays out of what can be copied, and its hash too. */
export const callOfDraft = (draft: Draft): Call =>
    callOf(VmService.method.create, requestOf({ ...draft, password: '' }, ''), cliOf(draft))

/** What is still missing on a screen, as the field's name; empty when one can go on. */
export function missing(draft: Draft, screen: 1 | 2): string {
    if (draft.kind !== 'empty' && draft.source === '') return 'source'
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(draft.name)) return 'name'
    if (screen === 1) return ''
    if (sizeOf(draft.memory) === undefined) return 'memory'
    if (draft.kind === 'image' && draft.disk === '') return ''
    return sizeOf(draft.disk) === undefined ? 'disk' : ''
}
