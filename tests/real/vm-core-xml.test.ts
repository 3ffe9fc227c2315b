// Edits lose nothing: round trips over libvirt's own collection of domain definitions, and through a real libvirtd.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { diskElement } from '../../src/capabilities/vm/xml/devices.ts'
import {
    children,
    type Element,
    find,
    findAll,
    parseRoot,
    remove,
    serializeXml,
    structureOf,
} from '../../src/capabilities/vm/xml/document.ts'
import {
    addDevice,
    editDomain,
    removeDisk,
    setBootOrder,
    setDescription,
    setFirmware,
    setGuestAgent,
    setMachine,
    setTpm,
} from '../../src/capabilities/vm/xml/edit.ts'
import { setSerial, setVnc } from '../../src/capabilities/vm/xml/edit-console.ts'
import { setCpu, setVcpus } from '../../src/capabilities/vm/xml/edit-cpu.ts'
import { setHotplugMemory, setMemory } from '../../src/capabilities/vm/xml/edit-memory.ts'
import { readDisks, readNics } from '../../src/capabilities/vm/xml/read-devices.ts'
import { readSummary } from '../../src/capabilities/vm/xml/read-summary.ts'
import { type DomainFile, domainFiles } from './domain-files.ts'
import { type LibvirtWorld, startLibvirt } from './world.ts'

const GIB = 1024 ** 3
let files: DomainFile[]
beforeAll(async () => {
    files = await domainFiles()
}, 300_000)

const structure = (xml: string, without: string[] = []) => {
    const domain = parseRoot(xml, 'domain')
    for (const path of without) for (const element of findAll(domain, path)) remove(element)
    return structureOf(domain)
}
const spare = diskElement({
    target: 'vdzz',
    device: 'disk',
    bus: 'virtio',
    volume: { pool: 'default', name: 'a.qcow2', path: '/a "quoted" & <odd>.qcow2', poolType: 'dir', format: 'qcow2' },
})

describe('over the published files', () => {
    test('there are more than a thousand', () => expect(files.length).toBeGreaterThan(1000))

    test('parse and serialize change nothing', () => {
        for (const { name, xml } of files)
            expect(structure(serializeXml(parseRoot(xml, 'domain').ownerDocument!)), name).toEqual(structure(xml))
    })

    test('description, vCPUs, a disk added and removed: nothing else changes', () => {
        const touched = ['description', 'vcpu', 'vcpus', 'cpu/topology', 'cpu/numa/cell']
        for (const { name, xml } of files) {
            const text = 'new <words> & "more" 🙂'
            const once = editDomain(xml, domain => {
                setDescription(domain, text)
                setVcpus(domain, 3, 6)
                addDevice(domain, spare)
            })
            const domain = parseRoot(once, 'domain')
            expect(find(domain, 'description')?.textContent, name).toBe(text)
            expect(find(domain, 'vcpu')?.textContent, name).toBe('6')
            const disk = readDisks(domain).find(facts => facts.target === 'vdzz')
            expect(disk?.source, name).toBe('/a "quoted" & <odd>.qcow2')
            const twice = editDomain(once, edited => expect(removeDisk(edited, 'vdzz')).toBe(true))
            const hadDevices = find(parseRoot(xml, 'domain'), 'devices') !== undefined
            const emptied = [...touched, ...(hadDevices ? [] : ['devices'])]
            // An empty <cpu/> may be what is left when its only child, a topology, no longer fits.
            expect(structure(twice, emptied), name).toEqual(structure(xml, emptied))
        }
    })

    // Each edit, and the elements that are its own: all others have to come out as they went in.
    const edits: Record<string, { edit: (domain: Element) => void; own: string[]; emptied?: string[] }> = {
        memory: {
            edit: domain => setMemory(domain, 3 * GIB, 4 * GIB),
            own: ['memory', 'currentMemory', 'cpu/numa/cell'],
        },
        'room for memory': {
            edit: domain => setHotplugMemory(domain, 64 * GIB),
            own: ['maxMemory', 'cpu/numa/cell'],
            emptied: ['cpu/numa', 'cpu'],
        },
        'a CPU model': {
            edit: domain => setCpu(domain, { model: 'maximum', sockets: 0, cores: 0, threads: 0 }),
            own: ['cpu/model', 'cpu/feature', 'cpu/vendor', 'cpu@mode', 'cpu@match', 'cpu@check', 'cpu@migratable'],
            emptied: ['cpu'],
        },
        'a CPU topology': {
            edit: domain => setCpu(domain, { model: '', sockets: 3, cores: 5, threads: 7 }),
            own: ['cpu/topology'],
            emptied: ['cpu'],
        },
        machine: {
            edit: domain => setMachine(domain, 'unheard-of'),
            own: ['os/type@machine', 'devices/controller', 'devices/*/address'],
            emptied: ['os/type', 'os'],
        },
        'UEFI with secure boot': {
            edit: domain => setFirmware(domain, 'uefi', true),
            own: ['os@firmware', 'os/loader', 'os/nvram', 'os/firmware', 'features/smm@state'],
            emptied: ['features/smm', 'features', 'os'],
        },
        BIOS: {
            edit: domain => setFirmware(domain, 'bios', false),
            own: ['os@firmware', 'os/loader', 'os/nvram', 'os/firmware'],
            emptied: ['os'],
        },
        'boot order': {
            edit: domain => setBootOrder(domain, ['network', 'disk']),
            own: ['os/boot', 'devices/disk/boot', 'devices/interface/boot'],
            emptied: ['os'],
        },
        TPM: { edit: domain => setTpm(domain, true), own: ['devices/tpm'], emptied: ['devices'] },
        'no TPM': { edit: domain => setTpm(domain, false), own: ['devices/tpm'] },
        'guest agent': { edit: domain => setGuestAgent(domain, true), own: ['devices/channel'], emptied: ['devices'] },
        'serial port': {
            edit: domain => setSerial(domain, true),
            own: ['devices/serial', 'devices/console'],
            emptied: ['devices'],
        },
        display: {
            edit: domain => setVnc(domain, true, '/a.sock'),
            own: ['devices/graphics', 'devices/video'],
            emptied: ['devices'],
        },
    }
    /** A domain without what an edit may change, and without what is empty by that in one of the two. */
    const rest = (xml: string, { own, emptied = [] }: { own: string[]; emptied?: string[] }) => {
        const domain = parseRoot(xml, 'domain')
        for (const path of own) {
            const [elements, name] = path.split('@')
            for (const element of all(domain, elements!)) {
                if (name) element.removeAttribute(name)
                else remove(element)
            }
        }
        for (const path of emptied)
            for (const element of findAll(domain, path))
                if (
                    element.attributes.length === 0 &&
                    (element.textContent ?? '').trim() === '' &&
                    !children(element)[0]
                )
                    remove(element)
        return structureOf(domain)
    }
    const all = (domain: Element, path: string): Element[] =>
        path.startsWith('devices/*/')
            ? findAll(domain, 'devices').flatMap(devices =>
                  children(devices).flatMap(device => findAll(device, path.slice('devices/*/'.length))),
              )
            : findAll(domain, path)

    test.each(Object.keys(edits))('an edit of one thing changes that alone: %s', name => {
        const edit = edits[name]!
        let changed = false
        for (const [i, file] of files.entries()) {
            const after = editDomain(file.xml, edit.edit)
            expect(rest(after, edit), file.name).toEqual(rest(file.xml, edit))
            changed ||= after !== editDomain(file.xml, () => {})
            // Done once, it is done.
            if (i % 10 === 0) expect(editDomain(after, edit.edit), file.name).toBe(editDomain(after, () => {}))
        }
        expect(changed).toBe(true)
    })

    test('devices that an edit shares with others: those of other kinds and places stay', () => {
        for (const { name, xml } of files) {
            const before = parseRoot(xml, 'domain')
            const after = parseRoot(
                editDomain(xml, domain => {
                    setSerial(domain, true)
                    setVnc(domain, true, '/a.sock')
                    setGuestAgent(domain, true)
                }),
                'domain',
            )
            for (const path of ['devices/serial', 'devices/console', 'devices/graphics', 'devices/channel']) {
                const kept = findAll(after, path).map(device => JSON.stringify(structureOf(device)))
                for (const device of findAll(before, path))
                    expect(kept, name).toContain(JSON.stringify(structureOf(device)))
            }
        }
    })

    test('lines that an edit does not touch stay as they are, byte for byte', () => {
        let untouched = 0
        for (const { name, xml } of files) {
            // The serializer writes attributes in double quotes and empty elements short: compare what it made of both.
            const before = serializeXml(parseRoot(xml, 'domain').ownerDocument!).split('\n')
            const after = editDomain(xml, domain => addDevice(domain, spare)).split('\n')
            const added = after.filter(line => !before.includes(line))
            const lost = before.filter(line => !after.includes(line))
            expect(added.length, name).toBeLessThanOrEqual(9)
            // A file that is one line, or has no devices, has to change in that line.
            if (find(parseRoot(xml, 'domain'), 'devices/emulator')) expect(lost, name).toEqual([])
            untouched += before.length - lost.length
        }
        expect(untouched).toBeGreaterThan(30_000)
    })

    test('the quick walk reads the same as the tree', () => {
        for (const { name, xml } of files) {
            const domain = parseRoot(xml, 'domain')
            const summary = readSummary(xml)
            expect(summary.name, name).toBe((find(domain, 'name')?.textContent ?? '').trim())
            expect(summary.description, name).toBe((find(domain, 'description')?.textContent ?? '').trim())
            const macs = new Set(readNics(domain).flatMap(nic => nic.mac || []))
            expect(new Set(summary.macs), name).toEqual(macs)
            for (const disk of readDisks(domain))
                for (const source of [disk.source, ...disk.chain])
                    if (source !== '') expect(summary.paths, name).toContain(source)
            const vcpu = (find(domain, 'vcpu')?.textContent ?? '').trim()
            if (vcpu !== '') expect(summary.maxVcpus, name).toBe(Number(vcpu))
        }
    })
})

describe('through a real libvirtd', () => {
    let world: LibvirtWorld
    beforeAll(async () => {
        world = await startLibvirt({ name: 'vmxml' })
    })
    afterAll(() => world?.stop())

    test('what libvirt wrote, edited and defined again, differs in what was asked for alone', async () => {
        const path = join(world.folder, 'edit.xml')
        const tried = files.filter(({ name }) => /x86_64-latest\.xml$/.test(name)).filter((_, i) => i % 3 === 0)
        let defined = 0
        for (const { name, xml } of tried) {
            if (defined === 100) break
            const own = xml.replace(/<emulator>[^<]*<\/emulator>/, '')
            await writeFile(path, own)
            const ok = await world.virsh(['define', path]).then(
                () => true,
                () => false,
            )
            if (!ok) continue
            const domain = parseRoot(xml, 'domain')
            const vm = (find(domain, 'name')?.textContent ?? '').trim()
            const read = () => world.virsh(['dumpxml', vm, '--inactive', '--security-info'])
            const before = await read()
            const { memoryBytes, maxMemoryBytes } = readSummary(before)
            await writeFile(
                path,
                editDomain(before, edited => {
                    setDescription(edited, 'edited')
                    setMemory(edited, memoryBytes, maxMemoryBytes)
                }),
            )
            await world.virsh(['define', path])
            const after = await read()
            expect(readSummary(after).description, name).toBe('edited')
            expect(structure(after, ['description']), name).toEqual(structure(before, ['description']))
            await world.virsh(['undefine', vm, '--nvram', '--tpm']).catch(() => world.virsh(['undefine', vm]))
            defined++
        }
        // The rest names devices, firmware or versions that this node does not have.
        expect(defined).toBe(100)
    }, 180_000)
})
