// The checks of a request never throw, whatever is in it, and let nothing through that libvirt's XML could not hold.

import { create } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CreateRequestSchema } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { checkMemory, checkWant, type HostFacts, type VmWant } from './spec.ts'
import { checkMac } from './spec-devices.ts'
import { refuseErrors } from './spec-finding.ts'
import { wantOf } from './want.ts'
import { buildDomain } from './xml/build.ts'
import { parseRoot, textAt } from './xml/document.ts'
import { readMetadata } from './xml/metadata.ts'

const GIB = 1024 ** 3
const host: HostFacts = {
    ...{ accelerator: 'tcg', libvirtVersion: 9_000_000, machines: ['q35', 'pc'], cpuModels: ['qemu64'] },
    ...{ uefi: true, secureBoot: true, tpm: true, maxVcpus: 255, cpus: 4, memoryBytes: 8 * GIB },
}
const nobody = { name: () => false, mac: () => undefined }
const wanted = (more: Partial<VmWant> = {}): VmWant => ({
    ...wantOf(create(CreateRequestSchema, { name: 'a', memoryBytes: BigInt(GIB), vcpus: 1 }), 'ann'),
    ...more,
})
const errors = (want: VmWant) => checkWant(want, host, nobody).filter(f => f.severity === 'error')

describe('the check of a request', () => {
    it('refuses every size that is none', () => {
        for (const memoryBytes of [0, -1, Number.NaN, 2 ** 63, Number.POSITIVE_INFINITY, 1.5, 1024])
            expect(
                checkMemory({ memoryBytes, maxMemoryBytes: memoryBytes, hotplugMemoryBytes: 0 }, host)[0]?.code,
            ).toBe('memory-size')
        for (const sizeBytes of [0, -5, Number.NaN, 2 ** 63, 0.5, 511]) {
            const [disk] = wantOf(create(CreateRequestSchema, { disks: [{}] }), '').disks
            expect(errors(wanted({ disks: [{ ...disk!, sizeBytes }] })).map(f => f.at)).toEqual(['disks[0].size'])
        }
        for (const vcpus of [0, -1, Number.NaN, 1.5, 256, 2 ** 32])
            expect(errors(wanted({ vcpus, maxVcpus: vcpus }))[0]?.at).toBe('vcpus')
    })

    it('names the code of the Fault by what was found', () => {
        const code = (taken: { name(): boolean; mac(): string | undefined }, want: VmWant) => {
            try {
                refuseErrors(checkWant(want, host, taken))
                return ''
            } catch (thrown) {
                return (thrown as { code: string }).code
            }
        }
        const all = { name: () => true, mac: () => 'other' }
        expect(code(nobody, wanted())).toBe('')
        expect(code(all, wanted())).toBe('exists')
        expect(code(all, wanted({ vcpus: 0 }))).toBe('invalid')
        expect(code(nobody, wanted({ cpu: { model: 'host-passthrough', sockets: 0, cores: 0, threads: 0 } }))).toBe(
            'unsupported',
        )
    })

    it('takes MACs of single stations only', () => {
        const why = (mac: string) => checkMac(mac, 'mac', () => undefined)[0]?.code
        expect(why('52:54:00:12:34:56')).toBeUndefined()
        expect(why('01:00:5e:00:00:01')).toBe('mac-multicast')
        for (const mac of ['', '52-54-00-12-34-56', '52:54:00:12:34', '00:00:00:00:00:00', "52:54:00:12:34:5'"])
            expect(why(mac)).toBe('mac-format')
    })

    it('lets only what XML can hold come through, and it comes back as it was', () => {
        const text = fc.string({ unit: 'binary', maxLength: 40 })
        fc.assert(
            fc.property(fc.record({ name: text, description: text, notes: text }), texts => {
                const want = wanted(texts)
                if (errors(want).length > 0) return
                const uuid = '4d0fe1b2-8d3c-4b0c-9a51-0f6f3a9c7e21'
                const xml = buildDomain({
                    want,
                    uuid,
                    disks: [],
                    isos: [],
                    macs: [],
                    accelerator: 'tcg',
                    vncSocket: '/x',
                })
                const root = parseRoot(xml, 'domain')
                expect(textAt(root, 'name')).toBe(want.name)
                expect(textAt(root, 'description')).toBe(want.description.trim())
                expect(readMetadata(root).notes).toBe(want.notes.trim())
            }),
            { numRuns: 500 },
        )
        const markup = `</description><x y='"'>&amp; <![CDATA[ ]]>`
        expect(errors(wanted({ description: markup }))).toEqual([])
    })

    it('throws at nothing', () => {
        fc.assert(
            fc.property(fc.string({ unit: 'binary' }), fc.double(), (word, number) => {
                const want = wanted({
                    ...{
                        name: word,
                        machine: word,
                        firmware: word,
                        os: word,
                        tags: [word],
                        isos: [word],
                        bootOrder: [word],
                    },
                    ...{ memoryBytes: number, vcpus: number, startOrder: number },
                    nics: [{ network: word, bridge: word, model: word, mac: word, vlan: number }],
                    cpu: { model: word, sockets: number, cores: number, threads: number },
                })
                expect(Array.isArray(checkWant(want, host, nobody))).toBe(true)
            }),
        )
    })
})
