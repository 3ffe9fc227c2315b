// Clones and snapshots as XML: what changes, what stays, and what libvirt's own documents say.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { snapshotAbility } from '../snapshots.ts'
import type { VolumeFacts } from '../volumes.ts'
import { cloneDefinition, readCloneSource } from './clone.ts'
import { attribute, find, findAll, parseRoot, textAt } from './document.ts'
import { noMetadata, readMetadata } from './metadata.ts'
import { type DiskFacts, readDisks } from './read-devices.ts'
import { overlayPaths, readSnapshot, snapshotXml } from './snapshot.ts'

const golden = (name: string) => readFileSync(join(import.meta.dirname, '../testdata', name, 'domain.xml'), 'utf8')
const volume = (path: string, more: Partial<VolumeFacts> = {}): VolumeFacts => ({
    ...{ pool: 'default', name: path.slice(path.lastIndexOf('/') + 1), path, poolType: 'dir', format: 'qcow2' },
    ...{ capacityBytes: 1, allocationBytes: 1 },
    ...more,
})
const identity = {
    ...{ uuid: 'b5703104-d16a-4d5e-96a9-68cc74f96592', name: 'copy', description: 'a <copy>' },
    ...{ macs: ['52:54:00:00:00:09'], vncSocket: '/run/vnc/copy.sock', nvramPath: '' },
    metadata: { ...noMetadata(), owner: 'bob', os: 'linux', seed: 'default/copy-seed.iso' },
}

describe('the definition of a clone', () => {
    it('has another identity, and everything else as it was', () => {
        const xml = golden('create-bios').replace('<metadata>', '<genid>1</genid><metadata><x:y xmlns:x="urn:x"/>')
        const source = readCloneSource(xml)
        expect(source.disks).toEqual([{ target: 'vda', source: '/srv/default/web1-disk0', device: 'disk' }])
        const oldPath = '/srv/default/web1-seed.iso'
        const seed = { oldPath, volume: volume('/srv/default/copy-seed.iso', { format: 'raw' }) }
        const clone = cloneDefinition(xml, { ...identity, seed, disks: [volume('/srv/default/copy-disk0')] })
        const root = parseRoot(clone, 'domain')
        expect(clone).not.toContain('web1')
        expect([textAt(root, 'name'), textAt(root, 'uuid'), textAt(root, 'description')]).toEqual([
            ...['copy', identity.uuid, 'a <copy>'],
        ])
        expect(textAt(root, 'genid')).toBe('')
        expect(readMetadata(root)).toEqual(identity.metadata)
        expect(clone).toContain('urn:x')
        expect(readDisks(root).map(disk => [disk.target, disk.source, disk.format])).toEqual([
            ['vda', '/srv/default/copy-disk0', 'qcow2'],
            ['sda', '/srv/default/copy-seed.iso', 'raw'],
        ])
        expect(attribute(find(root, 'devices/graphics/listen'), 'socket')).toBe('/run/vnc/copy.sock')
        const kept = (text: string) => findAll(parseRoot(text, 'domain'), 'devices/controller').length
        expect(kept(clone)).toBe(kept(xml))
    })

    it('gets a drive for its seed where there was none', () => {
        const xml = golden('create-everything')
        const disks = ['a', 'b', 'c'].map(name => volume(`/dev/vg/${name}`, { poolType: 'logical', format: 'raw' }))
        const seed = { oldPath: '', volume: volume('/srv/default/copy-seed.iso', { format: 'raw' }) }
        const macs = ['52:54:00:00:00:09', '52:54:00:00:00:0a']
        const root = parseRoot(cloneDefinition(xml, { ...identity, macs, seed, disks }), 'domain')
        expect(readDisks(root).map(disk => [disk.target, disk.type, disk.bus, disk.format])).toEqual([
            ['vda', 'block', 'virtio', 'raw'],
            ['sda', 'block', 'scsi', 'raw'],
            ['sdb', 'block', 'sata', 'raw'],
            ['sdc', 'file', 'scsi', 'raw'],
        ])
        expect(findAll(root, 'devices/interface/mac').map(mac => attribute(mac, 'address'))).toEqual(macs)
    })

    it('moves UEFI variables that have a place of their own', () => {
        const forms = {
            "<nvram template='/t' format='qcow2'>/v/win11_VARS.fd</nvram>":
                /<nvram template="\/t" format="qcow2">\/v\/copy/,
            "<nvram type='file' format='qcow2'><source file='/v/win11_VARS.fd'/></nvram>":
                /<nvram format="qcow2">\/v\/copy/,
        }
        for (const [nvram, expected] of Object.entries(forms)) {
            const xml = golden('create-windows').replace(/<nvram>.*<\/nvram>/, nvram)
            const found = {
                uefi: true,
                tpm: true,
                secureBoot: true,
                nvramPath: '/v/win11_VARS.fd',
                nvramFormat: 'qcow2',
            }
            expect(readCloneSource(xml)).toMatchObject(found)
            const clone = cloneDefinition(xml, { ...identity, disks: [volume('/x')], nvramPath: '/v/copy_VARS.fd' })
            expect(clone).toMatch(expected)
            expect(textAt(parseRoot(clone, 'domain'), 'os/nvram')).toBe('/v/copy_VARS.fd')
        }
        // Nowhere said, it is where libvirt would put that of the clone, by its name.
        const silent = golden('create-windows').replace(/<nvram>.*<\/nvram>/, '')
        const clone = cloneDefinition(silent, { ...identity, disks: [volume('/x')], nvramPath: '/v/copy_VARS.fd' })
        expect(textAt(parseRoot(clone, 'domain'), 'os/nvram')).toBe('/v/copy_VARS.fd')
    })
})

describe('a snapshot', () => {
    const ask = { name: 's', description: 'a & b', kind: 'external' as const, memoryFile: '/srv/x.mem' }

    it('is asked for disk by disk', () => {
        const disks = readDisks(parseRoot(golden('create-bios'), 'domain'))
        const root = parseRoot(snapshotXml({ ...ask, disks }), 'domainsnapshot')
        expect(textAt(root, 'description')).toBe('a & b')
        expect(findAll(root, 'disks/disk').map(disk => [attribute(disk, 'name'), attribute(disk, 'snapshot')])).toEqual(
            [
                ['vda', 'external'],
                ['sda', 'no'],
            ],
        )
        expect(attribute(find(root, 'disks/disk/source'), 'file')).toBe('/srv/default/web1-disk0.s')
        expect(attribute(find(root, 'memory'), 'file')).toBe('/srv/x.mem')
    })

    it('is read from what libvirt says', () => {
        const facts =
            readSnapshot(`<domainsnapshot><name>b</name><state>disk-snapshot</state><parent><name>a</name></parent>
            <creationTime>1795415630</creationTime><memory snapshot='no'/><disks>
            <disk name='vda' snapshot='external' type='file'><driver type='qcow2'/><source file='/i/d.b'/></disk>
            <disk name='sda' snapshot='no'/></disks><domain type='qemu'><devices><disk type='file' device='disk'>
            <source file='/i/d.a'/><backingStore type='file'><format type='qcow2'/><source file='/i/d'/></backingStore>
            <target dev='vda' bus='virtio'/></disk></devices></domain></domainsnapshot>`)
        expect(facts).toMatchObject({
            name: 'b',
            parent: 'a',
            kind: 'external',
            memory: false,
            createdMs: 1795415630000,
        })
        expect(facts.disks).toEqual([{ target: 'vda', source: '/i/d.a', overlay: '/i/d.b' }])
        expect(facts.files).toEqual(['/i/d.a', '/i/d'])
    })

    it('names its overlays after the disk, not after the overlay before', () => {
        const names = ['/i/web-disk0', '/i/web-disk0.a', '/i/db.1-disk2.x.y', '/i/old.qcow2', '/i/plain']
        const disk = (source: string, target = 'vda') => ({ source, target, device: 'disk' }) as DiskFacts
        expect(names.map(path => overlayPaths([disk(path)], 'n').get('vda'))).toEqual([
            ...['/i/web-disk0.n', '/i/web-disk0.n', '/i/db.1-disk2.n', '/i/old.n', '/i/plain.n'],
        ])
        const alike = [disk('/i/data.img'), disk('/i/data.qcow2', 'vdb'), disk('/j/data.img', 'vdc')]
        expect([...overlayPaths(alike, 'n').values()]).toEqual(['/i/data-vda.n', '/i/data-vdb.n', '/j/data.n'])
    })

    it('is refused with the reason where it cannot be', () => {
        const file = { pool: 'p', name: 'v', path: '/i/v', poolType: 'dir' } as VolumeFacts
        const known = { volumes: { at: (source: string) => (source === 'p/v' ? file : undefined) } }
        const named = golden('create-bios').replace(
            /<disk type='file'([\s\S]*?)<source [^>]*>/,
            "<disk type='volume'$1<source pool='p' volume='v'/>",
        )
        expect(snapshotAbility(known, named, []).external).toBe('')
        expect(snapshotAbility({ volumes: { at: () => undefined } }, named, []).external).toContain('not a file')
        expect(snapshotAbility(known, golden('create-bios'), [])).toEqual({ internal: '', external: '' })
        expect(snapshotAbility(known, golden('create-tcg-pc'), []).internal).toContain('qcow2')
        const all = snapshotAbility(known, golden('create-everything'), [])
        expect(all.internal).toContain('only qcow2')
        expect(all.external).toContain('sda is not a file')
        const uefi = golden('create-windows')
        expect(snapshotAbility(known, uefi, []).internal).toContain('UEFI')
        const kept = uefi.replace('<nvram>', "<nvram format='qcow2'>")
        expect(snapshotAbility(known, kept, []).internal).toBe('')
    })
})
