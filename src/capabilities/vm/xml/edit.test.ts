// Edits one by one: what changes, and that the rest does not. The round trips over published files are in tests/real.
import { expect, test } from 'vitest'
import { type Element, parseRoot } from './document.ts'
import {
    addDevice,
    editDomain,
    setBootOrder,
    setDescription,
    setFirmware,
    setGuestAgent,
    setMachine,
    setTpm,
} from './edit.ts'
import { setSerial, setVnc } from './edit-console.ts'
import { lostByVcpus, setCpu, setVcpus } from './edit-cpu.ts'
import { setHotplugMemory, setMemory } from './edit-memory.ts'

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

test('vCPUs: what cannot stay is named', () => {
    const parts = (max: number, inner: string) => lostByVcpus(parseRoot(domain(inner), 'domain'), max)
    const dies = '<cpu><topology sockets="1" dies="2" cores="2" threads="1"/></cpu>'
    expect(parts(8, dies)).toEqual([])
    expect(parts(3, dies)).toEqual(['the CPU topology, into which they do not divide'])
    expect(parts(3, '<vcpus><vcpu id="0"/></vcpus>')).toEqual(['the list of single vCPUs'])
})

test('a CPU change keeps dies and clusters when it says what the API reads of them', () => {
    const cpu =
        '  <cpu mode="host-model"><topology sockets="1" dies="2" clusters="2" cores="1" threads="1"/><cache mode="emulate"/></cpu>'
    const shape = { sockets: 1, cores: 4, threads: 1 }
    const model = edited(cpu, tree => setCpu(tree, { model: 'maximum', ...shape }))
    expect(model).toContain('<topology sockets="1" dies="2" clusters="2" cores="1" threads="1"/>')
    expect(model).toContain('<cache mode="emulate"/>')
    const other = edited(cpu, tree => setCpu(tree, { model: '', ...shape, sockets: 2, cores: 2 }))
    expect(other).toContain('<topology sockets="2" cores="2" threads="1"/>')
})

test('room for memory: a ceiling with slots, and a cell that goes along with memory and vCPUs', () => {
    const made = edited('  <cpu mode="host-model"/>', tree => setHotplugMemory(tree, 2 ** 31))
    expect(made).toContain('<maxMemory slots="16" unit="KiB">2097152</maxMemory>\n  <memory')
    expect(made).toMatch(/<numa>\s*<cell id="0" cpus="0-3" memory="1048576" unit="KiB"\/>\s*<\/numa>/)
    const grown = editDomain(made, tree => {
        setMemory(tree, 1 << 29, 1 << 29)
        setVcpus(tree, 1, 1)
    })
    expect(grown).toContain('<cell id="0" cpus="0" memory="524288" unit="KiB"/>')
    expect(editDomain(grown, tree => setHotplugMemory(tree, 0))).not.toContain('maxMemory')
    // A DIMM of the definition is counted in its memory, but is not in the cell.
    const dimm = '<devices><memory model="dimm"><target><size unit="MiB">128</size></target></memory></devices>'
    const cell = '<cpu><numa><cell id="0" cpus="0-3" memory="896" unit="MiB"/></numa></cpu>'
    expect(edited(cell + dimm, tree => setMemory(tree, 1 << 30, 1 << 30))).toContain(cell.replaceAll("'", '"'))
    const two = '<cpu><numa><cell id="0" memory="1"/><cell id="1" memory="1"/></numa></cpu>'
    expect(edited(two, tree => setMemory(tree, 1 << 29, 1 << 29))).toContain(two)
})

test('a serial port and a display come where there are none, and go alone', () => {
    const bare = '  <devices>\n    <serial type="file"/>\n    <video><model type="none"/></video>\n  </devices>'
    const given = edited(bare, tree => {
        setSerial(tree, true)
        setVnc(tree, true, '/run/a.sock')
    })
    expect(given).toMatch(/<serial type="file"\/>\s*<serial type="pty"\/>/)
    expect(given).not.toMatch(/<console|"none"/)
    expect(given).toMatch(/<graphics type="vnc">\s*<listen type="socket" socket="\/run\/a.sock"\/>/)
    expect(given).toContain('<model type="vga"')
    const again = editDomain(given, tree => {
        setSerial(tree, true)
        setVnc(tree, true, '/other')
    })
    expect(again).toBe(given)
    const gone = editDomain(given, tree => {
        setSerial(tree, false)
        setVnc(tree, false, '')
    })
    expect(gone).not.toMatch(/pty|graphics/)
    expect(gone).toContain('<serial type="file"/>')
    expect(edited('  <devices/>', tree => setSerial(tree, true))).toMatch(
        /<console type="pty">\s*<target type="serial"/,
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
    expect(secure).not.toMatch(/\/x|\/y/)
    const withUuid = edited(`  <uuid>u-1</uuid>\n${os}`, tree => setFirmware(tree, 'uefi', true))
    expect(withUuid).toContain('<nvram>/var/lib/libvirt/qemu/nvram/u-1-secure_VARS.fd</nvram>')
    const open = editDomain(withUuid, tree => setFirmware(tree, 'uefi', false))
    expect(open).toContain('<nvram>/var/lib/libvirt/qemu/nvram/u-1_VARS.fd</nvram>')
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
