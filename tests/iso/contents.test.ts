// The ISO looked into without booting: how it boots, what it holds, what must not be in it.
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { debianMirror } from '../../scripts/mirror.ts'
import { root } from '../../scripts/stages.ts'
import { VERSION } from '../../src/base/version.ts'
import { tool } from '../real/world-cache.ts'
import { builtIso, isoPath, whyNoIso } from './world-iso.ts'

const missing = whyNoIso()
let folder = ''
let names: string[] = []
const node = () => join(folder, 'node.squashfs')
const cat = (path: string) => tool(['unsquashfs', '-cat', node(), path])
const xorriso = (...words: string[]) => tool(['xorriso', '-indev', isoPath, ...words], { deadlineMs: 300_000 })

beforeAll(async () => {
    if (missing) return
    await builtIso()
    folder = mkdtempSync(join(tmpdir(), 'dv-iso-look-'))
    for (const name of ['node/node.squashfs', 'live/filesystem.squashfs'])
        await xorriso('-osirrox', 'on', '-extract', `/${name}`, join(folder, name.split('/')[1]!))
    names = (await tool(['unsquashfs', '-l', node()])).split('\n').map(line => line.replace('squashfs-root/', '/'))
}, 5_500_000)
afterAll(() => {
    if (folder) rmSync(folder, { recursive: true })
})

it('boots by BIOS and by UEFI, with the shim that Debian has had signed', async ({ skip }) => {
    if (missing) skip(missing)
    const torito = await xorriso('-report_el_torito', 'plain')
    expect(torito).toMatch(/^El Torito boot img : +1 +BIOS +y/m)
    expect(torito).toMatch(/^El Torito boot img : +2 +UEFI +y/m)
    const efi = await xorriso('-find', '/', '-name', '[Bb][Oo][Oo][Tt][Xx]64.[Ee][Ff][Ii]')
    expect(efi).toMatch(/bootx64\.efi/i)
    const shim = join(folder, 'boot.efi')
    await xorriso('-osirrox', 'on', '-extract', efi.match(/'(\/[^']*)'/)![1]!, shim)
    expect(readFileSync(shim).includes('shim,')).toBe(true)
    const menu = join(folder, 'grub.cfg')
    await xorriso('-osirrox', 'on', '-extract', '/boot/grub/grub.cfg', menu)
    const text = readFileSync(menu, 'utf8')
    expect(text).toContain(`DebVisor ${VERSION}`)
    expect(text).not.toContain('@')
    // At 80 columns with the frame of the menu around it.
    for (const [, title] of text.matchAll(/menuentry "([^"]+)"/g)) expect(title!.length).toBeLessThan(70)
})

it("has Debian's own installer with its answers, the questions of storage and the package", async ({ skip }) => {
    if (missing) skip(missing)
    const to = join(folder, 'd-i')
    await xorriso('-osirrox', 'on', '-extract', '/d-i', to)
    expect(await tool(['file', '--brief', join(to, 'linux')])).toContain('Linux kernel')
    const listed = await tool(['sh', '-c', 'cpio --quiet -t <"$1"', 'sh', join(to, 'debvisor.cpio')])
    expect(listed.trim().split('\n').sort()).toEqual(
        ['.', 'debvisor', 'debvisor/debvisor-profile.udeb', 'debvisor/debvisor.deb', 'preseed.cfg'].sort(),
    )
})

it('is as small as it has to be, and its checksum and lists are beside it', async ({ skip }) => {
    if (missing) skip(missing)
    expect(statSync(isoPath).size).toBeLessThan(2.2e9)
    const [sum] = (await tool(['sha256sum', isoPath], { deadlineMs: 300_000 })).split(' ')
    expect(readFileSync(`${isoPath}.sha256`, 'utf8')).toBe(`${sum}  ${isoPath.split('/').at(-1)}\n`)
    const base = join(root, `dist/debvisor-${VERSION}-amd64`)
    expect(readFileSync(`${base}.node.packages`, 'utf8')).toMatch(/^ceph-osd\t.*\n[\s\S]*^debvisor\t/m)
    expect(JSON.parse(readFileSync(`${base}.spdx.json`, 'utf8')).packages.length).toBeGreaterThan(500)
    const image = join(folder, 'sum')
    await xorriso('-osirrox', 'on', '-extract', '/node/node.squashfs.sha256', image)
    const [inside] = (await tool(['sha256sum', node()], { deadlineMs: 300_000 })).split(' ')
    expect(readFileSync(image, 'utf8')).toBe(`${inside}  node/node.squashfs\n`)
})

it('has ZFS built for its one kernel, an initrd, and the package', async ({ skip }) => {
    if (missing) skip(missing)
    const kernels = names.filter(name => /^\/boot\/vmlinuz-/.test(name)).map(name => name.replace('/boot/vmlinuz-', ''))
    expect(kernels.length).toBe(1)
    const [kernel] = kernels
    expect(names).toContain(`/boot/initrd.img-${kernel}`)
    const modules = `/usr/lib/modules/${kernel}/updates/dkms/`
    expect(names.some(name => name.startsWith(`${modules}zfs.ko`))).toBe(true)
    expect(names).toContain('/usr/lib/debvisor/rpcd.mjs')
    expect(await cat('etc/debvisor-release')).toBe(`DEBVISOR_VERSION=${VERSION}\n`)
})

it('starts what a node needs, and nothing that its document has not asked for', async ({ skip }) => {
    if (missing) skip(missing)
    const started = names.flatMap(name => /^\/etc\/systemd\/system\/\S+\.wants\/(\S+)$/.exec(name)?.[1] ?? [])
    for (const unit of [
        'debvisor-rpcd.service',
        'debvisor-rootd.socket',
        'debvisor-etcd.service',
        'NetworkManager.service',
        'debvisor-console.service',
    ])
        expect(started).toContain(unit)
    // The screen is where its login would be.
    expect(started).not.toContain('getty@tty1.service')
    const asked = ['etcd', 'named', 'keepalived', 'prometheus-node-exporter', 'fail2ban', 'debvisor-firstboot']
    expect(started.filter(unit => asked.some(name => unit === `${name}.service`) || unit === 'cockpit.socket')).toEqual(
        [],
    )
})

it('holds no key, no identity of a machine, no password, and no trace of where it was built', async ({ skip }) => {
    if (missing) skip(missing)
    const keys =
        /\/(ssh_host_.*_key|mok\.(key|pub|priv)|rndc\.key|random-seed)$|\/etc\/ssl\/private\/.|\/etc\/debvisor\/(etcd|pki)\/./
    expect(names.filter(name => keys.test(name))).toEqual([])
    expect(await cat('etc/machine-id')).toBe('')
    expect((await cat('etc/shadow')).split('\n').filter(line => /^[^:]+:[^*!:]/.test(line))).toEqual([])
    expect((await cat('etc/shadow')).match(/^[^:]+::/gm)).toBeNull()
    const sources = names.filter(name => /^\/etc\/apt\/sources\.list(\.d\/.+)?$/.test(name) && !name.endsWith('.d'))
    expect(sources).toEqual(['/etc/apt/sources.list.d/debian.sources'])
    const hosts = (await cat('etc/apt/sources.list.d/debian.sources')).match(/https?:\/\/[^/\s]+/g)!
    expect(hosts).toEqual(['http://ftp.debian.org', 'http://security.debian.org'])
    expect(
        names.filter(name =>
            /^\/var\/(lib\/apt\/lists|log|cache\/apt\/archives)\/.*[_.](log|deb|InRelease|Packages)/.test(name),
        ),
    ).toEqual([])
    // Where it was built from one of those, there is no other to be found.
    const mirror = new URL(debianMirror()!).host
    if (!hosts.some(host => new URL(host).host === mirror)) {
        const live = join(folder, 'live')
        await tool(['unsquashfs', '-q', '-n', '-d', live, join(folder, 'filesystem.squashfs'), 'etc', 'var'], {
            deadlineMs: 300_000,
        })
        expect(await tool(['sh', '-c', 'grep -rIlF "$1" "$2" || :', 'sh', mirror, live])).toBe('')
    }
})
