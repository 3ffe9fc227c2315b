// Edits lose nothing: round trips over libvirt's own collection of domain definitions, and through a real libvirtd.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { diskElement } from '../../src/capabilities/vm/xml/devices.ts'
import { find, findAll, parseRoot, remove, serializeXml, structureOf } from '../../src/capabilities/vm/xml/document.ts'
import {
    addDevice,
    editDomain,
    removeDisk,
    setDescription,
    setMemory,
    setVcpus,
} from '../../src/capabilities/vm/xml/edit.ts'
import { readDisks, readNics } from '../../src/capabilities/vm/xml/read-devices.ts'
import { readSummary } from '../../src/capabilities/vm/xml/read-summary.ts'
import { type DomainFile, domainFiles } from './domain-files.ts'
import { type LibvirtWorld, startLibvirt } from './world.ts'

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
        const touched = ['description', 'vcpu', 'vcpus', 'cpu/topology']
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
