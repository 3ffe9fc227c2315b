// Edits one by one: what changes, and that the rest does not. The round trips over published files are in tests/real.
import { expect, test } from 'vitest'
import type { Element } from './document.ts'
import {
    addDevice,
    editDomain,
    setBootOrder,
    setCpu,
    setDescription,
    setFirmware,
    setGuestAgent,
    setMachine,
    setMemory,
    setTpm,
    setVcpus,
} from './edit.ts'

const domain = (inner: string) => `<domain type="kvm">
  <name>a</name>
  <memory unit="KiB">1048576</memory>
  <currentMemory unit="KiB">1048576</currentMemory>
  <vcpu placement="static">4</vcpu>
${inner}
</domain>`
const edited = (inner: string, change: (tree: Element) => void) => editDomain(domain(inner), change)

test('equal values change not a byte', () => {
    const xml = domain('  <os><type machine="pc-q35-7.2">hvm</type></os>\n  <devices><tpm/></devices>')
    const same = editDomain(xml, tree => {
        setMemory(tree, 1 << 30, 1 << 30)
        setVcpus(tree, 4, 4)
        setTpm(tree, true)
        setGuestAgent(tree, false)
        setMachine(tree, 'pc-q35-7.2')
        setDescription(tree, '')
    })
    expect(same).toBe(xml)
})

test('a description goes where libvirt has it, and goes again', () => {
    const made = edited('', tree => setDescription(tree, 'a <b>'))
    expect(made).toContain('<name>a</name>\n  <description>a &lt;b&gt;</description>\n  <memory')
    expect(editDomain(made, tree => setDescription(tree, ''))).toBe(domain(''))
})

test('memory of half its ceiling, and a size that is no whole KiB', () => {
    const made = edited('', tree => setMemory(tree, (1 << 29) + 1, 1 << 30))
    expect(made).toContain('<currentMemory unit="KiB">524289</currentMemory>')
    expect(made).toContain('<memory unit="KiB">1048576</memory>')
})

test.each([
    ['a topology that can hold them gets other cores', '2', '2', 8, '<topology sockets="2" cores="2" threads="2"/>'],
    ['one that cannot is taken away', '2', '2', 3, '<cpu mode="host-model"/>'],
])('vCPUs: %s', (_, sockets, threads, max, expected) => {
    const cpu = `  <cpu mode="host-model"><topology sockets="${sockets}" cores="1" threads="${threads}"/></cpu>`
    const made = edited(cpu, tree => setVcpus(tree, 2, max))
    expect(made).toContain(expected)
    expect(made).toContain(`<vcpu placement="static" current="2">${max}</vcpu>`)
})

test('a new CPU model loses the features of the old one, and keeps the topology', () => {
    const cpu = `  <cpu mode="custom" match="exact" check="partial"><model fallback="allow">old</model><topology sockets="1" cores="4" threads="1"/><feature policy="require" name="vmx"/></cpu>`
    const made = edited(cpu, tree => setCpu(tree, { model: 'host-passthrough', sockets: 0, cores: 0, threads: 0 }))
    expect(made).toContain(
        '<cpu mode="host-passthrough" check="none"><topology sockets="1" cores="4" threads="1"/></cpu>',
    )
})

test('boot order: kinds replace devices and the other way round; nothing unknown, nothing mixed', () => {
    const devices = `  <os><type>hvm</type><boot dev="hd"/></os>
  <devices><disk><target dev="vda"/></disk><interface><mac address="52:54:00:00:00:01"/></interface></devices>`
    const placed = edited(devices, tree => setBootOrder(tree, ['52:54:00:00:00:01', 'vda']))
    expect(placed).not.toContain('dev="hd"')
    expect(placed).toMatch(/52:54:00:00:00:01"\/>\s*<boot order="1"\/>/)
    expect(placed).toMatch(/vda"\/>\s*<boot order="2"\/>/)
    const kinds = editDomain(placed, tree => setBootOrder(tree, ['network', 'disk']))
    expect(kinds).not.toContain('boot order')
    expect(kinds).toMatch(/<boot dev="network"\/>\s*<boot dev="hd"\/>/)
    expect(() => edited(devices, tree => setBootOrder(tree, ['vdb']))).toThrow('booted from')
    expect(() => edited(devices, tree => setBootOrder(tree, ['disk', 'vda']))).toThrow('booted from')
})

test('firmware: UEFI is asked for by feature, BIOS leaves nothing of it', () => {
    const os = '  <os><type>hvm</type><loader type="pflash">/x</loader><nvram>/y</nvram></os>'
    const secure = edited(os, tree => setFirmware(tree, 'uefi', true))
    expect(secure).toContain('<os firmware="efi">')
    expect(secure).toContain('<feature enabled="yes" name="secure-boot"/>')
    expect(secure).toContain('<smm state="on"/>')
    expect(secure).not.toContain('/x')
    const bios = editDomain(secure, tree => setFirmware(tree, 'bios', false))
    expect(bios).not.toMatch(/efi|loader|nvram|<firmware/)
})

test('another board: its controllers and addresses go, those of the same family stay', () => {
    const devices = `  <os><type machine="pc-q35-7.2">hvm</type></os>
  <devices><controller type="pci" model="pcie-root"/><controller type="scsi"/><disk><address type="pci"/></disk></devices>`
    const newer = edited(devices, tree => setMachine(tree, 'pc-q35-8.0'))
    expect(newer).toContain('pcie-root')
    const other = edited(devices, tree => setMachine(tree, 'pc'))
    expect(other).not.toMatch(/pcie-root|address/)
    expect(other).toContain('type="scsi"')
})

test('devices go behind the last of their kind', () => {
    const made = edited('  <devices>\n    <disk/>\n    <tpm/>\n  </devices>', tree =>
        addDevice(tree, { name: 'disk', attributes: { type: 'file' } }),
    )
    expect(made).toContain('    <disk/>\n    <disk type="file"/>\n    <tpm/>')
})
