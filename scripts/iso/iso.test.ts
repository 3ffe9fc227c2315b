// What the build of the ISO decides without building: package lists, the list of parts, and what it says of bad settings.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { root } from '../stages.ts'
import { namesIn, packagesIn, wantedPackages } from './check-packages.ts'
import { packagesOf, sbomOf } from './sbom.ts'

it('reads lists, and finds what an index has and provides', () => {
    expect(namesIn('# Web\nnovnc  # a display\n\ncockpit-ws\n')).toEqual(['novnc', 'cockpit-ws'])
    const index = 'Package: qemu-utils\nVersion: 1\n\nPackage: msmtp-mta\nProvides: mail-transport-agent, smtp (= 1)\n'
    expect([...packagesIn(index)]).toEqual(['qemu-utils', 'msmtp-mta', 'mail-transport-agent', 'smtp'])
})

it('names no package twice on a node, and no desktop', () => {
    const node = wantedPackages().filter(({ list }) => !['live.list', 'desktop.list'].includes(list))
    const names = node.map(({ name }) => name)
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
    expect(names).not.toContain('virt-manager')
    expect(names).toContain('zfs-dkms')
})

it('has in the image what a document makes the engine install, or a node without a network would wait', () => {
    const names = new Set(wantedPackages().map(({ name }) => name))
    const plans = [
        'node',
        'users',
        'monitoring',
        'notify',
        'docker',
        'cockpit',
        'storage/lvm',
        'storage/zfs',
        'fail2ban',
    ]
    const files = [...plans.map(name => `${name}/plan.ts`), 'vm/plan-host.ts', 'firewall/plan.ts', 'users/access.ts']
    const asked = files.flatMap(file => {
        const text = readFileSync(join(root, 'src/capabilities', file), 'utf8')
        const lists = [...text.matchAll(/(?:packages: |PACKAGES = )\[([^\]]*(?:\][^\]]*){0,2}?)\]/g)].map(
            ([, list]) => list!,
        )
        return lists.flatMap(list => [...list.matchAll(/'([a-z0-9.+-]+)'/g)].map(([, name]) => name!))
    })
    expect(asked.length).toBeGreaterThan(20)
    expect(asked.filter(name => !names.has(name))).toEqual([])
})

it('lists every part once, in order, with what it is found by', () => {
    const text = 'zlib1g:amd64\t1:1.3+b1\tzlib 1:1.3\tamd64\nadduser\t3.1\tadduser 3.1\tall\n'
    const debian = [...packagesOf(text), ...packagesOf(text)]
    const bundled = [{ name: '@x/y', version: '1.0.0', licence: '(MIT AND ISC)', text: '' }]
    const sbom = sbomOf({ version: '0.1.0', seconds: 0, debian, bundled }) as {
        packages: { SPDXID: string; licenseDeclared: string; externalRefs: { referenceLocator: string }[] }[]
        creationInfo: { created: string }
    }
    expect(sbom.packages.map(({ externalRefs }) => externalRefs[0]!.referenceLocator)).toEqual([
        'pkg:deb/debian/adduser@3.1?arch=all',
        'pkg:deb/debian/zlib1g@1%3A1.3%2Bb1?arch=amd64',
        'pkg:npm/%40x/y@1.0.0',
    ])
    for (const { SPDXID } of sbom.packages) expect(SPDXID).toMatch(/^SPDXRef-[A-Za-z0-9.-]+$/)
    expect(sbom.packages[2]!.licenseDeclared).toBe('MIT AND ISC')
    expect(sbom.creationInfo.created).toBe('1970-01-01T00:00:00Z')
})

/** Only as far as settings are read: nothing is made. */
const build = (env: Record<string, string>, ...words: string[]) => {
    const { status, stderr, stdout } = spawnSync(join(root, 'build-debvisor.sh'), words, {
        env: { PATH: process.env.PATH, ...env },
        encoding: 'utf8',
    })
    return { status, said: `${stdout}${stderr}` }
}

it('says everything that is wrong with the settings at once, and begins nothing', () => {
    const { status, said } = build({
        ...{ DEBVISOR_DIST: 'sid', DEBVISOR_ARCH: 'm68k', DEBVISOR_FIRMWARE: 'some', DEBVISOR_FAST: 'yes' },
        ...{
            DEBVISOR_MIRROR: 'ftp://example.org',
            DEBVISOR_VERSION: 'x y',
            SOURCE_DATE_EPOCH: 'now',
            DEBVISOR_K8S: 'all',
        },
    })
    expect(status).toBe(3)
    for (const name of ['DIST', 'ARCH', 'FIRMWARE', 'FAST', 'MIRROR', 'VERSION', 'K8S'])
        expect(said).toContain(`DEBVISOR_${name}=`)
    expect(said).toContain('SOURCE_DATE_EPOCH=now')
})

it('says why another architecture cannot be built here', ({ skip }) => {
    if (process.arch === 'arm64') skip('this is such a machine')
    const { status, said } = build({ DEBVISOR_ARCH: 'arm64' })
    expect(status).toBe(3)
    expect(said).toContain('a machine of that kind')
})

it('has a help that names every setting, and refuses what is no option', () => {
    const { status, said } = build({}, '--help')
    expect(status).toBe(0)
    for (const [, name] of readFileSync(join(root, 'scripts/iso/settings.sh'), 'utf8').matchAll(
        /\b(DEBVISOR_[A-Z0-9]+)[:=]/g,
    ))
        expect(said).toContain(name!)
    expect(build({}, '--clean').status).toBe(64)
})
