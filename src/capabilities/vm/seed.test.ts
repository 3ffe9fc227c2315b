// Seeds: what cloud-init reads, what is refused, and that no secret is ever said back.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { seedFiles } from './seed.ts'
import { checkCloneSeed, seedFilesForClone, seedFilesOfClone } from './seed-clone.ts'
import { checkSeed, hostnameOf, type SeedWant } from './spec-seed.ts'

const SHA512 = `$6$rounds=5000$saltsalt$${'a'.repeat(86)}`
const YESCRYPT = `$y$j9T$${'b'.repeat(22)}$${'c'.repeat(43)}`
const KEY = `ssh-ed25519 ${'A'.repeat(68)} ann@home`
const seed = (more: Partial<SeedWant>): SeedWant => ({
    ...{ user: '', passwordHash: '', sshKeys: [], hostname: '', userData: '', networkConfig: '' },
    ...{ packages: [], commands: [] },
    ...more,
})
const codes = (more: Partial<SeedWant>) => checkSeed(seed(more), 'cloud_init').map(f => `${f.severity} ${f.code}`)
const vm = { name: 'web_1', instanceId: 'i-1' }

describe('a seed', () => {
    it('has what was asked for, as YAML', () => {
        const want = seed({
            ...{ user: 'ann', passwordHash: SHA512, sshKeys: [KEY], packages: ['jq'], hostname: 'web.example.org' },
            commands: ['echo "a: b" # c', "touch '/x'"],
        })
        const files = seedFiles(want, vm)
        expect(files['user-data']!.split('\n')[0]).toBe('#cloud-config')
        expect(parse(files['user-data']!)).toEqual({
            ...{ hostname: 'web.example.org', fqdn: 'web.example.org', manage_etc_hosts: 'localhost' },
            user: { name: 'ann', passwd: SHA512, lock_passwd: false, ssh_authorized_keys: [KEY] },
            ...{ package_update: true, packages: ['jq'], runcmd: want.commands },
        })
        expect(parse(files['meta-data']!)).toEqual({ 'instance-id': 'i-1', 'local-hostname': 'web.example.org' })
        expect(files['network-config']).toBeUndefined()
    })

    it('cannot be broken out of, whatever a command says', () => {
        fc.assert(
            fc.property(fc.array(fc.string({ unit: 'grapheme', minLength: 1 })), commands => {
                const text = seedFiles(seed({ commands }), vm)['user-data']!
                expect(parse(text).runcmd ?? []).toEqual(commands)
            }),
        )
    })

    it('changes the default user when no user is named', () => {
        const { user } = parse(seedFiles(seed({ passwordHash: YESCRYPT }), vm)['user-data']!)
        expect(user).toEqual({ passwd: YESCRYPT, lock_passwd: false })
    })

    it('is for another machine in a clone, and else the same', () => {
        const files = seedFiles(seed({ user: 'ann', networkConfig: 'version: 2' }), vm)
        const clone = seedFilesOfClone(files, { name: 'web2', instanceId: 'i-2' })
        expect(parse(clone['meta-data']!)).toEqual({ 'instance-id': 'i-2', 'local-hostname': 'web2', dsmode: 'local' })
        expect(parse(clone['user-data']!)).toMatchObject({ hostname: 'web2', user: { name: 'ann' } })
        expect(clone['network-config']).toBe('version: 2\n')
        const given = '#cloud-config\nhostname: mine\n'
        expect(seedFilesOfClone({ 'user-data': given }, vm)['user-data']).toBe(given)
    })

    it('makes a clone renew its machine-id, before the network comes unless its user-data may want it', () => {
        const asked = seedFilesForClone(seed({ user: 'ann' }), vm)
        expect(parse(asked['meta-data']!).dsmode).toBe('local')
        const modes = {
            '#cloud-config\nruncmd: [a]\n': 'local',
            '#!/bin/sh\ntrue\n': 'local',
            '#cloud-config\nbootcmd: [curl x]\n': undefined,
            '#include\nhttps://x\n': undefined,
            'Content-Type: multipart/mixed\n': undefined,
        }
        for (const [userData, mode] of Object.entries(modes)) {
            const files = seedFilesOfClone({ 'user-data': userData }, vm)
            expect([files['user-data'], parse(files['meta-data']!).dsmode]).toEqual([userData, mode])
            expect(files['vendor-data']).toMatch(/^#cloud-boothook\n#!\/bin\/sh\n/)
            expect(checkCloneSeed(files, 'vm')).toEqual([])
            // A clone of the clone is no other case.
            expect(seedFilesOfClone(files, vm)).toEqual(files)
        }
    })

    it('says what of its source a clone will keep', () => {
        const kept = (userData: string, vendorData = '') =>
            checkCloneSeed(seedFilesOfClone({ 'user-data': userData, 'vendor-data': vendorData }, vm), 'vm').map(
                f => f.code,
            )
        const off = (how: string) => `#cloud-config\nvendor_data: {${how}}\n`
        for (const how of ['enabled: false', "enabled: 'off'", 'disabled_handlers: [boot_hook]'])
            expect(kept(off(how))).toEqual(['same-machine-id'])
        expect(kept(off("enabled: 'on'"))).toEqual([])
        expect(kept('#!/bin/sh\n', '#!/bin/sh\necho theirs\n')).toEqual(['same-machine-id'])
        expect(kept('#cloud-config\nssh_deletekeys: false\n')).toEqual(['same-host-keys'])
        expect(kept('#cloud-config\nssh_keys: {ed25519_private: x}\n')).toEqual(['same-host-keys'])
    })

    it('makes host names of VM names', () => {
        expect(['web1', 'Web_1', 'a.b', 'x_', 'db.1_a'].map(hostnameOf)).toEqual([
            'web1',
            'Web-1',
            'a.b',
            'x',
            'db.1-a',
        ])
    })
})

describe('the check of a seed', () => {
    it('takes every strong hash, and nothing that could be a password', () => {
        const bcrypt = `$2b$12$${'d'.repeat(53)}`
        for (const passwordHash of [SHA512, YESCRYPT, bcrypt]) expect(codes({ passwordHash })).toEqual([])
        for (const passwordHash of ['hunter2', '$1$salt$abcdefghijklmnopqrstuv', '$6$salt$short', '$y$', `${SHA512}x`])
            expect(codes({ passwordHash })).toEqual(['error password-hash'])
    })

    it('never repeats a secret', () => {
        const secret = 'correct-horse-battery'
        const said = checkSeed(
            seed({
                ...{ passwordHash: secret, sshKeys: [secret, `-----BEGIN PRIVATE KEY----- ${secret}`] },
                ...{ userData: `#cloud-config\npassword: ${secret}\n`, networkConfig: secret, commands: [' '] },
            }),
            'cloud_init',
        )
        expect(said.length).toBeGreaterThan(4)
        expect(JSON.stringify(said)).not.toContain(secret)
    })

    it('knows what cloud-init knows', () => {
        for (const userData of [
            '#cloud-config\na: 1\n',
            '#!/bin/sh\n',
            '#include\nhttps://x',
            'Content-Type: multipart/mixed',
        ])
            expect(codes({ userData })).toEqual([])
        expect(codes({ userData: 'a: 1' })).toEqual(['error user-data-header'])
        expect(codes({ userData: '#cloud-config\n- a\n' })).toEqual(['error user-data-yaml'])
        expect(codes({ userData: '#cloud-config\na: [1\n' })).toEqual(['error user-data-yaml'])
        expect(codes({ userData: '#cloud-config\npassword: x\n' })).toEqual(['warning user-data-password'])
        expect(codes({ userData: '#!/bin/sh\n', packages: ['jq'] })).toEqual(['error user-data-mixed'])
        expect(codes({ userData: '#!/bin/sh\n', hostname: 'web' })).toEqual([])
        const bomb = `#cloud-config\na: &a [x,x]\n${[...'bcdefghij'].map((c, i) => `${c}: &${c} [${`*${'abcdefghi'[i]},`.repeat(9)}]`).join('\n')}`
        expect(codes({ userData: bomb })).toEqual(['error user-data-yaml'])
    })

    it('takes network configurations of both versions', () => {
        for (const networkConfig of ['version: 2', 'network: {version: 1}', 'network:\n  version: 2\n'])
            expect(codes({ networkConfig })).toEqual([])
        for (const networkConfig of ['version: 3', 'x', '[]', 'a: b: c'])
            expect(codes({ networkConfig })).toEqual(['error network-config'])
    })
})
