// What DebVisor keeps in a domain's metadata, written and read back, by the tree and by the walk.
import { expect, test } from 'vitest'
import { xmlText } from './build-text.ts'
import { freeTarget, iotuneElement, sourceOfVolume } from './devices.ts'
import { parseRoot, renderXml } from './document.ts'
import { metadataElement, noMetadata, readMetadata, type VmMetadata } from './metadata.ts'
import { readSummary } from './read-summary.ts'
import { attributeIn, scanXml } from './scan.ts'

const full: VmMetadata = {
    owner: 'alice "x" <y>',
    tags: ['web', 'a&b'],
    notes: 'first\nsecond',
    template: true,
    startOrder: 3,
    startDelaySeconds: 20,
    ordered: true,
    os: 'windows',
    seed: 'default/web1-seed.iso',
}
const inDomain = (metadata: string) => `<domain><metadata>${metadata}</metadata></domain>`
const written = (metadata: VmMetadata) => inDomain(xmlText(metadataElement(metadata)))

test('what is written is read, whole or empty', () => {
    for (const metadata of [full, noMetadata()])
        expect(readMetadata(parseRoot(written(metadata), 'domain'))).toEqual(metadata)
})

test('the walk reads the same but for the notes, which the inventory does not keep', () => {
    expect(readSummary(written(full)).metadata).toEqual({ ...full, notes: '' })
})

test('another prefix is ours too; another namespace is not', () => {
    const ours = (uri: string) => inDomain(`<z:vm xmlns:z="${uri}"><z:owner>bob</z:owner><z:template/></z:vm>`)
    const read = readSummary(ours('https://debvisor.org/xmlns/vm/1')).metadata
    expect(read).toMatchObject({ owner: 'bob', template: true })
    expect(readMetadata(parseRoot(ours('https://debvisor.org/xmlns/vm/1'), 'domain'))).toEqual(read)
    expect(readSummary(ours('https://example.org/')).metadata).toEqual(noMetadata())
    expect(readMetadata(parseRoot(ours('https://example.org/'), 'domain'))).toEqual(noMetadata())
})

test('nonsense in numbers is no number', () => {
    const odd = `<d:vm xmlns:d="https://debvisor.org/xmlns/vm/1"><d:start order="-1" delay="1e9"/></d:vm>`
    expect(readSummary(inDomain(odd)).metadata).toMatchObject({ startOrder: 0, startDelaySeconds: 0, ordered: false })
})

test('the walk: comments, CDATA, quotes and references', () => {
    const heard: string[] = []
    scanXml(`<a x='1>"2'><!-- <b> --><b y="&lt;&#65;&#x42;">t&amp;<![CDATA[<u>]]></b><c/></a>`, {
        open: (path, attributes) =>
            void heard.push(`${path} ${attributeIn(attributes, 'x') ?? attributeIn(attributes, 'y') ?? ''}`),
        text: (path, text) => void heard.push(`${path}=${text}`),
        close: path => void heard.push(`/${path}`),
    })
    expect(heard).toEqual(['a 1>"2', 'a/b <AB', 'a/b=t&<u>', '/a/b', 'a/c ', '/a/c', '/a'])
    expect(attributeIn(' xdev="1" dev="2"', 'dev')).toBe('2')
    expect(attributeIn(` name='a dev="1" b' dev='2'`, 'dev')).toBe('2')
    expect(attributeIn(` name="a dev='1'"`, 'dev')).toBeUndefined()
    expect(attributeIn(` a = "1"  dev = '2'`, 'dev')).toBe('2')
    expect(attributeIn(' dev=', 'dev')).toBeUndefined()
})

test('targets are given in order and past the alphabet', () => {
    expect(freeTarget('virtio', ['vda', 'vdc'])).toBe('vdb')
    expect(freeTarget('sata', [])).toBe('sda')
    const letters = Array.from({ length: 26 }, (_, i) => `sd${String.fromCharCode(97 + i)}`)
    expect(freeTarget('scsi', letters)).toBe('sdaa')
})

test('sources by the type of pool; no limits, no element', () => {
    const volume = { pool: 'p', name: 'v', path: '/x/v' }
    const said = (of: Parameters<typeof sourceOfVolume>[0]) => {
        const { type, source } = sourceOfVolume(of)
        return `${type}: ${renderXml(source)}`
    }
    expect(said({ ...volume, poolType: 'dir' })).toBe('file: <source file="/x/v"/>')
    expect(said({ ...volume, poolType: 'zfs' })).toBe('block: <source dev="/x/v"/>')
    expect(said({ ...volume, poolType: 'iscsi-direct' })).toBe('volume: <source pool="p" volume="v"/>')
    const remote = { hosts: [{ name: '10.0.0.1' }, { name: 'fd00::1', port: '6789' }] }
    const auth = { username: 'libvirt', secretUuid: '2ec115d7-3a88-3ceb-bc12-0ac909a6fd87' }
    expect(said({ ...volume, path: 'vm-pool/v', poolType: 'rbd', remote: { ...remote, auth } })).toBe(
        'network: <source protocol="rbd" name="vm-pool/v"><host name="10.0.0.1"/><host name="fd00::1" port="6789"/>' +
            '<auth username="libvirt"><secret type="ceph" uuid="2ec115d7-3a88-3ceb-bc12-0ac909a6fd87"/></auth></source>',
    )
    expect(said({ ...volume, path: 'vm-pool/v', poolType: 'rbd', remote })).not.toContain('auth')
    const none = { readIops: 0, writeIops: 0, readBytesPerSecond: 0, writeBytesPerSecond: 0 }
    expect(iotuneElement(none)).toBeUndefined()
    expect(renderXml(iotuneElement({ ...none, readIops: 5 })!)).toBe(
        '<iotune><read_iops_sec>5</read_iops_sec></iotune>',
    )
})
