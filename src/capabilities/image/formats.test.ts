// What first bytes and names say of images, and what of a header is refused.
import { expect, test } from 'vitest'
import { checkHeader, formatOf, keptAs, sniff } from './formats.ts'

const bytes = (size: number, ...writes: [at: number, data: string | number[]][]) => {
    const buffer = Buffer.alloc(size)
    for (const [at, data] of writes) Buffer.from(data as string, 'latin1').copy(buffer, at)
    return buffer
}
const qcow2 = (...writes: [number, string | number[]][]) =>
    bytes(512, [0, 'QFI\xfb'], [4, [0, 0, 0, 3]], [100, [0, 0, 0, 104]], ...writes)
const of = (head: Buffer, sizeBytes = head.length) => ({ head, tail: head.subarray(-512), sizeBytes })

test.each([
    [bytes(512), 'raw'],
    [qcow2(), 'qcow2'],
    [bytes(512, [0, 'KDMV']), 'vmdk'],
    [bytes(512, [0, '# Disk DescriptorFile\n']), 'vmdk'],
    [bytes(512, [64, '\x7f\x10\xda\xbe']), 'vdi'],
    [bytes(512, [0, 'vhdxfile']), 'vhdx'],
    [bytes(512, [0, 'conectix']), 'vpc'],
    [bytes(40_000, [32769, 'CD001']), 'iso'],
    [bytes(512, [0, 'LUKS\xba\xbe']), 'luks'],
    [bytes(512, [510, [0x55, 0xaa]]), 'raw'],
    [Buffer.alloc(0), 'raw'],
])('the magic of case %#', (head, format) => {
    expect(sniff(head)).toBe(format)
})

test('a fixed VHD is known by its footer', () => {
    const tail = bytes(512, [0, 'conectix'])
    expect(sniff(bytes(512), tail)).toBe('vpc')
    expect(() => checkHeader('raw', { head: bytes(512), tail, sizeBytes: 4096 })).toThrow('not of the format')
})

test.each([
    ['a backing file', qcow2([8, [0, 0, 0, 0, 0, 0, 1, 0]])],
    ['a data file', qcow2([72, [0, 0, 0, 0, 0, 0, 0, 4]])],
    ['a data file in an extension', qcow2([104, [0x44, 0x41, 0x54, 0x41, 0, 0, 0, 4]])],
    [
        'a data file behind another extension',
        qcow2([104, [1, 2, 3, 4, 0, 0, 0, 3]], [120, [0x44, 0x41, 0x54, 0x41, 0, 0, 0, 4]]),
    ],
])('%s in a qcow2 header is refused', (_, head) => {
    expect(() => checkHeader('qcow2', of(head))).toThrow('refers to other files')
})

test('encryption, corruption and unknown versions are refused, a plain header is not', () => {
    expect(() => checkHeader('qcow2', of(qcow2()))).not.toThrow()
    expect(() => checkHeader('qcow2', of(qcow2([32, [0, 0, 0, 1]])))).toThrow('encrypted')
    expect(() => checkHeader('qcow2', of(qcow2([72, [0, 0, 0, 0, 0, 0, 0, 2]])))).toThrow('corrupt')
    expect(() => checkHeader('qcow2', of(qcow2([4, [0, 0, 0, 9]])))).toThrow('unknown version')
})

const vmdk = (descriptor: string) => {
    const head = bytes(4096, [0, 'KDMV'], [512, descriptor])
    head.writeBigUInt64LE(1n, 28)
    head.writeBigUInt64LE(4n, 36)
    return head
}
test.each([
    ['a parent', 'parentCID=12345678\nRW 1 SPARSE "x.vmdk"\n'],
    ['a parent by name', 'parentCID=ffffffff\nparentFileNameHint="p.vmdk"\n'],
    ['two extents', 'parentCID=ffffffff\nRW 1 SPARSE "a.vmdk"\nRW 1 SPARSE "b.vmdk"\n'],
    ['a flat extent', 'parentCID=ffffffff\nRW 1 FLAT "x-flat.vmdk" 0\n'],
    ['a path', 'parentCID=ffffffff\nRW 1 SPARSE "/etc/shadow"\n'],
])('%s in a VMDK descriptor is refused', (_, descriptor) => {
    expect(() => checkHeader('vmdk', of(vmdk(descriptor)))).toThrow('refers to other files')
})
test('a VMDK that stands alone is taken', () => {
    expect(() => checkHeader('vmdk', of(vmdk('parentCID=ffffffff\nRW 8 SPARSE "x.vmdk"\n')))).not.toThrow()
})

test('formats by word and by ending, never by content', () => {
    expect(formatOf('', 'a.b.QCOW2')).toBe('qcow2')
    expect(formatOf('', 'debian.img')).toBe('raw')
    expect(formatOf('', 'x.vhd')).toBe('vpc')
    expect(formatOf('vdi', 'x.iso')).toBe('vdi')
    expect(() => formatOf('', 'x')).toThrow('not said')
    expect(() => formatOf('', 'x.tar.gz')).toThrow('not said')
    expect(() => formatOf('host_device', 'x.raw')).toThrow('not known')
    expect([keptAs('', 'vmdk'), keptAs('', 'iso'), keptAs('raw', 'vmdk')]).toEqual(['qcow2', 'iso', 'raw'])
})
