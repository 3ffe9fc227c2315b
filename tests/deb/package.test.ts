// The package by itself: built twice it is the same, lintian finds no error, apt installs, upgrades, removes and purges it.
import { createHash } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { buildDeb, debianVersion, sourceEpoch } from '../../scripts/deb.ts'
import { debianMirror } from '../../scripts/mirror.ts'
import { root as repository } from '../../scripts/stages.ts'
import { VERSION } from '../../src/base/version.ts'
import { tool } from '../real/world-cache.ts'
import { freshRoot, type Root, whyNoRoot } from './world-deb.ts'

const missing = whyNoRoot()
let root: Root
beforeAll(async () => {
    if (!missing) root = await freshRoot()
}, 960_000)
afterAll(() => root?.remove())

const hashOf = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

it('is the same bytes when all of it is built anew', async ({ skip }) => {
    if (missing) skip(missing)
    const { built } = root
    const first = hashOf(built)
    rmSync(join(repository, 'dist'), { recursive: true })
    expect(hashOf(await buildDeb())).toBe(first)
})

it('takes its version from package.json, and its times from SOURCE_DATE_EPOCH', async ({ skip }) => {
    if (missing) skip(missing)
    const path = root.built
    expect(await tool(['dpkg-deb', '--field', path, 'Version'])).toBe(`${debianVersion(VERSION)}\n`)
    const listed = await tool(['env', 'TZ=UTC', 'dpkg-deb', '--contents', path])
    const newest = listed
        .match(/\d{4}-\d\d-\d\d \d\d:\d\d/g)!
        .sort()
        .at(-1)!
    expect(Date.parse(`${newest}Z`) / 1000).toBeLessThanOrEqual(sourceEpoch())
    expect(debianVersion('0.2.0-rc.1')).toBe('0.2.0~rc.1')
    expect(sourceEpoch({ SOURCE_DATE_EPOCH: '1700000000' })).toBe(1_700_000_000)
    expect(() => sourceEpoch({ SOURCE_DATE_EPOCH: 'yesterday' })).toThrow('yesterday')
})

it('names neither the mirror nor a folder of the machine that it was built on, and holds no key', async ({ skip }) => {
    if (missing) skip(missing)
    const words = [new URL(debianMirror()!).host, repository.replace(/\/$/, ''), 'BEGIN .*PRIVATE KEY-----$']
    const search = words.map(word => `-e '${word}'`).join(' ')
    const line = `mkdir -p /tmp/x && dpkg-deb --raw-extract ${root.deb} /tmp/x && { grep -rlE ${search} /tmp/x || :; }; rm -r /tmp/x`
    expect(await root.sh(line)).toBe('')
})

it('has no error by lintian', async ({ skip }) => {
    if (missing) skip(missing)
    expect(await root.sh(`lintian --allow-root --fail-on error --tag-display-limit 0 ${root.deb}`)).not.toMatch(/^E:/m)
})

const wanted = '/etc/systemd/system/multi-user.target.wants/etcd.service'

it('is installed by apt with what it needs, and keeps the etcd that came with it from starting', async ({ skip }) => {
    if (missing) skip(missing)
    const said = await root.sh(
        `apt-get -qq update && apt-get -qq --yes --no-install-recommends install ${root.deb} 2>&1`,
        400_000,
    )
    expect(said).not.toMatch(/^(?!invoke-rc\.d).*(warning|error|failed)/im)
    await expect(root.sh(`test -L ${wanted}`)).rejects.toThrow()
    expect(await root.sh('debvisor --version; dpkg --verify debvisor')).toBe(`${VERSION}\n`)
    expect(await root.sh('id debvisor-rpc')).toMatch(
        /groups=\d+\(debvisor-rpc\),\d+\((libvirt|kvm)\),\d+\((libvirt|kvm)\)/,
    )
    const enabled = 'cd /etc/systemd/system && find -name "debvisor-*" | sort'
    expect((await root.sh(enabled)).trim().split('\n')).toEqual([
        './multi-user.target.wants/debvisor-etcd.service',
        './multi-user.target.wants/debvisor-guests.service',
        './multi-user.target.wants/debvisor-rpcd.service',
        './sockets.target.wants/debvisor-rootd.socket',
    ])
    expect(await root.sh('stat -c "%U:%G %a %n" /var/lib/debvisor /var/lib/debvisor/tasks /etc/debvisor/pki')).toBe(
        [
            'root:root 711 /var/lib/debvisor',
            'debvisor-rpc:debvisor-rpc 700 /var/lib/debvisor/tasks',
            'debvisor-rpc:debvisor-rpc 700 /etc/debvisor/pki',
            '',
        ].join('\n'),
    )
    expect(await root.sh('debvisor node init --profile zfs')).toContain('profile: zfs')
}, 500_000)

it('all of what it recommends and suggests is in Debian 13', async ({ skip }) => {
    if (missing) skip(missing)
    const said = await root.sh(
        `for field in Recommends Suggests; do dpkg-deb --field ${root.deb} $field; done | tr ',|' '\\n\\n' | while read -r name _; do
            [ -z "$name" ] || apt-cache show "$name" >/dev/null 2>&1 || echo "$name"
        done`,
    )
    expect(said).toBe('')
})

it('has pages and completions that their readers can read', async ({ skip }) => {
    if (missing) skip(missing)
    expect(await root.sh('bash -n /usr/share/bash-completion/completions/debvisor 2>&1')).toBe('')
    const pages = await root.sh('ls /usr/share/man/man1/debvisor*.1.gz | wc -l')
    expect(Number(pages)).toBeGreaterThan(15)
    expect(await root.sh('zcat /usr/share/man/man1/debvisor-node.1.gz')).toContain('.SS node plan')
})

it('leaves the node when it is removed and purged', async ({ skip }) => {
    if (missing) skip(missing)
    const data = '/var/lib/libvirt/images/web1.qcow2 /etc/debvisor/node.yaml /var/lib/debvisor/storage/zfs-tank.json'
    const own = '/etc/debvisor/pki/panel.key /var/lib/debvisor/identity/identity.json /var/log/debvisor/audit.jsonl'
    await root.sh(`for one in ${data} ${own}; do mkdir -p "$(dirname "$one")"; echo x >"$one"; done`)
    await root.sh('dpkg --remove debvisor')
    expect(await root.sh(`ls ${data} ${own} | wc -l`)).toBe('6\n')
    // Put on again, it knows what it knew; nothing of an administrator's choice is lost.
    await root.sh('echo RPCD_OPTIONS=--accel=tcg >/etc/default/debvisor')
    await root.sh(`dpkg --install ${root.deb}`)
    expect(await root.sh('cat /etc/default/debvisor')).toBe('RPCD_OPTIONS=--accel=tcg\n')
    await root.sh('dpkg --purge debvisor')
    expect(await root.sh(`ls ${data} | wc -l`)).toBe('3\n')
    expect(await root.sh(`ls ${own} 2>/dev/null || :`)).toBe('')
    const left =
        'find / -xdev -path /proc -prune -o -iname "*debvisor*" -print | grep -v -e "^/mnt/" -e "^/var/lib/apt/" | sort'
    expect((await root.sh(left)).trim().split('\n')).toEqual(['/etc/debvisor', '/var/lib/debvisor'])
}, 300_000)
