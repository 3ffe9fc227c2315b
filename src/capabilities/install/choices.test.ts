// What is chosen on the screens as answers: whatever it is, a file of answers without a mistake.
import { expect, it } from 'vitest'
import { answersChecks, answersSchema, documentSchema, type NodeDocument } from '../table.provision.ts'
import { readAnswers } from './answers.ts'
import { answersText, type Choices, defaultChoices, extraOf, type Found, targetsOf, withProfile } from './choices.ts'
import type { Disk } from './spec.ts'

const disk = (id: string, gib: number, more: Partial<Disk> = {}): Disk => ({
    ...{ id: `/dev/disk/by-id/${id}`, path: `/dev/${id}`, serial: id, model: 'X', sizeBytes: gib * 1024 ** 3 },
    ...{ system: false, removable: false, readOnly: false, blank: true, mountpoints: [], fingerprint: id, words: id },
    ...more,
})
const found: Found = {
    disks: [
        ...[disk('small', 8), disk('large', 900), disk('system', 64, { system: true }), disk('first', 64)],
        ...[disk('held', 64, { blank: false }), disk('stick', 64, { removable: true })],
    ],
}
const id = (name: string) => `/dev/disk/by-id/${name}`
const HASH = `$6$saltsalt$${'a'.repeat(86)}`
const PANEL = `scrypt$32768$8$1$${'A'.repeat(24)}$${'A'.repeat(44)}`

function read(choices: Choices, from = found) {
    const system = { root: HASH, [choices.administrator.name]: HASH }
    const text = answersText(choices, from, { system, panel: PANEL }, documentSchema)
    const { answers, findings } = readAnswers<NodeDocument>(text, answersSchema, answersChecks)
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([])
    return answers!
}

it('takes the smallest blank disk that is large enough, and nothing that holds data', () => {
    const choices = defaultChoices(found)
    expect(choices.target).toEqual([id('first')])
    expect(choices.extra).toEqual({ [id('small')]: 'ceph', [id('large')]: 'ceph' })
    expect(targetsOf(found).map(one => one.serial)).toEqual(['large', 'first', 'held', 'stick'])
    expect(extraOf(found, [id('first')]).map(one => one.serial)).toEqual(['small', 'large', 'held'])
    expect(defaultChoices({ disks: [disk('held', 64, { blank: false })] }).target).toEqual([])
})

it.each(['ceph', 'zfs', 'mixed'] as const)('is whole with the profile %s, with disks and without', profile => {
    const choices = withProfile(defaultChoices(found), found, profile)
    expect(read(choices).document.profile).toBe(profile)
    const none = read({ ...choices, extra: {} }).document.storage
    expect([none.zfs.disks, none.ceph.disks]).toEqual([
        profile === 'ceph' ? 'extra' : [],
        profile === 'zfs' ? 'extra' : [],
    ])
})

it('agrees to the loss of what was ticked, and of nothing else', () => {
    const choices = withProfile(defaultChoices(found), found, 'zfs')
    expect(read(choices).document.install.consent).toEqual(['target'])
    const extra = { ...choices.extra, [id('held')]: 'zfs' as const }
    expect(read({ ...choices, extra }).document.install.consent).toEqual(['target', id('held')])
})

it('keeps what the node is told, without what is the installer’s', () => {
    const { nodeText } = read({ ...defaultChoices(found), name: 'node1.example.org', key: 'ssh-ed25519 AAAA ann@desk' })
    expect(nodeText).toContain('hostname: node1')
    expect(nodeText).toContain('ssh-ed25519 AAAA ann@desk')
    for (const word of ['\ninstall:', 'scrypt', '$6$']) expect(nodeText).not.toContain(word)
})
