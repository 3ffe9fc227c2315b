// A seed is shown without what may be a secret: what is harmless is named, everything else is hidden.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { stringify } from 'yaml'
import { seedFilesForClone } from './seed-clone.ts'
import { shownSeed } from './seed-view.ts'

const SECRET = 'Tr0ub4dor&3'
const shown = (userData: string) => shownSeed({ 'user-data': userData })[0]!

it('shows who logs in and what is installed, and hides passwords, keys, commands and contents of files', () => {
    const { text, hidden } = shown(`#cloud-config
# ${SECRET}
hostname: web1
user:
  name: ann
  passwd: ${SECRET}
  lock_passwd: false
  ssh_authorized_keys: [ssh-ed25519 AAAA ann]
users:
  - default
  - {name: bob, plain_text_passwd: ${SECRET}, sudo: "ALL=(ALL) ALL"}
chpasswd: {users: [{name: root, password: ${SECRET}}], expire: false}
packages: [jq, nginx]
runcmd:
  - [curl, -H, "Authorization: Bearer ${SECRET}", https://x]
  - echo ${SECRET}
write_files:
  - {path: /etc/app.conf, permissions: "0600", content: "token=${SECRET}"}
apt: {sources: {own: {source: "deb https://u:${SECRET}@x/ trixie main"}}}
`)
    expect(text).not.toContain(SECRET)
    expect(hidden).toBe(true)
    for (const seen of [
        '#cloud-config\n',
        'hostname: web1',
        'name: ann',
        'ssh-ed25519 AAAA ann',
        '- default',
        'name: bob',
    ])
        expect(text).toContain(seen)
    for (const seen of [
        '- jq',
        'path: /etc/app.conf',
        'permissions: "0600"',
        'passwd: "[hidden]"',
        'lock_passwd: false',
    ])
        expect(text).toContain(seen)
    expect(text.match(/\[hidden\]/g)!.length).toBeGreaterThan(8)
})

it.each([
    `#!/bin/sh ${SECRET}\ncurl -u me:${SECRET} https://x\n`,
    `#include\nhttps://x/?token=${SECRET}\n`,
    `Content-Type: multipart/mixed; boundary="${SECRET}"\n\n${SECRET}\n`,
    `## template: jinja\n#cloud-config\npassword: ${SECRET}\n`,
    `#cloud-config\npassword: "${SECRET}\n`,
    `#cloud-config\n- ${SECRET}\n`,
    SECRET,
])('shows nothing of what it cannot read: %j', text => {
    const seen = shown(text)
    expect(seen.text).not.toContain(SECRET)
    expect(seen).toMatchObject({ hidden: true, text: expect.stringMatching(/\d+ lines hidden\]/) })
})

it('shows addresses of a network configuration, and no keys of it; the user-data first', () => {
    const network = { version: 2, wifis: { w0: { 'access-points': { home: { password: SECRET } } } } }
    const tunnel = { tunnels: { wg0: { mode: 'wireguard', key: SECRET, peers: [{ keys: { shared: SECRET } }] } } }
    const ethernets = { ethernets: { e0: { addresses: ['192.0.2.7/24'], 'auth-info': { 'private-key': SECRET } } } }
    const files = shownSeed({
        ...{ 'meta-data': 'instance-id: abc\npublic-keys: [x]\n', 'vendor-data': '#cloud-boothook\necho\n' },
        ...{ 'network-config': stringify({ ...network, ...tunnel, ...ethernets }), 'user-data': '#cloud-config\n{}\n' },
    })
    expect(files.map(file => file.name)).toEqual(['user-data', 'network-config', 'meta-data', 'vendor-data'])
    expect(files[1]!.text).toContain('192.0.2.7/24')
    expect(files[1]!.text).not.toContain(SECRET)
    expect(files[2]!).toMatchObject({ text: 'instance-id: abc\npublic-keys:\n  - "[hidden]"\n', hidden: true })
})

it('whatever stands under a key that is not known to be harmless is hidden, at any depth', () => {
    const key = fc.stringMatching(/^[a-z]{3,12}_(secret|thing|pw)$/)
    const leaf = fc.constantFrom(SECRET, 4711_4711, [SECRET], { inner: { deep: SECRET } }, [[SECRET]])
    fc.assert(
        fc.property(fc.dictionary(key, leaf, { minKeys: 1 }), facts => {
            const { text } = shown(`#cloud-config\n${stringify({ ...facts, users: [facts] })}`)
            expect(text).not.toContain(SECRET)
            expect(text).not.toContain('47114711')
        }),
    )
})

it('of one that DebVisor wrote, only the hash of the password is hidden', () => {
    const want = { user: 'ann', passwordHash: '$6$salt$hash', sshKeys: ['ssh-ed25519 AAAA'], hostname: '' }
    const rest = { userData: '', networkConfig: '', packages: ['jq'], commands: [] }
    const files = shownSeed(seedFilesForClone({ ...want, ...rest }, { name: 'web1', instanceId: 'i-1' }))
    expect(files[0]!.text.match(/\[hidden\]/g)).toHaveLength(1)
    expect(files[0]!.text).toContain('passwd: "[hidden]"')
})
