// libvirt's XML of pools and volumes, as it really said it, and names that try to be markup.
import { expect, test } from 'vitest'
import { disposition } from './downloads.ts'
import { entryOf, healthOf, purposeOf } from './entries.ts'
import { checkFolder } from './pool-folders.ts'
import { folderPoolXml, readPoolXml, readVolumeXml, volumeXml } from './storage-xml.ts'

const UUID = '6f1ed2c6-6f6d-4d8e-9a55-0f3b1d3f1f10'

import { checkVolumeName } from './volume-checks.ts'

const said = `<volume type='file'>
  <name>linked.qcow2</name>
  <key>/images/linked.qcow2</key>
  <capacity unit='bytes'>33554432</capacity>
  <allocation unit='bytes'>200704</allocation>
  <physical unit='bytes'>196928</physical>
  <target>
    <path>/images/linked.qcow2</path>
    <format type='qcow2'/>
    <permissions><mode>0600</mode><owner>0</owner><group>0</group></permissions>
    <timestamps><atime>1795000000.5</atime><mtime>1795000001.25</mtime><ctime>1795000002.0</ctime><btime>1795000000.0</btime></timestamps>
    <compat>1.1</compat>
  </target>
  <backingStore>
    <path>/images/disk.qcow2</path>
    <format type='qcow2'/>
  </backingStore>
</volume>`
const pool = { name: 'default', type: 'dir' }

test('a volume is read', () => {
    expect(readVolumeXml(said)).toEqual({
        ...{ name: 'linked.qcow2', key: '/images/linked.qcow2', path: '/images/linked.qcow2', format: 'qcow2' },
        ...{ capacityBytes: 33554432, allocationBytes: 200704, physicalBytes: 196928 },
        ...{ modifiedMs: 1795000001250, createdMs: 1795000000000, backingPath: '/images/disk.qcow2' },
    })
})

test('what was declared is believed more than what the content looks like', () => {
    const xml = readVolumeXml(said)
    expect(entryOf(pool, xml)).toMatchObject({ format: 'qcow2', suspect: false, backingPath: '/images/disk.qcow2' })
    const declared = entryOf(pool, xml, { format: 'raw' })
    expect(declared).toMatchObject({ format: 'raw', suspect: true, capacityBytes: 196928 })
    expect(declared.backingPath).toBeUndefined()
    // libvirt has no word for vhdx: that is no lie.
    expect(entryOf(pool, { ...xml, format: 'raw' }, { format: 'vhdx' })).toMatchObject({
        format: 'vhdx',
        suspect: false,
    })
    expect(entryOf(pool, { ...xml, format: 'iso' }, { format: 'raw' })).toMatchObject({ format: 'raw', suspect: false })
    // A logical volume's content is the guest's alone.
    expect(entryOf({ name: 'lvm', type: 'logical' }, xml)).toMatchObject({ format: 'raw' })
})

test('names and paths are no markup', () => {
    const evil = `a'/><x>&amp;"`
    expect(readPoolXml(folderPoolXml({ uuid: UUID, name: evil, path: `/srv/${evil}` }))).toMatchObject({
        name: evil,
        path: `/srv/${evil}`,
        type: 'dir',
    })
    const made = volumeXml({ name: evil, capacityBytes: 5, format: 'qcow2', backing: { path: evil, format: 'raw' } })
    expect(readVolumeXml(made)).toMatchObject({ name: evil, backingPath: evil, capacityBytes: 5 })
    expect(disposition(`../"x"\r\nset-cookie: a`)).not.toMatch(/["\r\n].*["\r\n]x|\r|\n/)
    expect(disposition('ü.iso')).toBe(`attachment; filename="_.iso"; filename*=UTF-8''%C3%BC.iso`)
})

test('purpose and health in words', () => {
    expect(purposeOf({ name: 'web1-seed.iso', format: 'raw' })).toBe('seed')
    expect(purposeOf({ name: 'debian.iso', format: 'raw' })).toBe('iso')
    expect(purposeOf({ name: 'x', format: 'iso' })).toBe('iso')
    expect(purposeOf({ name: 'web1.qcow2', format: 'qcow2' })).toBe('disk')
    const health = (availableBytes: number, active = true) =>
        healthOf({
            uuid: '',
            name: '',
            type: 'dir',
            path: '',
            active,
            autostart: true,
            capacityBytes: 1000,
            allocationBytes: 0,
            availableBytes,
            volumes: 0,
        })
    expect([health(500), health(99), health(19), health(500, false)]).toEqual(['ok', 'low', 'full', 'away'])
})

test('folders that are not for images', () => {
    for (const path of ['/srv/vm', '/var/lib/libvirt/images', '/home/ann/images', '/mnt/disk'])
        expect(checkFolder(path)).toBe(path)
    for (const path of [
        '',
        'x',
        '/',
        '/srv',
        '/srv/',
        '/srv//x',
        '/srv/./x',
        '/srv/../etc',
        '/etc/x',
        '/proc/1',
        '/dev',
        '/var/lib/debvisor',
        '/var/lib/debvisor/images',
        '/var/lib/etcd/x',
        '/var/lib/libvirt/qemu',
        '/x\n',
        `/${'x'.repeat(2000)}`,
    ]) {
        expect(() => checkFolder(path)).toThrow()
    }
    // What this service keeps, wherever it is told to: neither in it nor around it.
    for (const path of ['/state/staging', '/state/staging/x', '/state'])
        expect(() => checkFolder(path, ['/state/staging'])).toThrow('not for images')
    expect(checkFolder('/state/images', ['/state/staging'])).toBe('/state/images')
})

test('names of volumes may be long, as distributions make them', () => {
    for (const name of ['debian-13-genericcloud-amd64-20260101-1234.qcow2', 'a+b.iso', `${'x'.repeat(128)}`])
        expect(checkVolumeName(name)).toBe(name)
    for (const name of ['', '.x', '-x', 'a b', 'a/b', '..', 'x'.repeat(129), 'a\0'])
        expect(() => checkVolumeName(name)).toThrow()
})

test('where a pool of Ceph is, and as whom, without any key', () => {
    const rbd = `<pool type='rbd'><name>vm-pool</name><uuid>${UUID}</uuid><source>
        <host name='10.0.0.1' port='6789'/><host name='10.0.0.2'/><name>vm-pool</name>
        <auth type='ceph' username='libvirt'><secret uuid='2ec115d7-3a88-3ceb-bc12-0ac909a6fd87'/></auth></source></pool>`
    expect(readPoolXml(rbd)).toEqual({
        ...{ uuid: UUID, name: 'vm-pool', type: 'rbd', path: '' },
        remote: {
            name: 'vm-pool',
            hosts: [{ name: '10.0.0.1', port: '6789' }, { name: '10.0.0.2' }],
            auth: { username: 'libvirt', secretUuid: '2ec115d7-3a88-3ceb-bc12-0ac909a6fd87' },
        },
    })
    const volume = `<volume type='network'><name>disk0</name><key>vm-pool/disk0</key><capacity>64</capacity>
        <target><path>vm-pool/disk0</path><format type='raw'/></target></volume>`
    expect(entryOf(readPoolXml(rbd), readVolumeXml(volume))).toMatchObject({
        ...{ pool: 'vm-pool', poolType: 'rbd', path: 'vm-pool/disk0', format: 'raw' },
        remote: { hosts: [{ name: '10.0.0.1' }, { name: '10.0.0.2' }] },
    })
    expect(readPoolXml("<pool type='dir'><name>a</name><target><path>/a</path></target></pool>")).not.toHaveProperty(
        'remote',
    )
})
